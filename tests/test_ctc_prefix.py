"""Scores of the next token from CTC emissions, against the sum over all paths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ctc_problems import emissions
from oracles import assert_close, every_text
from unrolled import ctc
from unrolled.reference.softmax import log_softmax


def begun(texts, prefix):
    """Return the log probability that a text begins with `prefix`."""
    like = [text.acoustic_score for text in texts if text.tokens[: len(prefix)] == prefix]
    return np.logaddexp.reduce(like, initial=-np.inf)


def state_of(scorer, prefix):
    state = scorer.start()
    for token in prefix:
        _, (state,) = scorer.score([state], [token])
    return state


@pytest.mark.parametrize("masked", [False, True])
def test_prefixes_have_the_mass_of_all_texts_that_begin_with_them(masked):
    rng = np.random.default_rng(1)
    for case in range(60):
        frames, classes = int(rng.integers(0, 6)), int(rng.integers(2, 5))
        blank = int(rng.integers(classes))
        logits = 2 * rng.standard_normal((frames, classes))
        if masked:
            logits[rng.random(logits.shape) < 0.3] = -np.inf
            logits[np.isneginf(logits).all(axis=1)] = 0.0
        log_probs = log_softmax(logits)
        texts = every_text(log_probs, blank)
        mass = {text.tokens: text.acoustic_score for text in texts}
        scorer = ctc.PrefixScorer(log_probs, blank=blank)
        symbols = [c for c in range(classes) if c != blank]
        for length in range(min(frames, 3) + 1):
            for prefix in itertools.product(symbols, repeat=length):
                state, label = state_of(scorer, prefix), f"case {case}, {prefix}"
                known = begun(texts, prefix)
                assert_close(state.log_prob, known, 1e-12, label, scale=1.0)
                if known == -np.inf:
                    assert np.isneginf(scorer.finish([state])).all()
                    assert np.isneginf(scorer.score_all([state])).all()
                    continue
                end = mass.get(prefix, -np.inf) - known
                assert_close(scorer.finish([state])[0], end, 1e-12, label, scale=1.0)
                wanted = [begun(texts, (*prefix, c)) - known for c in range(classes)]
                assert wanted[blank] == -np.inf
                assert_close(scorer.score_all([state])[0], wanted, 1e-12, label, scale=1.0)


def test_next_tokens_and_the_end_are_a_distribution(rng):
    scorer = ctc.PrefixScorer(emissions(rng, 300, 12), blank=3)
    for prefix in ((), (1,), (1, 1), (5, 2, 2, 9, 0)):
        state = state_of(scorer, prefix)
        whole = np.exp(scorer.score_all([state])).sum() + np.exp(scorer.finish([state])).sum()
        assert abs(whole - 1) < 1e-9


def test_whole_texts_have_the_probability_that_the_loss_gives(rng):
    log_probs = emissions(rng, 90, 8)
    target = [1, 1, 4, 7, 2, 2, 2, 5]
    scorer = ctc.PrefixScorer(log_probs)
    state = state_of(scorer, target)
    log_p = state.log_prob + scorer.finish([state])[0]
    assert_close(log_p, -ctc.loss(log_probs, target, reduction="sum"), 1e-12)


def test_float32_emissions_are_read_as_they_are(rng):
    log_probs = emissions(rng, 20, 5, dtype="float32")
    one, other = (ctc.PrefixScorer(x) for x in (log_probs, log_probs.astype(np.float64)))
    assert state_of(one, [1, 2]).log_prob == state_of(other, [1, 2]).log_prob


def test_no_states_give_no_scores(rng):
    scorer = ctc.PrefixScorer(emissions(rng, 4, 3))
    scores, states = scorer.score([], [])
    assert scores.shape == (0,) and states == []
    assert scorer.score_all([]).shape == (0, 3)
    assert scorer.finish([]).shape == (0,)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: ctc.PrefixScorer(np.zeros((2, 3, 4))), r"axes \(T, C\) of one item"),
        (lambda: ctc.PrefixScorer(np.full((2, 3), np.nan)), "frame 0, class 0, is nan"),
        (lambda: ctc.PrefixScorer(np.zeros((2, 3)), blank=3), "blank must be one of the 3"),
        (lambda: scorer().score([scorer().start()], [3]), r"classes in 0 .. 2, got 3"),
        (lambda: scorer().score([scorer().start()], [-1]), r"classes in 0 .. 2, got -1"),
        (lambda: scorer().score([scorer().start()], []), "one class for each of 1 states"),
    ],
)
def test_wrong_arguments_are_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def scorer():
    return ctc.PrefixScorer(np.log(np.full((2, 3), 1 / 3)))
