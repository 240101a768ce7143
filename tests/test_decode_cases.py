"""2,000 tiny problems against the sum over all their paths: an unbounded beam is exact."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from decode_problems import NOTHING_CUT, tiny_emissions
from fusion_problems import PlainModel, PlainNGram, hotword_bonus, language_bonus, lexicon_bonus
from oracles import every_text
from unrolled import ctc
from unrolled.decode import BeamSearchDecoder, Labels
from unrolled.reference import decode as reference
from unrolled.reference.softmax import log_softmax

CASES = 200  # of each of the ten kinds
LETTERS = Labels(["", " ", "a", "b"])
PIECES = Labels(["▁", "▁a", "b", "<blk>"], blank=3)
UNKNOWN = -2.0
LEXICA = (["a", "ab"], ["b", "ba", "aa"], ["ab"])
HOTWORDS = ({"ab": 3.0}, {"a b": 2.0, "a": 0.5}, {"aa": 4.0, "b": -1.0}, {"a": 1.0, "a a": 1e6})


class Problem(NamedTuple):
    """How a decoder is made, and what it must find."""

    labels: Labels
    options: dict
    bonus: object = None
    allowed: object = None
    merge: str = "sum"


class Spaced:
    """A model that calls the space between words by its name in ARPA files."""

    def __init__(self, model):
        self.model = model

    def total(self, units, finished):
        return self.model.total([unit.replace(" ", "<space>") for unit in units], finished)


@cache
def model_of(unit, order, seed):
    """Return a model of words, characters or pieces; some words are unknown to it."""
    units = {"word": ["a", "b", "ab"], "char": ["a", "b", "<space>"], "token": ["▁", "▁a", "b"]}
    return PlainNGram(np.random.default_rng([seed, order]), units[unit], order, UNKNOWN)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Return models as the package reads them from ARPA files."""
    from unrolled.lm import NGram

    folder = tmp_path_factory.mktemp("models")

    @cache
    def load(*key):
        path = folder / "model.arpa"
        path.write_text(model_of(*key).arpa(), encoding="utf-8")
        return NGram.load(path)

    return load


def plain(rng, loaded):
    texts = ["", *"abc"][: int(rng.integers(2, 5))]
    blank = int(rng.integers(len(texts)))
    return Problem(Labels([*texts[1 : blank + 1], "", *texts[blank + 1 :]], blank), {})


def merged_by_maximum(rng, loaded):
    return plain(rng, loaded)._replace(merge="max", options={"merge": "max"})


def with_masks(rng, loaded):
    problem = plain(rng, loaded)
    shape = (len(problem.labels),) if rng.random() < 0.5 else (5, len(problem.labels))
    return problem._replace(allowed=rng.random(shape) < 0.6)


def with_model(rng, loaded, labels, unit):
    key = unit, int(rng.integers(2, 4)), int(rng.integers(3))
    eos, weight, unit_score = bool(rng.integers(2)), 0.7, 0.4
    plain_model = Spaced(model_of(*key)) if unit == "char" else model_of(*key)
    options = {"lm": loaded(*key), "lm_unit": unit, "lm_weight": weight, "lm_eos": eos}
    options |= {"word_score": unit_score, "unk_score": UNKNOWN}
    weights = {"weight": weight, "unit_score": unit_score, "eos": eos}
    bonus = language_bonus(labels, plain_model, unit=unit, **weights)
    return Problem(labels, options, bonus)


def with_words(rng, loaded):
    return with_model(rng, loaded, LETTERS, "word")


def with_words_in_pieces(rng, loaded):
    return with_model(rng, loaded, PIECES, "word")


def with_characters(rng, loaded):
    return with_model(rng, loaded, LETTERS, "char")


def with_pieces(rng, loaded):
    return with_model(rng, loaded, PIECES, "token")


def with_lexicon(rng, loaded):
    words = LEXICA[rng.integers(len(LEXICA))]
    return Problem(LETTERS, {"lexicon": words}, lexicon_bonus(LETTERS, words))


def with_hotwords(rng, loaded):
    weights = HOTWORDS[rng.integers(len(HOTWORDS))]
    return Problem(LETTERS, {"hotwords": weights}, hotword_bonus(LETTERS, weights))


def with_everything(rng, loaded):
    parts = [make(rng, loaded) for make in (with_words, with_lexicon, with_hotwords)]
    options = {name: value for part in parts for name, value in part.options.items()}

    def bonus(tokens):
        return sum(part.bonus(tokens) for part in parts)

    return Problem(LETTERS, options, bonus, rng.random(4) < 0.8)


PLAIN = (plain, merged_by_maximum, with_masks)
FUSED = (
    with_words,
    with_words_in_pieces,
    with_characters,
    with_pieces,
    with_lexicon,
    with_hotwords,
    with_everything,
)


def emissions_of(rng, problem):
    """Return (T, C) of at most 5 frames, the same without what is not allowed, and the mask."""
    log_probs = tiny_emissions(rng, int(rng.integers(1, 6)), len(problem.labels))
    if problem.allowed is None:
        return log_probs, log_probs, None
    mask = problem.allowed if problem.allowed.ndim == 1 else problem.allowed[: len(log_probs)]
    blank = np.arange(len(problem.labels)) == problem.labels.blank
    return log_probs, np.where(mask | blank, log_probs, -np.inf), mask


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


