"""Files of class labels, texts and tokens: every format, and every fault told with its line."""

from __future__ import annotations

import json

import pytest

from unrolled.data.label_files import ClassLabels, read_class_labels
from unrolled.data.labels import DataError
from unrolled.data.transcripts import as_classes, read_text


@pytest.fixture
def read(tmp_path):
    """What `read_class_labels` makes of a file's content."""

    def read(content, name="labels.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_class_labels(path)

    return read


def refused(read, *arguments):
    with pytest.raises(DataError) as caught:
        read(*arguments)
    return str(caught.value)


def test_one_symbol_a_line(read):
    labels = read("<blank>\na\n \n⁇\nth\n")
    assert labels.symbols == ("<blank>", "a", " ", "⁇", "th") and len(labels) == 5
    assert labels.blank == 0
    assert read("a\nb").symbols == ("a", "b")
    assert read("a\nb\n\n\n").symbols == ("a", "b")


def test_byte_order_mark_and_line_ends(read):
    assert read(b"\xef\xbb\xbf-\r\na\r\n \r\n").symbols == ("-", "a", " ")


def test_symbols_are_composed_but_stay_apart(read):
    assert read("e\u0301\n").symbols == ("\u00e9",)
    # A compatibility ideograph whose composed form is a class of its own, as in PaddleOCR's files.
    assert read("\u90ce\n\uf92c\n").symbols == ("\u90ce", "\uf92c")
    assert read("\uf92c\n\u90ce\n").symbols == ("\uf92c", "\u90ce")


def test_symbols_with_numbers(read):
    labels = read("<blk> 0\nb 2\na 1\n▁the\t3\n  4\n#0 5\n#1 6\n", "tokens.txt")
    assert labels.symbols == ("<blk>", "a", "b", "▁the", " ")
    assert labels.blank == 0
    assert read("# 0\n#1 1\na 2\n").symbols == ("#", "#1", "a")  # not after the last class


def test_vocabulary_of_hugging_face(read):
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "E": 5}
    labels = read(json.dumps(vocabulary), "vocab.json")
    assert labels.symbols == tuple(vocabulary) and labels.blank == 0
    shuffled = {"b": 2, "[PAD]": 3, "a": 1, "|": 0}
    assert read(json.dumps(shuffled), "vocab.json").symbols == ("|", "a", "b", "[PAD]")
    assert read('["_", "a"]', "labels.json").symbols == ("_", "a")


@pytest.mark.parametrize(
    ("symbols", "blank"),
    [(("-", "a"), None), (("<pad>", "<blank>"), 1), (("a", "<eps>"), 1), (("[PAD]", "<blk>"), 1)],
)
def test_the_blank_by_its_name(symbols, blank):
    assert ClassLabels(symbols).blank == blank


def test_classes_by_number_and_by_symbol():
    labels = ClassLabels(("-", "a", "1", "\u00e9"), "x.txt")
    given = ("0", "-1", "1", "a", "-", "e\u0301")
    assert [labels.class_of(text) for text in given] == [0, 3, 1, 1, 0, 3]
    for text in ("4", "-5"):
        with pytest.raises(DataError, match=rf"x\.txt: no class {text}; it has 4, 0 to 3"):
            labels.class_of(text)
    with pytest.raises(DataError, match=r"x\.txt: has no symbol 'b'; give a symbol or its number"):
        labels.class_of("b")


