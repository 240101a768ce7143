"""Reading the best symbol of every frame, with or without knowing which symbols there are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def best_symbols(log_probs: Array, keep: Sequence[int] | None = None) -> list[int]:
    """Take the best symbol of each frame (T, C), of equals the first.

    With `keep`, all other columns of the output table are pruned. If they are the symbols of a
    target, what is left are the right symbols, but nothing sees to their order: that is what the
    graph of `trellis` is for.
    """
    kept = range(log_probs.shape[1]) if keep is None else sorted({int(symbol) for symbol in keep})
    return [max(kept, key=lambda symbol: frame[symbol]) for frame in log_probs]


def greedy(
    log_probs: Array, *, blank: int | None = 0, keep: Sequence[int] | None = None
) -> tuple[list[int], list[tuple[int, int, int]], float]:
    """Read the best class of every frame (T, C), merge repeats, drop blanks if there are any.

    Parameters
    ----------
    log_probs : array (T, C)
    blank : int, optional
    keep : sequence of int, optional
        The symbols to choose from, beside the blank.

    Returns
    -------
    tokens, one ``(token, start, end)`` each in frames, and the path's score.
    """
    log_probs = np.asarray(log_probs, np.float64)
    blank = None if blank is None else blank % log_probs.shape[1]
    if keep is not None and blank is not None:
        keep = [*keep, blank]
    path = best_symbols(log_probs, keep)
    spans, start = [], 0
    for token, frames in groupby(path):
        end = start + len(list(frames))
        if token != blank:
            spans.append((token, start, end))
        start = end
    score = float(sum(frame[token] for frame, token in zip(log_probs, path, strict=True)))
    return [token for token, _, _ in spans], spans, score
