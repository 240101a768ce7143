"""CTM: exact texts, durations and not ends, and reading."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from alignment_problems import words_at
from unrolled.align import CTMWord, read_ctm, to_ctm
from unrolled.align.timeline import milliseconds


def test_lines_have_begin_duration_word_and_confidence():
    alignment = words_at(("Hello", 100, 500), ("new world", 600, 1500))
    alignment = alignment.replace(frame_scores=np.log(np.linspace(0.5, 0.5, 1500)))
    assert alignment.to_ctm(file="talk", channel="A") == (
        "talk A 0.100 0.400 Hello 0.500\ntalk A 0.600 0.900 new_world 0.500\n"
    )
    assert alignment.to_ctm(confidence=None) == (
        "audio 1 0.100 0.400 Hello\naudio 1 0.600 0.900 new_world\n"
    )


def test_confidences_are_named():
    scores = np.log([0.9, 0.4, 0.9])
    alignment = words_at(("a", 0, 3), frames=3).replace(
        frame_scores=scores, posterior=np.array([1.0, 0.2, 0.9])
    )
    mean = np.exp(scores.mean())
    assert alignment.to_ctm().split()[-1] == f"{mean:.3f}"
    assert alignment.to_ctm(confidence="min_score").split()[-1] == "0.400"
    assert alignment.to_ctm(confidence="posterior").split()[-1] == "0.700"
    with pytest.raises(ValueError, match="posterior=True"):
        words_at(("a", 0, 3)).to_ctm(confidence="posterior")
    with pytest.raises(ValueError, match="confidence must be"):
        alignment.to_ctm(confidence="sure")


def test_lines_are_sorted_by_file_channel_and_begin():
    late = words_at(("b", 0, 10), ("c", 10, 20), offset=100.0)
    early = words_at(("a", 0, 10))
    text = to_ctm([late, early, early], file=["talk", "talk", "Speech"])
    assert [line.split()[0] + line.split()[4] for line in text.splitlines()] == [
        "Speecha", "talka", "talkb", "talkc"
    ]  # fmt: skip
    starts = [float(line.split()[2]) for line in to_ctm([late, early]).splitlines()]
    assert starts == [0.0, 100.0, 100.01]  # as numbers, not as texts


@pytest.mark.parametrize(
    ("start", "end", "written"),
    [
        (0.9995, 2.0, "1.000 1.000"),
        (0.0004, 0.0014, "0.000 0.001"),
        (0.0006, 0.0014, "0.001 0.000"),
        (59.9996, 3599.9999, "60.000 3540.000"),
    ],
)
def test_begin_and_end_are_rounded_and_the_duration_is_their_difference(start, end, written):
    alignment = words_at(("a", 0, 1), seconds_per_frame=end - start, offset=start)
    assert alignment.to_ctm(confidence=None) == f"audio 1 {written} a\n"


def test_words_beside_each_other_neither_overlap_nor_part(rng):
    for _ in range(100):
        edges = np.sort(rng.choice(400, 12, replace=False)).tolist()
        words = [("w", a, b) for a, b in pairwise(edges)]
        alignment = words_at(*words, seconds_per_frame=float(rng.uniform(0.002, 0.05)))
        rows = [line.split() for line in alignment.to_ctm().splitlines()]
        thousandths = [(milliseconds(float(row[2])), milliseconds(float(row[3]))) for row in rows]
        for (begin, duration), (following, _) in pairwise(thousandths):
            assert begin + duration == following


def test_what_is_written_is_read_back(tmp_path, rng):
    path = tmp_path / "all.ctm"
    for _ in range(50):
        words, at = [], 0
        for index in range(int(rng.integers(0, 9))):
            at += int(rng.integers(0, 300))
            end = at + int(rng.integers(0, 300))
            words.append((f"wörd{index}", at, end))
            at = end
        alignment = words_at(*words, seconds_per_frame=0.0123, frames=at + 1)
        alignment.to_ctm(path, file="a", confidence=None)
        found = read_ctm(path)
        assert [(word.file, word.channel, word.word) for word in found] == [
            ("a", "1", text) for text, *_ in words
        ]
        for word, own in zip(found, alignment.words, strict=True):
            assert abs(word.start - own.start_seconds) <= 0.000501
            assert abs(word.start + word.duration - own.end_seconds) <= 0.000501
            assert word.confidence is None


def test_comments_and_empty_lines_do_not_count(tmp_path):
    path = tmp_path / "talk.ctm"
    text = (
        "\ufeff;; made by hand\r\n\r\ntalk  A 0.5\t1.25 yes 0.9\r\n  ;; more\r\ntalk B 1e1 0 no NA"
    )
    path.write_bytes(text.encode())
    assert read_ctm(path) == [
        CTMWord("talk", "A", 0.5, 1.25, "yes", 0.9),
        CTMWord("talk", "B", 10.0, 0.0, "no", None),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("talk 1 0.5 1.0", "2: 4 fields"),
        ("talk 1 0.5 1.0 a 0.9 b", "2: 7 fields"),
        ("talk 1 * * <ALT_BEGIN>", r"2: '\*' must be a number"),
        ("talk 1 0.5 nan a", "2: 'nan' must be a number"),
        ("talk 1 0.5 -1 a", "2: the duration is -1.0"),
        ("talk 1 0.5 1 a sure", "2: 'sure' must be a number"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path, line, message):
    path = tmp_path / "talk.ctm"
    path.write_text(f"talk 1 0 1 a\n{line}\n")
    with pytest.raises(ValueError, match=message):
        read_ctm(path)
    path.write_bytes(b"talk 1 0 1 \xff\n")
    with pytest.raises(ValueError, match="byte 11 is not UTF-8"):
        read_ctm(path)


def test_guesses_and_words_left_out_have_no_confidence():
    alignment = words_at(("a", 0, 10), ("lost", 10, 10), ("b", 10, 20))
    assert alignment.to_ctm().splitlines()[1] == "audio 1 0.010 0.000 lost 0.000"


@pytest.mark.parametrize("name", ["", "my talk", ";;talk", "a\n"])
def test_names_that_would_break_a_line_are_refused(name):
    with pytest.raises(ValueError, match="without white space"):
        words_at(("a", 0, 10)).to_ctm(file=name)
    with pytest.raises(ValueError, match="channel must be"):
        words_at(("a", 0, 10)).to_ctm(channel=name)
    with pytest.raises(ValueError, match="one name an alignment: 1, got 2"):
        to_ctm([words_at(("a", 0, 10))], file=["a", "b"])
