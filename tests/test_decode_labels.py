"""Labels of emissions: what classes stand for, and how tokens become texts and words."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest

from unrolled.decode import Labels

HF = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "a": 5, "b": 6, "'": 7}


def test_a_mapping_of_hugging_face():
    labels = Labels(HF)
    assert labels.texts == tuple(HF)
    assert (labels.blank, labels.delimiter, labels.kind) == (0, 4, "characters")
    assert labels.specials == {1, 2, 3}
    assert labels.text([5, 4, 6, 7]) == "a b'"
    assert labels.words([5, 4, 6, 7]) == [("a", 0, 1), ("b'", 2, 4)]


@pytest.mark.parametrize("blank", [4, -1, "[PAD]"])
def test_the_blank_is_an_index_from_either_end_or_a_label(blank):
    assert Labels(["a", "b", " ", "[UNK]", "[PAD]"], blank).blank == 4


def test_an_empty_label_is_the_blank_only_where_it_is_chosen():
    labels = Labels(["<blk>", "a", "", "b"])
    assert labels.blank == 0
    assert labels.specials == {2}
    assert labels.text([1, 2, 3]) == "ab"
    assert Labels(["a", "b", ""], blank=2).text([0, 1]) == "ab"
    with pytest.raises(ValueError, match=r"blank=0 is the label 'a', and class 2 is called ''"):
        Labels(["a", "b", ""])


@pytest.mark.parametrize("name", ["<pad>", "[PAD]", "<blank>", ""])
def test_a_blank_that_looks_like_a_letter_is_refused(name):
    with pytest.raises(ValueError, match="pass blank=3, or blank='x' if that is meant"):
        Labels(["x", "y", "z", name])
    assert Labels(["x", "y", "z", name], blank="x").blank == 0  # by its label: that is meant


def test_blanks_of_other_names_are_taken_as_given():
    assert Labels(["-", "|", "e", "t"]).blank == 0  # torchaudio
    assert Labels(["<s>", "<pad>", "</s>", "<unk>", "|", "e"]).blank == 0  # fairseq
    assert Labels(["ε", "a", ""]).blank == 0
    assert Labels("αβγδε").blank == 0  # the letter, which is no blank by its name alone


@pytest.mark.parametrize(
    ("blank", "error", "message"),
    [
        (3, ValueError, "must be one of the 3 classes, got 3"),
        (-4, ValueError, "must be one of the 3 classes, got -4"),
        ("x", ValueError, "'x' is none of the 3 labels"),
        (None, TypeError, "must be a class or its label, got None"),
        (1.0, TypeError, "whole number"),
    ],
)
def test_blanks_that_are_none(blank, error, message):
    with pytest.raises(error, match=message):
        Labels(["", "a", "b"], blank)


@pytest.mark.parametrize(
    ("labels", "delimiter", "found"),
    [
        (["", " ", "a", "|"], " ", 1),
        (["", "|", "a"], " ", 1),
        (["", "<space>", "a", "|"], " ", 1),
        (["", "a", "▁"], " ", 2),
        (["", "a", "b"], " ", None),
        (["", "a", " "], None, None),
        (["", "a", "_"], "_", 2),
    ],
)
def test_delimiters(labels, delimiter, found):
    assert Labels(labels, word_delimiter=delimiter).delimiter == found


@pytest.mark.parametrize("delimiter", ["_", "<blk>", "<unk>"])
def test_a_delimiter_that_is_no_label_of_a_text(delimiter):
    with pytest.raises(ValueError, match="is not one of the labels of a text"):
        Labels(["<blk>", "a", "<unk>"], word_delimiter=delimiter)


def test_texts_keep_the_spaces_within_and_none_at_the_ends():
    """Trap C12: trailing and double spaces, a space at the start, nothing at all."""
    labels = Labels(["", " ", "a", "b"])
    assert labels.text([1, 2, 1, 1, 3, 1]) == "a  b"
    assert labels.words([1, 2, 1, 1, 3, 1]) == [("a", 1, 2), ("b", 4, 5)]
    for nothing in ([], [1], [1, 1]):
        assert labels.text(nothing) == ""
        assert labels.words(nothing) == []


def test_pieces_of_sentencepiece():
    labels = Labels(["<unk>", "▁", "▁the", "re", "▁⁇▁", "s", "<blk>"], blank=-1)
    assert labels.kind == "sentencepiece"
    assert labels.delimiter is None
    assert labels.starts_word.tolist() == [False, True, True, False, True, False, False]
    assert labels.ends_word.tolist() == [False, False, False, False, True, False, False]
    tokens = [2, 3, 1, 5, 4, 5, 2, 0]
    assert labels.words(tokens) == [
        ("there", 0, 2),
        ("s", 2, 4),
        ("⁇", 4, 5),
        ("s", 5, 6),
        ("the", 6, 8),
    ]
    assert labels.text([3, 2]) == "re the"
    assert labels.words([1, 2]) == [("the", 1, 2)]  # a mark alone is no word


def test_pieces_of_wordpiece():
    labels = Labels(["[PAD]", "play", "##ing", "un", "##"])
    assert labels.kind == "wordpiece"
    assert labels.text([1, 2, 3, 2]) == "playing uning"
    assert labels.words([2, 1]) == [("ing", 0, 1), ("play", 1, 2)]


def test_phonemes_are_words_and_syllables_may_be_characters():
    phonemes = Labels(["<blk>", "HH", "AH", "L", "OW"])
    assert phonemes.kind == "words"
    assert phonemes.text([1, 2, 3, 4]) == "HH AH L OW"
    assert phonemes.words([3, 4]) == [("L", 0, 1), ("OW", 1, 2)]
    assert Labels(["<blk>", "HH", "AH"], kind="characters").text([1, 2]) == "HHAH"
    assert Labels(["", *"abc", "ll"]).kind == "characters"  # a ligature among letters
    combined = Labels(["", "कि", "की", "क"])  # one letter with its mark each
    assert combined.kind == "characters"


def test_characters_without_a_delimiter_are_one_word():
    labels = Labels(["blank", *"你好吗"])
    assert labels.words([1, 2, 3]) == [("你好吗", 0, 3)]


@pytest.mark.parametrize("kind", ["characters", "sentencepiece", "wordpiece", "words"])
def test_words_joined_by_spaces_are_the_text(kind, rng):
    """For every kind and random tokens, but for doubled delimiters."""
    texts = {
        "characters": ["", " ", "a", "b", "c"],
        "sentencepiece": ["", "▁a", "b", "▁", "▁?▁"],
        "wordpiece": ["", "a", "##b", "c", "##dd"],
        "words": ["", "ab", "cd", "e", "fg"],
    }[kind]
    labels = Labels(texts)
    assert labels.kind == kind
    for _ in range(200):
        tokens = rng.integers(1, 5, rng.integers(0, 12))
        words = labels.words(tokens)
        assert " ".join(word for word, _, _ in words) == " ".join(labels.text(tokens).split())
        assert all(0 <= first < end <= tokens.size for _, first, end in words)
        assert all(a[2] <= b[1] for a, b in pairwise(words))
        for word, first, end in words:
            assert [w for w, _, _ in labels.words(tokens[first:end])] == [word]


def test_labels_that_are_equal_are_refused_with_their_classes():
    with pytest.raises(ValueError, match="classes 1 and 3 are both 'a'"):
        Labels(["", "a", "b", "a"])
    assert Labels(["-", "a", "-"]).text([2, 1]) == "-a"  # the blank's own label is no text
    with pytest.raises(ValueError, match=r"blank '-' is of 2 classes; pass its class"):
        Labels(["-", "a", "-"], blank="-")


def test_classes_that_a_mapping_leaves_out_have_no_text():
    labels = Labels({"a": 1, "b": 4, "<pad>": 0})
    assert len(labels) == 5
    assert labels.specials == {2, 3}
    assert labels.text([1, 2, 3, 4]) == "ab"


@pytest.mark.parametrize("labels", [["", 1], [None], {"a": -1}, [], None, 3, {"a": 0.5}])
def test_labels_that_are_no_texts(labels):
    with pytest.raises((TypeError, ValueError), match="labels"):
        Labels(labels)


def test_emissions_of_another_width_are_refused_with_both_numbers():
    """Trap C16."""
    labels = Labels(["", "a", "b"])
    labels.require_width(3)
    with pytest.raises(ValueError, match=r"5 classes, and there are 3 labels; .* its order"):
        labels.require_width(5)
    with pytest.raises(ValueError, match="4 classes, and there are 3 labels; the blank"):
        labels.require_width(4)


def test_labels_do_not_change():
    labels = Labels(HF)
    with pytest.raises(AttributeError, match="do not change"):
        labels.blank = 3
    with pytest.raises(ValueError, match="read-only"):
        labels.starts_word[0] = True
    for other in (copy.copy(labels), pickle.loads(pickle.dumps(labels))):
        assert other.texts == labels.texts
        assert other.text(np.array([5, 4, 6])) == "a b"


def test_twenty_thousand_pieces():
    pieces = ["<blk>", *(f"▁w{i}" for i in range(20_000))]
    assert Labels(pieces).text([1, 20_000]) == "w0 w19999"
