"""Borders around images or sequences, and the way of the gradient back through them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from unrolled._arrays import RealArray, as_real, as_sizes

Borders: TypeAlias = "Sequence[tuple[int, int]]"

MODES = ("zeros", "reflect", "replicate")


def pad(x: Any, padding: Borders, mode: str = "zeros") -> RealArray:
    """Put a border around the last axes.

    Parameters
    ----------
    x : array, shape (..., H, W)
    padding : sequence of (int, int)
        Elements before and behind, a pair for each of the last axes in their order.
    mode : "zeros", "reflect" or "replicate"
        What the border holds: zeros, the elements next to the edge as in a mirror that stands on
        the edge's own element, or copies of the edge.

    Returns
    -------
    array, shape (..., before + H + behind, before + W + behind)

    Raises
    ------
    ValueError
        The mode is unknown, the axes do not suffice, or a mirrored border is not smaller than
        the axis.

    Examples
    --------
    >>> pad([1, 2, 3], [(2, 1)], "reflect")
    array([3., 2., 1., 2., 3., 2.], dtype=float32)
    """
    x = as_real(x, "x")
    borders = _check(padding, x.ndim)
    sizes = x.shape[x.ndim - len(borders) :]
    check_borders(sizes, borders, mode)
    return add_borders(x, borders, mode)


def pad_backward(grad_y: Any, padding: Borders, mode: str = "zeros") -> RealArray:
    """Gradient of `pad`: what the border received goes to the elements it was copied from.

    Parameters
    ----------
    grad_y : array, shape (..., before + H + behind, before + W + behind)
    padding, mode
        As in the forward pass.

    Returns
    -------
    array, shape (..., H, W)

    Raises
    ------
    ValueError
        As `pad`, or the borders are larger than the array.

    Examples
    --------
    >>> pad_backward([1, 2, 3, 4, 5, 6], [(2, 1)], "reflect")
    array([ 3., 12.,  6.], dtype=float32)
    """
    grad_y = as_real(grad_y, "grad_y")
    borders = _check(padding, grad_y.ndim)
    padded = grad_y.shape[grad_y.ndim - len(borders) :]
    sizes = tuple(size - sum(border) for size, border in zip(padded, borders, strict=True))
    if min(sizes, default=0) < 0:
        raise ValueError(f"padding {tuple(borders)} is larger than grad_y, of shape {padded}")
    check_borders(sizes, borders, mode)
    return fold_borders(grad_y.copy(), borders, mode)


def check_borders(sizes: tuple[int, ...], borders: Borders, mode: str) -> None:
    """Raise unless axes of these sizes can have these borders."""
    if mode not in MODES:
        raise ValueError(f"padding_mode must be one of {', '.join(MODES)}, got {mode!r}")
    for size, border in zip(sizes, borders, strict=True):
        if mode == "reflect" and max(border) >= max(size, 1):
            raise ValueError(
                f"padding of {max(border)} with padding_mode 'reflect' must be smaller than the "
                f"axis of x it mirrors, which has {size} elements"
            )
        if mode == "replicate" and max(border) > 0 and size == 0:
            raise ValueError(
                "padding_mode 'replicate' needs an edge to copy: an axis of x is empty"
            )


def add_borders(x: RealArray, borders: Borders, mode: str) -> RealArray:
    """`pad` for arguments that have been checked."""
    inside = _inside(x.shape[x.ndim - len(borders) :], borders)
    around = [before + behind for before, behind in borders]
    others = x.ndim - len(borders)
    shape = [*x.shape[:others], *np.add(x.shape[others:], around)]
    y = np.zeros(shape, x.dtype)
    y[inside] = x
    if mode == "zeros":
        return y
    for axis, (before, behind) in enumerate(borders, start=others):
        rows, end = np.moveaxis(y, axis, 0), before + x.shape[axis]
        if mode == "reflect":
            rows[:before] = rows[before + 1 : 2 * before + 1][::-1]
            rows[end:] = rows[end - 1 - behind : end - 1][::-1]
        else:
            rows[:before] = rows[before : before + 1]
            rows[end:] = rows[end - 1 : end]
    return y


def fold_borders(grad: RealArray, borders: Borders, mode: str) -> RealArray:
    """`pad_backward` for arguments that have been checked; writes into `grad`."""
    others = grad.ndim - len(borders)
    padded = grad.shape[others:]
    sizes = tuple(size - sum(border) for size, border in zip(padded, borders, strict=True))
    for axis in reversed(range(len(borders))):  # the last that `add_borders` filled comes first
        if mode != "zeros":
            _fold(np.moveaxis(grad, others + axis, 0), borders[axis], sizes[axis], mode)
    return np.ascontiguousarray(grad[_inside(sizes, borders)])


def _fold(rows: RealArray, border: tuple[int, int], size: int, mode: str) -> None:
    (before, behind), end = border, border[0] + size
    if mode == "reflect":
        rows[before + 1 : 2 * before + 1] += rows[:before][::-1]
        rows[end - 1 - behind : end - 1] += rows[end:][::-1]
    elif size > 0:
        rows[before] += rows[:before].sum(axis=0)
        rows[end - 1] += rows[end:].sum(axis=0)


def _inside(sizes: tuple[int, ...], borders: Borders) -> tuple[Any, ...]:
    spans = [slice(b, b + size) for size, (b, _) in zip(sizes, borders, strict=True)]
    return (..., *spans)


def _check(padding: Borders, axes: int) -> list[tuple[int, int]]:
    borders = []
    for axis, border in enumerate(padding):
        before, behind = as_sizes(border, f"padding of axis {axis}", 2, 0)
        borders.append((before, behind))
    if len(borders) > axes:
        raise ValueError(f"padding is for {len(borders)} axes, the array has {axes}")
    return borders