WRONG = {
    "empty": ("", "labels.txt", "labels.txt: is empty; write one symbol a line"),
    "blank lines": ("\n\r\n", "labels.txt", "is empty; write one symbol a line"),
    "gap": ("a\n\nb\n", "labels.txt", "labels.txt:2: empty; write a symbol, for the blank <blank>"),
    "twice": ("a\nb\na\n", "labels.txt", "labels.txt:3: 'a' (U+0061) again, first in"),
    "two ways": ("a 0\nb\n", "labels.txt", "labels.txt:2: not 'symbol number' as the first line"),
    "number twice": ("a 0\nb 0\n", "tokens.txt", "tokens.txt:2: 0 again, first in"),
    "number left out": ("a 0\nb 2\n", "tokens.txt", "no symbol has the number 1; number the"),
    "symbol twice": ("ab 0\nab 1\n", "tokens.txt", "tokens.txt:2: 'ab' again, first in"),
    "latin-1": ("a\né\n".encode("latin-1"), "labels.txt", "labels.txt:2: not UTF-8 at byte 2"),
    "binary": (b"\x00\x01", "labels.txt", "not a text file (zero at byte 0)"),
    "utf-16": ("a\n".encode("utf-16"), "labels.txt", "is UTF-16, not UTF-8"),
    "not JSON": ('{"a": 0', "vocab.json", "vocab.json: not JSON ("),
    "JSON twice": ('{"a": 0, "a": 1}', "vocab.json", "vocab.json: 'a': 'a' (U+0061) again"),
    "JSON gap": ('{"a": 0, "b": 5}', "vocab.json", "no symbol has the number 1"),
    "JSON of others": ('{"a": "b"}', "vocab.json", 'must be {"symbol": number, ...} or a list'),
    "JSON number": ("3", "vocab.json", 'must be {"symbol": number, ...} or a list'),
    "JSON nothing": ("{}", "vocab.json", 'must be {"symbol": number, ...} or a list'),
    "JSON true": ('{"a": true}', "vocab.json", 'must be {"symbol": number, ...} or a list'),
    "languages": (
        '{"eng": {"a": 0}, "deu": {"a": 0}}',
        "vocab.json",
        "holds several vocabularies (eng, deu); save one of them alone",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files(read, case):
    content, name, message = WRONG[case]
    assert message in refused(read, content, name)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt: no such file; check the name"):
        read_class_labels(tmp_path / "none.txt")
    with pytest.raises(DataError, match="is a folder; name a text file"):
        read_class_labels(tmp_path)


def test_all_faults_are_told_together(read):
    assert refused(read, "a\n\na\n\nb\n").startswith("3 problems in the data:")


def test_width_of_emissions():
    labels = ClassLabels(("a", "b"), "x.txt")
    labels.require_width(2, "e.npy")
    with pytest.raises(DataError, match=r"e\.npy has 5 classes, x\.txt 2 symbols; use the labels"):
        labels.require_width(5, "e.npy")
    with pytest.raises(DataError, match=r"has 3 classes, x\.txt 2 symbols; where .* as <blank>"):
        labels.require_width(3, "e.npy")
    with pytest.raises(DataError, match="use the labels that the network was trained with"):
        ClassLabels(("<blank>", "b"), "x.txt").require_width(3, "e.npy")


def test_texts(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"\xef\xbb\xbf  e\xcc\x81t\xc3\xa9,\r\nau  lait \r\n\r\n")
    assert read_text(path) == "\u00e9t\u00e9,\nau  lait"
    for content in (b"", b" \r\n\t\n", b"\xef\xbb\xbf"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"text\.txt: is empty; write the text"):
            read_text(path)


def test_tokens():
    labels = ClassLabels(("-", "1", "a", "0", "e\u0301"), "x.txt")
    assert as_classes("0 1\n a", labels, "t") == [3, 1, 2]  # digits are symbols
    assert as_classes("0 1 1", labels, "t") == [3, 1, 1]
    assert as_classes(["4", "2"], labels, "t") == [4, 2]  # no symbols: numbers of classes
    assert as_classes("4 0", labels, "t") == [4, 0]
    with pytest.raises(DataError, match="t: has no token; write symbols"):
        as_classes("  ", labels, "t")
    with pytest.raises(DataError, match=r"t: class 7 of x\.txt with 0 to 4; correct it"):
        as_classes("4 7", labels, "t")
    with pytest.raises(DataError, match=r"t: token 2, 'b', is no symbol of x\.txt; write symbols"):
        as_classes("a b", labels, "t")
