"""Language model, lexicon and hotwords together, within the search."""

import math

import numpy as np
import pytest

from fusion_problems import (
    ALL_LABELS,
    CHARACTERS,
    PIECES,
    WORDPIECES,
    PlainModel,
    PlainNGram,
    assert_follows,
    closed_words,
    every_sequence,
    hotword_bonus,
    language_bonus,
    lexicon_bonus,
    units_of,
)
from oracles import assert_same_bits_as_one_thread, every_text
from unrolled.decode import BeamSearchDecoder
from unrolled.decode.fusion import build
from unrolled.lm import NGram
from unrolled.reference.decode import beam_search
from unrolled.reference.softmax import log_softmax

NO_CUTS = {
    "beam_width": None,
    "token_min_logp": -np.inf,
    "beam_prune_logp": -np.inf,
}


def emissions(rng, *shape):
    return log_softmax(2.0 * rng.standard_normal(shape))


@pytest.fixture
def save(tmp_path):
    """Write a plain model to a file and load it as the package does."""

    def written(plain):
        path = tmp_path / "model.arpa"
        path.write_text(plain.arpa())
        return NGram.load(path)

    return written


def units_that_occur(labels, unit):
    found = {u for t in every_sequence(labels, 3) for u in units_of(labels, unit, t, True)}
    return sorted(found)


@pytest.mark.parametrize("unit", ["word", "token", "char"])
@pytest.mark.parametrize("kind", ALL_LABELS)
def test_every_text_has_the_probability_of_its_n_grams(kind, unit, rng, save):
    """Traps C5, C6, C7, C9: natural logs, and unknown units by the rule of `build`."""
    labels = ALL_LABELS[kind]
    known = [name.replace(" ", "<space>") for name in units_that_occur(labels, unit)][:-1]
    plain = PlainNGram(rng, known, order=3, unknown=-2.5)

    class Renamed:
        told_early = staticmethod(plain.told_early)

        def total(self, units, finished):
            return plain.total([u.replace(" ", "<space>") for u in units], finished)

    for eos in (True, False):
        weights = {"lm_weight": 0.8, "word_score": 0.4, "lm_eos": eos}
        fusion = build(labels, lm=save(plain), lm_unit=unit, unk_score=-2.5, **weights)
        bonus = language_bonus(labels, Renamed(), unit=unit, weight=0.8, unit_score=0.4, eos=eos)
        for tokens in every_sequence(labels, 4):
            scores = assert_follows(fusion, bonus, tokens)
            units = units_of(labels, unit, tokens, True)
            lm, count, *_ = scores[1]
            assert count == len(units)
            assert lm == pytest.approx(Renamed().total(units, eos), abs=1e-6)


def test_unknown_words_are_forbidden_on_request(rng, save):
    fusion = build(CHARACTERS, lm=save(PlainNGram(rng, ["a", "ab", "cab"])), unk_score=-math.inf)
    for tokens, expected in (([2], [-math.inf]), ([1, 3], [0.0, -math.inf])):
        assert fusion.follow(np.array(tokens, np.int32))[0].tolist() == expected
    weights, *_ = fusion.follow(np.array([3, 1, 4], np.int32))  # "ca " begins like "cab"
    assert weights.tolist() == [0.0, 0.0, -math.inf]
    assert fusion.follow(np.array([3, 1], np.int32))[2] == -math.inf
    assert fusion.follow(np.array([1, 2], np.int32))[2] > -math.inf


