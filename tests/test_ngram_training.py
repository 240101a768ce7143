"""Estimating n-gram models: what text is taken, what is counted, what is refused."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
import warnings
from collections import Counter

import numpy as np
import pytest

import lmplz_figures
from ngram_problems import quietly, rows_of
from unrolled import _core
from unrolled.data.labels import DataError
from unrolled.lm.discounts import DiscountWarning
from unrolled.lm.training import SMOOTHINGS, estimate
from unrolled.reference import ngram as reference

TEXT = ["to be or not to be", "that is the question"]


def same(a, b):
    assert a.words == b.words
    assert rows_of(a) == rows_of(b)


def test_ngrams_are_those_of_the_reference():
    text = [line.split() for line in lmplz_figures.LOIN_TEXT.splitlines()]
    estimated = quietly(text, 3)
    counts = reference.count(text, 3)
    assert estimated.counted[1:] == [len(level) for level in counts[1:]]
    assert set(estimated.words) - {"<unk>", "<s>"} == {ngram[0] for ngram in counts[0]}
    assert (estimated.sentences, estimated.tokens) == (5, 17)
    assert counts[2][("<s>", "looking", "on")] == 1
    assert counts[2][("little", "more", "loin")] == 3  # 2 + 1 in KenLM's corpus_count_test.cc
    assert counts[1][("<s>", "on")] == 2
    assert counts[1][("<s>", "</s>")] == 1


def test_texts_tokens_generators_and_files_are_one(tmp_path):
    file = tmp_path / "text.txt"
    file.write_bytes("\ufeffto be or  not to be\r\nthat is the question".encode())
    from_texts = quietly(TEXT)
    same(from_texts, quietly([sentence.split() for sentence in TEXT]))
    same(from_texts, quietly(tuple(sentence.split()) for sentence in TEXT))
    same(from_texts, quietly(sentence + "\n" for sentence in TEXT))
    same(from_texts, quietly(file))


def test_files_are_normalised(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("cafe\u0301 noir\n", encoding="utf-8")
    assert "caf\u00e9" in quietly(file, 2).words


def test_characters():
    made = quietly(["ab\u3000b", "\U0001f600 a"], 2, unit="char")
    assert made.words == ["<unk>", "<s>", "</s>", "a", "b", "<space>", "\U0001f600"]
    assert made.tokens == 7
    same(made, quietly(["ab\u3000b\r\n", "\U0001f600 a\n"], 2, unit="char"))
    same(made, quietly([["a", "b", " ", "b"], list("\U0001f600 a")], 2, unit="char"))
    same(made, quietly([["a", "b", "<space>", "b"], "\U0001f600 a"], 2, unit="char"))


def test_text_is_gone_through_once_and_wrapped_for_progress():
    seen = []

    def progress(sentences):
        for sentence in sentences:
            seen.append(sentence)
            yield sentence

    same(quietly(iter(TEXT), progress=progress), quietly(TEXT))
    assert seen == TEXT


def test_rare_words_become_unknown():
    made = quietly(["a b c", "a b d", "a e <unk>"], 2, min_count=2)
    same(made, quietly(["a b <unk>", "a b <unk>", "a <unk> <unk>"], 2))
    assert made.words == ["<unk>", "<s>", "</s>", "a", "b"]


def test_a_vocabulary_of_a_size_keeps_the_most_frequent():
    text = ["c b a", "b a", "d b"]
    same(quietly(text, 2, vocabulary=2), quietly(["<unk> b a", "b a", "<unk> b"], 2))
    same(quietly(text, 2, vocabulary=100), quietly(text, 2))


def test_a_list_of_words_is_the_vocabulary():
    made = quietly(["a b c"], 2, "witten-bell", vocabulary=["b", "never", "<s>", "a"], min_count=9)
    assert made.words == ["<unk>", "<s>", "</s>", "a", "b", "never"]
    rows = rows_of(made)
    # Of 4 words counted, 4 different (c is unknown now), 5 can come; "never" did not.
    assert 10 ** rows[("never",)][0] == pytest.approx(4 / 8 / 5)
    assert 10 ** rows[("<unk>",)][0] == pytest.approx((1 + 4 / 5) / 8)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_order_one_and_tiny_texts(smoothing):
    for text in (["a"], ["a a a a"], ["", "a"]):
        for order in (1, 2, 10):
            made = quietly(text, order, smoothing)
            assert len(made.tables) == order
            values = np.concatenate([np.concatenate(table[1:]) for table in made.tables])
            assert np.isfinite(values).all()


def test_a_ten_line_text_warns_and_succeeds():
    lines = [f"line {i} has its own words {i}a {i}b" for i in range(10)]
    with pytest.warns(DiscountWarning) as caught:
        made = estimate(lines, 3)
    assert len(caught) == 1
    assert "1-grams (none has count 2), 2-grams (none has count 2), 3-" in str(caught[0].message)
    assert "0.5, 1, 1.5 used in their place" in str(caught[0].message)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(made.discounts, [[0.5, 1, 1.5]] * 3)
    with pytest.warns(DiscountWarning, match=r"0\.2, 0\.3, 0\.4 used"):
        made = estimate(lines, 1, discount_fallback=(0.2, 0.3, 0.4))
    np.testing.assert_array_equal(made.discounts, [[0.2, 0.3, 0.4]])
    with pytest.warns(DiscountWarning, match=r"3-grams \(none has count 2\): 0\.5 used"):
        estimate(lines, 3, "absolute")


def test_a_discount_of_nothing_is_not_taken():
    """All that is seen often keeps nothing for the rest: the estimate is 0 for counts of 2."""
    counts = Counter({"a": 1, "b": 2, "c": 2, "d": 3, "e": 3, "f": 3, "g": 3})
    text = [" ".join(word for word, count in counts.items() for _ in range(count))]
    with pytest.warns(DiscountWarning, match="count 2 came out as"):
        estimate(text, 1)


def test_a_discount_that_is_given_needs_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = estimate(["a b"], 2, "absolute", discount=0.7)
        estimate(["a b"], 2, "witten-bell")
    np.testing.assert_array_equal(made.discounts, [[0.7] * 3] * 2)


@pytest.mark.parametrize(
    ("sentences", "error", "says"),
    [
        ([], ValueError, "no token"),
        (["", "  "], ValueError, "no token"),
        ("to be or not", TypeError, r"one text: give a list .*pathlib\.Path"),
        (["a b", ["b", "<s>"]], ValueError, "sentence 2: '<s>' stands for"),
        (["a b </s>"], ValueError, "sentence 1: '</s>' stands for"),
        ([["a b"]], ValueError, "sentence 1: the token 'a b' has white space"),
        ([["a\u00a0b"]], ValueError, "has white space"),
        ([["a", ""]], ValueError, "sentence 1: a token is empty"),
        ([["a", 3]], TypeError, r"sentence 1: expected a token \(str\), got 3"),
        ([[b"a"]], TypeError, r"expected a token \(str\), got b'a'"),
        ([5], TypeError, "sentence 1: .*not iterable"),
        ([["\ud800"]], ValueError, "sentence 1: .*surrogates"),
    ],
)
def test_sentences_that_are_none(sentences, error, says):
    with pytest.raises(error, match=says):
        estimate(sentences)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"order": 0}, ValueError, "order must be a whole number of 1 to 10, got 0"),
        ({"order": 11}, ValueError, "got 11"),
        ({"order": 2.0}, ValueError, r"got 2\.0"),
        ({"smoothing": "good-turing"}, ValueError, "kneser-ney, witten-bell, absolute, add-k"),
        ({"unit": "letter"}, ValueError, "'word' or 'char', got 'letter'"),
        ({"min_count": 0}, ValueError, "min_count"),
        ({"vocabulary": 0}, ValueError, "at least 1 word"),
        ({"vocabulary": "a b"}, TypeError, "list of them, got one text"),
        ({"vocabulary": ["a b"]}, ValueError, "without white space, got 'a b'"),
        ({"k": 0}, ValueError, "k must be a number above 0"),
        ({"k": float("nan")}, ValueError, "k must be"),
        ({"discount": 0.5}, ValueError, "is for smoothing='absolute'"),
        ({"smoothing": "absolute", "discount": 1.5}, ValueError, "between 0 and 1"),
        ({"discount_fallback": (1, 2)}, ValueError, "three numbers"),
        ({"discount_fallback": (0.5, 1, 4)}, ValueError, "at most 1, 2 and 3"),
    ],
)
def test_wrong_arguments(options, error, says):
    with pytest.raises(error, match=says):
        estimate(TEXT, **options)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"one\ncaf\xe9\n")
    (tmp_path / "border.txt").write_text("one\n\nto <s> be\n")
    for name, says in [
        ("latin.txt", r"latin\.txt:2: not UTF-8 at byte 7"),
        ("missing.txt", "no such file"),
        (".", "is a folder"),
    ]:
        with pytest.raises(DataError, match=says):
            estimate(tmp_path / name)
    with pytest.raises(ValueError, match=r"border\.txt:3: '<s>' stands for"):
        estimate(tmp_path / "border.txt")


def test_the_core_checks_what_it_is_given():
    counter = _core.NGramCounter(2)
    counter.add_words([["a"]])
    with pytest.raises(ValueError, match="one number for each word"):
        counter.levels(np.zeros(2, np.uint32), 3)
    with pytest.raises(ValueError, match="below words"):
        counter.levels(np.full(4, 9, np.uint32), 4)
    levels = counter.levels(np.arange(4, dtype=np.uint32), 4)
    with pytest.raises(ValueError, match="one entry for each order"):
        levels.estimate("discount", True, [[0.5] * 3], 1.0, [0, 0], 0.0)
    with pytest.raises(ValueError, match="smoothing must be"):
        levels.estimate("none", True, [[0.5] * 3] * 2, 1.0, [0, 0], 0.0)


def test_equal_bits_again():
    text = lmplz_figures.TEN_TEXT.splitlines()
    first, second = (quietly(text, 4, prune_entropy=1e-3) for _ in range(2))
    for table, again in zip(first.tables, second.tables, strict=True):
        for array, other in zip(table, again, strict=True):
            np.testing.assert_array_equal(array, other)


def test_memory_does_not_grow_with_the_text():
    """A stream that never ends in memory: the same lines over and over."""
    program = """
        import resource
        from unrolled.lm.training import estimate

        lines = ["the cat sat on the mat", "a dog met the cat"]
        stream = lambda n: (line + " " * (i % 7) for i in range(n) for line in lines)
        estimate(stream(1000), 3, "witten-bell")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        estimate(stream(100_000), 3, "witten-bell")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert int(done.stdout) < 4000  # KiB; the text is 4.8 MB


CHILD = """
import signal
from unrolled.lm.training import estimate
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have told it to be ignored

def forever():
    print("ready", flush=True)
    while True:
        yield "the cat sat on the mat"

try:
    estimate(forever())
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupt_is_heard():
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout.readline() == "ready\n"
            time.sleep(0.3)
            child.send_signal(signal.SIGINT)
            assert child.stdout.readline() == "stopped\n"
        finally:
            child.kill()
