"""Tables of words: tab-separated values, and the label tracks of Audacity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from unrolled.align.timeline import (
    Entry,
    Level,
    Path,
    as_alignments,
    decimal,
    finished,
    timed_entries,
)

if TYPE_CHECKING:
    from unrolled.align.alignment import Alignment

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
        Columns start and end (seconds), text, score, min_score, posterior, estimated and omitted (0
        or 1). What is not known is left empty.

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
    >>> print(to_tsv(alignment).expandtabs(8))
    start   end     text    score   min_score       posterior       estimated       omitted
    0       1       ab      -0.2    -0.3            0       0
    <BLANKLINE>
    """
    lines = ["\t".join(_COLUMNS)]
    for row in _rows(alignment, level):
        item = row.item
        numbers = [_number(item.score), _number(item.min_score), _number(item.posterior)]
        flags = [str(int(item.estimated)), str(int(item.omitted))]
        lines.append("\t".join([decimal(row.start), decimal(row.end), row.text, *numbers, *flags]))
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
    ValueError, OSError
        As for `unrolled.align.to_tsv`.

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
    rows = _rows(alignment, level)
    lines = [f"{row.start:.6f}\t{row.end:.6f}\t{row.text}\n" for row in rows]
    return finished("".join(lines), path)


def _rows(alignments: Alignment | Sequence[Alignment], level: Level | None) -> list[Entry]:
    rows = [row for one in as_alignments(alignments) for row in timed_entries(one, level)]
    return sorted(rows, key=lambda row: row.start)


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.6g}"