def random_knowledge(rng, labels, save):
    """Return arguments of a decoder, and the plain bonus that they stand for."""
    arguments, parts = {}, []
    words = sorted({w for t in every_sequence(labels, 3) for w in closed_words(labels, t, True)})
    chosen = rng.choice(words, min(len(words), 6), replace=False).tolist()
    if rng.random() < 0.5:
        arguments["lexicon"] = chosen
        parts.append(lexicon_bonus(labels, set(chosen)))
    if rng.random() < 0.7:
        unit = str(rng.choice(["word", "token", "char"]))
        weight, unit_score = float(rng.uniform(0, 1)), float(rng.normal())
        plain = PlainModel(order=int(rng.integers(1, 4)))
        arguments |= {"lm": plain, "lm_unit": unit}
        if unit == "word" and rng.random() < 0.7:
            plain = PlainNGram(rng, chosen, unknown=-1.5)
            arguments["lm"] = save(plain)
        arguments |= {"lm_weight": weight, "word_score": unit_score, "unk_score": -1.5}
        parts.append(language_bonus(labels, plain, unit=unit, weight=weight, unit_score=unit_score))
    if rng.random() < 0.7:
        phrases = {str(word): float(rng.normal(1.5, 1.5)) for word in rng.choice(chosen, 3)}
        arguments["hotwords"] = phrases
        parts.append(hotword_bonus(labels, phrases))
    return arguments, lambda tokens, finished=True: sum(part(tokens, finished) for part in parts)


@pytest.mark.parametrize("kind", ALL_LABELS)
def test_unbounded_beams_equal_the_sum_over_all_paths(kind, rng, save):
    labels = ALL_LABELS[kind]
    for k in range(40):
        arguments, bonus = random_knowledge(rng, labels, save)
        merge = ("sum", "max")[k % 2]
        log_probs = emissions(rng, rng.integers(1, 5), len(labels))
        decoder = BeamSearchDecoder(labels, merge=merge, **NO_CUTS, **arguments)
        expected = every_text(log_probs, labels.blank, bonus=bonus, merge=merge)
        found = decoder.decode(log_probs, nbest=10_000)
        assert len(found) == len(expected), (k, arguments)
        scores = {tuple(h.tokens): h for h in found}
        for text in expected:
            h = scores[text.tokens]
            assert h.score == pytest.approx(text.score, abs=1e-6), (k, arguments, text)
            assert h.acoustic_score == pytest.approx(text.acoustic_score, abs=1e-6)


@pytest.mark.parametrize("kind", ALL_LABELS)
def test_beams_of_any_width_keep_what_the_reference_keeps(kind, rng, save):
    """What a symbol is given counts when the beam is chosen, and so do gains that come with it."""
    labels = ALL_LABELS[kind]
    for k in range(20):
        arguments, bonus = random_knowledge(rng, labels, save)
        width, cuts = int(rng.integers(2, 6)), {"token_min_logp": -4.0, "beam_prune_logp": -np.inf}
        log_probs = emissions(rng, 8, len(labels))
        decoder = BeamSearchDecoder(labels, beam_width=width, **cuts, **arguments)
        expected = beam_search(log_probs, blank=labels.blank, beam_width=width, bonus=bonus, **cuts)
        if not expected:
            continue  # with all that a lexicon allows cut away, ours takes the frame again
        found = decoder.decode(log_probs, nbest=width)
        assert [list(h.tokens) for h in found] == [list(h.tokens) for h in expected], k
        np.testing.assert_allclose([h.score for h in found], [h.score for h in expected], rtol=1e-6)


def test_parts_of_a_score_add_up(rng, save):
    words = ["a", "ab", "cab", "b"]
    decoder = BeamSearchDecoder(
        CHARACTERS, lm=save(PlainNGram(rng, words)), hotwords={"ab": 2.0}, lm_weight=0.6
    )
    for h in decoder.decode(emissions(rng, 30, 5), nbest=20):
        total = h.acoustic_score + 0.6 * h.lm_score + 1.5 * h.units + h.hotword_score
        assert h.score == pytest.approx(total, abs=1e-9)


