"""Reading the best path of CTC."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ctc_problems import DTYPES, emissions
from unrolled import ctc
from unrolled.reference import reading as reference
from unrolled.reference.trellis import compress, expand


def one_path(classes, width=5, high=-0.1):
    """Return log probabilities (T, C) whose best path is `classes`."""
    log_probs = np.full((len(classes), width), math.log((1 - math.exp(high)) / (width - 1)))
    log_probs[np.arange(len(classes)), classes] = high
    return log_probs


def test_greedy_merges_repeats_and_drops_blanks():
    reading = ctc.greedy(one_path([0, 1, 1, 0, 1, 3, 3, 3, 0, 0, 2]))
    assert reading.tokens == [1, 1, 3, 2]
    assert all(type(token) is int for token in reading.tokens)
    spans = [(span.token, span.start, span.end) for span in reading.spans]
    assert spans == [(1, 1, 3), (1, 4, 5), (3, 5, 8), (2, 10, 11)]
    assert reading.score == pytest.approx(11 * -0.1)
    assert [span.score for span in reading.spans] == pytest.approx([-0.1] * 4)  # a frame


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("blank", [0, 2, -1, None])
def test_greedy_agrees_with_the_reference(dtype, blank, rng):
    log_probs = emissions(rng, 5, 40, 4, dtype=dtype)
    lengths = [40, 0, 17, 1, 39]
    readings = ctc.greedy(log_probs, lengths, blank=blank)
    assert len(readings) == 5
    for n, (end, reading) in enumerate(zip(lengths, readings, strict=True)):
        tokens, spans, score = reference.greedy(log_probs[n, :end], blank=blank)
        assert reading.tokens == tokens
        assert [(s.token, s.start, s.end) for s in reading.spans] == spans
        assert reading.score == pytest.approx(score, rel=1e-6, abs=1e-12)
        alone = ctc.greedy(log_probs[n, :end], blank=blank)
        assert (alone.tokens, alone.score) == (reading.tokens, reading.score)


def test_greedy_never_reads_padding_and_takes_the_first_of_equals():
    log_probs = np.full((1, 5, 3), -1.0)
    log_probs[0, 3:] = np.nan
    log_probs[0, 1, 0] = -2.0
    (reading,) = ctc.greedy(log_probs, [3])
    assert reading.tokens == [1]
    assert [(span.start, span.end) for span in reading.spans] == [(1, 2)]


P = np.full((2, 6, 4), np.log(0.25))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: ctc.greedy(P, [6, 7]), r"lengths of item 1"),
        (lambda: ctc.greedy(P, [6]), "lengths"),
        (lambda: ctc.greedy(P, blank=4), "blank"),
        (lambda: ctc.greedy(P[0, 0]), "log_probs"),
    ],
)
def test_greedy_names_wrong_arguments(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_compress_and_expand_are_inverses():
    path = [0, 1, 1, 0, 1, 2]
    assert compress(path, blank=0) == [1, 1, 2]
    assert compress(path) == [0, 1, 0, 1, 2]
    assert expand([0, 1, 0, 1, 2], [1, 2, 1, 1, 1]) == path


def test_without_blanks_every_run_is_a_symbol_and_ends_where_the_next_begins():
    """The textbook's order-synchronous reading of a time-synchronous output."""
    best = [2, 2, 0, 0, 0, 3, 2, 2]
    out, time = [], []
    for t in range(1, len(best)):
        if best[t] != best[t - 1]:
            out.append(best[t - 1])
            time.append(t - 1)
    out.append(best[-1])
    time.append(len(best) - 1)
    reading = ctc.greedy(one_path(best), blank=None)
    assert reading.tokens == out == [2, 0, 3, 2]
    assert [span.end - 1 for span in reading.spans] == time == [1, 4, 5, 7]
