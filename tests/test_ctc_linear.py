"""CTC in float32 on plain probabilities: where it does, and that it knows where it does not."""

from __future__ import annotations

import numpy as np
import pytest

from ctc_problems import emissions, random_targets
from oracles import assert_same_bits, assert_same_bits_as_one_thread
from test_ctc_exact import assert_right, core_loss, log_space
from unrolled import ctc
from unrolled.reference.softmax import log_softmax

# T, N, C, L, spread of the logits, added to the blank
PLAIN = [
    (150, 4, 29, 20, 1, 0),
    (500, 4, 32, 60, 1, 0),
    (500, 2, 32, 60, 1, 10),
    (200, 4, 80, 30, 1, 0),
    (120, 2, 300, 40, 1, 0),
    (600, 2, 32, 130, 2, 0),
    (330, 2, 20, 280, 1, 0),
]


def plain(rng, frames, n, classes, length, spread, blank):
    logits = spread * rng.standard_normal((n, frames, classes))
    logits[..., 0] += blank
    return log_softmax(logits).astype(np.float32), random_targets(rng, [length] * n, classes, 0, 0)


@pytest.mark.parametrize("problem", PLAIN, ids=str)
def test_ordinary_emissions_need_no_other_way(isa, problem, rng):
    """Without the tilt, the mass that runs ahead leaves the range at 500 frames."""
    scores, targets = plain(rng, *problem)
    losses, _ = core_loss(scores, targets, path="linear")
    assert np.isfinite(losses).all()
    assert_right(scores, targets, "linear", limit=1e-5)
    assert_right(scores, targets, "linear", limit=1e-5, logits=True)


def test_aligned_peaky_emissions_need_no_other_way(isa, rng):
    frames, length = 400, 50
    logits = rng.standard_normal((2, frames, 30))
    targets = random_targets(rng, [length] * 2, 30, 0)
    logits[..., 0] += 8
    for item, target in enumerate(targets):
        at = np.sort(rng.choice(frames // 2, length, replace=False)) * 2
        logits[item, at, target] += 16
    assert_right(log_softmax(logits).astype(np.float32), targets, "linear")


def test_it_declines_rather_than_loses_paths(isa, rng):
    """Whatever it accepts is right, and what lies in its window it does not decline."""
    accepted = 0
    for _ in range(300):
        frames, classes = int(rng.integers(20, 300)), int(rng.integers(3, 40))
        length = int(rng.integers(1, frames * 2 // 3 + 1))
        logits = rng.choice([1, 2, 3, 5, 8]) * rng.standard_normal((1, frames, classes))
        logits[..., 0] += rng.choice([0, 0, 5, 12, -20])
        scores = log_softmax(logits).astype(np.float32)
        targets = random_targets(rng, [length], classes, 0, repeats=0.02)
        losses, grad = core_loss(scores, targets, path="linear")
        if np.isnan(losses[0]):
            continue
        accepted += 1
        wanted, wanted_grad = log_space(scores, targets)
        np.testing.assert_allclose(losses, wanted, rtol=1e-6, atol=6e-8 * frames)
        assert np.abs(grad - wanted_grad).max() < 1e-5, (frames, classes, length)
    assert 100 < accepted < 300


def race(length=60, wait=70):
    """First running ahead is free, then only blanks come, then the symbols in their order."""
    frames = length + wait + 2 * length
    logits = np.zeros((1, frames, length + 1))
    logits[0, :length, 0] = -2.0
    logits[0, length : length + wait, 0] = 14.0
    for i in range(length):
        logits[0, length + wait + 2 * i, i + 1] += 30.0
        logits[0, length + wait + 2 * i + 1, 0] += 30.0
    return log_softmax(logits).astype(np.float32), [list(range(1, length + 1))]


@pytest.mark.parametrize("length", [40, 60, 100])
def test_the_underflow_of_the_only_path_is_seen(isa, length):
    scores, targets = race(length)
    wanted, _ = log_space(scores, targets)
    losses, _ = core_loss(scores, targets, path="linear")
    assert np.isnan(losses[0]) or abs(losses[0] - wanted[0]) < 1e-6 * wanted[0]
    assert_right(scores, targets, "auto")


def test_a_path_forced_by_time_alone(isa, rng):
    """T = L + repeats: one path, whatever its neighbours weigh."""
    for length in (1, 5, 16, 33, 64, 100):
        for repeats in (0.0, 0.5):
            targets = random_targets(rng, [length], 20, 0, repeats=repeats)
            tokens = np.array(targets[0])
            frames = length + int((tokens[1:] == tokens[:-1]).sum())
            scores = emissions(rng, 1, frames, 20, dtype="float32", scale=1.0)
            assert_right(scores, targets, "auto")
            assert np.isinf(core_loss(scores[:, : frames - 1], targets)[0]).all()


@pytest.mark.parametrize("logits", [False, True])
def test_same_bits_on_any_number_of_threads_and_alone(isa, threads, logits, rng):
    scores, targets = plain(rng, 130, 6, 31, 40, 1, 0)
    scores[4] = log_softmax(40 * rng.standard_normal(scores[4].shape))
    frames = [130, 99, 64, 63, 130, 81]
    options = {"logits": logits, "frames": frames}
    assert_same_bits_as_one_thread(lambda: core_loss(scores, targets, **options), threads)
    losses, grad = core_loss(scores, targets, **options)
    for n, end in enumerate(frames):
        alone = core_loss(scores[n : n + 1, :end].copy(), targets[n : n + 1], logits=logits)
        assert_same_bits((alone[0][0], alone[1][0]), (losses[n], grad[n, :end]))


def test_the_loss_alone_has_the_same_bits(isa, rng):
    scores, targets = plain(rng, 100, 3, 12, 30, 1, 0)
    scores[1] = log_softmax(30 * rng.standard_normal(scores[1].shape))
    alone = ctc.loss(scores, targets, reduction="none")
    assert_same_bits(alone, ctc.loss_and_grad(scores, targets, reduction="none")[0])


def test_raw_logits_of_any_height(isa, rng):
    """Rows are normalised by their own sums, wherever they lie."""
    scores, targets = plain(rng, 80, 2, 17, 20, 2, 0)
    wanted, wanted_grad = log_space(scores, targets, logits=True)
    for shift in (3.0, -7.0, 40.0, 90.0, -200.0):
        losses, grad = core_loss(scores + np.float32(shift), targets, logits=True)
        # Adding the shift has rounded the scores.
        limit = 80 * 2.0**-24 * max(abs(shift), 8)
        np.testing.assert_allclose(losses, wanted, rtol=0, atol=limit)
        assert np.abs(grad - wanted_grad).max() < 1e-5 + limit / 8


def test_emissions_below_the_range_of_a_float_are_no_zeros(isa, rng):
    """A frame of e^-90 on the best path, and other paths that are worse but would be left."""
    for _ in range(150):
        frames = int(rng.integers(3, 9))
        scores = rng.choice([0.0, -50.0, -90.0], (1, frames, 3)).astype(np.float32)
        targets = random_targets(rng, [int(rng.integers(1, 3))], 3, 0, repeats=0.0)
        assert_right(scores, targets, "auto")


def test_a_second_way_starts_from_the_same_rows(isa):
    """Raw logits whose rows were scaled by the attempt that is given up."""
    scores, targets = race(60)
    for shift in (6.0, -9.0):
        raised = scores + np.float32(shift)
        assert np.isnan(core_loss(raised, targets, path="linear", logits=True)[0])
        assert_right(raised, targets, "auto", logits=True)
