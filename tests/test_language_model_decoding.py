"""Neural language models inside the CTC beam: the states of many texts advanced in the core."""

import math

import numpy as np
import pytest

from fusion_problems import every_sequence
from language_problems import KINDS, Protocol, small_model
from oracles import assert_same_bits_as_one_thread
from unrolled import _core
from unrolled.decode import BeamSearchDecoder
from unrolled.decode.fusion import build
from unrolled.decode.labels import Labels
from unrolled.lm import NGram, Vocabulary
from unrolled.reference.softmax import log_softmax

LETTERS = Vocabulary(list("abc "), unit="char")
WORDS = Vocabulary(["a", "b", "ab", "ba", "c"])
LABELS = Labels(["", "a", "b", "c", " "])


def emissions(rng, *shape):
    return log_softmax(2.0 * rng.standard_normal(shape)).astype(np.float32)


def model_of(unit, kind, **options):
    return small_model(kind, LETTERS if unit == "char" else WORDS, **options)


def both(unit, model, labels=LABELS, **options):
    """The fusion of the core's states, and that of the same model written in Python."""
    return [build(labels, lm=lm, lm_unit=unit, **options) for lm in (model, Protocol(model))]


@pytest.mark.parametrize("eos", [True, False])
@pytest.mark.parametrize("unit", ["char", "word"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_text_has_the_probability_of_the_model(kind, unit, eos):
    model = model_of(unit, kind)
    core, python = both(unit, model, lm_weight=0.7, word_score=0.3, lm_eos=eos)
    for tokens in every_sequence(LABELS, 3):
        ours, theirs = (f.follow(np.array(tokens, np.int32)) for f in (core, python))
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-4, err_msg=str(tokens))
        assert ours[2] == pytest.approx(theirs[2], abs=1e-4), tokens
        assert ours[3][0] == pytest.approx(theirs[3][0], abs=1e-4), tokens
        assert ours[4] == (pytest.approx(theirs[4][0], abs=1e-4), *theirs[4][1:]), tokens


def test_a_text_has_the_score_that_the_model_gives_it():
    model = model_of("char", "lstm")
    core, _ = both("char", model, lm_weight=1.0, word_score=0.0)
    *_, after = core.follow(np.array([1, 2, 4, 3], np.int32))
    assert after[0] == pytest.approx(model.score("ab c"), abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_no_model_needs_python(kind):
    core, python = both("char", model_of("char", kind))
    assert python.needs_python and not core.needs_python


def test_200_random_beams_against_the_protocol(rng):
    """Other widths, cuts and weights: the same texts and scores as of the Python model."""
    kinds = [*KINDS]
    for case in range(200):
        unit = ("char", "word")[case % 2]
        kind = kinds[case % len(kinds)]
        model = model_of(unit, kind, seed=case)
        settings = {
            "beam_width": int(rng.integers(1, 8)),
            "token_min_logp": float(rng.choice([-np.inf, -4.0])),
            "lm_weight": float(rng.uniform(0, 1.5)),
            "word_score": float(rng.uniform(-1, 1)),
            "lm_unit": unit,
        }
        frames = emissions(rng, int(rng.integers(0, 6)), 5)
        core, python = (
            BeamSearchDecoder(LABELS, lm=lm, **settings).decode(frames, nbest=3)
            for lm in (model, Protocol(model))
        )
        where = f"case {case}: {kind} {settings}, {len(frames)} frames"
        assert [h.tokens for h in core] == [h.tokens for h in python], where
        for ours, theirs in zip(core, python, strict=True):
            assert ours.score == pytest.approx(theirs.score, abs=1e-3), where
            assert ours.lm_score == pytest.approx(theirs.lm_score, abs=1e-3), where


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bits_for_any_threads_and_batch(kind, rng, threads):
    decoder = BeamSearchDecoder(LABELS, lm=model_of("char", kind), lm_unit="char", beam_width=5)
    items = [emissions(rng, n, 5) for n in (7, 0, 12, 3, 9)]

    def decoded():
        return [(tuple(h.tokens), h.score, h.lm_score) for h in decoder.decode(items)]

    together = decoded()
    alone = [decoder.decode(item) for item in items]
    assert together == [(tuple(h.tokens), h.score, h.lm_score) for h in alone]
    assert_same_bits_as_one_thread(lambda: np.array([row[1:] for row in decoded()]), threads)


def test_long_streams_forget_and_go_on(rng):
    """Chunks change nothing, and states that no prefix needs are dropped on the way."""
    decoder = BeamSearchDecoder(LABELS, lm=model_of("char", "gru"), lm_unit="char", beam_width=4)
    frames = emissions(rng, 400, 5)
    stream = decoder.start()
    for start in range(0, 400, 7):
        stream.push(frames[start : start + 7])
    ours, whole = stream.finish(), decoder.decode(frames)
    assert (ours.tokens, ours.score) == (whole.tokens, whole.score)


def test_weights_are_those_of_the_moment_it_was_made(rng):
    model = model_of("char", "lstm")
    decoder = BeamSearchDecoder(LABELS, lm=model, lm_unit="char")
    frames = emissions(rng, 6, 5)
    before = decoder.decode(frames).score
    for parameter in model.parameters():
        parameter.data *= 2
    assert decoder.decode(frames).score == before
    assert BeamSearchDecoder(LABELS, lm=model, lm_unit="char").decode(frames).score != before


def test_unknown_units():
    """They are <unk> to a model that has it, and impossible to one that has not."""
    labels = Labels(["", "a", "b", "x", " "])
    core, _ = both("char", model_of("char", "lstm"), labels, lm_weight=1.0, word_score=0.0)
    assert core.follow(np.array([3], np.int32))[0][0] > -math.inf
    strict = small_model("lstm", Vocabulary(list("ab "), unit="char", unk=None))
    fusion = build(labels, lm=strict, lm_unit="char", lm_weight=1.0)
    assert fusion.follow(np.array([3], np.int32))[2] == -math.inf
    assert fusion.follow(np.array([1], np.int32))[2] > -math.inf


def test_models_of_lines(rng):
    """Trained on one long text: a text begins behind a line break and ends with one."""
    lines = Vocabulary(list("\nabc "), unit="char", pad=None, unk=None, sos=None, eos=None)
    model = small_model("lstm", lines)
    fusion = build(LABELS, lm=model, lm_unit="char", lm_weight=1.0, word_score=0.0)
    *_, after = fusion.follow(np.array([1, 3], np.int32))
    assert after[0] == pytest.approx(model.score("ac"), abs=1e-4)


def test_what_does_not_fit_is_told():
    with pytest.raises(ValueError, match="lm is a model of chars: pass lm_unit='char'"):
        BeamSearchDecoder(LABELS, lm=model_of("char", "lstm"))
    bare = Vocabulary(list("abc "), unit="char", sos=None, eos=None)
    with pytest.raises(ValueError, match="nothing that a text begins with"):
        BeamSearchDecoder(LABELS, lm=small_model("lstm", bare), lm_unit="char")
    upper = Vocabulary(list("ABC"), unit="char")
    with pytest.raises(ValueError, match=r"cannot be written with the labels.*lower case"):
        BeamSearchDecoder(LABELS, lm=small_model("lstm", upper), lm_unit="char")


def test_wrong_tokens_never_reach_the_search():
    model = model_of("char", "lstm").step_model()
    units = _core.LabelUnits([["a"]], np.array([False]))
    weights = _core.LanguageWeights(1.0, 0.0, 0.0, True)
    for wrong in ({"tokens": [99]}, {"unknown": -2}, {"first": -1}, {"end": 99}):
        given = {"units": ["a"], "tokens": [1], "unknown": -1, "first": 2, "end": 3, **wrong}
        with pytest.raises(ValueError, match="tokens of the model"):
            _core.fuse_label_steps(units, model, _core.UnitTokens(**given), weights)
    with pytest.raises(ValueError, match="a token for each unit"):
        _core.UnitTokens(["a"], [], -1, 0, 0)


def test_n_grams_are_still_taken():
    model = NGram.train(["ab", "ba"], order=2, unit="char", smoothing="witten-bell")
    assert BeamSearchDecoder(LABELS, lm=model, lm_unit="char") is not None
