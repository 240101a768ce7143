"""ARPA files as they occur, and what is wrong with others, by the line."""

from __future__ import annotations

import gzip
import os

import numpy as np
import pytest

from arpa_models import SMALLEST, arpa_text, load_text, random_model, random_sentence
from unrolled.lm import NGram

SENTENCES = [["a", "b"], ["b", "a"], ["a", "zebra", "b"], []]


def scores(model):
    return [model.score(sentence) for sentence in SENTENCES]


@pytest.fixture
def smallest(tmp_path):
    return load_text(tmp_path, SMALLEST, "smallest.arpa")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: "This is an ARPA file,\n1-grams and \\2-grams: and all\n\n" + text,
        lambda text: text.replace(" ", "\t"),
        lambda text: text.replace("\t", " "),
        lambda text: text.replace("\t", " \t  ").replace("\n", "  \n\t"),
        lambda text: text.replace("\n", "\n\n"),
        lambda text: text.replace("ngram 1=5", "ngram  1 =  5"),
        lambda text: text.replace("ngram 1=5", "ngram\t1=\t5"),
        lambda text: text.replace("\n-0.75\t</s>", "\n-0.75\t</s>\t0"),
        lambda text: text.replace("0.125\n", "+0.125\n").replace("-0.5\t", "-5e-1\t"),
        lambda text: text.replace("</s>\n\n\\end", "</s>\t0.0\n\n\\end"),
        lambda text: text.replace("</s>\n\n\\end", "</s>\t-7\n\n\\end"),  # of no use up there
        lambda text: text + "\n\\end\\\nmore\n\\3-grams:\n",
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\\2-grams:", "\\2-grams:  "),
        lambda text: text.replace("\n\n\\2", "\n-1e-300\tc\n\n\\2").replace("1=5", "1=6"),
    ],
)
def test_other_ways_to_write_it(tmp_path, smallest, change):
    assert scores(load_text(tmp_path, change(SMALLEST))) == scores(smallest)


def test_orders_without_ngrams(tmp_path, smallest):
    empty = SMALLEST.replace("ngram 2=3", "ngram 2=3\nngram 3=0")
    assert scores(load_text(tmp_path, empty)) == scores(smallest)
    empty = empty.replace("\\end\\", "\\3-grams:\n\n\\end\\")
    model = load_text(tmp_path, empty)
    assert model.order == 2 and scores(model) == scores(smallest)
    between = empty.replace("ngram 3=0", "ngram 3=1").replace("3-grams:", "3-grams:\n-0.1 a a b")
    model = load_text(tmp_path, between)
    assert model.counts == (5, 3, 1)
    expected = -0.1 * np.log(10)
    assert model.full_scores("a a b")[2].log_prob == pytest.approx(expected, rel=1e-6)


def test_infinite_weights_of_the_sphinx_kind(tmp_path):
    """99.999 stands for a context whose n-grams are all there: it is never asked for."""
    model = load_text(tmp_path, SMALLEST.replace("a\t-0.25", "a\t99.999"))
    assert model.score("a b") == pytest.approx(-0.75 * np.log(10), rel=1e-6)
    assert model.score("a") == pytest.approx((-0.375 + 99.999 - 0.75) * np.log(10), rel=1e-6)
    assert model._model.upper_bound >= model.score("a")


def test_log_zero(tmp_path):
    model = load_text(tmp_path, SMALLEST.replace("-99\t<s>", "-inf\t<s>"))
    assert model.score(["<s>"], bos=False, eos=False) == -np.inf
    assert np.isfinite(model.score("a b"))


