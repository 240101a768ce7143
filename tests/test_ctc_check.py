"""`ctc.check` names every bad item and says why, and agrees with what the loss refuses."""

from __future__ import annotations

import numpy as np
import pytest

from ctc_problems import emissions, random_targets
from unrolled import ctc


def kinds(report):
    return [(problem.item, problem.kind) for problem in report.items]


def test_a_good_batch_has_no_problems(rng):
    report = ctc.check(emissions(rng, 3, 6, 4), [[1, 1, 2], [], [3]], [4, 0, 6])
    assert report.ok
    assert report.items == () and report.bad == []
    assert str(report) == "3 items checked, nothing is wrong"


def test_each_fault_is_named_with_its_item(rng):
    log_probs = emissions(rng, 9, 6, 4)
    log_probs[3, 4] = np.nan
    log_probs[4, 2, 1] = np.inf
    log_probs[5, :, 2] = -np.inf
    log_probs[5] -= np.log(np.exp(log_probs[5]).sum(-1, keepdims=True))
    log_probs[6] += 1.0
    log_probs[8, 5] = np.nan  # beyond its end
    targets = [[1, 1, 2], [2, 0], [4], [1], [1], [3, 2], [1], [1], [1]]
    report = ctc.check(log_probs, targets, [3, 6, 6, 6, 6, 6, 6, 7, 5])
    assert not report.ok
    assert kinds(report) == [
        (0, "frames"),
        (1, "blank"),
        (2, "class"),
        (3, "nan"),
        (4, "inf"),
        (5, "probability 0"),
        (6, "normalisation"),
        (7, "length"),
    ]
    first = report.items[0]
    assert (first.frames, first.tokens, first.repeats, first.needed) == (3, 3, 1, 4)
    why = [problem.why for problem in report.items]
    assert why[0] == "3 frames are too few for 3 tokens, 1 repeat: it needs 4"
    assert "position 1" in why[1] and "0 .. 3" in why[2]
    assert "1 frames from 4 on" in why[3] and "from 2 on" in why[4]
    assert "class 2 at position 1" in why[5]
    assert "6 frames" in why[6] and "is 1, not 0" in why[6]
    assert "7, it must lie in 0 .. 6" in why[7]
    lines = str(report).splitlines()
    assert lines[0] == "8 of 9 items are bad"
    assert len(lines) == 3 + 8


def test_several_problems_of_one_item_are_all_told(rng):
    report = ctc.check(emissions(rng, 1, 2, 4) + 1, [[0, 9, 1, 1]])
    assert kinds(report) == [(0, "class"), (0, "blank"), (0, "frames"), (0, "normalisation")]
    assert report.bad == [0]


def test_logits_are_no_problem_where_they_are_normalised_later(rng):
    logits = rng.standard_normal((2, 5, 4))
    assert [kind for _, kind in kinds(ctc.check(logits, [[1], [2]]))] == ["normalisation"] * 2
    assert ctc.check(logits, [[1], [2]], logits=True).ok
    for dtype in (np.float16, np.float32):
        assert ctc.check(emissions(rng, 2, 50, 40, dtype=dtype), [[1], [2]]).ok


def test_padded_targets_one_item_and_any_blank(rng):
    log_probs = emissions(rng, 2, 5, 4)
    padded = np.array([[0, 1, 3], [2, 3, 3]])
    assert ctc.check(log_probs, padded, None, [2, 1], blank=-1).ok
    assert kinds(ctc.check(log_probs, padded, None, [3, 4], blank=3)) == [
        (0, "blank"),
        (1, "length"),
        (1, "blank"),
    ]
    assert ctc.check(log_probs[0], [1, 1, 2]).ok
    assert kinds(ctc.check(log_probs[0], [1, 1, 2], 3)) == [(0, "frames")]


def test_an_impossible_frame_is_found():
    half, no = -np.log(2), -np.inf
    log_probs = np.array([[half, half, no], [no, no, 0.0], [half, half, no]])
    (problem,) = ctc.check(log_probs, [1]).items
    assert problem.kind == "probability 0"
    assert "every alignment" in problem.why


def test_a_long_table_is_cut(rng):
    report = ctc.check(emissions(rng, 70, 1, 3), [[1, 1]] * 70)
    assert len(report.items) == 70
    assert str(report).splitlines()[-1] == "and 20 more"


def test_it_finds_what_the_loss_refuses_and_nothing_else(rng):
    """300 random items, some without a path: the same ones."""
    for _ in range(300):
        frames = int(rng.integers(0, 5))
        log_probs = emissions(rng, frames, 3)
        if frames and rng.random() < 0.5:
            log_probs[rng.integers(frames), rng.integers(3)] = -np.inf
            log_probs -= np.log(np.exp(log_probs).sum(-1, keepdims=True))
        (target,) = random_targets(rng, [int(rng.integers(0, 4))], 3, 0)
        loss = ctc.loss(log_probs, target, infeasible="inf", reduction="sum")
        assert ctc.check(log_probs, target).ok == np.isfinite(loss), (log_probs, target)


@pytest.mark.parametrize(
    ("call", "error", "named"),
    [
        (lambda: ctc.check(np.zeros((2, 3, 4)), [[1]]), ValueError, "targets"),
        (lambda: ctc.check(np.zeros((2, 3, 4)), [[1], [0.5]]), TypeError, r"targets\[1\]"),
        (lambda: ctc.check(np.zeros((2, 3, 4)), [[1], [1]], [1]), ValueError, "input_lengths"),
        (lambda: ctc.check(np.zeros(4), [1]), ValueError, "log_probs"),
        (lambda: ctc.check(np.zeros((3, 4)), [1], blank=4), ValueError, "blank"),
    ],
)
def test_what_cannot_be_checked_is_refused(call, error, named):
    with pytest.raises(error, match=named):
        call()