def texts_of_cases(make, loaded, count):
    """Check random problems of a kind; return how many texts they had together."""
    rng = np.random.default_rng([*map(ord, make.__name__)])
    texts = 0
    for case in range(count):
        problem = make(rng, loaded)
        log_probs, masked, allowed = emissions_of(rng, problem)
        wanted = every_text(masked, problem.labels.blank, bonus=problem.bonus, merge=problem.merge)
        if not wanted:
            continue
        decoder = BeamSearchDecoder(problem.labels, **NOTHING_CUT, **problem.options)
        found = decoder.decode(log_probs, nbest=1000, allowed=allowed)
        assert_all_texts(found, wanted, (make.__name__, case, problem, log_probs))
        texts += len(wanted)
    return texts


@pytest.mark.parametrize("make", [*PLAIN, *FUSED], ids=lambda make: make.__name__)
def test_an_unbounded_beam_finds_every_text_with_its_mass(make, loaded):
    assert texts_of_cases(make, loaded, CASES) > CASES


def test_every_instruction_set_finds_them(isa, loaded):
    for make in (*PLAIN, *FUSED):
        assert texts_of_cases(make, loaded, CASES // 20) > 0


@pytest.mark.parametrize("make", PLAIN, ids=lambda make: make.__name__)
def test_the_reference_finds_the_same(make, loaded):
    rng = np.random.default_rng(2)
    for case in range(CASES // 4):
        problem = make(rng, loaded)
        log_probs, masked, allowed = emissions_of(rng, problem)
        options = {"blank": problem.labels.blank, "merge": problem.merge}
        wanted = every_text(masked, problem.labels.blank, merge=problem.merge)
        found = reference.beam_search(log_probs, allowed=allowed, **options, **NOTHING_CUT)
        assert_all_texts(found, wanted, (make.__name__, case, log_probs))


def test_the_reference_weighs_texts_as_it_is_told(loaded):
    rng = np.random.default_rng(3)
    for case in range(CASES // 4):
        problem = with_everything(rng, loaded)
        log_probs, masked, _ = emissions_of(rng, problem)
        wanted = every_text(masked, 0, bonus=problem.bonus)

        def bonus(tokens, finished, whole=problem.bonus):
            return whole(tokens) if finished else 0.0

        found = reference.beam_search(masked, bonus=bonus, **NOTHING_CUT)
        assert_all_texts(found, wanted, (case, problem, log_probs))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_beams_of_any_width_keep_what_the_reference_keeps(isa, dtype):
    """On every instruction set; masses without ties, so that each prefix has its own rank."""
    rng = np.random.default_rng(4)
    tolerance = 1e-5 if dtype == "float32" else 1e-10
    for _ in range(100):
        frames, classes = int(rng.integers(1, 12)), int(rng.integers(2, 40))
        logits = rng.choice([0.05, 1.0, 3.0]) * rng.standard_normal((frames, classes))
        log_probs = log_softmax(logits).astype(dtype)
        settings = {
            "beam_width": int(rng.integers(1, 40)),
            "token_min_logp": float(rng.choice([-np.inf, -5.0, -2.5])),
            "beam_prune_logp": float(rng.choice([-np.inf, -10.0, -3.0])),
            "token_top_k": [None, int(rng.integers(1, classes + 1))][rng.integers(2)],
            "merge": str(rng.choice(["sum", "max"])),
        }
        labels = ["", *map(chr, range(0x4E00, 0x4E00 + classes - 1))]
        found = BeamSearchDecoder(labels, **settings).decode(log_probs, nbest=50)
        wanted = reference.beam_search(log_probs, **settings)
        assert [tuple(h.tokens) for h in found] == [h.tokens for h in wanted[:50]], settings
        scores = [h.score for h in wanted[:50]]
        np.testing.assert_allclose([h.score for h in found], scores, atol=tolerance, rtol=tolerance)


def test_beams_with_bonuses_keep_what_the_reference_keeps():
    """A model of labels, and phrases whose credit does not decide what is dropped."""
    rng = np.random.default_rng(6)
    labels = Labels(["", *"abc"])
    phrases = {"abc": 6.0, "cab": 2.0, "bb": -1.0}
    hotwords, model = hotword_bonus(labels, phrases), PlainModel(order=2)
    weights = {"unit": "token", "weight": 0.6, "unit_score": 1.2}
    language = language_bonus(labels, model, **weights)

    def bonus(tokens, finished):
        return hotwords(tokens, finished) + language(tokens, finished)

    def credit(tokens):
        return hotwords(tokens, False) - hotwords(tokens, True)

    fused = {"lm": model, "lm_unit": "token", "lm_weight": 0.6, "word_score": 1.2}
    for _ in range(40):
        log_probs = log_softmax(2.0 * rng.standard_normal((int(rng.integers(1, 15)), 4)))
        settings = {
            "beam_width": int(rng.integers(1, 20)),
            "beam_prune_logp": float(rng.choice([-1.0, -3.0, -10.0])),
        }
        decoder = BeamSearchDecoder(labels, hotwords=phrases, **fused, **settings)
        found = decoder.decode(log_probs, nbest=50)
        wanted = reference.beam_search(log_probs, bonus=bonus, credit=credit, **settings)
        assert [tuple(h.tokens) for h in found] == [h.tokens for h in wanted], settings
        scores = [h.score for h in wanted]
        np.testing.assert_allclose([h.score for h in found], scores, atol=1e-9)


def test_greedy_chapter_reads_what_greedy_reads_without_blanks():
    rng = np.random.default_rng(5)
    for frames in range(8):
        log_probs = tiny_emissions(rng, frames, 3)
        symbols, times = reference.greedy_chapter(np.exp(log_probs))
        reading = ctc.greedy(log_probs, blank=None)
        assert symbols == reading.tokens
        assert times == [span.end - 1 for span in reading.spans]