ERRORS = [
    ("\\data\\", "data", "no line \\\\data\\\\ in 17 lines: not an ARPA file"),
    ("ngram 1=5", "ngram 1=", "line 2: expected a count such as 'ngram 1=500', found 'ngram 1='"),
    ("ngram 1=5", "ngram 1=-5", "line 2: expected a count"),
    ("ngram 1=5", "ngrams 1=5", "line 2: expected a count"),
    ("ngram 1=5", "ngram 1=5x", "line 2: expected a count"),
    ("ngram 1=5\n", "", "line 2: expected the count of 1-grams, found 'ngram 2=3'"),
    ("ngram 1=5", "ngram 1=6", "line 12: the 1-grams end after 5, but line 2 says there are 6"),
    ("ngram 1=5", "ngram 1=99999999999999", "line 12: the 1-grams end after 5"),
    ("ngram 1=5", "ngram 1=99999999999999999999999", "line 2: expected a count"),
    ("ngram 2=3", "ngram 2=2", "line 17: the 2-grams end after 3, but line 3 says there are 2"),
    ("ngram 2=3", "ngram 2=3\nngram 3=1", "line 18: \\\\end\\\\ comes before the 3-grams"),
    ("ngram 1=5\nngram 2=3\n", "", "line 3: expected a count such as"),
    ("\\1-grams:", "\\2-grams:", "line 5: expected \\\\1-grams:, found '.2-grams:'"),
    ("\\2-grams:", "\\3-grams:", "line 12: expected \\\\2-grams:, found '.3-grams:'"),
    ("\\2-grams:", "\\2-gram:", "line 12: expected \\\\2-grams:"),
    ("\\1-grams:\n", "", "line 5: expected a count such as"),
    ("\\end\\", "\\en", "line 17: expected \\\\end\\\\, found '.en'"),
    ("\\end\\\n", "", "line 16: the file ends here, without \\\\end\\\\: it is cut"),
    ("-0.5\ta", "-0.5x\ta", "line 9: expected a log10 probability, found '-0.5x'"),
    ("-0.5\ta", "nan\ta", "line 9: expected a log10 probability, found 'nan'"),
    ("-0.5\ta", "-0,5\ta", "line 9: expected a log10 probability, found '-0,5'"),
    ("-0.5\ta", "-1e400\ta", "line 9: expected a log10 probability, found '-1e400'"),
    ("-0.5\ta", "0.5\ta", "line 9: the 1-gram 'a' has the log10 probability 0.5"),
    ("-0.25\ta b", "inf\ta b", "line 14: the 2-gram 'a b' has the log10 probability inf"),
    ("-0.25\n", "-0.2.5\n", "line 9: expected a back-off weight, found '-0.2.5'"),
    ("-0.25\n", "nan\n", "line 9: expected a back-off weight, found 'nan'"),
    ("-0.25\n", "-inf\n", "line 9: the 1-gram 'a' has a back-off weight that is not finite"),
    ("-0.25\n", "1e39\n", "line 9: expected a back-off weight, found '1e39'"),
    ("-0.5\ta", "-0.5", "line 13: the word 'a' is not among the 1-grams"),
    ("<s> a", "<s>", "line 13: expected a probability, 2 words and perhaps a back-off weight"),
    ("<s> a", "<s> a b b", "line 13: expected a probability, 2 words"),
    ("a b", "a c", "line 14: the word 'c' is not among the 1-grams"),
    ("-0.75\t</s>", "-0.75\ta", "line 9: the 1-gram 'a' occurs twice"),
    ("a b", "<s> a", "line 14: the 2-gram '<s> a' occurs twice"),
    ("-0.75\t</s>", "-0.75\t<UNK>", "line 8: the 1-gram '<UNK>' occurs twice"),
]


@pytest.mark.parametrize(("old", "new", "message"), ERRORS)
def test_errors_name_the_line_and_what_was_found(tmp_path, old, new, message):
    assert old in SMALLEST
    with pytest.raises(ValueError, match=message) as caught:
        load_text(tmp_path, SMALLEST.replace(old, new, 1))
    assert str(tmp_path / "model.arpa") in str(caught.value)


def test_a_file_of_no_ngrams(tmp_path):
    for text in ("\\data\\\nngram 1=0\n\\end\\", "\\data\\\n\\end\\"):
        with pytest.raises(ValueError, match=r"line [23]: .* at least its 1-grams"):
            load_text(tmp_path, text)


def test_lines_are_counted_through_blank_ones(tmp_path):
    text = SMALLEST.replace("-0.25\ta b", "\n\n-0.25\t<s> a")
    with pytest.raises(ValueError, match="line 16: the 2-gram '<s> a' occurs twice"):
        load_text(tmp_path, text)


def test_words_must_be_utf8(tmp_path):
    model = load_text(tmp_path, SMALLEST.replace("\tb", "\tß😀").replace(" b", " ß😀"))
    assert "ß😀" in model.vocabulary and "ß😀" in model
    with pytest.raises(ValueError, match=r"line 10: .* not UTF-8: convert the file"):
        load_text(tmp_path, SMALLEST.replace("b", "ß").encode("latin-1"))


def test_other_files_are_told_apart(tmp_path):
    for content in (b"", b"\x00" * 100, b"PK\x03\x04", b"hello\n", os.urandom(1000)):
        with pytest.raises(ValueError, match="not an ARPA file"):
            load_text(tmp_path, content)
    with pytest.raises(FileNotFoundError):
        NGram.load(tmp_path / "none.arpa")
    with pytest.raises(IsADirectoryError):
        NGram.load(tmp_path)


def test_a_cut_file_gives_an_error_or_the_same_model(tmp_path, smallest):
    data, same = SMALLEST.encode(), 0
    for size in range(len(data)):
        try:
            model = load_text(tmp_path, data[:size])
        except ValueError:
            continue
        assert scores(model) == scores(smallest)
        same += 1
    assert same == 1  # without the last line's end


def test_flipped_bytes_give_an_error_or_a_model(tmp_path, rng):
    for place in range(len(SMALLEST)):
        data = bytearray(SMALLEST.encode())
        data[place] ^= int(rng.integers(1, 256))
        try:
            model = load_text(tmp_path, bytes(data))
        except ValueError:
            continue
        assert not np.isnan(model.score(["a", "b"], bos=False, eos=False))


