"""Ties: 1,000 problems full of them, each path equal to the written rule's."""

from __future__ import annotations

import numpy as np
import pytest

from align_problems import assert_same_path, best_path, core_align, quantised, random_target


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("blank", [0, 3, None])
def test_ties_follow_the_rule(isa, dtype, blank, rng):
    """Scores of four values: nearly every frame has equally good ways (B1)."""
    for case in range(170):
        T = int(rng.integers(1, 40))
        L = int(rng.integers(0, T + 1))
        log_probs = quantised(rng, T, 4, steps=int(rng.choice([1, 2, 4])))
        target = random_target(rng, L, 4, blank)
        wanted = best_path(log_probs, target, blank)
        for memory in (1, 2):
            actual = core_align(log_probs.astype(dtype), target, blank, memory=memory)
            assert_same_path(actual, wanted, f"case {case}: {target} of {T}, memory {memory}")


def test_ties_far_from_zero(isa, rng):
    """Offsets are whole numbers: eighths stay exact however long it takes."""
    log_probs = -200 - quantised(rng, 3000, 4, steps=3)
    target = random_target(rng, 700, 4, 0)
    wanted = best_path(log_probs, target)
    for memory in (0, 1, 2):
        assert_same_path(core_align(log_probs.astype(np.float32), target, memory=memory), wanted)


def test_the_last_label_ends_the_path_unless_the_blank_is_better():
    even = np.zeros((3, 2), np.float32)
    assert core_align(even, [1])[0].tolist() == [1, 1, 1]
    even[2, 0] = 1 / 8
    assert core_align(even, [1])[0].tolist() == [1, 2, 2]  # in the blank it stays, too


def test_a_skip_wins_only_where_it_alone_is_best():
    """From label 1 to label 2 in two frames: past the blank, or by it."""
    log_probs = np.zeros((4, 3), np.float32)
    assert core_align(log_probs, [1, 2])[0].tolist() == best_path(log_probs, [1, 2])[0].tolist()
    assert core_align(log_probs, [1, 2])[0].tolist() == [1, 3, 3, 3]
