"""Batch normalisation (Ioffe and Szegedy 2015, algorithm 1) and layer normalisation.

Layer normalisation: Ba, Kiros and Hinton 2016, equation 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


def batch_norm(
    x: ArrayLike,
    weight: ArrayLike | None,
    bias: ArrayLike | None,
    *,
    mean: ArrayLike | None = None,
    var: ArrayLike | None = None,
    eps: float = 1e-5,
) -> tuple[Array, Array, Array]:
    """Normalise every channel, then scale and shift it.

    Parameters
    ----------
    x : array (N, C, ...)
    weight, bias : array (C,) or None
    mean, var : array (C,), optional
        Statistics to use (inference). Without them those of the batch are used (training).
    eps : float
        Added to the variance.

    Returns
    -------
    y (N, C, ...), mean (C,), var (C,); float64. The variance is the biased one.
    """
    x = np.asarray(x, np.float64)
    C = x.shape[1]
    means, variances = np.zeros(C), np.zeros(C)
    y = np.zeros_like(x)
    for c in range(C):
        means[c] = np.mean(x[:, c]) if mean is None else np.asarray(mean)[c]
        variances[c] = np.mean((x[:, c] - means[c]) ** 2) if var is None else np.asarray(var)[c]
        normalised = (x[:, c] - means[c]) / np.sqrt(variances[c] + eps)
        gamma = 1.0 if weight is None else np.asarray(weight)[c]
        beta = 0.0 if bias is None else np.asarray(bias)[c]
        y[:, c] = gamma * normalised + beta
    return y, means, variances


def batch_norm_backward(
    grad_y: ArrayLike,
    x: ArrayLike,
    weight: ArrayLike | None,
    mean: ArrayLike,
    var: ArrayLike,
    *,
    eps: float = 1e-5,
    training: bool = True,
) -> tuple[Array, Array, Array]:
    """Return the gradients of `batch_norm`; in training mean and variance depend on `x`.

    Parameters
    ----------
    grad_y, x : array (N, C, ...)
    weight : array (C,) or None
    mean, var : array (C,)
        The statistics of the batch that `batch_norm` returned.
    eps : float
    training : bool
        Whether mean and variance are the batch's own.

    Returns
    -------
    grad_x (N, C, ...), grad_weight (C,), grad_bias (C,); float64.
    """
    grad_y, x = np.asarray(grad_y, np.float64), np.asarray(x, np.float64)
    mean, var = np.asarray(mean, np.float64), np.asarray(var, np.float64)
    C = x.shape[1]
    grad_x, grad_weight, grad_bias = np.zeros_like(x), np.zeros(C), np.zeros(C)
    for c in range(C):
        std = np.sqrt(var[c] + eps)
        normalised = (x[:, c] - mean[c]) / std
        grad_weight[c] = np.sum(grad_y[:, c] * normalised)
        grad_bias[c] = np.sum(grad_y[:, c])
        grad_normalised = grad_y[:, c] * (1.0 if weight is None else np.asarray(weight)[c])
        if not training:
            grad_x[:, c] = grad_normalised / std
            continue
        through_mean = np.mean(grad_normalised)
        through_var = normalised * np.mean(grad_normalised * normalised)
        grad_x[:, c] = (grad_normalised - through_mean - through_var) / std
    return grad_x, grad_weight, grad_bias


def layer_norm(
    x: ArrayLike,
    normalized_shape: int | tuple[int, ...],
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    *,
    eps: float = 1e-5,
) -> tuple[Array, Array, Array]:
    """Normalise every item over its last axes, then scale and shift element by element.

    Parameters
    ----------
    x : array (..., *normalized_shape)
    normalized_shape : int or tuple of int
    weight, bias : array of normalized_shape, or None
    eps : float
        Added to the variance.

    Returns
    -------
    y (..., *normalized_shape), mean and 1 / sqrt(var + eps) (..., 1, ...); float64.
    """
    x, axes = np.asarray(x, np.float64), _last_axes(normalized_shape)
    mean = np.mean(x, axis=axes, keepdims=True)
    var = np.mean((x - mean) ** 2, axis=axes, keepdims=True)
    inverse = 1.0 / np.sqrt(var + eps)
    gamma = 1.0 if weight is None else np.asarray(weight, np.float64)
    beta = 0.0 if bias is None else np.asarray(bias, np.float64)
    return gamma * ((x - mean) * inverse) + beta, mean, inverse


def layer_norm_backward(
    grad_y: ArrayLike,
    x: ArrayLike,
    normalized_shape: int | tuple[int, ...],
    weight: ArrayLike | None,
    mean: ArrayLike,
    inverse: ArrayLike,
) -> tuple[Array, Array, Array]:
    """Return the gradients of `layer_norm`: every item's mean and variance depend on it.

    Parameters
    ----------
    grad_y, x : array (..., *normalized_shape)
    normalized_shape : int or tuple of int
    weight : array of normalized_shape, or None
    mean, inverse : array (..., 1, ...)
        As `layer_norm` returned them.

    Returns
    -------
    grad_x, shape of x; grad_weight, grad_bias, shape normalized_shape; float64.
    """
    grad_y, x = np.asarray(grad_y, np.float64), np.asarray(x, np.float64)
    mean, inverse = np.asarray(mean, np.float64), np.asarray(inverse, np.float64)
    axes = _last_axes(normalized_shape)
    normalised = (x - mean) * inverse
    grad_normalised = grad_y * (1.0 if weight is None else np.asarray(weight, np.float64))
    through_mean = np.mean(grad_normalised, axis=axes, keepdims=True)
    through_var = normalised * np.mean(grad_normalised * normalised, axis=axes, keepdims=True)
    leading = tuple(range(x.ndim - len(axes)))
    grad_x = inverse * (grad_normalised - through_mean - through_var)
    return grad_x, np.sum(grad_y * normalised, axis=leading), np.sum(grad_y, axis=leading)


def _last_axes(normalized_shape: int | tuple[int, ...]) -> tuple[int, ...]:
    count = len(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else 1
    return tuple(range(-count, 0))
