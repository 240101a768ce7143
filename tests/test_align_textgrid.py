"""TextGrid: exact texts, tiers without gaps, and reading what Praat and others write."""

from __future__ import annotations

import codecs

import numpy as np
import pytest

from alignment_problems import LABELS, random_alignment, words_at
from unrolled.align import Interval, Point, read_textgrid, slice_words, to_textgrid

LONG = '''\
File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 1
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.25
            text = ""
        intervals [2]:
            xmin = 0.25
            xmax = 0.75
            text = "say ""yes"""
        intervals [3]:
            xmin = 0.75
            xmax = 1
            text = ""
    item [2]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 1
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.25
            text = ""
        intervals [2]:
            xmin = 0.25
            xmax = 0.75
            text = "a"
        intervals [3]:
            xmin = 0.75
            xmax = 1
            text = ""
'''

SHORT = """\
File type = "ooTextFile short"
"TextGrid"

0
1.5
<exists>
2
"IntervalTier"
"words"
0
1.5
2
0
1.25
"two
lines ""quoted""\"
1.25
1.5
""
"TextTier"
"clicks"
0
1.5
1
0.5
"one"
"""


def test_the_long_form_is_written_as_praat_writes_it():
    alignment = words_at(('say "yes"', 1, 3), seconds_per_frame=0.25, frames=4)
    assert alignment.to_textgrid() == LONG


def test_what_is_written_is_read_back(tmp_path, rng):
    path = tmp_path / "talk.TextGrid"
    labels = ["_", "|", 'q"', "d", "é", "f g", "h"]
    for case in range(200):
        per_frame = float(rng.choice([0.01, 0.02, 0.0125, 1 / 30, 0.0123]))
        alignment, _ = random_alignment(
            rng, labels=labels, separator=1, seconds_per_frame=per_frame, offset=float(rng.random())
        )
        to_textgrid(alignment, path)
        grid = read_textgrid(path)
        expected = {
            "words": [(word.text, word) for word in alignment.words],
            "phones": [(span.label, span) for span in alignment.spans if span.token != 1],
        }
        assert [tier.name for tier in grid.tiers] == ["words", "phones"][-len(grid.tiers) :]
        assert len(grid.tiers) == 1 + bool(alignment.words)
        for tier in grid.tiers:
            check_tier(tier, grid, expected[tier.name], case)


def check_tier(tier, grid, expected, case):
    assert (tier.start, tier.end) == (grid.start, grid.end)
    intervals = tier.intervals
    assert intervals[0].start == 0 and intervals[-1].end == grid.end
    for one, other in zip(intervals, [*intervals[1:], None], strict=True):
        assert one.start < one.end or grid.end == 0, case
        assert other is None or (one.end == other.start and (one.text or other.text)), case
    found = [one for one in intervals if one.text]
    kept = [(text, item) for text, item in expected if item.start < item.end]
    assert [one.text for one in found] == [text for text, _ in kept]
    for one, (_, item) in zip(found, kept, strict=True):
        assert abs(one.start - item.start_seconds) <= 5.1e-7
        assert abs(one.end - item.end_seconds) <= 5.1e-7


def test_the_duration_is_that_of_the_recording():
    alignment = words_at(("a", 0, 4), seconds_per_frame=0.3, extent=1.0)
    assert "xmax = 1\n" in alignment.to_textgrid() and "1.2" not in alignment.to_textgrid()
    assert alignment.to_textgrid(duration=2.5).count("xmax = 2.5\n") == 5
    with pytest.raises(ValueError, match=r"beyond the duration of 0\.5 s"):
        alignment.to_textgrid(duration=0.5)


def test_several_alignments_share_tiers_and_must_not_overlap(tmp_path):
    parts = [words_at(("a", 0, 500), offset=offset) for offset in (2.0, 0.25)]
    path = tmp_path / "talk.TextGrid"
    to_textgrid(parts, path, word_tier='my "words"')
    assert [(one.start, one.text) for one in read_textgrid(path)['my "words"'].intervals] == [
        (0, ""), (0.25, "a"), (0.75, ""), (2.0, "a")
    ]  # fmt: skip
    with pytest.raises(ValueError, match="give each alignment its offset"):
        to_textgrid([words_at(("a", 0, 500)), words_at(("b", 499, 700))])


