"""Vocabularies: how they are built, ids and texts there and back, files, modules that hold one."""

from __future__ import annotations

import collections
import json
import typing

import numpy as np
import pytest

import unrolled
from oracles import assert_same_bits
from unrolled import nn
from unrolled.checkpoint import CheckpointError
from unrolled.lm import Vocabulary
from unrolled.reference.embedding import one_hot

SPECIALS = ("<pad>", "<unk>", "<sos>", "<eos>")


def test_the_most_frequent_come_first_and_ties_by_their_text():
    words = Vocabulary.build(["b a c", "c b", "d c"])
    assert words.tokens == (*SPECIALS, "c", "b", "a", "d")
    assert (words.pad_id, words.unk_id, words.sos_id, words.eos_id) == (0, 1, 2, 3)
    assert len(words) == 8
    assert list(words) == list(words.tokens)


def test_ids_are_those_of_a_plain_count(rng):
    for _ in range(200):
        texts = [rng.integers(0, 30, rng.integers(0, 20)).astype(str).tolist() for _ in range(5)]
        least, most = int(rng.integers(1, 4)), int(rng.integers(4, 30))
        made = Vocabulary.build(texts, unit="token", min_count=least, max_size=most)
        counts = collections.Counter(token for text in texts for token in text)
        ranked = sorted((-n, token) for token, n in counts.items() if n >= least)
        assert made.tokens == (*SPECIALS, *(token for _, token in ranked[: most - 4]))
        expected = [made.tokens.index(t) if t in made.tokens else 1 for t in texts[0]]
        assert made.encode(texts[0]).tolist() == expected


def test_min_count_and_max_size():
    texts = ["a a a b b c", "d"]
    assert Vocabulary.build(texts, min_count=2).tokens[4:] == ("a", "b")
    assert Vocabulary.build(texts, max_size=5).tokens[4:] == ("a",)
    assert Vocabulary.build(texts, max_size=4).tokens == SPECIALS


@pytest.mark.parametrize(
    ("unit", "text", "tokens", "back"),
    [
        ("word", " to  be\nor\tnot ", ["to", "be", "or", "not"], "to be or not"),
        ("char", "to be\n", ["t", "o", " ", "b", "e", "\n"], "to be\n"),
        ("token", ["K", "AE1", "T"], ["K", "AE1", "T"], "K AE1 T"),
    ],
)
def test_units(unit, text, tokens, back):
    made = Vocabulary.build([text], unit=unit)
    ids = made.encode(text, sos=True, eos=True)
    assert ids.dtype == np.int64
    assert made.decode(ids) == tokens
    assert made.decode(ids, specials=True) == ["<sos>", *tokens, "<eos>"]
    assert made.text(ids) == back
    assert made.encode(tokens).tolist() == ids[1:-1].tolist()  # tokens stay as they are


def test_one_text_alone_is_one_text():
    assert Vocabulary.build("to be", unit="char") == Vocabulary.build(["to be"], unit="char")
    assert Vocabulary.build("to be or be").tokens[4:] == ("be", "or", "to")


def test_texts_from_a_generator_and_none_at_all():
    assert Vocabulary.build(text for text in ("a b", "b")).tokens[4:] == ("b", "a")
    assert Vocabulary.build([]).tokens == SPECIALS
    assert Vocabulary.build([]).encode("").tolist() == []


def test_each_special_symbol_may_be_absent():
    letters = Vocabulary(["a", "b"], sos=None, eos="</s>", unit="char")
    assert letters.tokens == ("<pad>", "<unk>", "</s>", "a", "b")  # as the g2p-en package has it
    assert (letters.sos_id, letters.eos_id) == (None, 2)
    bare = Vocabulary(["a"], pad=None, unk=None, sos=None, eos=None)
    assert bare.tokens == ("a",)
    assert bare.specials == ()


def test_special_symbols_among_the_tokens_keep_their_place():
    made = Vocabulary(["a", "<eos>", "b", "<pad>"])
    assert made.tokens == ("<unk>", "<sos>", "a", "<eos>", "b", "<pad>")
    assert (made.eos_id, made.pad_id) == (3, 5)
    assert Vocabulary(made.tokens) == made


