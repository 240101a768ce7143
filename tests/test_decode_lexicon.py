"""Lexica: only known words can be written, in whatever labels."""

import numpy as np
import pytest

from fusion_problems import (
    ALL_LABELS,
    CHARACTERS,
    PIECES,
    SINGLE,
    assert_follows,
    every_sequence,
    lexicon_bonus,
)
from unrolled.decode.fusion import build
from unrolled.decode.labels import Labels
from unrolled.decode.lexicon import Lexicon

HEADS = Labels(["▁a", "b", "<blk>"], blank=-1)
WORDS_OF = {
    "characters": {"a", "ab", "abc", "cab", "bb"},
    "pieces": {"a", "ab", "abb", "?", "aab"},
    "wordpieces": {"a", "ab", "aba", "bb"},
    "words": {"hey", "there"},
    "single": {"ab", "aba", "b"},
}


def ends(fusion, tokens):
    weights, _, end, *_ = fusion.follow(np.array(tokens, np.int32))
    return not np.isneginf(weights).any() and end == 0


@pytest.mark.parametrize("kind", WORDS_OF)
def test_every_text_of_known_words_and_no_other_is_allowed(kind):
    labels, words = ALL_LABELS[kind], WORDS_OF[kind]
    fusion = build(labels, lexicon=words)
    bonus = lexicon_bonus(labels, words)
    allowed = 0
    for tokens in every_sequence(labels, 5):
        assert_follows(fusion, bonus, tokens)
        allowed += bonus(tokens) == 0
    assert allowed > 5


def test_spellings_are_the_only_way_to_write_their_words():
    fusion = build(PIECES, lexicon={"abb": [["▁a", "b", "b"]], "ab": None})
    assert ends(fusion, [0, 1, 1])  # ▁a b b
    assert not ends(fusion, [2, 3, 1])  # ▁ ab b
    assert ends(fusion, [0, 1]) and ends(fusion, [2, 3])
    assert ends(fusion, [2, 3, 0, 1, 1])


def test_a_spelling_need_not_look_like_its_word():
    labels = Labels(["<pad>", "|", "t", "w", "o"])
    fusion = build(labels, lexicon={"two": ["t o o |", "t w o |"]})
    assert ends(fusion, [2, 4, 4, 1, 2, 3, 4])
    assert not ends(fusion, [2, 3, 4, 4]) and not ends(fusion, [2, 3])


def test_delimiters_before_between_and_behind_words():
    """Trap C12."""
    fusion = build(CHARACTERS, lexicon=["ab"])
    for tokens in ([], [4], [4, 4, 1, 2], [1, 2, 4, 4, 1, 2], [1, 2, 4, 4]):
        assert ends(fusion, tokens), tokens
    for tokens in ([1], [4, 1], [1, 4, 2], [1, 2, 1, 2]):
        assert not ends(fusion, tokens), tokens


def test_classes_without_text_complete_no_word():
    labels = Labels(["", "a", "b", "c", " ", "<unk>"])
    fusion = build(labels, lexicon=["ab"])
    assert ends(fusion, [1, 5, 2, 4])
    assert not ends(fusion, [1, 5, 4]) and not ends(fusion, [1, 5])


def test_a_file_of_words(tmp_path):
    file = tmp_path / "words.txt"
    file.write_bytes("\ufeffab\r\n\r\nabc\ta  b c\nabc c b a\n".encode())
    lexicon = Lexicon(file)
    assert lexicon.spellings == {"ab": [None], "abc": [("a", "b", "c"), ("c", "b", "a")]}
    assert "ab" in lexicon and "b" not in lexicon and len(lexicon) == 2
    fusion = build(CHARACTERS, lexicon=str(file))
    assert ends(fusion, [1, 2, 4, 3, 2, 1])


def test_spellings_are_told_from_lists_of_them():
    lexicon = Lexicon({"x": "a b", "y": ["a", "b"], "z": ["a b", "b"], "w": [("a",), None]})
    assert list(lexicon.spellings.values()) == [
        [("a", "b")],
        [("a", "b")],
        [("a", "b"), ("b",)],
        [("a",), None],
    ]


def test_ten_thousand_words_are_all_found(rng):
    labels = Labels(["", *"abcdefgh "])
    letters = rng.integers(1, 9, (10_000, 6))
    words = {"".join(labels.texts[c] for c in word) for word in letters.tolist()}
    fusion = build(labels, lexicon=words)
    for word in letters[::50]:
        assert ends(fusion, word)
    for word in rng.integers(1, 9, (200, 6)):
        assert ends(fusion, word) == (labels.text(word) in words)


@pytest.mark.parametrize(
    ("labels", "lexicon", "message"),
    [
        (
            CHARACTERS,
            ["ab", "abé"],
            r"lexicon: 'abé' cannot be spelt .*no label has 'é' \(U\+00E9\)",
        ),
        (CHARACTERS, [], "lexicon has no words"),
        (CHARACTERS, ["a b"], "'a b' is not one word"),
        (CHARACTERS, [""], "'' is not one word"),
        (CHARACTERS, {"ab": ["a", "x"]}, "'ab' is spelt with 'x', which is none of"),
        (CHARACTERS, {"ab": []}, "a spelling of 'ab' is empty"),
        (CHARACTERS, {"ab": [["a", " ", "b"]]}, "'ab' must be spelt without the delimiter"),
        (HEADS, ["bab"], "no sequence of labels writes it beyond ''"),
        (SINGLE, ["abc"], "no label has 'c'"),
    ],
)
def test_what_cannot_be_written_is_refused(labels, lexicon, message):
    with pytest.raises(ValueError, match=message):
        build(labels, lexicon=lexicon)


def test_wrong_types_are_refused():
    with pytest.raises(TypeError, match="words must be texts, got 3"):
        Lexicon([3])
    with pytest.raises(TypeError, match="labels that spell 'ab' must be texts, got 1"):
        Lexicon({"ab": [1, 2]})


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="pass a list for words"):
        Lexicon("ab")
    damaged = tmp_path / "latin.txt"
    damaged.write_bytes("é".encode("latin-1"))
    with pytest.raises(ValueError, match="is not UTF-8"):
        Lexicon(damaged)
