"""SubRip, WebVTT and Advanced SubStation Alpha: exact texts, rounding, and when a cue begins."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

from alignment_problems import words_at
from unrolled.align import CueRules, to_ass, to_srt, to_vtt
from unrolled.align.timeline import clock, milliseconds

TALK = (("Hello", 100, 500), ("big", 600, 900), ("world", 950, 1500), ("again", 3000, 3400))


def test_srt_is_written_as_players_want_it():
    assert words_at(*TALK).to_srt() == (
        "1\n00:00:00,100 --> 00:00:01,500\nHello big world\n"
        "\n2\n00:00:03,000 --> 00:00:03,400\nagain\n"
    )


def test_vtt_is_written_as_players_want_it():
    assert words_at(*TALK).to_vtt() == (
        "WEBVTT\n"
        "\n00:00:00.100 --> 00:00:01.500\nHello big world\n"
        "\n00:00:03.000 --> 00:00:03.400\nagain\n"
    )
    assert words_at(*TALK).to_vtt(word_times=True).splitlines()[3] == (
        "Hello <00:00:00.600>big <00:00:00.950>world"
    )


def test_vtt_escapes_what_would_be_a_tag():
    text = to_vtt(words_at(("a<b", 0, 10), ("&", 10, 20), ("-->", 20, 30)))
    assert text.splitlines()[-1] == "a&lt;b &amp; --&gt;"


def test_ass_fills_words_in_hundredths_that_do_not_drift():
    words = [(str(index), 33 * index + 4, 33 * index + 33) for index in range(50)]
    text = to_ass(words_at(*words), max_duration=60, max_line=1000, max_chars=1000)
    (line,) = re.findall("Dialogue.*", text)
    assert line.startswith("Dialogue: 0,0:00:00.00,0:00:01.65,Default,,0,0,0,,{\\kf3}0 ")
    assert sum(map(int, re.findall(r"\\kf?(\d+)", line))) == 165
    assert to_ass(words_at(("a{b}\\n", 0, 10)), karaoke=False).endswith(",,a\\{b\\}\\\u2060n\n")


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0, "00:00:00,000"),
        (0.0004999, "00:00:00,000"),
        (0.0005, "00:00:00,001"),
        (0.9994, "00:00:00,999"),
        (0.9995, "00:00:01,000"),
        (59.9996, "00:01:00,000"),
        (3599.9999, "01:00:00,000"),
        (359999.9996, "100:00:00,000"),
        (360000.0, "100:00:00,000"),
    ],
)
def test_milliseconds_carry(seconds, written):
    assert clock(milliseconds(seconds), ",") == written
    # and the same through a whole alignment: a frame that lasts that long
    if seconds > 0.01:
        text = words_at(("a", 0, 1), seconds_per_frame=seconds).to_srt(max_duration=1e9)
        assert f"00:00:00,000 --> {written}\n" in text
        text = words_at(("a", 0, 1), seconds_per_frame=seconds).to_vtt(max_duration=1e9)
        assert f"00:00:00.000 --> {written.replace(',', '.')}\n" in text


def random_talk(rng):
    """Return words and the seconds a frame of a talk with pauses of all lengths."""
    at, words = 0, []
    for _ in range(int(rng.integers(1, 40))):
        at += int(rng.choice([0, 0, 1, 5, 40, 90, 400]))
        end = at + int(rng.choice([0, 1, 3, 20, 100])) * (at > 0) + (at == 0)
        words.append(("w" * int(rng.integers(1, 12)), at, end))
        at = end
    return words, float(rng.choice([0.01, 0.02, 0.0123, 1 / 30]))


def parse_time(text):
    hours, minutes, rest = text.split(":")
    seconds, thousandths = re.split("[.,]", rest)
    assert len(minutes) == len(seconds) == 2 and len(thousandths) == 3 and len(hours) >= 2
    assert int(minutes) < 60 and int(seconds) < 60
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(thousandths)


def parse_cues(text, header):
    blocks = text.split("\n\n")[header:]
    found = []
    for number, block in enumerate(blocks, start=1):
        lines = block.strip("\n").split("\n")
        if not header:
            assert lines.pop(0) == str(number)
        start, end = map(parse_time, lines[0].split(" --> "))
        found.append((start, end, lines[1:]))
    return found


def test_200_random_talks_are_cut_by_the_rules(rng):
    for case in range(200):
        words, per_frame = random_talk(rng)
        rules = {
            "max_chars": int(rng.integers(5, 60)),
            "max_line": int(rng.integers(5, 40)),
            "max_duration": float(rng.uniform(0.5, 8)),
            "max_gap": float(rng.uniform(0.05, 3)),
        }
        alignment = words_at(*words, seconds_per_frame=per_frame)
        cues = parse_cues(to_srt(alignment, **rules), header=0)
        assert cues == parse_cues(to_vtt(alignment, **rules), header=1), (case, rules)
        assert [word for *_, lines in cues for line in lines for word in line.split()] == [
            text for text, *_ in words
        ]
        check_rules(alignment.words, cues, rules)


def check_rules(words, cues, rules):
    """Each cue keeps every rule, and no cue could have taken the next word as well."""
    rest = list(words)
    for number, (start, end, lines) in enumerate(cues):
        text = " ".join(lines)
        own = [rest.pop(0) for _ in text.split()]
        assert start == milliseconds(own[0].start_seconds) < end
        assert end == max(milliseconds(own[-1].end_seconds), start + 1)
        assert len(text) <= rules["max_chars"] or len(own) == 1
        assert all(len(line) <= rules["max_line"] or " " not in line for line in lines)
        assert len(own) == 1 or own[-1].end_seconds - own[0].start_seconds <= rules["max_duration"]
        gaps = [b.start_seconds - a.end_seconds for a, b in pairwise(own)]
        assert all(gap <= rules["max_gap"] for gap in gaps)
        if number + 1 < len(cues):
            following = rest[0]
            assert (
                len(text) + 1 + len(following.text) > rules["max_chars"]
                or following.end_seconds - own[0].start_seconds > rules["max_duration"]
                or following.start_seconds - own[-1].end_seconds > rules["max_gap"]
            )
    assert not rest


def test_word_times_rise_within_their_cue(rng):
    for _ in range(50):
        words, per_frame = random_talk(rng)
        text = to_vtt(words_at(*words, seconds_per_frame=per_frame), word_times=True)
        for start, end, lines in parse_cues(text, header=1):
            times = [parse_time(time) for time in re.findall("<([0-9:.]+)>", "\n".join(lines))]
            assert [start, *times, end] == sorted({start, *times, end})


def test_lines_of_a_cue_are_about_equal():
    words = [("four", 10 * index, 10 * index + 10) for index in range(10)]
    lines = words_at(*words).to_srt(max_line=42).splitlines()[2:]
    assert [len(line) for line in lines] == [24, 24]


def test_a_cue_stays_for_a_while_but_not_into_the_next():
    alignment = words_at(("a", 0, 10), ("b", 500, 510), ("c", 3000, 3010), frames=4000)
    cues = parse_cues(to_srt(alignment, max_gap=0.1, min_duration=1.0), header=0)
    assert [(start, end) for start, end, _ in cues] == [(0, 500), (500, 1500), (3000, 4000)]


def test_words_without_duration_still_show():
    alignment = words_at(("a", 0, 10), ("lost", 5000, 5000), ("b", 9000, 9010))
    assert "00:00:05,000 --> 00:00:05,001\nlost\n" in alignment.to_srt()


def test_several_alignments_are_parts_of_one_recording():
    later = words_at(("later", 0, 100), offset=60.0)
    sooner = words_at(("sooner", 0, 100), offset=30.0)
    assert to_srt([later, sooner]) == (
        "1\n00:00:30,000 --> 00:00:30,100\nsooner\n\n2\n00:01:00,000 --> 00:01:00,100\nlater\n"
    )
    assert to_srt([]) == "" and to_vtt([]) == "WEBVTT\n"


def test_without_words_tokens_are_written():
    alignment = words_at(("x", 0, 10), ("y", 10, 20)).replace(word_slices=None)
    assert alignment.to_srt().splitlines()[2] == "ab"
    assert words_at(("x", 0, 10), ("y", 10, 20)).to_srt(level="tokens").splitlines()[2] == "ab"
    with pytest.raises(ValueError, match="separator="):
        alignment.to_srt(level="words")


def test_a_text_stays_on_its_line():
    assert words_at(("a\n\nb\tc", 0, 10)).to_srt().splitlines()[2] == "a b c"


def test_the_file_holds_the_text(tmp_path):
    path = tmp_path / "new folder" / "talk.srt"
    text = words_at(("größer", 0, 10), ("→", 10, 20)).to_srt(path)
    assert path.read_bytes().decode("utf-8") == text and "größer →" in text


def test_wrong_rules_are_refused():
    alignment = words_at(("a", 0, 10))
    with pytest.raises(ValueError, match="max_chars must be above 0"):
        alignment.to_srt(max_chars=0)
    with pytest.raises(ValueError, match="min_duration"):
        CueRules(min_duration=np.nan)
    with pytest.raises(TypeError, match="colour"):
        alignment.to_vtt(colour="red")
    with pytest.raises(ValueError, match="pass seconds_per_frame"):
        words_at(("a", 0, 10), seconds_per_frame=None).to_srt()


@pytest.mark.parametrize("form", ["srt", "vtt", "ass"])
def test_pysubs2_reads_what_is_written(form, rng):
    pysubs2 = pytest.importorskip("pysubs2", reason="needs pysubs2")
    for _ in range(30):
        words, per_frame = random_talk(rng)
        alignment = words_at(*words, seconds_per_frame=per_frame)
        ours = parse_cues(to_srt(alignment), header=0)
        theirs = pysubs2.SSAFile.from_string(getattr(alignment, f"to_{form}")(), format_=form)
        slack = (5, 14) if form == "ass" else (0, 0)  # hundredths, and at least one of them
        assert len(theirs) == len(ours)
        for event, (start, end, lines) in zip(theirs, ours, strict=True):
            assert event.plaintext.split() == " ".join(lines).split()
            assert abs(event.start - start) <= slack[0] and abs(event.end - end) <= slack[1]


def test_ass_keeps_braces_and_backslashes():
    pysubs2 = pytest.importorskip("pysubs2", reason="needs pysubs2")
    text = words_at(("C:\\new", 0, 10)).to_ass(karaoke=False)
    (event,) = pysubs2.SSAFile.from_string(text)
    assert event.plaintext.replace("\u2060", "") == "C:\\new"
