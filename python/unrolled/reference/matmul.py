"""Matrix product and the linear layer, with the gradients written out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


def _product(a: Array, b: Array) -> Array:
    """Multiply (M, K) by (K, N): every element is a row times a column."""
    y = np.zeros((a.shape[0], b.shape[1]))
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            y[i, j] = np.sum(a[i, :] * b[:, j])
    return y


def matmul(a: ArrayLike, b: ArrayLike) -> Array:
    """Return the matrix product of `a` and `b`.

    Parameters
    ----------
    a : array (..., M, K) or (K,)
    b : array (..., K, N) or (K,)
        Leading dimensions broadcast; a vector is a row on the left, a column on the right.

    Returns
    -------
    array (..., M, N), float64, without the dimension that a vector lacks.

    Raises
    ------
    ValueError
        When the inner dimensions differ or an argument is a scalar.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("matmul needs arrays of at least one dimension")
    left = a[np.newaxis, :] if a.ndim == 1 else a
    right = b[:, np.newaxis] if b.ndim == 1 else b
    if left.shape[-1] != right.shape[-2]:
        raise ValueError(f"inner dimensions differ: {left.shape[-1]} and {right.shape[-2]}")
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left = np.broadcast_to(left, batch + left.shape[-2:])
    right = np.broadcast_to(right, batch + right.shape[-2:])
    y = np.zeros((*batch, left.shape[-2], right.shape[-1]))
    for index in np.ndindex(*batch):
        y[index] = _product(left[index], right[index])
    if b.ndim == 1:
        y = y[..., 0]
    if a.ndim == 1:
        y = y[..., 0, :] if b.ndim > 1 else y[..., 0]
    return np.asarray(y)


def linear(x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> Array:
    """Return ``x @ weight.T + bias``.

    Parameters
    ----------
    x : array (..., D)
    weight : array (O, D)
    bias : array (O,), optional

    Returns
    -------
    array (..., O), float64.
    """
    x, weight = np.asarray(x, np.float64), np.asarray(weight, np.float64)
    y = _product(_rows(x), weight.T)
    if bias is not None:
        y = y + np.asarray(bias, np.float64)
    return y.reshape(*x.shape[:-1], weight.shape[0])


def linear_backward(
    grad_y: ArrayLike, x: ArrayLike, weight: ArrayLike, *, bias: bool = True
) -> tuple[Array, Array, Array | None]:
    """Return the gradients of `linear`.

    Parameters
    ----------
    grad_y : array (..., O)
    x : array (..., D)
    weight : array (O, D)
    bias : bool
        Whether the layer has a bias.

    Returns
    -------
    grad_x (..., D), grad_weight (O, D), grad_bias (O,) or None; float64.
    """
    grad_y, x = np.asarray(grad_y, np.float64), np.asarray(x, np.float64)
    weight = np.asarray(weight, np.float64)
    dz, rows = _rows(grad_y), _rows(x)
    grad_x = _product(dz, weight).reshape(x.shape)
    grad_weight = _product(dz.T, rows)
    grad_bias = dz.sum(axis=0) if bias else None
    return grad_x, grad_weight, grad_bias


def _rows(x: Array) -> Array:
    """View (..., D) as (rows, D), empty arrays included."""
    rows = int(np.prod(x.shape[:-1]))
    return x.reshape(rows, x.shape[-1])
