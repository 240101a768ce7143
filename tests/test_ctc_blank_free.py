"""CTC without a blank, and the states of one trellis, against plain loops over paths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ctc_problems import DTYPES, WRT, emissions, random_targets
from oracles import assert_close, numeric_gradient
from unrolled import _core, ctc


def every_path(frames, target):
    """All ways to give each frame a place in `target`, in order and none left out."""
    length = len(target)
    for ends in itertools.combinations(range(1, frames), length - 1):
        yield np.repeat(np.arange(length), np.diff([0, *ends, frames]))


def brute_force(log_probs, target):
    """Return the loss and the posterior of each class at each frame."""
    frames = np.arange(log_probs.shape[0])
    total, occupied = 0.0, np.zeros(log_probs.shape)
    for path in every_path(frames.size, target):
        classes = np.asarray(target)[path]
        probability = np.exp(log_probs[frames, classes].astype(np.float64).sum())
        total += probability
        occupied[frames, classes] += probability
    return -np.log(total), occupied / total


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("frames", [1, 2, 4, 7])
def test_agrees_with_every_path(isa, dtype, frames, rng, tolerance):
    for length in range(1, frames + 1):
        log_probs = emissions(rng, frames, 4, dtype=dtype)
        target = random_targets(rng, [length], 4, 4)[0]
        wanted, occupied = brute_force(log_probs, target)
        loss, grad = ctc.loss_and_grad(log_probs, target, blank=None, reduction="sum")
        assert_close(loss, wanted, tolerance("ctc", dtype))
        assert_close(grad, -occupied, tolerance("ctc", dtype))


@pytest.mark.parametrize("wrt", WRT)
def test_gradient_agrees_with_central_differences(isa, wrt, rng, tolerance):
    scores = rng.standard_normal((2, 6, 4))
    options = {"blank": None, "reduction": "sum", "wrt": wrt}
    targets, frames = [[0, 0, 3], [1]], [6, 4]
    if wrt == "log_probs":
        scores = emissions(rng, 2, 6, 4)
    _, grad = ctc.loss_and_grad(scores, targets, frames, **options)
    wanted = numeric_gradient(lambda x: ctc.loss_and_grad(x, targets, frames, **options)[0], scores)
    assert_close(grad, wanted, tolerance("differences", "float64"))


def test_what_has_no_path(isa, rng):
    log_probs = emissions(rng, 3, 2, 4)
    losses, grad = ctc.loss_and_grad(
        log_probs, [[0, 1, 1], [], [2, 2]], blank=None, reduction="none", infeasible="inf"
    )
    assert list(np.isinf(losses)) == [True, True, False]
    assert not grad[:2].any()
    with pytest.raises(ValueError, match=r"item 0: 2 frames .* needs 3 \(3 symbols\)"):
        ctc.loss(log_probs, [[0, 1, 1], [1], [2, 2]], blank=None)
    with pytest.raises(ValueError, match=r"item 1: its target is empty"):
        ctc.loss(log_probs, [[0, 1], [], [2, 2]], blank=None)
    assert ctc.loss(log_probs[:1, :0], [[]], blank=None, reduction="sum") == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("blank", [0, -1])
@pytest.mark.parametrize("length", [0, 1, 4, 7])
def test_states_are_those_of_the_loss(isa, dtype, blank, length, rng):
    """At each frame alpha + beta adds up to the loss."""
    if length == 0 and blank < 0:
        return
    log_probs = emissions(rng, 14, 5, dtype=dtype)
    target = np.array(random_targets(rng, [length], 5, blank)[0], np.int64)
    alpha, beta_hat, beta = _core.ctc_states(log_probs, target, blank)
    states = 2 * length + 1 if blank >= 0 else length
    assert alpha.shape == beta_hat.shape == beta.shape == (14, states)
    wanted = ctc.loss(log_probs.astype(np.float64), target, blank=None if blank < 0 else 0,
                      reduction="sum")  # fmt: skip
    both = np.logaddexp.reduce(alpha + beta, axis=1)
    assert_close(both, np.full(14, -wanted), 1e-12)
    symbols = target if blank < 0 else np.zeros(states, np.int64)
    if blank >= 0:
        symbols[1::2] = target
    finite = np.isfinite(beta)
    assert_close(beta_hat[finite], (beta + log_probs.astype(np.float64)[:, symbols])[finite], 1e-12)
    assert np.isneginf(alpha[0, 1 if blank < 0 else 2 :]).all()
    assert np.isneginf(beta[-1, : states - (1 if blank < 0 else 2)]).all()
