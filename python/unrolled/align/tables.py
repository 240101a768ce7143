"""Tables of words: tab-separated values, and the label tracks of Audacity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from unrolled.align.timeline import (
    Level,
    Path,
    as_alignments,
    decimal,
    finished,
    listed_items,
    text_of,
    timed_entries,
)

if TYPE_CHECKING:
    from unrolled.align.alignment import Alignment
    from unrolled.align.words import Word
    from unrolled.ctc.spans import Span

_COLUMNS = ("start", "end", "text", "score", "min_score", "posterior", "estimated", "omitted")


def to_tsv(
    alignment: Alignment | Sequence[Alignment],
    path: Path | None = None,
    *,
    level: Level | None = None,
) -> str:
    r"""Write a table with a line of names and a line for each word (``.tsv``).

    Parameters
    ----------
    alignment : Alignment, or sequence of them
        Several are parts of one recording, each with its ``offset``.
    path : path, optional
        Where to write it, UTF-8, all or nothing.
    level : {"words", "tokens"}, optional
        What to write; words where there are any.

    Returns
    -------
    str
        Columns start and end, text, score, min_score, posterior, estimated and omitted (0 or 1).
        Start and end are seconds, pixels where frames have a ``stride``, or else frames. What is
        not known is left empty.

    Raises
    ------
    ValueError
        If there are no words where they are asked for.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled.align import Alignment
    >>> alignment = Alignment(
    ...     np.array([1, 3], np.int32), -0.4, np.array([2, 3]), 0, np.array([-0.1, -0.3]),
    ...     labels="_ ab", separator=" ", seconds_per_frame=0.5,
    ... )
    >>> print(to_tsv(alignment).expandtabs(8))
    start   end     text    score   min_score       posterior       estimated       omitted
    0       1       ab      -0.2    -0.3            0       0
    <BLANKLINE>
    """
    items = [item for one in as_alignments(alignment) for item in listed_items(one, level)]
    rows = sorted([(*_place(item), item) for item in items], key=lambda row: row[0])
    lines = ["\t".join(_COLUMNS)]
    for start, end, item in rows:
        numbers = [_number(item.score), _number(item.min_score), _number(item.posterior)]
        flags = [str(int(item.estimated)), str(int(item.omitted))]
        lines.append("\t".join([decimal(start), decimal(end), text_of(item), *numbers, *flags]))
    return finished("\n".join(lines) + "\n", path)


def to_audacity(
    alignment: Alignment | Sequence[Alignment],
    path: Path | None = None,
    *,
    level: Level | None = None,
) -> str:
    r"""Write a label track of Audacity: start, end and text between tabs (``.txt``).

    Parameters
    ----------
    alignment, path, level
        As for `unrolled.align.to_tsv`.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the alignment has no ``seconds_per_frame``, or no words where they are asked for.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled.align import Alignment
    >>> alignment = Alignment(
    ...     np.array([1, 3], np.int32), -0.4, np.array([2, 3]), 0, np.array([-0.1, -0.3]),
    ...     labels="_ ab", separator=" ", seconds_per_frame=0.5,
    ... )
    >>> to_audacity(alignment)
    '0.000000\t1.000000\tab\n'
    """
    rows = [row for one in as_alignments(alignment) for row in timed_entries(one, level)]
    rows.sort(key=lambda row: row.start)
    lines = [f"{row.start:.6f}\t{row.end:.6f}\t{row.text}\n" for row in rows]
    return finished("".join(lines), path)


def _place(item: Word | Span) -> tuple[float, float]:
    if item.scale.seconds_per_frame is not None:
        return item.start_seconds, item.end_seconds
    if item.scale.stride is not None:
        return item.left, item.right
    return item.start, item.end


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.6g}"
