"""Manifests: tab-separated and JSON, their ids, and every wrong line told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unrolled.data.labels import DataError
from unrolled.data.manifests import Entry, Manifest, fault_of_id


@pytest.fixture
def read(tmp_path):
    def read(content, name="all.tsv"):
        (tmp_path / name).write_text(content, "utf-8")
        return Manifest(tmp_path / name)

    return read


def test_table_without_header(read, tmp_path):
    manifest = read("\ufeffa.npy\tone two\r\n\r\nsub/b.npy\te\u0301 \tsecond\r\n")
    first, second = manifest
    assert len(manifest) == 2 and list(manifest) == [first, second]
    source = f"{tmp_path / 'all.tsv'}:1"
    assert first == Entry("a", tmp_path / "a.npy", text="one two", source=source)
    assert (second.id, second.emissions, second.text) == (
        "second",
        tmp_path / "sub" / "b.npy",
        "\u00e9",
    )


def test_table_with_header(read, tmp_path):
    header = "id\temissions\ttokens\tkey\tduration\n"
    (entry,) = read(header + "x\t/data/all.npz\ta b\tk\t1.5\n")
    assert (entry.id, entry.emissions, entry.key) == ("x", Path("/data/all.npz"), "k")
    assert (entry.tokens, entry.text, entry.duration) == ("a b", None, 1.5)
    (entry,) = read("emissions\ttext_file\n" + "a.npy\ta.txt\n")
    assert entry.text_file == tmp_path / "a.txt"


def test_json(read, tmp_path):
    rows = [
        {"emissions": "a.npy", "text": "tab\there", "speaker": [1]},
        {"emissions": "b.npz", "key": "u2", "tokens": ["a", 3], "text": "w", "id": 7, "width": 9},
    ]
    first, second = read("\n".join(map(json.dumps, rows)), "all.jsonl")
    assert (first.id, first.text) == ("a", "tab\there")
    assert (second.id, second.tokens, second.text, second.width) == ("7", "a 3", "w", 9.0)


def test_the_key_names_an_item_without_id(read):
    (entry,) = read("emissions\tkey\ttext\nall.npz\tu1\tx\n")
    assert entry.id == "u1"


WRONG = {
    "empty": ("", "all.tsv", "has no line; write one for each item"),
    "one column": ("a.npy\n", "all.tsv", "all.tsv:1: 1 column(s); write emissions<TAB>text<TAB>id"),
    "four": ("a\tb\tc\td\n", "all.tsv", "4 column(s); write emissions<TAB>text<TAB>id (id may"),
    "header": (
        "emissions\ttext\na.npy\n",
        "all.tsv",
        "all.tsv:2: 1 column(s); write emissions<TAB>",
    ),
    "no emissions": ("\tx\n", "all.tsv", "all.tsv:1: names no emissions"),
    "no text": ("a.npy\t \n", "all.tsv", "all.tsv:1: empty text; write what the emissions hold"),
    "twice": ("a.npy\tx\nb/a.npy\ty\n", "all.tsv", "all.tsv:2: the id a again, first in"),
    "above": ("a.npy\tx\t../a\n", "all.tsv", "id '../a' does not name a file below"),
    "not JSON": ("{\n", "all.jsonl", "all.jsonl:1: not JSON ("),
    "list": ("[]\n", "all.jsonl", 'must be an object such as {"emissions"'),
    "number": ('{"emissions": 3, "text": "x"}', "all.jsonl", "emissions must be a string, got 3"),
    "misspelt": ('{"emissions": "a", "txt": "x"}', "all.jsonl", "must have tokens, text or text_f"),
    "both": (
        '{"emissions": "a", "text": "x", "text_file": "y"}',
        "all.jsonl",
        "got text and text_",
    ),
    "offset": (
        '{"emissions": "a", "text": "x", "offset": "x"}',
        "all.jsonl",
        "offset must be a nu",
    ),
    "duration": ('{"emissions": "a", "text": "x", "duration": 0}', "all.jsonl", "duration must be"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_lines(read, case):
    content, name, message = WRONG[case]
    with pytest.raises(DataError) as caught:
        read(content, name)
    assert message in str(caught.value)


def test_all_wrong_lines_are_told_together(read):
    with pytest.raises(DataError, match="2 problems"):
        read("a.npy\nb.npy\tx\nc.npy\n")


def test_a_manifest_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"none\.tsv: no such file"):
        Manifest(tmp_path / "none.tsv")


def test_a_manifest_that_changes(read, tmp_path):
    manifest = read("a.npy\tx\n")
    (tmp_path / "all.tsv").write_text("a.npy\n")
    with pytest.raises(DataError, match="1 column"):
        list(manifest)


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", ".", "a/../b", "a\\b", "a\nb", "C:x", " "]
)
def test_ids_that_name_no_file(name):
    assert fault_of_id(name) is not None


@pytest.mark.parametrize("name", ["a", "a b", "s/u", "..a", "é", "a.b-c_d"])
def test_ids_that_name_a_file(name):
    assert fault_of_id(name) is None
