"""Pronunciation files, their parts, and errors against the closest of several references."""

from __future__ import annotations

import numpy as np
import pytest

from pages import DOCS, quoted_code, run
from unrolled import metrics
from unrolled.data.labels import DataError
from unrolled.data.pronunciations import Pronunciations, read_pronunciations, without_stress


def read(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "words.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return read_pronunciations(path)


# --- files -----------------------------------------------------------------------------------


def test_a_line_is_a_word_and_its_symbols(tmp_path):
    words = read(tmp_path, "CAT  K AE T\nDOG\tD AO G\r\n\nA AH \n")
    assert words.entries() == [
        ("CAT", ("K", "AE", "T")),
        ("DOG", ("D", "AO", "G")),
        ("A", ("AH",)),
    ]
    assert words.letters == tuple("ACDGOT")
    assert words.symbols == ("AE", "AH", "AO", "D", "G", "K", "T")


def test_several_lines_of_a_word_are_its_pronunciations(tmp_path):
    words = read(tmp_path, "READ R IY D\nREAD(1) R EH D\nREAD(2)  R IY D\nRED R EH D\n")
    assert len(words) == 2 and len(words.entries()) == 3
    assert words["READ"] == (("R", "IY", "D"), ("R", "EH", "D"))
    assert words.get("REED") == () and "REED" not in words and list(words) == ["READ", "RED"]


def test_comments_of_cmudict_are_no_words(tmp_path):
    words = read(tmp_path, ";;; # CMUdict\n## more\nD'ARTAGNAN D AH R T # french\n#HASH HH AE SH\n")
    assert words.entries() == [
        ("D'ARTAGNAN", ("D", "AH", "R", "T")),
        ("#HASH", ("HH", "AE", "SH")),
    ]


def test_a_tab_lets_a_word_have_spaces(tmp_path):
    assert read(tmp_path, "ice cream\tAY S K R IY M\n")["ice cream"] == (
        ("AY", "S", "K", "R", "IY", "M"),
    )


def test_words_are_of_one_normal_form_and_a_bom_is_none_of_them(tmp_path):
    words = read(tmp_path, "\ufeffcafe\u0301\tk a f e\n")
    assert words.entries() == [("caf\u00e9", ("k", "a", "f", "e"))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no line; write word<TAB>symbols"),
        (";;; only\n", "has no line"),
        ("CAT K AE T\nDOG\n\nCOW\t \n", r"(?s)words.txt:2: DOG has no symbol.*:4: COW has no"),
        ("CAT K\x07\n", r":1: control character '\\x07'"),
        (b"CAT K\nCAF\xc9 K\n", "words.txt:2: not UTF-8 at byte 9"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_pronunciations(tmp_path / "none.txt")


def test_stress_is_a_digit_behind_a_capital():
    assert without_stress(["AH0", "T", "OW1", "EY2"]) == ("AH", "T", "OW", "EY")
    assert without_stress(["a2", "1", "AH3", "\u02c8a"]) == ("a2", "1", "AH3", "\u02c8a")


# --- parts -----------------------------------------------------------------------------------


def some(count):
    return Pronunciations({f"W{i}": [["A"], ["B", str(i)]] for i in range(count)})


def test_a_split_parts_words_with_all_their_pronunciations():
    rest, held = some(50).split(0.2, seed=3)
    assert (len(rest), len(held)) == (40, 10)
    assert not set(rest) & set(held) and set(rest) | set(held) == set(some(50))
    assert len(held.entries()) == 20
    again = some(50).split(0.2, seed=3)[1]
    assert list(again) == list(held) and list(held) == [w for w in some(50) if w in held]
    assert list(some(50).split(0.2, seed=4)[1]) != list(held)


def test_a_split_without_words_on_a_side_is_refused():
    for share in (0.01, 0.99):
        with pytest.raises(ValueError, match="leaves one part empty"):
            some(3).split(share, seed=0)


def test_words_are_left_out_whole():
    assert list(some(4).without({"W1", "W3", "X"})) == ["W0", "W2"]


@pytest.mark.parametrize("words", [{"": [["A"]]}, {"A": []}, {"A": [[]]}])
def test_no_word_is_without_a_pronunciation(words):
    with pytest.raises(ValueError, match="needed are a word and its symbols"):
        Pronunciations(words)


# --- errors ----------------------------------------------------------------------------------


def test_the_closest_reference_counts():
    errors = metrics.pronunciation_errors(
        [[tuple("abc"), tuple("xyzxyz")], [tuple("kat")], [tuple("ab"), tuple("abcd")]],
        [tuple("xyzxy"), tuple("kat"), tuple("abc")],
    )
    assert (errors.words, errors.wrong_words) == (3, 2)
    # Of "ab" and "abcd", equally close, the first one counts.
    assert (errors.symbols, errors.errors) == (6 + 3 + 2, 1 + 0 + 1)
    assert errors.word_error_rate == 2 / 3 and errors.symbol_error_rate == 2 / 11


def plain_distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(last + (x != y), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def test_errors_agree_with_plain_loops():
    rng = np.random.default_rng(0)

    def draw(most):
        return tuple(rng.choice(list("abc"), rng.integers(0, most)).tolist())

    for _ in range(200):
        references = [[draw(5) or ("a",) for _ in range(rng.integers(1, 4))] for _ in range(4)]
        hypotheses = [draw(6) for _ in range(4)]
        wrong = errors = symbols = 0
        for variants, hypothesis in zip(references, hypotheses, strict=True):
            away = [plain_distance(variant, hypothesis) for variant in variants]
            wrong += min(away) > 0
            errors += min(away)
            symbols += len(variants[away.index(min(away))])
        found = metrics.pronunciation_errors(references, hypotheses)
        expected = (4, wrong, symbols, errors)
        assert (found.words, found.wrong_words, found.symbols, found.errors) == expected


def test_an_empty_pronunciation_is_wrong_in_full():
    errors = metrics.pronunciation_errors([[("a", "b")]], [()])
    assert errors.word_error_rate == 1 and errors.symbol_error_rate == 1


@pytest.mark.parametrize(
    ("references", "hypotheses", "message"),
    [
        ([[("a",)]], [], "1 references but 0 hypotheses"),
        ([], [], "references is empty"),
        ([[("a",)], []], [("a",), ("b",)], r"references\[1\] has no pronunciation"),
        (["ab"], [("a",)], r"references\[0\] has no pronunciation"),
    ],
)
def test_what_cannot_be_compared_is_refused(references, hypotheses, message):
    with pytest.raises(ValueError, match=message):
        metrics.pronunciation_errors(references, hypotheses)


def test_the_example_of_the_page_runs():
    (example,) = quoted_code(DOCS / "g2p.md")
    assert run("-c", example) == "AA K S [(1, 2), (2, 3), (2, 3)]\nB AA K K " + (
        "[(0, 1), (1, 2), (2, 3), (3, 4)]\n"
    )
