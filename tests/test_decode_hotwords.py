"""Hotwords: what a text is given for them, and what is taken back."""

import numpy as np
import pytest

from fusion_problems import (
    ALL_LABELS,
    CHARACTERS,
    PIECES,
    SINGLE,
    assert_follows,
    every_sequence,
    hotword_bonus,
)
from unrolled.decode.fusion import build
from unrolled.decode.hotwords import Hotwords
from unrolled.decode.labels import Labels

HEADS = Labels(["▁a", "b", "<blk>"], blank=-1)
PHRASES = {
    "characters": {"ab": 3.0, "abc": 4.0, "b": 0.5, "c a": 2.0, "a b": -1.5, "bb": 1e6},
    "pieces": {"ab": 3.0, "abb": 4.0, "a ?": 2.0, "a": -0.7, "?": 0.4},
    "wordpieces": {"ab": 3.0, "aba": 4.0, "b a": 2.0, "bab": -1.0},
    "words": {"hey you": 6.0, "you there": 5.0, "hey": 1.0, "you": -2.0},
    "single": {"ab": 3.0, "ba": 2.5, "aab": 9.0, "b": 0.3},
}


@pytest.mark.parametrize("whole_words", [True, False])
@pytest.mark.parametrize("kind", PHRASES)
def test_every_text_has_the_weights_of_what_occurs_in_it(kind, whole_words):
    labels, weights = ALL_LABELS[kind], PHRASES[kind]
    bonus = hotword_bonus(labels, weights, whole_words=whole_words)
    fusion = build(labels, hotwords=Hotwords(weights, whole_words=whole_words))
    for tokens in every_sequence(labels, 5):
        assert_follows(fusion, bonus, tokens)


def test_random_phrases_over_long_texts(rng):
    for _ in range(200):
        weights = {
            "".join(rng.choice(list("abc "), rng.integers(1, 6))): float(rng.normal(3, 3))
            for _ in range(rng.integers(1, 8))
        }
        weights = {" ".join(p.split()): w for p, w in weights.items() if p.strip()}
        whole = bool(rng.integers(2))
        bonus = hotword_bonus(CHARACTERS, weights, whole_words=whole)
        if not weights:
            continue
        fusion = build(CHARACTERS, hotwords=Hotwords(weights, whole_words=whole))
        tokens = tuple(rng.integers(1, 5, 30).tolist())
        assert_follows(fusion, bonus, tokens)


def test_credit_is_taken_back_exactly():
    """Trap C14: whatever the weights, a text without a phrase has nothing of it left."""
    labels = Labels(["", *"discue ", "\u026a", "\u028c"])
    fusion = build(labels, hotwords={"discussed": 1e6, "disc": 0.1 + 0.2, "cue": 1 / 3})
    classes = {text: c for c, text in enumerate(labels.texts)}
    text = "d\u026asc\u028cs discus disc disced cued"
    tokens = np.array([classes[letter] for letter in text], np.int32)
    *_, after = fusion.follow(tokens)
    assert after[2] == 0.1 + 0.2
    assert [fired[0] for fired in after[3]] == [1]


def test_a_huge_weight_gains_no_more_than_its_bound():
    fusion = build(CHARACTERS, hotwords={"ab": 1e6})
    weights, credits, end, _, after = fusion.follow(np.array([1, 2], np.int32))
    np.testing.assert_array_equal(weights, [5.0, 5.0])
    np.testing.assert_array_equal(credits, [5.0, 10.0])
    assert end == 0.0 and after[2] == 10.0


def test_fired_phrases_have_the_tokens_that_they_cover():
    fusion = build(CHARACTERS, hotwords=["ab", "b c", "abc"])
    tokens = np.array([4, 4, 1, 2, 4, 4, 3, 4, 1, 2, 3], np.int32)  # "  ab  c abc"
    *_, before, after = fusion.follow(tokens)
    assert before[3] == [(0, 2, 4)]
    assert after[3] == [(0, 2, 4), (2, 8, 11)]
    words = build(CHARACTERS, hotwords=["ab c", "c"])
    assert words.follow(tokens)[4][3] == [(0, 2, 7), (1, 6, 7)]


def test_any_pieces_may_write_a_phrase():
    fusion = build(PIECES, hotwords={"abb": 9.0})
    for tokens, first in (([0, 1, 1], 0), ([2, 3, 1], 1)):  # ▁a b b, ▁ ab b
        *_, after = fusion.follow(np.array(tokens, np.int32))
        assert after[2:] == (9.0, [(0, first, 3)])
    *_, after = fusion.follow(np.array([0, 1, 1, 1], np.int32))
    assert after[2:] == (0.0, [])


def test_cat_fires_in_category_only_when_asked():
    labels = Labels(["", *"category "])
    classes = {text: c for c, text in enumerate(labels.texts)}
    tokens = np.array([classes[letter] for letter in "category"], np.int32)
    assert build(labels, hotwords=["cat"]).follow(tokens)[4][3] == []
    inside = Hotwords(["cat"], whole_words=False)
    assert build(labels, hotwords=inside).follow(tokens)[4][3] == [(0, 0, 3)]


def test_case_is_folded_on_request():
    labels = Labels(["", "N", "ß", "s", "n", "y", " "])
    folded = Hotwords(["ny", "NSS"], fold_case=True)
    fusion = build(labels, hotwords=folded, hotword_weight=1.0)
    for tokens in ([1, 5], [4, 5]):
        assert fusion.follow(np.array(tokens, np.int32))[4][3] == [(0, 0, 2)]
    for tokens, end in (([1, 2], 2), ([4, 3, 3], 3)):
        assert fusion.follow(np.array(tokens, np.int32))[4][3] == [(1, 0, end)]
    assert build(labels, hotwords=["ny"]).follow(np.array([1, 5], np.int32))[4][3] == []


def test_letters_with_marks_of_their_own():
    fusion = build(Labels(["", "e", "\u0301", " "]), hotwords={"é": 2.0})
    assert fusion.follow(np.array([1, 2], np.int32))[4][2] == 2.0


@pytest.mark.parametrize(
    ("labels", "hotwords", "message"),
    [
        (CHARACTERS, ["ab", "axb"], "hotwords: 'axb' cannot be spelt .*no label has 'x'"),
        (SINGLE, ["a b"], "hotwords: 'a b' .*it has a space, and no label stands between words"),
        (HEADS, ["ab", "ba"], "hotwords: 'ba' .*no sequence of labels writes it beyond ''"),
        (CHARACTERS, ["ab", " "], "a phrase is empty"),
        (CHARACTERS, {"ab": np.inf}, "the weight of 'ab' must be finite, got inf"),
        (CHARACTERS, {"ab": np.nan}, "the weight of 'ab' must be finite, got nan"),
        (CHARACTERS, ["a b", "a  b"], "'a b' and 'a  b' are both 'a b' in letters"),
    ],
)
def test_what_cannot_be_found_is_refused(labels, hotwords, message):
    with pytest.raises(ValueError, match=message):
        build(labels, hotwords=hotwords)


@pytest.mark.parametrize("hotwords", ["ab", [1], {"ab": "x"}, {"ab": True}])
def test_wrong_types_are_refused(hotwords):
    with pytest.raises(TypeError, match="hotwords"):
        build(CHARACTERS, hotwords=hotwords)


def test_no_phrases_are_nothing_to_add():
    assert build(CHARACTERS, hotwords=[]) is None
