"""The reading of labels is pyctcdecode's own."""

from __future__ import annotations

import logging

import pytest

from unrolled.compat.pyctcdecode import Alphabet

CASES = {
    "characters": ["a", "b", " "],
    "blank given": ["", " ", "a"],
    "Hugging Face": ["<pad>", "<s>", "</s>", "<unk>", "|", "E", "T"],
    "brackets, capitals": ["[PAD]", "[UNK]", "|", "a"],
    "| beside a space": ["|", " ", "a"],
    "_ is the blank": ["a", "_", " "],
    "_ beside a blank": ["a", "_", " ", ""],
    "SentencePiece": ["<unk>", "▁bug", "s", "▁bunny"],
    "SentencePiece with a blank": ["<pad>", "▁", "▁⁇▁", "▁the", "s"],
    "WordPiece": ["[PAD]", "[UNK]", "play", "##ing", "##s", "<s>"],
    "WordPiece with a mark alone": ["▁", "##s", "a", ""],
}


@pytest.fixture(autouse=True)
def quiet():
    logging.getLogger("pyctcdecode.alphabet").setLevel(logging.ERROR)


@pytest.mark.parametrize("labels", CASES.values(), ids=CASES)
def test_alphabets_are_pyctcdecodes(labels):
    peer = pytest.importorskip("pyctcdecode.alphabet", reason="needs pyctcdecode")
    theirs = peer.Alphabet.build_alphabet(list(labels))
    mine = Alphabet.build_alphabet(labels)
    assert (mine.labels, mine.is_bpe) == (theirs.labels, theirs.is_bpe)
    assert Alphabet.loads(theirs.dumps()).labels == peer.Alphabet.loads(mine.dumps()).labels


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b", "a"], "'a' is there twice"),
        (["▁a", "b c"], "none may have a space"),
    ],
)
def test_alphabets_that_cannot_be(labels, message):
    with pytest.raises(ValueError, match=message):
        Alphabet.build_alphabet(labels)


def test_something_else_is_no_alphabet():
    with pytest.raises(ValueError, match="an alphabet is"):
        Alphabet.loads("[]")
