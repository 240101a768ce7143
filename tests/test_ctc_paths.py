"""What paths say, all paths that say it, and reading with the target's symbols alone."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from ctc_problems import emissions
from oracles import alignments, collapse
from unrolled import ctc
from unrolled.reference import reading, trellis


@pytest.mark.parametrize("blank", [None, 0, 2])
def test_compress_agrees_with_the_loops(blank):
    for path in itertools.product(range(3), repeat=5):
        tokens = ctc.compress(path, blank=blank)
        assert tokens == collapse(path, blank) == trellis.compress(path, blank=blank)
        assert all(type(token) is int for token in tokens)
    assert ctc.compress([], blank=blank) == []


@pytest.mark.parametrize("blank", [None, 0, 2])
@pytest.mark.parametrize("frames", range(6))
def test_expansions_are_the_inverse_of_compress(blank, frames):
    """Together the expansions of all texts are all paths, each once."""
    classes = 3
    symbols = [c for c in range(classes) if c != blank]
    seen = []
    for length in range(frames + 1):
        for tokens in itertools.product(symbols, repeat=length):
            paths = list(ctc.expansions(tokens, frames, blank=blank))
            assert len(paths) == len(set(paths))
            assert len(paths) == ctc.count_expansions(tokens, frames, blank=blank)
            assert all(ctc.compress(path, blank=blank) == list(tokens) for path in paths)
            seen += paths
    assert sorted(seen) == sorted(itertools.product(range(classes), repeat=frames))


def test_expansions_are_the_alignments_of_the_graph():
    for tokens, blank in (((1, 1, 2), 0), ((2, 1), None), ((), 0)):
        paths = sorted(ctc.expansions(tokens, 6, blank=blank))
        assert paths == sorted(map(tuple, alignments(6, 3, tokens, blank).classes.tolist()))


def test_expansions_come_one_by_one_and_are_counted_without_them():
    tokens = list(range(1, 41))
    assert len(next(ctc.expansions(tokens, 300, blank=0))) == 300
    assert ctc.count_expansions(tokens, 300, blank=0) == math.comb(340, 80)
    assert ctc.count_expansions(tokens, 300) == math.comb(299, 39)


def test_equal_neighbours_have_no_expansion_without_blanks():
    """Nothing would tell them from one that lasts."""
    assert list(ctc.expansions([1, 1], 4)) == []
    assert ctc.count_expansions([1, 1], 4) == 0
    assert list(ctc.expansions([1, 1], 3, blank=0)) == [(1, 0, 1)]
    assert ctc.count_expansions([1, 1], 2, blank=0) == 0
    assert list(ctc.expansions([], 0)) == [()] == list(ctc.expansions([], 0, blank=0))
    assert list(ctc.expansions([], 2)) == []


@pytest.mark.parametrize(
    ("call", "error", "named"),
    [
        (lambda: ctc.compress([0.5]), TypeError, "path"),
        (lambda: ctc.compress([[1]]), ValueError, "path"),
        (lambda: ctc.compress([1, -1]), ValueError, "path.*position 1"),
        (lambda: ctc.compress([1], blank=-1), ValueError, "blank"),
        (lambda: ctc.expansions([1, 0], 4, blank=0), ValueError, "position 1 is the blank"),
        (lambda: ctc.expansions([1], -1), ValueError, "frames"),
        (lambda: ctc.count_expansions(["a"], 3), TypeError, "tokens"),
        (lambda: ctc.greedy(np.zeros((2, 3)), keep=[3]), ValueError, "keep must.*3"),
        (lambda: ctc.greedy(np.zeros((2, 3)), keep=[], blank=None), ValueError, "keep"),
        (lambda: ctc.greedy(np.zeros((2, 2, 3)), keep=[[1], [-1]]), ValueError, "keep of item 1"),
        (lambda: ctc.greedy(np.zeros((2, 2, 3)), keep=[[1]]), ValueError, "keep"),
    ],
)
def test_wrong_arguments_are_named(call, error, named):
    with pytest.raises(error, match=named):
        call()


@pytest.mark.parametrize("blank", [0, -1, None])
def test_the_pruned_reading_keeps_the_symbols_of_the_target_alone(blank, rng):
    log_probs = emissions(rng, 4, 30, 7)
    targets = [[1, 2, 2], [3], [5, 1, 4], [2, 3, 4, 5]]
    for own, alone in ((targets, targets), ([3, 1], [[3, 1]] * 4)):
        readings = ctc.greedy(log_probs, [30, 22, 0, 9], blank=blank, keep=own)
        for n, (end, found) in enumerate(zip([30, 22, 0, 9], readings, strict=True)):
            tokens, spans, score = reading.greedy(log_probs[n, :end], blank=blank, keep=alone[n])
            assert set(tokens) <= set(alone[n])
            assert found.tokens == tokens
            assert [(s.token, s.start, s.end) for s in found.spans] == spans
            assert found.score == pytest.approx(score)
            one = ctc.greedy(log_probs[n, :end], blank=blank, keep=alone[n])
            assert (one.tokens, one.spans) == (found.tokens, found.spans)


def test_keeping_every_class_changes_nothing(rng):
    log_probs = emissions(rng, 20, 5)
    assert ctc.greedy(log_probs, keep=range(5)) == ctc.greedy(log_probs)


def test_priors_are_the_mean_probability_of_each_class(rng):
    log_probs = emissions(rng, 3, 8, 4)
    log_probs[1, 5:] = np.nan
    items = [log_probs[0], log_probs[1, :5], log_probs[2, :0]]
    wanted = np.exp(np.concatenate(items)).mean(axis=0)
    np.testing.assert_allclose(np.exp(ctc.estimate_priors(log_probs, [8, 5, 0])), wanted)
    np.testing.assert_allclose(np.exp(ctc.estimate_priors(items)), wanted)
    np.testing.assert_allclose(
        ctc.estimate_priors(log_probs[0]).sum(),
        ctc.estimate_priors(log_probs[:1].astype(np.float32)).sum(),
        rtol=1e-6,
    )


def test_a_class_that_never_comes_has_a_finite_prior():
    log_probs = np.array([[-np.inf, np.log(0.5), np.log(0.5)]])
    assert ctc.estimate_priors(log_probs)[0] == -12
    assert ctc.estimate_priors(log_probs, floor=-3)[0] == -3


@pytest.mark.parametrize(
    ("log_probs", "lengths", "named"),
    [
        (np.zeros((0, 4)), None, "at least one frame"),
        ([], None, "at least one frame|log_probs"),
        (np.zeros((2, 3, 4)), [0, 0], "at least one frame"),
        ([np.zeros((1, 4)), np.zeros((1, 3))], None, "same classes"),
        ([np.zeros((1, 4)), np.full((1, 4), np.nan)], None, "item 1 .*NaN"),
        (np.zeros((2, 3, 4)), [3, 4], "lengths of item 1"),
    ],
)
def test_priors_of_nothing_are_refused(log_probs, lengths, named):
    with pytest.raises(ValueError, match=named):
        ctc.estimate_priors(log_probs, lengths)
