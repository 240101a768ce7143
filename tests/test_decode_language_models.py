"""Language models by their protocol: what is asked, what is scored, and what is refused."""

import gc
import math

import numpy as np
import pytest

from fusion_problems import (
    ALL_LABELS,
    CHARACTERS,
    PIECES,
    PlainModel,
    assert_follows,
    every_sequence,
    language_bonus,
)
from unrolled.decode.fusion import build
from unrolled.decode.language_models import UNITS, LanguageModel


def follow(fusion, tokens):
    return fusion.follow(np.array(tokens, np.int32))


@pytest.mark.parametrize("eos", [True, False])
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("kind", ALL_LABELS)
def test_every_text_has_the_probability_of_its_units(kind, unit, eos):
    """Traps C5 and C6: words are scored once, at their ends, by each prefix for itself."""
    labels, model = ALL_LABELS[kind], PlainModel()
    bonus = language_bonus(labels, model, unit=unit, weight=0.7, unit_score=0.3, eos=eos)
    fusion = build(labels, lm=model, lm_unit=unit, lm_weight=0.7, word_score=0.3, lm_eos=eos)
    assert fusion.needs_python
    for tokens in every_sequence(labels, 4):
        assert_follows(fusion, bonus, tokens)


def test_scores_are_unweighted_and_count_units():
    model = PlainModel()
    fusion = build(CHARACTERS, lm=model, lm_weight=0.5, word_score=2.0)
    *_, before, after = follow(fusion, [4, 1, 4, 4, 2, 3])  # " a  bc"
    assert before == (pytest.approx(model.total(["a"], False)), 1, 0.0, [])
    assert after == (pytest.approx(model.total(["a", "bc"], True)), 2, 0.0, [])


def test_empty_words_are_not_scored():
    """Trap C12: spaces at either end, two in a row, and texts without words."""
    model = PlainModel()
    fusion = build(CHARACTERS, lm=model, lm_weight=1.0, word_score=0.0)
    alone = model.total(["ab"], True)
    for tokens in ([1, 2], [4, 1, 2], [1, 2, 4], [4, 4, 1, 2, 4, 4]):
        weights, _, end, *_ = follow(fusion, tokens)
        assert weights.sum() + end == pytest.approx(alone, abs=1e-12)
    assert follow(fusion, [])[2] == pytest.approx(model.total([], True))


def test_what_the_model_forbids_is_forbidden():
    model = PlainModel(forbidden={"ab"})
    for weight in (0.0, 1.0):
        fusion = build(CHARACTERS, lm=model, lm_weight=weight)
        assert follow(fusion, [1, 2, 4])[0].tolist() == [0.0, 0.0, -math.inf]
        assert follow(fusion, [1, 2])[2] == -math.inf
        assert follow(fusion, [1, 4])[2] > -math.inf


def test_models_live_as_long_as_what_asks_them():
    """Trap C18."""
    fusion = build(CHARACTERS, lm=PlainModel(), lm_weight=1.0, word_score=0.0)
    gc.collect()
    assert follow(fusion, [1])[2] == pytest.approx(PlainModel().total(["a"], True))


class Broken(PlainModel):
    def __init__(self, **answers):
        super().__init__()
        self.answers = answers

    def score(self, states, units):
        log_probs, states = super().score(states, units)
        return self.answers.get("log_probs", log_probs), self.answers.get("states", states)

    def finish(self, states):
        return self.answers.get("ends", super().finish(states))


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"log_probs": [0.1]}, "score: log probability 0, unit 'a' is 0.1; natural logarithms"),
        ({"log_probs": [math.nan]}, "score: log probability 0, unit 'a' is nan"),
        ({"log_probs": [-1.0, -1.0]}, r"score must return 1 log probabilities.* shape \(2,\)"),
        ({"log_probs": -1.0}, r"score must return 1 log probabilities.* shape \(\)"),
        ({"states": []}, "score must return 1 states, got 0"),
        ({"ends": [math.nan]}, "finish: log probability 0 is nan"),
        ({"ends": []}, r"finish must return 1 log probabilities.* shape \(0,\)"),
    ],
)
def test_wrong_answers_are_named(answers, message):
    fusion = build(CHARACTERS, lm=Broken(**answers))
    with pytest.raises(ValueError, match=f"lm.{message}"):
        follow(fusion, [1, 4])


def test_errors_of_models_come_out_unchanged():
    class Failing(PlainModel):
        def score(self, states, units):
            raise KeyError("of its own")

    with pytest.raises(KeyError, match="of its own"):
        follow(build(CHARACTERS, lm=Failing()), [1, 4])


def test_an_answer_that_is_no_pair():
    class Single(PlainModel):
        def score(self, states, units):
            return -1.0

    with pytest.raises(ValueError, match=r"score must return a pair.*float"):
        follow(build(CHARACTERS, lm=Single()), [1, 4])


def test_scores_above_zero_need_a_bound():
    class Generous(PlainModel):
        def _log_prob(self, state, unit):
            return 2.0

    with pytest.raises(ValueError, match="upper_bound"):
        follow(build(CHARACTERS, lm=Generous()), [1, 4])
    fusion = build(CHARACTERS, lm=Generous(upper_bound=2.0), lm_weight=0.5, word_score=0.0)
    assert follow(fusion, [1, 4])[0].tolist() == [0.0, 1.0]


def test_what_is_no_model_is_refused():
    assert isinstance(PlainModel(), LanguageModel)
    with pytest.raises(TypeError, match="int has no start and no score and no finish"):
        build(CHARACTERS, lm=3)
    with pytest.raises(ValueError, match="lm_unit must be one of word, token, char, got 'words'"):
        build(CHARACTERS, lm=PlainModel(), lm_unit="words")


class Knowing(PlainModel):
    def __init__(self, *words):
        super().__init__()
        self.vocabulary = words

    def __contains__(self, word):
        return word in self.vocabulary


@pytest.mark.parametrize(
    ("unit", "vocabulary", "message"),
    [
        ("word", ["xy", "a", "xz", "zz", "yy"], "4 of 5 units .* such as 'xy', 'xz', 'zz'"),
        ("word", ["AB", "CAB", "<unk>"], "2 of 2 .* in lower case"),
        ("char", ["ab", "ba", "a"], "2 of 3 .* as lm_unit='char', such as 'ab', 'ba'"),
        ("token", ["ab", "ba", "a"], "2 of 3 .* as lm_unit='token'"),
    ],
)
def test_vocabularies_that_do_not_meet_are_refused(unit, vocabulary, message):
    with pytest.raises(ValueError, match=message):
        build(CHARACTERS, lm=Knowing(*vocabulary), lm_unit=unit)


def test_vocabularies_need_not_be_the_same():
    build(CHARACTERS, lm=Knowing("a", "ab", "xyz"))
    build(CHARACTERS, lm=Knowing("a", "<s>", "</s>"), lm_unit="char")
    build(PIECES, lm=Knowing("▁a", "x"), lm_unit="token")


@pytest.mark.parametrize("name", ["<space>", "▁", "|", "_", " "])
def test_spaces_have_the_models_name(name):
    model = Knowing("a", "b", name)
    bonus = language_bonus(CHARACTERS, model, unit="char", weight=1.0, unit_score=0.0)
    assert bonus((1, 4)) != model.total(["a", name], True) or name == " "
    fusion = build(CHARACTERS, lm=model, lm_unit="char", lm_weight=1.0, word_score=0.0)
    weights, _, end, *_ = follow(fusion, [1, 4, 2])
    assert weights.sum() + end == pytest.approx(model.total(["a", name, "b"], True))
