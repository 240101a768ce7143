"""Activations, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


def relu(x: ArrayLike) -> Array:
    """Return ``max(x, 0)``; a NaN stays a NaN."""
    return np.maximum(np.asarray(x, np.float64), 0.0)


def relu_backward(grad_y: ArrayLike, y: ArrayLike) -> Array:
    """Pass the gradient where the output `y` is positive; at 0 the slope is 0."""
    return np.where(np.asarray(y) > 0, np.asarray(grad_y, np.float64), 0.0)


def bias_relu(x: ArrayLike, bias: ArrayLike) -> Array:
    """Add a bias to every channel, then apply `relu`.

    Parameters
    ----------
    x : array (N, C, ...)
    bias : array (C,)

    Returns
    -------
    array (N, C, ...), float64.
    """
    x = np.asarray(x, np.float64)
    channel = np.asarray(bias, np.float64).reshape(-1, *[1] * (x.ndim - 2))
    return relu(x + channel)


def bias_relu_backward(grad_y: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Return the gradients of `bias_relu` from its output `y`.

    Parameters
    ----------
    grad_y, y : array (N, C, ...)

    Returns
    -------
    grad_x (N, C, ...), grad_bias (C,); float64.
    """
    grad_x = relu_backward(grad_y, y)
    others = tuple(axis for axis in range(grad_x.ndim) if axis != 1)
    return grad_x, grad_x.sum(axis=others)


def exp(x: ArrayLike) -> Array:
    """Return e to the power `x`."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.exp(np.asarray(x, np.float64)))


def tanh(x: ArrayLike) -> Array:
    """Return the hyperbolic tangent."""
    return np.asarray(np.tanh(np.asarray(x, np.float64)))


def sigmoid(x: ArrayLike) -> Array:
    """Return ``1 / (1 + exp(-x))`` without overflow: the exponent is never positive."""
    x = np.asarray(x, np.float64)
    shrunk = exp(-np.abs(x))
    return np.where(x >= 0, 1.0, shrunk) / (1.0 + shrunk)
