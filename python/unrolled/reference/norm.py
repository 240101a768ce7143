"""Batch normalisation (Ioffe and Szegedy 2015, algorithm 1)."""

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
) -> tuple[Array, Array, Array]:
    """Return the gradients of `batch_norm` in training: mean and variance depend on `x`.

    Parameters
    ----------
    grad_y, x : array (N, C, ...)
    weight : array (C,) or None
    mean, var : array (C,)
        The statistics of the batch that `batch_norm` returned.
    eps : float

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
        through_mean = np.mean(grad_normalised)
        through_var = normalised * np.mean(grad_normalised * normalised)
        grad_x[:, c] = (grad_normalised - through_mean - through_var) / std
    return grad_x, grad_weight, grad_bias
