"""Praat's TextGrid files (https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unrolled.align.timeline import Entry, Path, as_alignments, decimal, finished, timed_entries

if TYPE_CHECKING:
    from unrolled.align.alignment import Alignment


@dataclass(frozen=True, slots=True)
class Interval:
    """A text from `start` to `end`, in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Point:
    """A text at a time, in seconds."""

    time: float
    text: str


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier from `start` to `end` seconds: either intervals, without gaps, or points."""

    name: str
    start: float
    end: float
    intervals: list[Interval] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TextGrid:
    """Tiers from `start` to `end` seconds.

    Examples
    --------
    >>> grid = TextGrid(0.0, 1.0, [Tier("words", 0.0, 1.0, [Interval(0.0, 1.0, "yes")])])
    >>> grid["words"].intervals[0].text
    'yes'
    """

    start: float
    end: float
    tiers: list[Tier]

    def __getitem__(self, name: str) -> Tier:
        for tier in self.tiers:
            if tier.name == name:
                return tier
        raise KeyError(f"no tier {name!r}; there are {[tier.name for tier in self.tiers]}")


def to_textgrid(
    alignment: Alignment | Sequence[Alignment],
    path: Path | None = None,
    *,
    duration: float | None = None,
    word_tier: str = "words",
    token_tier: str = "phones",
) -> str:
    r"""Write a TextGrid for Praat, long form: a tier of words, if any, and one of tokens.

    Parameters
    ----------
    alignment : Alignment, or sequence of them
        Several are parts of one recording, each with its ``offset``, which must not overlap.
    path : path, optional
        Where to write it, UTF-8, all or nothing.
    duration : float, optional
        Where tiers end, in seconds; when not given the alignment's ``extent`` or its last frame.
    word_tier, token_tier : str
        Names of the tiers.

    Returns
    -------
    str
        Tiers go from 0 to `duration` without gaps, silence is an interval with the text "". Times
        are rounded to microseconds. What takes no time, as a word that was left out, has no place
        in a TextGrid and is not written.

    Raises
    ------
    ValueError
        If the alignment has no ``seconds_per_frame``, two overlap, or one ends after `duration`.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled.align import Alignment
    >>> alignment = Alignment(
    ...     np.array([0, 1, 3], np.int32), -0.4, np.array([2, 3]), 0, np.full(3, -0.1),
    ...     labels="_ ab", separator=" ", seconds_per_frame=0.5,
    ... )
    >>> print("\n".join(to_textgrid(alignment).splitlines()[:20]))
    File type = "ooTextFile"
    Object class = "TextGrid"
    <BLANKLINE>
    xmin = 0
    xmax = 1.5
    tiers? <exists>
    size = 2
    item []:
        item [1]:
            class = "IntervalTier"
            name = "words"
            xmin = 0
            xmax = 1.5
            intervals: size = 2
            intervals [1]:
                xmin = 0
                xmax = 0.5
                text = ""
            intervals [2]:
                xmin = 0.5
    """
    alignments = as_alignments(alignment)
    end = decimal(_last_time(alignments) if duration is None else duration)
    tiers = []
    if any(one.words for one in alignments):
        words = [entry for one in alignments if one.words for entry in timed_entries(one, "words")]
        tiers.append((word_tier, _contiguous(words, end)))
    tokens = [entry for one in alignments for entry in timed_entries(one, "tokens")]
    tiers.append((token_tier, _contiguous(tokens, end)))
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {end}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, (name, intervals) in enumerate(tiers, start=1):
        lines += _tier_lines(number, name, intervals, end)
    return finished("\n".join(lines) + "\n", path)


def _last_time(alignments: Iterable[Alignment]) -> float:
    ends = [one.scale.extent or one.scale.seconds(one.states.size) for one in alignments]
    return max(ends, default=0.0)


def _contiguous(entries: Iterable[Entry], end: str) -> list[tuple[str, str, str]]:
    """Fill the gaps; times are compared as they are written, so that no interval is empty."""
    intervals = []
    at = "0"
    for entry in sorted(entries, key=lambda entry: entry.start):
        left, right = decimal(entry.start), decimal(entry.end)
        if left == right:
            continue
        if float(left) < float(at):
            raise ValueError(
                f"{entry.text!r} starts at {left} s, before the one before it ends ({at} s); "
                "give each alignment its offset, or write one file each"
            )
        if left != at:
            intervals.append((at, left, ""))
        intervals.append((left, right, entry.text))
        at = right
    if float(at) > float(end):
        raise ValueError(f"the last interval ends at {at} s, beyond the duration of {end} s")
    if at != end or not intervals:
        intervals.append((at, end, ""))
    return intervals


def _tier_lines(
    number: int, name: str, intervals: Sequence[tuple[str, str, str]], end: str
) -> list[str]:
    lines = [
        f"    item [{number}]:",
        '        class = "IntervalTier"',
        f"        name = {_quoted(name)}",
        "        xmin = 0",
        f"        xmax = {end}",
        f"        intervals: size = {len(intervals)}",
    ]
    for index, (left, right, text) in enumerate(intervals, start=1):
        lines += [
            f"        intervals [{index}]:",
            f"            xmin = {left}",
            f"            xmax = {right}",
            f"            text = {_quoted(text)}",
        ]
    return lines


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
