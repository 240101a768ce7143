"""What users pass as emissions and masks, as the search takes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import RealArray, as_numpy, as_reals
from unrolled.ctc.batch import as_batch

Mask = NDArray[np.bool_]


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
            raise ValueError(f"log_probs[{i}] must have the shape (T, {classes}), got {array.shape}")
    lengths = np.array([len(array) for array in arrays], np.int64)
    dtype = arrays[0].dtype if arrays else np.float32
    padded = np.empty((len(arrays), lengths.max(initial=0), classes), dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
        row[len(array) :] = 0.0  # never read
    return padded, lengths


def as_mask(allowed: Any, shape: tuple[int, ...], batched: bool, blank: int) -> Mask:
    """Return which classes a search may use: (C,), (N, C) or (N, T, C). The blank always is.

    Parameters
    ----------
    allowed
        Bools (C,); for one item also (T, C), for a batch (N, C) or (N, T, C).
    shape
        (N, T, C) of the emissions.

    Raises
    ------
    TypeError, ValueError
        It is no mask, or of another shape.
    """
    mask = as_numpy(allowed, "allowed")
    if mask.dtype != np.bool_:
        raise TypeError(f"allowed must be a mask of bools, one a class, got dtype {mask.dtype}")
    n, frames, classes = shape
    if mask.ndim == 2 and not batched:
        mask = mask[np.newaxis]
    full = {1: (classes,), 2: (n, classes), 3: shape}.get(mask.ndim, ())
    if mask.shape != full:
        axes = f"({n}, {classes}) or ({n}, {frames}, {classes})" if batched else f"({frames}, {classes})"
        raise ValueError(
            f"allowed must have the shape ({classes},) or {axes}, got {np.shape(allowed)}"
        )
    mask = mask.copy()
    mask[..., blank] = True
    return mask


def pad_masks(masks: Sequence[Any], lengths: NDArray[np.int64], classes: int) -> Mask:
    """Return masks of items, (C,) or (T_i, C) each, as one (N, T, C).

    Raises
    ------
    ValueError
        There is not one mask an item, or one is of another shape.
    """
    if len(masks) != lengths.size:
        raise ValueError(f"allowed must have one mask an item: {lengths.size}, got {len(masks)}")
    padded = np.ones((lengths.size, lengths.max(initial=0), classes), np.bool_)
    for i, (row, mask, frames) in enumerate(zip(padded, masks, lengths.tolist(), strict=True)):
        if np.shape(mask) not in ((classes,), (frames, classes)):
            raise ValueError(
                f"allowed[{i}] must have the shape ({classes},) or ({frames}, {classes}), "
                f"got {np.shape(mask)}"
            )
        row[:frames] = as_numpy(mask, f"allowed[{i}]")
    return padded