def test_pieces_of_any_size(rng):
    from unrolled import _core

    data = arpa_text(random_model(rng, 3)).encode()
    whole = bytes(_core.NGram.read_arpa([data], "x", "").image())
    for size in (1, 2, 3, 7, 100):
        pieces = [data[i : i + size] for i in range(0, len(data), size)]
        assert bytes(_core.NGram.read_arpa(pieces, "x", "").image()) == whole


@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz", "model.lm.gz", "model.ngram"])
def test_what_is_written_reads_back_as_the_same_model(tmp_path, rng, name):
    for order in (1, 2, 3, 5):
        for unk in (False, True):
            text = arpa_text(random_model(rng, order, unk=unk, positive=True, missing=0.3), rng)
            model = load_text(tmp_path, text, unit="char")
            model.save(tmp_path / name)
            again = NGram.load(tmp_path / name)
            assert bytes(again._model.image()) == bytes(model._model.image())
            assert again.unit == "char"


def test_the_writer_sorts_and_separates_by_tabs(tmp_path, rng):
    model = load_text(tmp_path, arpa_text(random_model(rng, 3), rng))
    model.save(tmp_path / "sorted.lm")
    lines = (tmp_path / "sorted.lm").read_text().splitlines()
    number = {word: i for i, word in enumerate(model.vocabulary)}
    ngrams = [line.split("\t")[1].split(" ") for line in lines if "\t" in line]
    keys = [(len(ngram), [number[word] for word in ngram]) for ngram in ngrams]
    assert keys == sorted(keys) and len(keys) == sum(model.counts)
    assert lines[0] == "\\data\\" and lines[-1] == "\\end\\"


def test_compressed_files(tmp_path, smallest):
    data = gzip.compress(SMALLEST.encode())
    assert scores(load_text(tmp_path, data)) == scores(smallest)
    assert scores(load_text(tmp_path, data[: len(data) // 2] and data + data)) == scores(smallest)
    for broken in (data[:-1], data[:40], data[:20] + b"\xff" * 20 + data[40:]):
        with pytest.raises(ValueError, match=r"gzip file is cut or damaged|line"):
            load_text(tmp_path, broken)
    smallest.save(tmp_path / "small.ngram")
    with pytest.raises(ValueError, match="gunzip it first"):
        load_text(tmp_path, gzip.compress((tmp_path / "small.ngram").read_bytes()))


def test_the_format_is_told_by_the_ending_or_the_argument(tmp_path, smallest):
    smallest.save(tmp_path / "model.bin", format="ngram")
    assert scores(NGram.load(tmp_path / "model.bin")) == scores(smallest)
    with pytest.raises(ValueError, match=r"pass format="):
        smallest.save(tmp_path / "model.txt")
    with pytest.raises(ValueError, match="format must be one of"):
        smallest.save(tmp_path / "model.arpa", format="kenlm")
    assert not (tmp_path / "model.txt").exists()
    smallest.save(tmp_path / "a.arpa.gz")
    first = (tmp_path / "a.arpa.gz").read_bytes()
    smallest.save(tmp_path / "b.arpa.gz")
    assert (tmp_path / "b.arpa.gz").read_bytes() == first


def test_nothing_is_left_where_writing_fails(tmp_path, smallest, monkeypatch):
    smallest.save(tmp_path / "model.arpa")
    before = (tmp_path / "model.arpa").read_bytes()

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="No space left"):
        smallest.save(tmp_path / "model.arpa")
    assert (tmp_path / "model.arpa").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"model.arpa", "smallest.arpa"}


def test_random_sentences_after_a_round_trip(tmp_path, rng):
    model = random_model(rng, 4, missing=0.4)
    ours = load_text(tmp_path, arpa_text(model, rng))
    ours.save(tmp_path / "again.arpa")
    again = NGram.load(tmp_path / "again.arpa")
    sentences = [random_sentence(rng, model) for _ in range(100)]
    assert again.score_batch(sentences).tobytes() == ours.score_batch(sentences).tobytes()


def test_what_is_utf8_is_what_python_says(tmp_path, rng):
    edges = [b"\xc0\x80", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xf0\x8f\xbf\xbf"]
    edges += [b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\x80", b"\xe2\x82", b"\xff", b"\xc3\xa9"]
    edges += ["\ud7ff\ue000\uffff\U0010ffff".encode()]
    parts = [0x41, 0x7F, 0x80, 0xBF, 0xC2, 0xC3, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF4, 0x90, 0xA0]
    edges += [bytes(rng.choice(parts, rng.integers(1, 5)).astype(np.uint8)) for _ in range(400)]
    for word in edges:
        text = SMALLEST.encode().replace(b"b", word)
        try:
            expected = word.decode()
        except UnicodeDecodeError:
            with pytest.raises(ValueError, match="not UTF-8"):
                load_text(tmp_path, text)
        else:
            assert load_text(tmp_path, text).vocabulary[-1] == expected
