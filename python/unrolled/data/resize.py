"""Scaling along one axis: the mean over the area of each new row, or linear between centres."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Pixels that shrinking holds in double precision at a time: 32 MiB.
_BLOCK = 1 << 22


def resize_rows(x: NDArray[Any], size: int) -> NDArray[Any]:
    """Scale axis 0 of an array (H, W) to ``size``; float64 unless it has that size."""
    rows = len(x)
    if size == rows:
        return x
    return _shrink_rows(x, size) if size < rows else _enlarge_rows(x, size)


def _shrink_rows(x: NDArray[Any], size: int) -> NDArray[np.float64]:
    """Mean over the rows that each new row covers, rows on an edge by their share."""
    rows, columns = x.shape
    if x.size > _BLOCK and columns > 1:  # reduceat casts its whole input
        half = columns // 2
        return np.hstack([_shrink_rows(x[:, :half], size), _shrink_rows(x[:, half:], size)])
    edges = np.arange(size + 1) * rows  # in units of 1/size of a row: exact
    whole, share = edges // size, (edges % size / size)[:, None]
    parts = np.add.reduceat(x, whole[:-1], axis=0, dtype=np.float64)
    on_edge = share * x[np.minimum(whole, rows - 1)]
    result: NDArray[np.float64] = (parts + on_edge[1:] - on_edge[:-1]) * (size / rows)
    return result


def _enlarge_rows(x: NDArray[Any], size: int) -> NDArray[np.float64]:
    """Linear between the centres of rows, constant beyond the outer ones."""
    rows = len(x)
    place = np.clip((np.arange(size) + 0.5) * (rows / size) - 0.5, 0, rows - 1)
    above = np.minimum(place.astype(np.int64), max(rows - 2, 0))
    below = np.minimum(above + 1, rows - 1)
    share = (place - above)[:, None]
    result: NDArray[np.float64] = x[above] * (1 - share) + x[below] * share
    return result
