"""Words gathered to what stands on the screen at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unrolled.align.timeline import Entry, Level, as_alignments, milliseconds, timed_entries

if TYPE_CHECKING:
    from unrolled.align.alignment import Alignment


@dataclass(frozen=True, slots=True)
class CueRules:
    """When a new cue begins, and how its text is set.

    Parameters
    ----------
    max_chars : int
        Characters of a cue, spaces between words included; a longer word has a cue of its own.
    max_line : int
        Characters of a line of a cue.
    max_duration : float
        Seconds from the start of a cue to its end.
    max_gap : float
        Seconds between words of one cue: a longer pause ends it.
    min_duration : float
        Seconds that a cue stays at least, if the next one does not begin before.
    level : {"words", "tokens"}, optional
        What to write; words where there are any.

    Raises
    ------
    ValueError
        If a number is not above 0 (`min_duration`: below 0).
    """

    max_chars: int = 84
    max_line: int = 42
    max_duration: float = 7.0
    max_gap: float = 1.0
    min_duration: float = 0.0
    level: Level | None = None

    def __post_init__(self) -> None:
        for name in ("max_chars", "max_line", "max_duration", "max_gap"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not 0 <= self.min_duration < math.inf:
            raise ValueError(f"min_duration must be at least 0, got {self.min_duration}")


@dataclass(frozen=True, slots=True)
class TimedText:
    """A text from `start` to `end`, whole milliseconds."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines of timed words from `start` to `end`, whole milliseconds; never empty.

    `joiner` stands between the words of a line.
    """

    start: int
    end: int
    lines: list[list[TimedText]]
    joiner: str


def make_cues(alignments: Alignment | Sequence[Alignment], rules: CueRules) -> list[Cue]:
    """Return the cues of all alignments in the order of their times; none goes across two."""
    runs: list[tuple[list[Entry], str]] = []
    for alignment in as_alignments(alignments):
        entries = [entry for entry in timed_entries(alignment, rules.level) if entry.text]
        with_words = bool(alignment.words) and rules.level != "tokens"
        joiner = " " if with_words else ""
        runs += [(run, joiner) for run in _split(entries, rules, len(joiner))]
    runs.sort(key=lambda run: run[0][0].start)
    starts = [milliseconds(run[0].start) for run, _ in runs]
    cues = []
    for index, (run, joiner) in enumerate(runs):
        following = starts[index + 1] if index + 1 < len(runs) else None
        cues.append(_make_cue(run, joiner, rules, following))
    return cues


def _split(entries: Sequence[Entry], rules: CueRules, space: int) -> list[list[Entry]]:
    runs: list[list[Entry]] = []
    size = 0
    for entry in entries:
        size += space + len(entry.text)
        if not runs or size > rules.max_chars or _is_apart(runs[-1], entry, rules):
            runs.append([])
            size = len(entry.text)
        runs[-1].append(entry)
    return runs


def _is_apart(run: Sequence[Entry], entry: Entry, rules: CueRules) -> bool:
    return (
        entry.start - run[-1].end > rules.max_gap or entry.end - run[0].start > rules.max_duration
    )


def _make_cue(run: Sequence[Entry], joiner: str, rules: CueRules, following: int | None) -> Cue:
    words = [TimedText(e.text, milliseconds(e.start), milliseconds(e.end)) for e in run]
    start, end = words[0].start, words[-1].end
    wanted = start + milliseconds(rules.min_duration)
    if end < wanted:
        end = wanted if following is None else max(end, min(wanted, following))
    end = max(end, start + 1)  # players drop cues of no duration
    return Cue(start, end, _wrap(words, rules.max_line, len(joiner)), joiner)


def _wrap(words: Sequence[TimedText], max_line: int, space: int) -> list[list[TimedText]]:
    """Cut into as few lines as needed, the longest as short as it can be."""
    lines = _greedy_lines(words, max_line, space)
    total = sum(len(word.text) + space for word in words) - space
    for width in range(-(-total // len(lines)), max_line):
        narrower = _greedy_lines(words, width, space)
        if len(narrower) == len(lines):
            return narrower
    return lines


def _greedy_lines(words: Sequence[TimedText], width: int, space: int) -> list[list[TimedText]]:
    lines: list[list[TimedText]] = []
    size = 0
    for word in words:
        size += space + len(word.text)
        if not lines or size > width:
            lines.append([])
            size = len(word.text)
        lines[-1].append(word)
    return lines