def test_special_symbols_in_texts_are_no_words_of_their_own():
    made = Vocabulary.build(["<unk> a <eos>", "<unk>"])
    assert made.tokens == (*SPECIALS, "a")
    assert made.encode("a <unk>").tolist() == [4, 1]


def test_unknown_tokens_become_unk_and_stay_visible():
    made = Vocabulary(["a", "b"])
    ids = made.encode("a x b", sos=True)
    assert ids.tolist() == [2, 4, 1, 5]
    assert made.decode(ids) == ["a", "<unk>", "b"]
    assert made.index("x") == made.unk_id
    assert "x" not in made
    assert "a" in made
    assert 7 not in made


def test_unknown_tokens_are_reported():
    made = Vocabulary(["a", "b"])
    report = made.unknown(["a x y", "x b <unk>", ""], most=2)
    assert (report.count, report.total) == (4, 6)
    assert report.share == pytest.approx(2 / 3)
    assert report.most_frequent == (("x", 2), ("<unk>", 1))
    assert made.unknown([]).share == 0
    assert str(made.unknown("a b")) == "0 of 2 tokens are unknown (0.00 %)"


def test_two_spellings_of_a_letter_are_one():
    made = Vocabulary.build(["cafe\u0301"], unit="char")
    assert len(made) == 8
    assert made.encode("café").tolist() == made.encode("cafe\u0301").tolist()
    assert "e\u0301" in made


def test_one_hot_rows(rng):
    made = Vocabulary([str(k) for k in range(9)])
    ids = rng.integers(0, 13, (3, 4))
    rows = made.one_hot(ids)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, one_hot(ids, 13))
    assert made.one_hot(5, np.float64).shape == (13,)
    assert made.one_hot([]).shape == (0, 13)


def test_files(tmp_path):
    made = Vocabulary.build(['naïve 漢字 "quoted" \\ a'], eos="</s>", pad=None)
    made.save(tmp_path / "words.json")
    again = Vocabulary.load(tmp_path / "words.json")
    assert again == made
    assert hash(again) == hash(made)
    assert again.arguments() == made.arguments()
    assert made != Vocabulary(made.tokens)


