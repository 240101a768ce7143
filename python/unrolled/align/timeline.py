"""What writers of files share: texts in seconds, times in whole milliseconds, the file itself."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from unrolled.align.words import Word
from unrolled.ctc.spans import Span

if TYPE_CHECKING:
    from unrolled.align.alignment import Alignment

Level = Literal["words", "tokens"]
Path = str | os.PathLike[str]


class Entry(NamedTuple):
    """A word or token with its text on one line, from `start` to `end` in seconds."""

    text: str
    start: float
    end: float
    item: Word | Span


def as_alignments(alignments: Alignment | Sequence[Alignment]) -> list[Alignment]:
    """Return a list of one alignment or several."""
    from unrolled.align.alignment import Alignment  # which imports the writers

    return [alignments] if isinstance(alignments, Alignment) else list(alignments)


def timed_entries(alignment: Alignment, level: Level | None) -> list[Entry]:
    """Return what `listed_items` returns, in seconds.

    Raises
    ------
    ValueError
        If words are asked for and there are none, or frames have no seconds.
    """
    items = listed_items(alignment, level)
    return [Entry(text_of(item), item.start_seconds, item.end_seconds, item) for item in items]


def listed_items(alignment: Alignment, level: Level | None) -> Sequence[Word | Span]:
    """Return words or tokens; without a `level` words, or tokens where there are none.

    Tokens that separate words are not among them.

    Raises
    ------
    ValueError
        If words are asked for and there are none.
    """
    if level not in (None, "words", "tokens"):
        raise ValueError(f'level must be "words" or "tokens", got {level!r}')
    if level == "words" and not alignment.words and alignment.spans:
        raise ValueError('there are no words: align with separator=, or pass level="tokens"')
    if level == "tokens" or not alignment.words:
        return [span for span in alignment.spans if span.token != alignment.separator]
    return alignment.words


def text_of(item: Word | Span) -> str:
    """Return the text of a word, the label of a token or else its number, on one line."""
    if isinstance(item, Word):
        text = item.text
    else:
        text = str(item.token) if item.label is None else item.label
    return " ".join(text.split())


def milliseconds(seconds: float) -> int:
    """Round a time once; everything written is made of the result.

    Examples
    --------
    >>> milliseconds(0.9995), milliseconds(3599.9999)
    (1000, 3600000)
    """
    return math.floor(seconds * 1000 + 0.5)


def clock(time: int, mark: str) -> str:
    """Write milliseconds as hours, minutes, seconds, `mark` and thousandths.

    Examples
    --------
    >>> clock(1000, ","), clock(360_000_000, ".")
    ('00:00:01,000', '100:00:00.000')
    """
    seconds, thousandths = divmod(time, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{thousandths:03}"


def decimal(seconds: float, digits: int = 6) -> str:
    """Write seconds without needless zeros.

    Examples
    --------
    >>> decimal(0.1 + 0.2), decimal(3.0)
    ('0.3', '3')
    """
    return f"{seconds:.{digits}f}".rstrip("0").rstrip(".")


def finished(text: str, path: Path | None) -> str:
    """Write the file if there is a path, in UTF-8 and all or nothing, and return its text."""
    if path is not None:
        from unrolled._files import write_atomically  # its imports take longer than ours

        write_atomically(path, text.encode("utf-8"))
    return text
