"""What users pass as emissions, as the search takes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import RealArray, as_numpy, as_reals
from unrolled.ctc.batch import as_batch


def as_own_batch(log_probs: Any, copy: bool) -> tuple[RealArray, bool]:
    """Return (N, T, C) and whether it came as a batch; with `copy` in memory of our own."""
    array = as_numpy(log_probs, "log_probs")
    scores, batched = as_batch(array)
    if copy and np.may_share_memory(scores, array):
        scores = scores.copy()
    return scores, batched


def is_ragged(log_probs: Any) -> bool:
    """Whether it is a list of items (T, C), rather than nested lists of numbers."""
    return isinstance(log_probs, (list, tuple)) and (
        not len(log_probs) or (np.ndim(log_probs[0]) == 2)
    )


def pad_items(items: Sequence[Any], classes: int) -> tuple[RealArray, NDArray[np.int64]]:
    """Return items (T_i, C) as one array (N, T, C) of our own, and their lengths.

    Raises
    ------
    ValueError
        An item has not the axes (T, C), or another number of classes; the message says which.
    """
    arrays = as_reals(**{f"log_probs[{i}]": item for i, item in enumerate(items)})
    for i, array in enumerate(arrays):
        if array.ndim != 2 or array.shape[1] != classes:
            raise ValueError(
                f"log_probs[{i}] must have the shape (T, {classes}), got {array.shape}"
            )
    lengths = np.array([len(array) for array in arrays], np.int64)
    dtype = arrays[0].dtype if arrays else np.float32
    padded = np.empty((len(arrays), lengths.max(initial=0), classes), dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
        row[len(array) :] = 0.0  # never read
    return padded, lengths
