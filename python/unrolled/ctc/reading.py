"""Reading a path off the emissions without a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unrolled._arrays import RealArray, as_lengths
from unrolled.ctc.batch import as_batch, as_class
from unrolled.ctc.spans import Span


@dataclass(frozen=True)
class Hypothesis:
    """A reading: its tokens, their spans, and the log probability of its path."""

    tokens: list[int]
    spans: list[Span]
    score: float


def greedy(
    log_probs: Any, lengths: Any = None, *, blank: int | None = 0
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

    Returns
    -------
    Hypothesis for (T, C), list of them for (N, T, C)
        Each span covers the frames in which its token is the best class; of equal values the lower
        class is taken.

    Raises
    ------
    ValueError
        Shapes or lengths do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> best = [1, 1, 0, 1, 2]
    >>> greedy(np.log(np.eye(3)[best] * 0.9 + 0.05)).tokens
    [1, 1, 2]
    >>> [(span.token, span.end) for span in greedy(np.eye(3)[best], blank=None).spans]
    [(1, 2), (0, 3), (1, 4), (2, 5)]
    """
    scores, batched = as_batch(log_probs)
    n, frames, classes = scores.shape
    blank = None if blank is None else as_class(blank, classes)
    lengths = as_lengths(lengths, "lengths", n, frames)
    readings = [_read_path(item[:t], blank) for item, t in zip(scores, lengths, strict=True)]
    return readings if batched else readings[0]


def _read_path(scores: RealArray, blank: int | None) -> Hypothesis:
    path = scores.argmax(axis=1)
    best = scores.max(axis=1, initial=-np.inf).astype(np.float64)
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    ends = np.append(starts, path.size)[1:]
    spans = [
        Span(int(path[start]), int(start), int(end), float(best[start:end].mean()))
        for start, end in zip(starts, ends, strict=True)
        if path[start] != blank
    ]
    return Hypothesis([span.token for span in spans], spans, float(best.sum()))
