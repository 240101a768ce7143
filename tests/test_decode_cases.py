"""2,000 tiny problems against the sum over all their paths: an unbounded beam is exact."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from decode_problems import (
    NOTHING_CUT,
    BackoffModel,
    hotword_bonus,
    joined,
    language_bonus,
    lexicon_bonus,
    tiny_emissions,
)
from oracles import every_text
from unrolled import _core
from unrolled.decode import BeamSearchDecoder
from unrolled.reference import decode as reference

CASES = 250  # of each of the eight kinds
LABELS = ["", " ", "a", "b"]
PIECES = ["▁", "▁a", "b", "<blk>"]
WEIGHTS = {"lm_weight": 0.7, "word_score": 0.4, "unk_score": -2.0}


class Problem(NamedTuple):
    """How a decoder is made, and what it must find."""

    labels: list
    blank: int
    options: dict
    bonus: object = None
    allowed: object = None
    merge: str = "sum"


def text_of(tokens):
    return "".join(LABELS[token] for token in tokens)


def words_of(tokens):
    return text_of(tokens).split()


def piece_words(tokens):
    return "".join(PIECES[token] for token in tokens).replace("▁", " ").split()


@cache
def model_of(unit, order, seed):
    """Return the tables of a model of words, characters or pieces."""
    words = {"word": ["a", "b", "ab"], "char": ["a", "b", "<space>"], "token": PIECES[:3]}[unit]
    return BackoffModel(np.random.default_rng([seed, order]), words, order)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Return models as the package reads them from ARPA files."""
    from unrolled.lm import NGram

    folder = tmp_path_factory.mktemp("models")
    return cache(
        lambda unit, order, seed: NGram.load(
            model_of(unit, order, seed).write(folder / f"{unit}{order}{seed}.arpa")
        )
    )


def plain(rng, loaded):
    labels = [f"{c}" for c in range(int(rng.integers(2, 5)))]
    return Problem(labels, int(rng.integers(len(labels))), {})


def merged_by_maximum(rng, loaded):
    return plain(rng, loaded)._replace(merge="max", options={"merge": "max"})


def with_masks(rng, loaded):
    problem = plain(rng, loaded)
    classes = len(problem.labels)
    return problem._replace(allowed=rng.random(((), (5,))[rng.integers(2)] + (classes,)) < 0.6)


def with_model(unit, labels, blank, units_of):
    def make(rng, loaded):
        order, seed = int(rng.integers(1, 4)), int(rng.integers(3))
        weights = WEIGHTS | {"lm_eos": bool(rng.integers(2))}
        bonus = language_bonus(model_of(unit, order, seed), units_of, **weights)
        options = {"lm": loaded(unit, order, seed), "lm_unit": unit, **weights}
        return Problem(labels, blank, options, bonus)

    make.__name__ = f"with_model_of_{unit}s_of_{labels[2]}"
    return make


def with_lexicon(rng, loaded):
    words = [["a", "ab"], ["b", "ba", "aa"], ["ab"]][rng.integers(3)]
    return Problem(LABELS, 0, {"lexicon": words}, lexicon_bonus(words, words_of))


def with_hotwords(rng, loaded):
    phrases = [{"ab": 3.0}, {"a b": 2.0, "a": 0.5}, {"aa": 4.0, "b": -1.0}, {"a": 1.0, "a a": 1e6}]
    weights = phrases[rng.integers(len(phrases))]
    return Problem(LABELS, 0, {"hotwords": weights}, hotword_bonus(weights, text_of))


def with_everything(rng, loaded):
    language = of_words(rng, loaded)
    lexicon, hotwords = with_lexicon(rng, loaded), with_hotwords(rng, loaded)
    return Problem(
        LABELS,
        0,
        language.options | lexicon.options | hotwords.options,
        joined(language.bonus, lexicon.bonus, hotwords.bonus),
        rng.random(4) < 0.8,
    )


of_words = with_model("word", LABELS, 0, words_of)
of_characters = with_model(
    "char", LABELS, 0, lambda tokens: ["<space>" if c == " " else c for c in text_of(tokens)]
)
of_pieces = with_model("token", PIECES, 3, lambda tokens: [PIECES[token] for token in tokens])
of_words_in_pieces = with_model("word", PIECES, 3, piece_words)

PLAIN = (plain, merged_by_maximum, with_masks)
FUSED = (
    of_words,
    of_characters,
    of_pieces,
    of_words_in_pieces,
    with_lexicon,
    with_hotwords,
    with_everything,
)


def emissions_of(rng, problem):
    """Return (T, C) of at most 5 frames, and the same with what is not allowed left out."""
    classes = len(problem.labels)
    log_probs = tiny_emissions(rng, int(rng.integers(1, 6)), classes)
    if problem.allowed is None:
        return log_probs, log_probs, None
    mask = problem.allowed if problem.allowed.ndim == 1 else problem.allowed[: len(log_probs)]
    allowed = mask.copy()
    allowed[..., problem.blank] = True
    return log_probs, np.where(allowed, log_probs, -np.inf), mask


def assert_all_texts(found, wanted, label):
    """Compare every text with its score, and the order."""
    scores = {tuple(hypothesis.tokens): hypothesis for hypothesis in found}
    assert len(scores) == len(found), label
    assert scores.keys() == {text.tokens for text in wanted}, label
    for text in wanted:
        hypothesis = scores[text.tokens]
        scale = max(1.0, abs(text.score))
        assert abs(hypothesis.score - text.score) <= 1e-9 * scale, (label, text, hypothesis)
        assert abs(hypothesis.acoustic_score - text.acoustic_score) <= 1e-9 * scale, (label, text)
    ranked = [hypothesis.score for hypothesis in found]
    assert ranked == sorted(ranked, reverse=True), label


@pytest.mark.parametrize("make", [*PLAIN, *FUSED], ids=lambda make: make.__name__)
def test_an_unbounded_beam_finds_every_text_with_its_mass(make, loaded, request):
    rng = np.random.default_rng([len(make.__name__), *map(ord, make.__name__)])
    texts = 0
    for case in range(CASES):
        problem = make(rng, loaded)
        log_probs, masked, allowed = emissions_of(rng, problem)
        wanted = every_text(masked, problem.blank, bonus=problem.bonus, merge=problem.merge)
        decoder = BeamSearchDecoder(
            problem.labels, blank=problem.blank, **NOTHING_CUT, **problem.options
        )
        label = (case, problem, log_probs)
        if not wanted:
            continue
        found = decoder.decode(log_probs, nbest=1000, allowed=allowed)
        assert_all_texts(found, wanted, label)
        texts += len(wanted)
    assert texts > CASES
