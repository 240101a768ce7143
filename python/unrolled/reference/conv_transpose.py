"""Transposed convolution: every pixel puts its value times the filter down on the output."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .padding import per_axis

Array = NDArray[Any]
Pair = int | tuple[int, int]


def conv_transpose2d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
) -> Array:
    """Lay the filters down `stride` apart, add them up, and cut the padding off.

    Parameters
    ----------
    x : array (N, C, H, W)
    weight : array (C, K / groups, R, S)
    bias : array (K,), optional
    stride, padding, output_padding, dilation : int or (vertical, horizontal)
    groups : int
        Input channel i writes to the output channels of its own part alone.

    Returns
    -------
    array (N, K, OH, OW), float64, with
    ``OH = (H - 1) * stride - 2 * padding + dilation * (R - 1) + output_padding + 1``.
    """
    x, w = np.asarray(x, np.float64), np.asarray(weight, np.float64)
    places = _Places(x, w, per_axis(stride, 2), per_axis(dilation, 2), groups)
    (top, side), more = per_axis(padding, 2), per_axis(output_padding, 2)
    rows, columns = (size + extra for size, extra in zip(places.size, more, strict=True))
    whole = np.zeros((len(x), w.shape[1] * groups, rows, columns))
    for i, j, r, s in np.ndindex(*w.shape):
        whole[places.of(i, j, r, s)] += w[i, j, r, s] * x[:, i]
    y = whole[:, :, top : rows - top, side : columns - side]
    return y if bias is None else y + np.asarray(bias, np.float64)[:, None, None]


def conv_transpose2d_backward(
    grad_y: ArrayLike,
    x: ArrayLike,
    weight: ArrayLike,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
) -> tuple[Array, Array, Array]:
    """Return the gradients of `conv_transpose2d`: every pixel reads where it had written.

    Parameters
    ----------
    grad_y : array (N, K, OH, OW)
    x : array (N, C, H, W)
    weight : array (C, K / groups, R, S)
    stride, padding, output_padding, groups, dilation
        As in the forward pass.

    Returns
    -------
    grad_x (N, C, H, W), grad_weight (C, K / groups, R, S), grad_bias (K,); float64.
    """
    x, w = np.asarray(x, np.float64), np.asarray(weight, np.float64)
    dy = np.asarray(grad_y, np.float64)
    places = _Places(x, w, per_axis(stride, 2), per_axis(dilation, 2), groups)
    top, side = per_axis(padding, 2)
    whole = np.pad(dy, ((0, 0), (0, 0), (top, top), (side, side)))  # what was cut off counts not
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i, j, r, s in np.ndindex(*w.shape):
        read = whole[places.of(i, j, r, s)]
        dx[:, i] += w[i, j, r, s] * read
        dw[i, j, r, s] = np.sum(x[:, i] * read)
    return dx, dw, dy.sum(axis=(0, 2, 3))


def conv_transpose1d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    groups: int = 1,
    dilation: int = 1,
) -> Array:
    """Spread sequences x (N, C, L) by weight (C, K / groups, S): images of one row."""
    x, weight = np.asarray(x)[:, :, None], np.asarray(weight)[:, :, None]
    options = _one_row(stride, padding, output_padding, dilation)
    return conv_transpose2d(x, weight, bias, groups=groups, **options)[:, :, 0]


def conv_transpose1d_backward(
    grad_y: ArrayLike,
    x: ArrayLike,
    weight: ArrayLike,
    *,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    groups: int = 1,
    dilation: int = 1,
) -> tuple[Array, Array, Array]:
    """Return the gradients of `conv_transpose1d`."""
    grad_y, x, weight = (np.asarray(array)[:, :, None] for array in (grad_y, x, weight))
    options = _one_row(stride, padding, output_padding, dilation)
    dx, dw, db = conv_transpose2d_backward(grad_y, x, weight, groups=groups, **options)
    return dx[:, :, 0], dw[:, :, 0], db


class _Places:
    """Where each tap of a filter writes the pixels of x, before anything is cut off."""

    def __init__(
        self, x: Array, w: Array, stride: tuple[int, ...], dilation: tuple[int, ...], groups: int
    ) -> None:
        self.inputs, self.filters = len(w) // groups, w.shape[1]
        self.stride, self.dilation, self.count = stride, dilation, x.shape[2:]
        self.size = tuple(
            (x.shape[2 + a] - 1) * stride[a] + (w.shape[2 + a] - 1) * dilation[a] + 1
            for a in (0, 1)
        )

    def of(self, i: int, j: int, r: int, s: int) -> tuple[Any, ...]:
        """Return the index of what channel i of x writes by tap (r, s) of its filter j."""
        channel = i // self.inputs * self.filters + j
        rows, columns = (
            slice(tap * d, tap * d + (count - 1) * step + 1, step)
            for tap, d, count, step in zip(
                (r, s), self.dilation, self.count, self.stride, strict=True
            )
        )
        return slice(None), channel, rows, columns


def _one_row(stride: int, padding: int, output_padding: int, dilation: int) -> dict[str, Any]:
    return {
        "stride": (1, stride),
        "padding": (0, padding),
        "output_padding": (0, output_padding),
        "dilation": (1, dilation),
    }