def test_long_texts_forget_nothing_that_counts(rng, save):
    """The search lets go of prefixes that cannot come back, and of their states."""
    words = ["a", "ab", "cab", "b", "ca"]
    plain = PlainNGram(rng, words, unknown=-1.0)
    arguments = {"lm_weight": 0.5, "word_score": 0.5, "unk_score": -1.0, "hotwords": {"ab": 1.0}}
    log_probs = emissions(rng, 5000, 5)  # several times as many prefixes as are kept at once
    hashed = PlainModel(order=2)
    for model, judge in ((save(plain), plain), (hashed, hashed)):
        decoder = BeamSearchDecoder(CHARACTERS, lm=model, beam_width=50, **arguments)
        h = decoder.decode(log_probs)
        tokens = tuple(h.tokens)
        units = units_of(CHARACTERS, "word", tokens, True)
        assert h.units == len(units) > 100
        assert h.lm_score == pytest.approx(judge.total(units, True), rel=1e-6)
        assert h.hotword_score == pytest.approx(hotword_bonus(CHARACTERS, {"ab": 1.0})(tokens))
        parts = 0.5 * h.lm_score + 0.5 * h.units + h.hotword_score
        assert h.score == pytest.approx(h.acoustic_score + parts, rel=1e-9)


def test_histories_that_the_model_confuses_stay_apart():
    """Trap C11: texts that lead to one state of the model are two texts."""
    model = PlainModel(order=1)
    decoder = BeamSearchDecoder(CHARACTERS, lm=model, **NO_CUTS)
    found = decoder.decode(np.log(np.full((3, 5), 0.2)), nbest=100)
    assert len({tuple(h.tokens) for h in found}) == len(found)


def test_models_in_python_are_asked_once_a_frame(rng):
    model = PlainModel()
    decoder = BeamSearchDecoder(CHARACTERS, lm=model, beam_width=20)
    decoder.decode(emissions(rng, 50, 5))
    assert len(model.calls) <= 51 and max(model.calls) > 3


def test_errors_of_models_come_out_of_the_search_unchanged(rng):
    class Failing(PlainModel):
        def score(self, states, units):
            raise RuntimeError("the model's own")

    decoder = BeamSearchDecoder(CHARACTERS, lm=Failing(), beam_width=5)
    with pytest.raises(RuntimeError, match="the model's own"):
        decoder.decode(emissions(rng, 20, 5))


def test_threads_do_not_change_a_bit(rng, save, threads):
    decoder = BeamSearchDecoder(
        PIECES,
        lm=save(PlainNGram(rng, ["a", "ab", "abb"])),
        hotwords=["ab"],
        lexicon=["a", "ab", "abb"],
    )
    log_probs = emissions(rng, 8, 40, len(PIECES))

    def decode():
        found = decoder.decode(log_probs, nbest=5)
        return [(h.score, h.lm_score, h.tokens) for item in found for h in item]

    assert_same_bits_as_one_thread(decode, threads)


def test_unfinished_phrases_do_not_prune_what_was_heard():
    """Trap C14: of prefixes that are too far below the best, the best is taken without credit."""
    sure = np.full((6, 5), 1e-30)
    for t, token in enumerate([1, 2, 1, 3, 1, 3]):
        sure[t, token] = 0.9
    sure[3, 2] = 0.09  # a "b" instead of the first "c" is possible, a whole "ababab" is not
    decoder = BeamSearchDecoder(CHARACTERS, hotwords={"ababab": 1e6}, beam_prune_logp=-3.0)
    assert decoder.decode(np.log(sure)).text == "abacac"


def test_scores_match_with_pieces_of_both_kinds():
    model = PlainModel()
    for labels, tokens in ((PIECES, (0, 1, 0)), (WORDPIECES, (1, 2, 1))):
        bonus = language_bonus(labels, model, unit="word", weight=1.0, unit_score=0.0)
        assert bonus(tokens) == model.total(["ab", "a"], True)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"lm_weight": -1.0}, "lm_weight must be 0 or more, got -1.0"),
        ({"lm_weight": np.nan}, "lm_weight must be finite, got nan"),
        ({"word_score": np.inf}, "word_score must be finite, got inf"),
        ({"word_score": 31}, "word_score must be at most 30.0, got 31"),
        ({"unk_score": np.inf}, "unk_score must be finite, or -inf"),
        ({"unk_score": np.nan}, "unk_score must be finite, or -inf"),
    ],
)
def test_numbers_that_cannot_work_are_refused(argument, message):
    with pytest.raises(ValueError, match=message):
        build(CHARACTERS, lm=PlainModel(), **argument)


def test_nothing_to_add_is_nothing():
    assert build(CHARACTERS) is None
