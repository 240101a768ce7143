"""Borders: what stands in each place of one, and where the gradient of that place goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Borders = Sequence[tuple[int, int]]
Padding = int | tuple[int, ...] | str


def pad(x: ArrayLike, padding: Borders, mode: str = "zeros") -> Array:
    """Put a border around the last axes.

    Parameters
    ----------
    x : array (..., H, W)
    padding : sequence of (before, behind)
        A pair for each of the last axes.
    mode : "zeros", "reflect" or "replicate"

    Returns
    -------
    array (..., before + H + behind, before + W + behind), float64.
    """
    y = np.asarray(x, np.float64)
    for axis, (before, behind) in zip(_last_axes(padding), padding, strict=True):
        rows = np.moveaxis(y, axis, 0)
        sources = copied_from(len(rows), before, behind, mode)
        padded = np.zeros((len(sources), *rows.shape[1:]))
        for place, source in enumerate(sources):
            padded[place] = 0.0 if source is None else rows[source]
        y = np.moveaxis(padded, 0, axis)
    return y


def pad_backward(grad_y: ArrayLike, padding: Borders, mode: str = "zeros") -> Array:
    """Return the gradient of `pad`: every place adds its own to the place it was copied from."""
    grad = np.asarray(grad_y, np.float64)
    for axis, (before, behind) in zip(_last_axes(padding), padding, strict=True):
        padded = np.moveaxis(grad, axis, 0)
        size = len(padded) - before - behind
        rows = np.zeros((size, *padded.shape[1:]))
        for place, source in enumerate(copied_from(size, before, behind, mode)):
            if source is not None:
                rows[source] += padded[place]
        grad = np.moveaxis(rows, 0, axis)
    return grad


def copied_from(size: int, before: int, behind: int, mode: str) -> list[int | None]:
    """List, for every place of a padded axis, the place it is copied from; None stands for zero.

    Raises
    ------
    ValueError
        When the mode is unknown or a mirrored border is not smaller than the axis.
    """
    places = range(-before, size + behind)
    if mode == "zeros":
        return [place if 0 <= place < size else None for place in places]
    if mode == "replicate":
        return [min(max(place, 0), size - 1) for place in places]
    if mode != "reflect":
        raise ValueError(f"unknown padding mode {mode!r}")
    if max(before, behind) >= size:
        raise ValueError(f"a mirrored border must be smaller than the axis, which has {size}")
    return [size - 1 - abs(size - 1 - abs(place)) for place in places]


def borders(
    padding: Padding, kernel: tuple[int, ...], dilation: tuple[int, ...]
) -> list[tuple[int, int]]:
    """Return the elements before and behind each axis that a `padding` argument means."""
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if padding == "same":  # as many as the kernel takes away, the larger half behind
        around = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
        return [(total // 2, total - total // 2) for total in around]
    return [(size, size) for size in per_axis(padding, len(kernel))]


def per_axis(value: Any, axes: int) -> tuple[int, ...]:
    """Take one number for all axes."""
    return tuple(value) if isinstance(value, tuple) else (value,) * axes


def _last_axes(padding: Borders) -> range:
    return range(-len(padding), 0)
