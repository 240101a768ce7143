"""CTM files, the time marks of NIST's scoring tools (SCTK, ``doc/infmts.htm``)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Literal, NamedTuple

from unrolled.align.timeline import (
    Level,
    Path,
    as_alignments,
    finished,
    milliseconds,
    timed_entries,
)

if TYPE_CHECKING:
    from unrolled.align.alignment import Alignment
    from unrolled.align.words import Word
    from unrolled.ctc.spans import Span

Confidence = Literal["score", "min_score", "posterior"]


class CTMWord(NamedTuple):
    """A line of a CTM file: a word of `file` and `channel`, times in seconds."""

    file: str
    channel: str
    start: float
    duration: float
    word: str
    confidence: float | None = None


def to_ctm(
    alignment: Alignment | Sequence[Alignment],
    path: Path | None = None,
    *,
    file: str | Sequence[str] = "audio",
    channel: str = "1",
    confidence: Confidence | None = "score",
    level: Level | None = None,
) -> str:
    r"""Write a CTM file: ``file channel begin duration word confidence``, a line each.

    Parameters
    ----------
    alignment : Alignment, or sequence of them
    path : path, optional
        Where to write it, UTF-8, all or nothing.
    file : str, or sequence of str
        Name of the recording, without spaces; one an alignment where they are of several.
    channel : str
        Channel of the recording.
    confidence : {"score", "min_score", "posterior"}, optional
        What to write as confidence: the mean or the least probability of the word's frames, or the
        mean posterior. 0 where it is not known, nothing with None.
    level : {"words", "tokens"}, optional
        What to write; words where there are any.

    Returns
    -------
    str
        Lines sorted by file, channel and begin. Begin and end are rounded to milliseconds, and the
        duration is their difference. White space within a word is written as ``_``.

    Raises
    ------
    ValueError
        If the alignment has no ``seconds_per_frame``, `file` or `channel` has white space or is
        empty, there is not one `file` an alignment, or posteriors are asked for and not known.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled.align import Alignment
    >>> alignment = Alignment(
    ...     np.array([0, 1, 3], np.int32), -0.4, np.array([2, 3]), 0, np.log([0.5, 0.5, 0.5]),
    ...     labels="_ ab", separator=" ", seconds_per_frame=0.5,
    ... )
    >>> to_ctm(alignment, file="talk")
    'talk 1 0.500 1.000 ab 0.500\n'
    """
    if confidence not in (None, "score", "min_score", "posterior"):
        raise ValueError(f"confidence must be score, min_score or posterior, got {confidence!r}")
    alignments = as_alignments(alignment)
    files = [file] * len(alignments) if isinstance(file, str) else list(file)
    if len(files) != len(alignments):
        raise ValueError(
            f"file must have one name an alignment: {len(alignments)}, got {len(files)}"
        )
    _require_plain("channel", [channel])
    _require_plain("file", files)
    rows = []
    for one, name in zip(alignments, files, strict=True):
        for entry in timed_entries(one, level):
            start, end = milliseconds(entry.start), milliseconds(entry.end)
            word = entry.text.replace(" ", "_") or "_"
            rows.append((name, channel, start, end - start, word, _share(entry.item, confidence)))
    rows.sort(key=lambda row: row[:3])
    lines = [
        f"{name} {side} {_seconds(start)} {_seconds(duration)} {word}{share}\n"
        for name, side, start, duration, word, share in rows
    ]
    return finished("".join(lines), path)


def read_ctm(path: Path) -> list[CTMWord]:
    r"""Read a CTM file.

    Parameters
    ----------
    path : path
        The file, UTF-8; ``;;`` starts a comment, empty lines do not count.

    Returns
    -------
    list of CTMWord
        In the order of the file.

    Raises
    ------
    ValueError
        If a line has not five or six fields, or a field is no number; the message names the line.
        Alternatives (``<ALT_BEGIN>``) are not read.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> with open("talk.ctm", "w") as file:
    ...     _ = file.write(";; by hand\ntalk 1 0.5 1.25 yes 0.9\ntalk 1 2 0.5 no\n")
    >>> read_ctm("talk.ctm")[1]
    CTMWord(file='talk', channel='1', start=2.0, duration=0.5, word='no', confidence=None)
    """
    try:
        text = FilePath(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from None
    lines = enumerate(re.split(r"\r?\n", text), start=1)
    return [
        _parse_line(line.split(), f"{path}:{number}")
        for number, line in lines
        if line.strip() and not line.lstrip().startswith(";;")
    ]


def _parse_line(fields: list[str], source: str) -> CTMWord:
    if len(fields) not in (5, 6):
        raise ValueError(
            f"{source}: {len(fields)} fields; a line must have file, channel, begin, duration, "
            "word and perhaps confidence"
        )
    start, duration = (_parse_number(field, source) for field in fields[2:4])
    if duration < 0:
        raise ValueError(f"{source}: the duration is {duration}, it must be at least 0")
    has_confidence = len(fields) == 6 and fields[5] != "NA"
    confidence = _parse_number(fields[5], source) if has_confidence else None
    return CTMWord(fields[0], fields[1], start, duration, fields[4], confidence)


def _parse_number(field: str, source: str) -> float:
    try:
        value = float(field)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{source}: {field!r} must be a number")
    return value


def _require_plain(name: str, values: Iterable[str]) -> None:
    for value in values:
        if not value or value.split() != [value] or value.startswith(";;"):
            raise ValueError(f"{name} must be a word without white space, got {value!r}")


def _share(item: Word | Span, confidence: Confidence | None) -> str:
    if confidence is None:
        return ""
    value = getattr(item, confidence)
    if confidence == "posterior":
        if value is None and not item.estimated:
            raise ValueError("there are no posteriors: align with posterior=True")
        share = math.nan if value is None else value
    else:
        share = math.exp(min(value, 0.0)) if value == value else math.nan
    return f" {share:.3f}" if share == share else " 0.000"


def _seconds(time: int) -> str:
    return f"{time // 1000}.{time % 1000:03}"
