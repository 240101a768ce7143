"""Which classes a search may find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import as_numpy
from unrolled.decode.labels import Labels

Mask = NDArray[np.bool_]


class AllowedClasses:
    """What a decoder may find, and what a call narrows it to. The blank is always allowed.

    Parameters
    ----------
    labels : Labels
    allowed : array of bool (C,), optional
        Classes; those that can be part of a text when not given.

    Raises
    ------
    TypeError, ValueError
        It is no mask of the labels.
    """

    def __init__(self, labels: Labels, allowed: Any) -> None:
        self._always: Mask | None = None
        classes = len(labels)
        if allowed is not None:
            if np.shape(allowed) != (classes,):
                raise ValueError(
                    f"allowed must have one bool a label, ({classes},), got the shape "
                    f"{np.shape(allowed)}; pass masks of items and frames to decode"
                )
            self._always = self._as_mask(allowed, (1, 1, classes), False)
        elif labels.specials:
            self._always = np.ones(classes, np.bool_)
            self._always[list(labels.specials)] = False

    def narrowed(self, allowed: Any, shape: tuple[int, ...], batched: bool) -> Mask | None:
        """Return the mask of a search: (C,), (N, C) or (N, T, C); None for all classes.

        Parameters
        ----------
        allowed
            Bools (C,); for one item also (T, C), for a batch (N, C) or (N, T, C). Or None.
        shape
            (N, T, C) of the emissions.

        Raises
        ------
        TypeError, ValueError
            It is no mask, or of another shape.
        """
        if allowed is None:
            return self._always
        mask = self._as_mask(allowed, shape, batched)
        return mask if self._always is None else mask & self._always

    def _as_mask(self, allowed: Any, shape: tuple[int, ...], batched: bool) -> Mask:
        mask = as_numpy(allowed, "allowed")
        if mask.dtype != np.bool_:
            raise TypeError(f"allowed must be a mask of bools, one a class, got dtype {mask.dtype}")
        n, frames, classes = shape
        if mask.ndim == 2 and not batched:
            mask = mask[np.newaxis]
        full = {1: (classes,), 2: (n, classes), 3: shape}.get(mask.ndim)
        if mask.shape != full:
            axes = (
                f"({n}, {classes}) or ({n}, {frames}, {classes})"
                if batched
                else f"({frames}, {classes})"
            )
            raise ValueError(
                f"allowed must have the shape ({classes},) or {axes}, got {np.shape(allowed)}"
            )
        return np.ascontiguousarray(mask)  # the core lets the blank stand in any frame


def pad_masks(
    masks: Sequence[Any], lengths: NDArray[np.int64], classes: int, first: int = 0
) -> Mask:
    """Return masks of items, (C,) or (T_i, C) each, as one (N, T, C).

    Raises
    ------
    ValueError
        One is of another shape; items are counted from `first` on.
    """
    padded = np.ones((lengths.size, lengths.max(initial=0), classes), np.bool_)
    for i, (row, mask, frames) in enumerate(zip(padded, masks, lengths.tolist(), strict=True)):
        if np.shape(mask) not in ((classes,), (frames, classes)):
            raise ValueError(
                f"allowed[{first + i}] must have the shape ({classes},) or ({frames}, {classes}), "
                f"got {np.shape(mask)}"
            )
        row[:frames] = as_numpy(mask, f"allowed[{first + i}]")
    return padded
