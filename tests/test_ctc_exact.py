"""CTC in float32 where plain probabilities leave its range: mantissas with powers of their own."""

from __future__ import annotations

import numpy as np
import pytest

from ctc_problems import emissions, random_targets
from oracles import assert_close, assert_same_bits
from unrolled import _core, ctc
from unrolled.reference.softmax import log_softmax

PATHS = ["auto", "exact"]


def core_loss(scores, targets, blank=0, logits=False, path="auto", frames=None):
    """Return losses and gradients of `scores` (N, T, C) by the named way."""
    offsets = np.cumsum([0, *map(len, targets)]).astype(np.int64)
    flat = np.array([token for target in targets for token in target], np.int64)
    n, longest, _ = scores.shape
    lengths = np.array([longest] * n if frames is None else frames, np.int64)
    return _core.ctc_loss(scores, flat, offsets, lengths, blank, logits, np.ones(n), path)


def log_space(scores, targets, **options):
    return core_loss(scores.astype(np.float64), targets, path="log", **options)


def assert_right(scores, targets, path, limit=1e-5, **options):
    losses, grad = core_loss(scores, targets, path=path, **options)
    wanted, wanted_grad = log_space(scores, targets, **options)
    label = f"{path}, {scores.shape}, {options}, targets {targets}"
    np.testing.assert_array_equal(np.isinf(losses), np.isinf(wanted), label)
    finite = np.isfinite(wanted)
    # A frame whose symbol is all but sure is rounded to 2^-24.
    rounding = 6e-8 * scores.shape[1]
    error = np.abs(losses[finite] - wanted[finite]) - 1e-6 * np.abs(wanted[finite])
    assert (error <= rounding).all(), f"{label}: {losses}, not {wanted}"
    worst = np.abs(grad - wanted_grad).max(initial=0)
    assert worst <= limit, f"{label}: gradient off by {worst}"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("logits", [False, True])
def test_sizes_around_every_lane_width(isa, path, logits, rng):
    for length in (0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 80, 129):
        for classes in (2, 16, 17, 33, 130):
            frames = length + int(rng.integers(0, 9)) + sum([classes == 2]) * length
            targets = random_targets(rng, [length], classes, 0, repeats=0.0 if classes > 2 else 1.0)
            scores = emissions(rng, 1, max(frames, 1), classes, dtype="float32")
            assert_right(scores, targets, path, logits=logits)


def violent(rng):
    """Return scores and a target such as nobody trains on."""
    frames, classes = int(rng.integers(1, 60)), int(rng.integers(2, 40))
    blank = int(rng.integers(-1, classes))
    length = int(rng.integers(0 if blank >= 0 else 1, frames + 1))
    logits = rng.choice([1, 3, 10, 30]) * rng.standard_normal((1, frames, classes))
    if blank >= 0 and rng.random() < 0.3:
        logits[..., blank] += 60
    if rng.random() < 0.3:
        logits[rng.random(logits.shape) < 0.1] = -np.inf
        logits[..., 0] = np.where(np.isneginf(logits).all(-1), 0.0, logits[..., 0])
    target = random_targets(rng, [length], classes, blank if blank >= 0 else classes, repeats=0.1)
    return log_softmax(logits).astype(np.float32), target, blank


@pytest.mark.parametrize("path", PATHS)
def test_violent_problems(isa, path, rng):
    for _ in range(200):
        scores, target, blank = violent(rng)
        assert_right(scores, target, path, blank=blank, logits=bool(rng.integers(2)))


@pytest.mark.parametrize("path", PATHS)
def test_logits_of_fifty_either_way(isa, path, rng):
    logits = np.where(rng.random((4, 120, 32)) < 0.5, -50.0, 50.0).astype(np.float32)
    targets = random_targets(rng, (25, 30, 1, 60), 32, 0)
    assert_right(logits, targets, path, logits=True)
    assert_right(log_softmax(logits).astype(np.float32), targets, path)


def test_scores_beyond_its_range_go_to_log_space(isa, rng):
    """Powers of two are whole floats; -1e30 is how some write a mask."""
    scores = emissions(rng, 3, 30, 6, dtype="float32")
    targets = [[1, 2], [3, 3], [5]]
    scores[0, :, 1] = -1e30
    scores[1, 4, 3] = -25000
    scores[2, 3] += 30000
    losses, grad = core_loss(scores, targets)
    wanted, wanted_grad = log_space(scores, targets)
    assert np.isfinite(losses).all()
    assert_close(losses, wanted, 1e-12)
    assert_close(grad, wanted_grad, 1e-6)


def test_exact_and_plain_ways_leave_padding_at_zero(isa, rng):
    scores = emissions(rng, 3, 40, 9, dtype="float32")
    targets, frames = random_targets(rng, (5, 0, 8), 9, 0), [33, 17, 40]
    for path in PATHS:
        clean = core_loss(scores, targets, frames=frames, path=path)
        dirty_scores = scores.copy()
        for item, end in enumerate(frames):
            dirty_scores[item, end:] = np.nan
            assert not clean[1][item, end:].any()
        assert_same_bits(core_loss(dirty_scores, targets, frames=frames, path=path), clean)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("blank", [0, -1])
def test_posterior_along_a_path(isa, dtype, blank, rng):
    scores = emissions(rng, 70, 7, dtype=dtype)
    target = np.array(random_targets(rng, [20], 7, blank, repeats=0.1)[0], np.int64)
    alpha, _, beta = _core.ctc_states(scores, target, blank)
    both = alpha + beta
    wanted = np.exp(both - np.logaddexp.reduce(both, axis=1)[:, None])
    for states in (wanted.argmax(axis=1), rng.integers(0, wanted.shape[1], 70)):
        states = states.astype(np.int32)
        states[3] = -1
        actual = _core.ctc_path_posterior(scores, target, states, blank)
        expected = wanted[np.arange(70), states]
        expected[3] = 0
        assert_close(actual, expected, 1e-6 if dtype == "float32" else 1e-12)


def test_float64_input_keeps_its_digits(isa, rng):
    scores = emissions(rng, 2, 30, 6)
    losses = ctc.loss(scores, [[1, 2, 2], [5]], reduction="none")
    rounded = ctc.loss(scores.astype(np.float32), [[1, 2, 2], [5]], reduction="none")
    assert 0 < np.abs(losses - rounded).max() < 1e-5
