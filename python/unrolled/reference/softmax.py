"""Softmax and its logarithm over the last axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


def softmax(x: ArrayLike) -> Array:
    """Return ``exp(x) / sum(exp(x))`` over the last axis.

    Parameters
    ----------
    x : array (..., C)

    Returns
    -------
    array (..., C), float64; rows sum to 1.
    """
    return np.asarray(np.exp(log_softmax(x)))


def softmax_backward(grad_y: ArrayLike, y: ArrayLike) -> Array:
    """Return the gradient of `softmax` from its output `y`.

    The Jacobian of a row is ``diag(y) - y y'``.

    Parameters
    ----------
    grad_y, y : array (..., C)

    Returns
    -------
    grad_x (..., C), float64.
    """
    grad_y, y = np.asarray(grad_y, np.float64), np.asarray(y, np.float64)
    return np.asarray(y * (grad_y - np.sum(grad_y * y, axis=-1, keepdims=True)))


def log_softmax(x: ArrayLike) -> Array:
    """Return ``x - log(sum(exp(x)))`` over the last axis, the maximum taken out first.

    Parameters
    ----------
    x : array (..., C)

    Returns
    -------
    array (..., C), float64.
    """
    x = np.asarray(x, np.float64)
    if x.size == 0:
        return np.zeros_like(x)
    shifted = x - np.max(x, axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True)))


def log_softmax_backward(grad_y: ArrayLike, y: ArrayLike) -> Array:
    """Return the gradient of `log_softmax` from its output `y`.

    Parameters
    ----------
    grad_y, y : array (..., C)

    Returns
    -------
    grad_x (..., C), float64.
    """
    grad_y, y = np.asarray(grad_y, np.float64), np.asarray(y, np.float64)
    return np.asarray(grad_y - np.exp(y) * np.sum(grad_y, axis=-1, keepdims=True))
