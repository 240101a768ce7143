"""CTC loss at its edges: empty targets, repeats, no path, masks, cold logits, padding."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from ctc_problems import DTYPES, REDUCTIONS, WRT, emissions, torch_loss
from oracles import assert_close, assert_same_bits
from unrolled import ctc
from unrolled.reference import ctc as reference
from unrolled.reference.softmax import log_softmax
from unrolled.reference.trellis import extend_with_blanks


def test_an_empty_target_is_all_blanks(isa, rng):
    log_probs = emissions(rng, 3, 5, 4)
    loss, grad = ctc.loss_and_grad(log_probs, [[], [1], []], [5, 4, 2], reduction="none")
    assert_close(loss[[0, 2]], [-log_probs[0, :, 0].sum(), -log_probs[2, :2, 0].sum()], 1e-14)
    wanted = np.zeros((5, 4))
    wanted[:, 0] = -1
    assert_close(grad[0], wanted, 1e-14)


@pytest.mark.parametrize(
    "targets", [[[], []], np.zeros((2, 0), np.int64), np.zeros((2, 3), np.int64)]
)
def test_all_targets_may_be_empty(targets, rng):
    log_probs = emissions(rng, 2, 5, 4)
    loss, _ = ctc.loss_and_grad(log_probs, targets, target_lengths=[0, 0])
    assert_close(loss, -log_probs[:, :, 0].sum() / 2, 1e-14)  # length 0 counts as 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_repeats_need_a_blank_between_them(isa, dtype, rng):
    log_probs = emissions(rng, 3, 3, dtype=dtype)
    loss, grad = ctc.loss_and_grad(log_probs, [1, 1], reduction="sum")
    path = (1, 0, 1)  # the only one
    assert_close(loss, -sum(float(log_probs[t, c]) for t, c in enumerate(path)), 1e-6)
    assert_close(grad, -np.eye(3)[list(path)], 1e-6)
    assert ctc.loss(log_probs[:2], [1, 1], infeasible="inf") == np.inf
    assert np.isfinite(ctc.loss(emissions(rng, 5, 3), [2, 2, 2]))  # 3 and 2 repeats
    assert ctc.loss(emissions(rng, 4, 3), [2, 2, 2], infeasible="inf") == np.inf


@pytest.mark.parametrize("wrt", WRT)
@pytest.mark.parametrize("frames", [2, 0])
def test_an_infeasible_target_raises_and_says_why(wrt, frames, rng):
    log_probs = emissions(rng, 2, 4, 5)
    why = rf"item 1: {frames} frames .* needs 4 \(3 symbols and 1 blank"
    with pytest.raises(ValueError, match=why):
        ctc.loss_and_grad(log_probs, [[1], [1, 1, 3]], [4, frames], wrt=wrt)
    with pytest.raises(ValueError, match=why):
        ctc.loss(log_probs, [[1], [1, 1, 3]], [4, frames])


@pytest.mark.parametrize("wrt", WRT)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("policy", "value"), [("inf", np.inf), ("zero", 0.0)])
def test_infeasible_items_spoil_no_others(isa, wrt, reduction, policy, value, rng, tolerance):
    log_probs = emissions(rng, 3, 4, 5)
    targets = [[1], [1, 1, 3], [2, 4]]
    options = {"wrt": wrt, "reduction": reduction, "infeasible": policy}
    loss, grad = ctc.loss_and_grad(log_probs, targets, [4, 3, 4], **options)
    wanted, wanted_grad = reference.loss_and_grad(log_probs, targets, [4, 3, 4], **options)
    assert_close(loss, wanted, tolerance("ctc", "float64"))
    assert_close(grad, wanted_grad, tolerance("ctc", "float64"))
    assert not grad[1].any()
    if reduction == "none":
        assert loss[1] == value


def test_the_zero_policy_is_pytorchs_zero_infinity(rng, tolerance):
    logits = rng.standard_normal((2, 4, 5))
    targets = [[1, 1, 3, 3], [2, 4]]
    wanted, wanted_grad = torch_loss(logits, targets, [4, 4], 0, "mean", zero_infinity=True)
    loss, grad = ctc.loss_and_grad(logits, targets, [4, 4], wrt="logits", infeasible="zero")
    assert_close(loss, wanted, tolerance("ctc", "float64"))
    assert_close(grad, wanted_grad, tolerance("ctc", "float64"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_masked_classes_have_no_part(isa, dtype, rng, tolerance):
    logits = rng.standard_normal((1, 12, 6))
    logits[0, :, 4] = -np.inf  # never wanted
    logits[0, 2:5, 1] = -np.inf  # wanted, but not here
    logits[0, 7, 0] = -np.inf  # no blank here
    log_probs = log_softmax(logits).astype(dtype)
    for wrt in WRT:
        loss, grad = ctc.loss_and_grad(log_probs, [[1, 3, 3]], reduction="sum", wrt=wrt)
        assert np.isfinite(loss)
        assert np.isfinite(grad).all()
        assert not grad[np.isneginf(log_probs)].any()
        one = brute_log_space(log_probs[0], [1, 3, 3])
        assert_close(loss, one, tolerance("ctc", dtype))


def brute_log_space(log_probs, target):
    """Count paths state by state in plain probabilities: fit for a dozen frames."""
    symbols, skips = extend_with_blanks(target, 0)
    alpha = np.zeros(len(symbols))
    alpha[0] = 1.0
    p = np.exp(np.asarray(log_probs, np.float64))
    for t, row in enumerate(p):
        arrive = alpha + np.concatenate([[0.0], alpha[:-1]])
        arrive[2:] += np.where(skips[2:], alpha[:-2], 0.0)
        if t == 0:
            arrive = np.where(np.arange(len(symbols)) < 2, 1.0, 0.0)
        alpha = arrive * row[symbols]
    return -math.log(alpha[-2:].sum())


@pytest.mark.parametrize("wrt", WRT)
def test_a_target_that_only_masked_classes_reach_is_infeasible(isa, wrt, rng):
    log_probs = emissions(rng, 2, 6, 4)
    log_probs[1, :, 2] = -np.inf
    log_probs[1] = log_softmax(log_probs[1])
    targets = [[1, 2], [2, 3]]
    with pytest.raises(ValueError, match=r"item 1: .*target.*-inf"):
        ctc.loss_and_grad(log_probs, targets, wrt=wrt)
    for policy, value in (("inf", np.inf), ("zero", 0.0)):
        loss, grad = ctc.loss_and_grad(
            log_probs, targets, reduction="none", infeasible=policy, wrt=wrt
        )
        assert loss[1] == value
        assert not grad[1].any()
        assert np.isfinite(loss[0])
        assert grad[0].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrt", WRT)
def test_cold_logits_stay_finite(isa, dtype, wrt, rng, tolerance):
    """Probabilities far below the smallest double must not become zeros."""
    logits = (400 * rng.standard_normal((2, 15, 7))).astype(dtype)
    scores = logits if wrt == "logits" else log_softmax(logits).astype(dtype)
    targets = [[1, 1, 2, 5], [3, 6]]
    loss, grad = ctc.loss_and_grad(scores, targets, reduction="none", wrt=wrt)
    wanted, wanted_grad = reference.loss_and_grad(scores, targets, reduction="none", wrt=wrt)
    assert np.isfinite(wanted).all()
    assert wanted.max() > 800
    assert_close(loss, wanted, tolerance("ctc", dtype))
    assert_close(grad, wanted_grad, tolerance("ctc", dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_confident_alignment_never_gives_a_negative_loss(isa, dtype):
    log_probs = log_softmax(50 * np.eye(4)[[0, 1, 1, 0, 2, 3, 3]]).astype(dtype)
    loss, grad = ctc.loss_and_grad(log_probs, [1, 2, 3], reduction="sum")
    assert loss >= 0
    assert np.isfinite(grad).all()
    certain = np.where(np.eye(4)[[0, 1, 1, 0, 2, 3, 3]] > 0, 0.0, -np.inf).astype(dtype)
    loss, grad = ctc.loss_and_grad(certain, [1, 2, 3], reduction="sum")
    assert loss == 0
    assert_close(grad, -np.exp(certain), 1e-7)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("garbage", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("wrt", WRT)
def test_frames_beyond_the_end_are_never_read(isa, dtype, garbage, wrt, rng):
    log_probs = emissions(rng, 4, 9, 5, dtype=dtype)
    targets, frames = [[1, 2], [3], [4, 4], []], [9, 3, 5, 0]
    clean = ctc.loss_and_grad(log_probs, targets, frames, wrt=wrt)
    padded = np.arange(9)[None, :] >= np.array(frames)[:, None]
    log_probs[padded] = garbage
    dirty = ctc.loss_and_grad(log_probs, targets, frames, wrt=wrt)
    assert_same_bits(dirty, clean)
    assert np.isfinite(dirty[0])
    assert not dirty[1][padded].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("wrt", WRT)
def test_a_score_that_is_no_number_is_named(isa, dtype, bad, wrt):
    """It must not vanish in a maximum."""
    for whole in (True, False):
        log_probs = np.full((2, 6, 3), -np.log(3), dtype)
        log_probs[1, 3, slice(None) if whole else 2] = bad
        why = rf"item 1: log_probs at frame 3, class {0 if whole else 2}, is {bad}"
        with pytest.raises(ValueError, match=why):
            ctc.loss_and_grad(log_probs, [[1, 2], [1, 2]], wrt=wrt)


def test_unnormalised_input_is_taken_as_it_is(rng, tolerance):
    """Logits in the place of log probabilities give a loss below 0: the sum over paths itself."""
    scores = emissions(rng, 2, 6, 4) + 4.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        loss, grad = ctc.loss_and_grad(scores, [[1, 2], [3]], reduction="none")
    wanted, wanted_grad = reference.loss_and_grad(scores, [[1, 2], [3]], reduction="none")
    assert wanted.max() < 0
    assert_close(loss, wanted, tolerance("ctc", "float64"))
    assert_close(grad, wanted_grad, tolerance("ctc", "float64"))
