"""Error rates by unit, every error with its place, and totals; against jiwer where it is there."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from oracles import assert_same_bits
from unrolled import _core, metrics
from unrolled.metrics import ErrorCounts, error_report

REFERENCES = ["the cat sat on the old mat", "", "hello", "a b c d", "x"]
HYPOTHESES = ["the at sat the old red mat", "noise", "", "b c d e", "x"]


def random_corpus(rng, lines, words="abcdef", longest=9):
    """Return readings with errors of every kind; some lines are empty on either side."""
    corpus = []
    for _ in range(lines):
        truth = rng.choice(list(words), rng.integers(0, longest)).tolist()
        reading = [str(rng.choice(list(words))) if rng.random() < 0.2 else w for w in truth]
        reading = [w for w in reading if rng.random() > 0.15]
        if rng.random() < 0.3:
            reading.insert(int(rng.integers(len(reading) + 1)), str(rng.choice(list(words))))
        corpus.append((" ".join(truth), " ".join(reading)))
    return [list(side) for side in zip(*corpus, strict=True)]


def test_rates_are_errors_over_reference_units():
    assert metrics.word_error_rate(REFERENCES, HYPOTHESES) == (3 + 1 + 1 + 2) / (7 + 0 + 1 + 4 + 1)
    assert metrics.word_error_rate(["a  b\tc\n"], [" a b c"]) == 0  # any white space separates
    assert metrics.character_error_rate(["a b"], ["ab"]) == 1 / 3
    assert metrics.token_error_rate([[1, 2, 3], [4]], [[1, 3], [4]]) == 1 / 4
    assert metrics.token_error_rate([["AA", "B"]], [["A", "AB"]]) == 1.0


@pytest.mark.parametrize("rate", [metrics.word_error_rate, metrics.character_error_rate])
def test_without_a_reference_word_insertions_are_counted_as_they_are(rate):
    assert rate([""], [""]) == 0
    assert rate(["", ""], ["a", ""]) == 1
    assert rate(["", "a"], ["a", "a"]) == 1


def test_a_report_knows_every_error_and_its_place():
    report = error_report(REFERENCES, HYPOTHESES)
    assert report.counts == ErrorCounts(hits=9, substitutions=1, deletions=3, insertions=3)
    assert report.rate == metrics.word_error_rate(REFERENCES, HYPOTHESES)
    first = report.lines[0]
    assert [tuple(step) for step in first.errors] == [
        ("substitution", "cat", "at", 1, 1),
        ("deletion", "on", None, 3, 3),
        ("insertion", None, "red", 6, 5),
    ]
    assert report.confusions() == {
        ("cat", "at"): 1,
        ("on", None): 1,
        (None, "red"): 1,
        (None, "noise"): 1,
        ("hello", None): 1,
        ("a", None): 1,
        (None, "e"): 1,
    }
    assert [line.counts.errors for line in report.worst(2)] == [3, 2]
    assert str(report).startswith("word error rate 53.85 %: 7 errors in 13 reference words of 5")


def test_lines_are_shown_side_by_side():
    line = error_report(["the cat sat on the old mat"], ["the at sat the old red mat"]).lines[0]
    assert line.side_by_side() == (
        "REF  the cat sat on the old *** mat\n"
        "HYP  the at  sat ** the old red mat\n"
        "         S       D          I"
    )
    characters = error_report(["a b"], ["ab"], unit="character").lines[0]
    assert characters.side_by_side() == "REF  a ␣ b\nHYP  a * b\n       D"
    wide = error_report(["東京 は"], ["東 は"]).lines[0]
    assert wide.side_by_side() == "REF  東京 は\nHYP  東   は\n     S"
    assert error_report([""], [""]).lines[0].side_by_side() == ""


def test_long_lines_go_on_below():
    line = error_report(["one two three four five"], ["one too three four five"]).lines[0]
    shown = line.side_by_side(width=19)
    assert shown == (
        "REF  one two three\nHYP  one too three\n         S\n\nREF  four five\nHYP  four five\n"
    )
    assert max(map(len, shown.splitlines())) <= 19
    assert len(line.side_by_side(width=None).splitlines()) == 3
    assert "three" in line.side_by_side(width=1)  # a word is never cut


@pytest.mark.parametrize("unit", ["word", "character", "token"])
def test_reports_and_rates_agree(unit):
    rng = np.random.default_rng(5)
    truths, readings = random_corpus(rng, 300)
    if unit == "token":
        truths, readings = ([line.split() for line in side] for side in (truths, readings))
    report = error_report(truths, readings, unit=unit)
    rate = getattr(metrics, f"{unit}_error_rate")
    assert report.rate == rate(truths, readings)
    total = ErrorCounts()
    for line in report.lines:
        total += line.counts
        assert [s.reference for s in line.steps if s.kind != "insertion"] == list(line.reference)
        assert [s.hypothesis for s in line.steps if s.kind != "deletion"] == list(line.hypothesis)
        for step in line.steps:
            assert (step.reference == step.hypothesis) == (step.kind == "hit")
            if step.reference is not None:
                assert line.reference[step.reference_position] == step.reference
            if step.hypothesis is not None:
                assert line.hypothesis[step.hypothesis_position] == step.hypothesis
    assert total == report.counts
    mean = np.mean([line.counts.rate for line in report.lines])
    assert abs(mean - report.rate) > 1e-3  # which is another number


@pytest.mark.parametrize("unit", ["word", "character"])
def test_jiwer_finds_the_same_rates(unit):
    jiwer = pytest.importorskip("jiwer", reason="jiwer is not installed")
    rng = np.random.default_rng(6)
    process = {"word": jiwer.process_words, "character": jiwer.process_characters}[unit]
    for _ in range(60):
        truths, readings = random_corpus(rng, int(rng.integers(1, 6)))
        ours, theirs = error_report(truths, readings, unit=unit), process(truths, readings)
        assert ours.rate == pytest.approx(theirs.wer if unit == "word" else theirs.cer, abs=1e-12)
        # Of equally cheap paths it may take another: fewer substitutions, more of the other two.
        errors = theirs.substitutions + theirs.deletions + theirs.insertions
        assert ours.counts.errors == errors
        balance = ours.counts.insertions - ours.counts.deletions
        assert balance == theirs.insertions - theirs.deletions


def test_ten_thousand_sentences_take_no_minutes():
    rng = np.random.default_rng(7)
    truths, readings = random_corpus(
        rng, 10_000, words=["lorem", "ipsum", "dolor", "x"], longest=15
    )
    start = time.thread_time()
    metrics.character_error_rate(truths, readings)
    metrics.word_error_rate(truths, readings)
    error_report(truths, readings)
    assert time.thread_time() - start < 10


def test_bits_do_not_depend_on_threads(threads):
    import unrolled

    rng = np.random.default_rng(8)
    ids = [rng.integers(0, 5, 4000).astype(np.int32) for _ in range(2)]
    offsets = [np.sort(np.append(rng.integers(0, 4000, 300), [0, 4000])) for _ in range(2)]
    pairs = (ids[0], offsets[0], ids[1], offsets[1])

    def compared():
        return _core.edit_distances(*pairs), _core.edit_paths(*pairs)

    unrolled.set_num_threads(1)
    expected = compared()
    unrolled.set_num_threads(threads)
    assert_same_bits(compared(), expected)
    steps, ends = expected[1]
    errors = [int((steps[a:b] != 0).sum()) for a, b in pairwise(ends)]
    assert errors == expected[0].tolist()


@pytest.mark.parametrize(
    ("unit", "lines", "error", "named"),
    [
        ("letter", (["a"], ["a"]), ValueError, 'unit must be "word", "character" or "token"'),
        ("word", ([["a"]], ["a"]), TypeError, r"references\[0\] must be a string"),
        ("character", (["a"], [None]), TypeError, r"hypotheses\[0\] must be a string, got None"),
        ("token", (["ab"], ["ab"]), TypeError, r"references\[0\] must be a sequence of tokens"),
        ("word", ("a", ["a"]), TypeError, "references is one string"),
        ("word", (["a"], []), ValueError, "1 references but 0 hypotheses"),
        ("word", ([], []), ValueError, "at least one line"),
    ],
)
def test_wrong_arguments_are_named(unit, lines, error, named):
    with pytest.raises(error, match=named):
        error_report(*lines, unit=unit)


@pytest.mark.parametrize(
    "pairs",
    [
        ([1, 2], [0, 3], [1], [0, 1]),  # beyond the tokens
        ([1, 2], [1, 2], [1], [0, 1]),  # not from 0
        ([1, 2], [0, 2, 1, 2], [1], [0, 0, 0, 1]),  # falling
        ([1, 2], [0, 2], [1], [0, 0, 1]),  # one sequence and two
        ([1, 2], [], [1], [0, 1]),
    ],
)
def test_the_core_refuses_wrong_offsets(pairs):
    arrays = [np.array(x, dtype) for x, dtype in zip(pairs, [np.int32, np.int64] * 2, strict=True)]
    for function in (_core.edit_distances, _core.edit_paths):
        with pytest.raises(ValueError, match=r"offsets|as many"):
            function(*arrays)