DAMAGED = {
    "not JSON": b"to be",
    "not text": b"\xff\xfe\x00",
    "a list": b"[]",
    "another format": b'{"format": "x"}',
    "another version": b'{"format": "unrolled vocabulary", "version": 2, "tokens": []}',
    "no tokens": b'{"format": "unrolled vocabulary", "version": 1}',
    "other arguments": b'{"format": "unrolled vocabulary", "version": 1, "tokens": [], "x": 1}',
    "numbers": b'{"format": "unrolled vocabulary", "version": 1, "tokens": [1]}',
    "a token twice": b'{"format": "unrolled vocabulary", "version": 1, "tokens": ["a", "a"]}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_refused_by_name(name, tmp_path):
    path = tmp_path / "words.json"
    path.write_bytes(DAMAGED[name])
    with pytest.raises(ValueError, match=r"words\.json holds no vocabulary"):
        Vocabulary.load(path)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        Vocabulary.load(tmp_path / "none.json")


BAD = {
    "unit": (lambda: Vocabulary([], unit="words"), ValueError, "unit must be one of 'word'"),
    "twice": (lambda: Vocabulary(["a", "b", "a"]), ValueError, "token 'a' comes twice"),
    "one letter twice": (lambda: Vocabulary(["é", "e\u0301"]), ValueError, "comes twice"),
    "empty": (lambda: Vocabulary(["a", ""]), ValueError, "token 1 is empty"),
    "no string": (lambda: Vocabulary(["a", 3]), TypeError, "token 1 must be a string, not 3"),
    "a string": (lambda: Vocabulary("abc"), TypeError, "not the string 'abc'"),
    "same specials": (lambda: Vocabulary([], sos="<s>", eos="<s>"), ValueError, "must differ"),
    "empty special": (lambda: Vocabulary([], sos=""), ValueError, "special symbol"),
    "number special": (lambda: Vocabulary([], pad=0), ValueError, "special symbol"),
    "min_count": (lambda: Vocabulary.build(["a"], min_count=0), ValueError, "min_count"),
    "max_size": (lambda: Vocabulary.build(["a"], max_size=3), ValueError, "no room for the 4"),
    "left out": (
        lambda: Vocabulary.build(["a a b"], min_count=2, unk=None),
        ValueError,
        "1 tokens would be left out",
    ),
    "texts of tokens": (
        lambda: Vocabulary.build(["ab c"], unit="token"),
        TypeError,
        "must be sequences of tokens.*'ab c'",
    ),
    "text of numbers": (lambda: Vocabulary.build([[1, 2]]), TypeError, "token 0 must be a string"),
    "unknown": (
        lambda: Vocabulary(["a"], unk=None).encode("a a b"),
        ValueError,
        "token 'b' .number 2 of the text",
    ),
    "unknown index": (lambda: Vocabulary([], unk=None).index("b"), ValueError, "token 'b'"),
    "no start": (lambda: Vocabulary([], sos=None).encode("", sos=True), ValueError, "sos=True"),
    "no end": (lambda: Vocabulary([], eos=None).encode("", eos=True), ValueError, "eos=True"),
    "no id": (lambda: Vocabulary(["a"]).decode([0, 5]), ValueError, r"ids\[1\] is 5.*0 \.\. 4"),
    "below 0": (lambda: Vocabulary(["a"]).one_hot([[0], [-1]]), ValueError, r"ids\[1, 0\] is -1"),
    "floats": (lambda: Vocabulary(["a"]).decode([0.5]), TypeError, "whole numbers"),
    "two axes": (lambda: Vocabulary(["a"]).decode([[0]]), ValueError, "1 axes"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    call, error, message = BAD[name]
    with pytest.raises(error, match=message):
        call()


# Modules that hold one


class Speller(nn.Module):
    def __init__(self, source, target=None, size=3):
        self.table = nn.Embedding(len(source), size)


def test_a_module_keeps_its_vocabularies_in_its_file(tmp_path):
    letters = Vocabulary.build(["naïve 漢"], unit="char", sos=None)
    sounds = Vocabulary([], unit="token")
    model = Speller(letters, target=sounds)
    assert json.loads(json.dumps(model.config())) == model.config()
    model.save(tmp_path / "model")
    again = unrolled.load(tmp_path / "model")
    assert again.arguments["source"] == letters
    assert again.arguments["target"] == sounds
    assert_same_bits([again.table.weight.data], [model.table.weight.data])
    assert "Vocabulary(" in repr(nn.build({"class": "Holder", "arguments": {"words": Holder.JSON}}))


class Holder(nn.Module):
    JSON: typing.ClassVar = {"class": "Vocabulary", "arguments": {"tokens": ["a"]}}

    def __init__(self, words):
        self.words = words


def test_vocabularies_nest_in_lists_and_dicts():
    made = Vocabulary(["a"])
    again = nn.build(Holder({"all": [made, made]}).config())
    assert again.words == {"all": [made, made]}


def test_a_damaged_vocabulary_in_a_model_is_a_checkpoint_error(tmp_path):
    class Wrong(Holder):
        def config(self):
            config = super().config()
            config["arguments"]["words"]["arguments"]["tokens"] = ["a", "a"]
            return config

    Wrong(Vocabulary(["a"])).save(tmp_path / "model")
    with pytest.raises(CheckpointError, match="token 'a' comes twice"):
        unrolled.load(tmp_path / "model")


def test_no_module_may_take_the_name():
    with pytest.raises(ValueError, match="cannot be called Vocabulary"):
        type("Vocabulary", (nn.Module,), {"__module__": "elsewhere"})
    with pytest.raises(ValueError, match="unknown module class 'Vocabulary'"):
        nn.build({"class": "Vocabulary", "arguments": {"tokens": []}})