def test_what_takes_no_time_is_not_written():
    alignment = words_at(("a", 0, 10), ("lost", 10, 10), ("b", 10, 20))
    assert '"lost"' not in alignment.to_textgrid()
    assert alignment.to_textgrid().count("intervals: size = 2\n") == 2
    nothing = alignment.replace(
        target=np.array([], np.int64), states=np.zeros(4, np.int32), word_slices=None
    )
    assert nothing.to_textgrid().count("intervals: size = 1\n") == 1


def test_without_words_there_is_a_tier_of_tokens(tmp_path):
    alignment = words_at(("a", 0, 10)).replace(word_slices=None, labels=None)
    grid = read_back(alignment.to_textgrid(token_tier="tokens"), tmp_path)
    assert [tier.name for tier in grid.tiers] == ["tokens"]
    assert grid["tokens"].intervals == [Interval(0.0, 0.01, "2")]
    with pytest.raises(KeyError, match="there are"):
        grid["words"]


def read_back(text, folder, encoding="utf-8"):
    path = folder / "read.TextGrid"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return read_textgrid(path)


def check_short(grid):
    words, clicks = grid.tiers
    assert (grid.start, grid.end) == (0.0, 1.5)
    assert words.intervals == [Interval(0.0, 1.25, 'two\nlines "quoted"'), Interval(1.25, 1.5, "")]
    assert clicks.points == [Point(0.5, "one")] and not clicks.intervals


def test_the_short_form_is_read(tmp_path):
    check_short(read_back(SHORT, tmp_path))
    windows = SHORT.replace("\n", "\r\n").replace("two\r\n", "two\n")
    check_short(read_back(windows, tmp_path))


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (b"", "utf-8"),
    ],
)
def test_byte_order_marks_tell_the_encoding(tmp_path, mark, encoding):
    text = SHORT.replace("one", "naïve → 😀")
    grid = read_back(mark + text.encode(encoding), tmp_path)
    assert grid["clicks"].points[0].text == "naïve → 😀"


def test_only_what_stands_free_counts(tmp_path):
    """Praat's page has this example: comments, names and numbers in brackets say nothing."""
    text = LONG.replace("xmin = 0\n", 'xmin = 0 ! seconds, at least 12 of "them"\n').replace(
        "xmax = 0.25", "the 2nd [7] bound is xmax = 2.5e-1"
    )
    grid = read_back(text, tmp_path)
    assert [one.text for one in grid["words"].intervals] == ["", 'say "yes"', ""]
    assert grid["phones"].intervals[0] == Interval(0.0, 0.25, "")


def test_a_grid_without_tiers_is_read(tmp_path):
    grid = read_back('"ooTextFile" "TextGrid" 0 2 <absent>', tmp_path)
    assert grid.tiers == [] and grid.end == 2.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with"),
        ("hello", "must begin with"),
        ('"ooTextFile" "Pitch 1"', "must begin with"),
        (LONG[:500], r"read\.TextGrid:\d+: the file ends where"),
        (LONG.replace("xmax = 0.75", "xmax = ?", 1), r":22: a number should stand here, not \"say"),
        (LONG.replace("IntervalTier", "Tier", 1), "tier 'words' must be an"),
        (LONG.replace("size = 3", "size = 2.5", 1), ":14: a number of items must be whole"),
        (LONG.replace("size = 3", "size = 4", 1), ":28: a number should stand here"),
        (b'"ooTextFile" "TextGrid" \xff', "byte 24 is not utf-8"),
        (b"ooBinaryFile\x08TextGrid", "binary form"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_back(text, tmp_path)


def test_praatio_reads_what_is_written(tmp_path, rng):
    textgrid = pytest.importorskip("praatio.textgrid", reason="needs praatio")
    path = tmp_path / "talk.TextGrid"
    for _ in range(30):
        alignment, _ = random_alignment(rng, labels=LABELS, seconds_per_frame=0.0123)
        alignment = alignment.replace(
            word_slices=slice_words(['w"'] * alignment.target.size, [1] * alignment.target.size)
        )
        if not alignment.states.size:
            continue
        alignment.to_textgrid(path)
        ours = read_textgrid(path)
        theirs = textgrid.openTextgrid(str(path), includeEmptyIntervals=True)
        assert theirs.tierNames == tuple(tier.name for tier in ours.tiers)
        for tier in ours.tiers:
            entries = [(one.start, one.end, one.text) for one in tier.intervals]
            assert [tuple(entry) for entry in theirs.getTier(tier.name).entries] == entries
        for form in ("short_textgrid", "long_textgrid"):
            theirs.save(str(path), format=form, includeBlankSpaces=True)
            assert read_textgrid(path) == ours
