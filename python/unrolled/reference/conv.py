"""Convolution layer, forward and backward, as the loops of the textbook.

One layer maps the feature maps ``Y(l-1)`` through the filters ``w`` to the affine values ``z``.
As everywhere in the field the filter is not flipped: this is a cross-correlation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Pair = int | tuple[int, int]


def conv2d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
) -> Array:
    """Slide every filter over every image.

    Parameters
    ----------
    x : array (N, C, H, W)
    weight : array (K, C, R, S)
    bias : array (K,), optional
    stride, padding : int or (vertical, horizontal)

    Returns
    -------
    array (N, K, OH, OW), float64, with ``OH = (H + 2 * padding - R) // stride + 1``.

    Raises
    ------
    ValueError
        When the filter is larger than the padded image, or the channels differ.
    """
    w = np.asarray(weight, np.float64)
    Y = _pad(np.asarray(x, np.float64), padding)
    N, C = Y.shape[:2]
    K, _, R, S = w.shape
    (down, right), (OH, OW) = _pair(stride), _output_size(Y, w, stride)
    z = np.zeros((N, K, OH, OW))
    for n, j, row, col in np.ndindex(N, K, OH, OW):
        z[n, j, row, col] = 0.0 if bias is None else np.asarray(bias)[j]
        for i, r, s in np.ndindex(C, R, S):
            z[n, j, row, col] += w[j, i, r, s] * Y[n, i, row * down + r, col * right + s]
    return z


def conv2d_backward(
    grad_y: ArrayLike, x: ArrayLike, weight: ArrayLike, *, stride: Pair = 1, padding: Pair = 0
) -> tuple[Array, Array, Array]:
    """Return the gradients of `conv2d`: each product sends its share both ways.

    Parameters
    ----------
    grad_y : array (N, K, OH, OW)
        Gradient of the loss by `z`, the layer's output before the activation.
    x : array (N, C, H, W)
    weight : array (K, C, R, S)
    stride, padding : int or (vertical, horizontal)

    Returns
    -------
    grad_x (N, C, H, W), grad_weight (K, C, R, S), grad_bias (K,); float64.
    """
    w, dz = np.asarray(weight, np.float64), np.asarray(grad_y, np.float64)
    Y = _pad(np.asarray(x, np.float64), padding)
    _, C, R, S = w.shape
    down, right = _pair(stride)
    dY, dw, db = np.zeros_like(Y), np.zeros_like(w), np.zeros(len(w))
    for n, j, row, col in np.ndindex(*dz.shape):
        db[j] += dz[n, j, row, col]
        for i, r, s in np.ndindex(C, R, S):
            above, left = row * down + r, col * right + s
            dY[n, i, above, left] += w[j, i, r, s] * dz[n, j, row, col]
            dw[j, i, r, s] += dz[n, j, row, col] * Y[n, i, above, left]
    return _unpad(dY, padding), dw, db


def _pair(value: Pair) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def _output_size(padded: Array, weight: Array, stride: Pair) -> tuple[int, int]:
    if padded.shape[1] != weight.shape[1]:
        raise ValueError(f"x has {padded.shape[1]} channels, weight needs {weight.shape[1]}")
    if padded.shape[2] < weight.shape[2] or padded.shape[3] < weight.shape[3]:
        raise ValueError(
            f"weight's window {weight.shape[2:]} is larger than the padded x {padded.shape[2:]}"
        )
    (down, right) = _pair(stride)
    rows = (padded.shape[2] - weight.shape[2]) // down + 1
    return rows, (padded.shape[3] - weight.shape[3]) // right + 1


def _pad(x: Array, padding: Pair) -> Array:
    top, left = _pair(padding)
    return np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)))


def _unpad(x: Array, padding: Pair) -> Array:
    top, left = _pair(padding)
    return x[:, :, top : x.shape[2] - top, left : x.shape[3] - left]
