"""CTC over thousands of frames and symbols: blocks, tiles that are computed twice, drift."""

from __future__ import annotations

import numpy as np
import pytest

from ctc_problems import emissions, random_targets
from test_ctc_exact import assert_right, core_loss
from unrolled.reference.softmax import log_softmax


@pytest.mark.parametrize("path", ["linear", "exact"])
def test_states_that_are_not_kept(isa, path, rng):
    """2,100 frames by 300 symbols are more than is stored: tiles come out of their first states."""
    scores = emissions(rng, 1, 2100, 12, dtype="float32", scale=0.7)
    targets = random_targets(rng, [300], 12, 0, repeats=0.02)
    assert_right(scores, targets, path, logits=True)


def test_many_classes_and_a_long_target(isa, rng):
    scores = emissions(rng, 1, 1500, 150, dtype="float32", scale=0.7)
    targets = random_targets(rng, [250], 150, 0, repeats=0.02)
    assert_right(scores, targets, "linear", logits=True)
    assert_right(scores, targets, "linear")


def test_twenty_thousand_frames(rng):
    """All ways agree: log space in double, plain probabilities, mantissas with powers."""
    frames, length = 20000, 600
    target = random_targets(rng, [length], 16, 0, repeats=0.0)
    logits = rng.standard_normal((1, frames, 16))
    logits[..., 0] += 4
    at = np.sort(rng.choice(frames // 2, length, replace=False)) * 2
    logits[0, at, target[0]] += 8
    scores = log_softmax(logits).astype(np.float32)
    for path in ("linear", "exact"):
        assert_right(scores, target, path, limit=2e-5)


def test_an_exact_problem_in_segments(rng):
    """More pairs than the exact way keeps: it goes through its segments twice."""
    frames, length = 6000, 800
    scores = log_softmax(30 * rng.standard_normal((1, frames, 8))).astype(np.float32)
    targets = random_targets(rng, [length], 8, 0, repeats=0.02)
    assert np.isnan(core_loss(scores, targets, path="linear")[0]).all()
    assert_right(scores, targets, "auto", limit=2e-5)
