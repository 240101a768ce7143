"""Reading a path off the emissions without a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import RealArray, as_indices, as_lengths
from unrolled.ctc.batch import as_batch, as_class
from unrolled.ctc.spans import Span


@dataclass(frozen=True)
class Hypothesis:
    """A reading: its tokens, their spans, and the log probability of its path.

    What a search finds, `unrolled.decode.Hypothesis`, is one with a text and more.

    Attributes
    ----------
    tokens : list of int
    spans : list of Span
    score : float
        Natural logarithm; higher is better.
    """

    tokens: list[int]
    spans: list[Span]
    score: float


def greedy(
    log_probs: Any, lengths: Any = None, *, blank: int | None = 0, keep: Any = None
) -> Hypothesis | list[Hypothesis]:
    """Read the best class of each frame: repeats merged, blanks dropped.

    Parameters
    ----------
    log_probs : array, shape (N, T, C) or (T, C)
    lengths : array of int, shape (N,), optional
        Frames of each item; all T where not given.
    blank : int, optional
        Class of the blank; negative counts from the end. None where there is no blank: the output
        of a network that labels every frame is then read as the symbols in their order, and two
        equal ones beside each other cannot be told from one that lasts.
    keep : array of int, optional
        The only classes to read, beside the blank; a list of lists gives each item its own. With a
        target's tokens this prunes the output to the symbols that are known to occur. It does not
        see to their order or number: `unrolled.align.forced_align` does.

    Returns
    -------
    Hypothesis for (T, C), list of them for (N, T, C)
        Each span covers the frames in which its token is the best class; of equal values the lower
        class is taken.

    Raises
    ------
    ValueError
        Shapes or lengths do not fit, or `keep` holds what is no class or leaves nothing to read.

    Examples
    --------
    >>> import numpy as np
    >>> best = [1, 1, 0, 1, 2]
    >>> greedy(np.log(np.eye(3)[best] * 0.9 + 0.05)).tokens
    [1, 1, 2]
    >>> [(span.token, span.end) for span in greedy(np.eye(3)[best], blank=None).spans]
    [(1, 2), (0, 3), (1, 4), (2, 5)]
    >>> greedy(np.eye(3)[best], keep=[2]).tokens  # without class 1 the first frames are blank
    [2]
    """
    scores, batched = as_batch(log_probs)
    n, frames, classes = scores.shape
    blank = None if blank is None else as_class(blank, classes)
    lengths = as_lengths(lengths, "lengths", n, frames)
    pruned = _kept_classes(keep, n, classes, blank)
    readings = [
        _read_path(item[:t], blank, kept)
        for item, t, kept in zip(scores, lengths, pruned, strict=True)
    ]
    return readings if batched else readings[0]


def _kept_classes(
    keep: Any, n: int, classes: int, blank: int | None
) -> list[NDArray[np.int64] | None]:
    """Return each item's classes in rising order, or None for all."""
    if keep is None:
        return [None] * n
    own = isinstance(keep, (list, tuple)) and any(np.ndim(tokens) > 0 for tokens in keep)
    rows = [as_indices(row, "keep", ndim=1) for row in (keep if own else [keep])]
    if own and len(rows) != n:
        raise ValueError(f"keep must have one list an item: {n}, got {len(rows)}")
    blanks = np.array([] if blank is None else [blank], np.int64)
    kept = [np.unique(np.concatenate([row, blanks])) for row in rows]
    for item, row in enumerate(kept):
        if not row.size or row[0] < 0 or row[-1] >= classes:
            where = f" of item {item}" if own else ""
            raise ValueError(
                f"keep{where} must hold at least one class, all in 0 .. {classes - 1}, "
                f"got {rows[item].tolist()}"
            )
    return [*kept] if own else [kept[0]] * n


def _read_path(
    scores: RealArray, blank: int | None, kept: NDArray[np.int64] | None = None
) -> Hypothesis:
    if kept is not None:
        scores = scores[:, kept]
    path = scores.argmax(axis=1)
    path = path if kept is None else kept[path]
    best = scores.max(axis=1, initial=-np.inf).astype(np.float64)
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    ends = np.append(starts, path.size)[1:]
    spans = [
        Span(int(path[start]), int(start), int(end), float(best[start:end].mean()))
        for start, end in zip(starts, ends, strict=True)
        if path[start] != blank
    ]
    return Hypothesis([span.token for span in spans], spans, float(best.sum()))
