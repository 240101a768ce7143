"""Activations, element by element."""

from __future__ import annotations

import math
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


def tanh_backward(grad_y: ArrayLike, y: ArrayLike) -> Array:
    """Return the gradient of `tanh` from its output: ``grad_y (1 - y^2)``."""
    y = np.asarray(y, np.float64)
    return np.asarray(grad_y, np.float64) * (1.0 - y * y)


def sigmoid_backward(grad_y: ArrayLike, y: ArrayLike) -> Array:
    """Return the gradient of `sigmoid` from its output: ``grad_y y (1 - y)``."""
    y = np.asarray(y, np.float64)
    return np.asarray(grad_y, np.float64) * y * (1.0 - y)


def leaky_relu(x: ArrayLike, negative_slope: float = 0.01) -> Array:
    """Return x above 0 and ``negative_slope * x`` below."""
    x = np.asarray(x, np.float64)
    return np.where(x > 0, x, negative_slope * x)


def leaky_relu_backward(grad_y: ArrayLike, x: ArrayLike, negative_slope: float = 0.01) -> Array:
    """Return the gradient of `leaky_relu`; at 0 the slope is that below."""
    slope = np.where(np.asarray(x) > 0, 1.0, negative_slope)
    return np.asarray(grad_y, np.float64) * slope


def elu(x: ArrayLike, alpha: float = 1.0) -> Array:
    """Return x above 0 and ``alpha (exp(x) - 1)`` below."""
    x = np.asarray(x, np.float64)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def elu_backward(grad_y: ArrayLike, x: ArrayLike, alpha: float = 1.0) -> Array:
    """Return the gradient of `elu`; at 0 the slope is that below, `alpha`."""
    x = np.asarray(x, np.float64)
    slope = np.where(x > 0, 1.0, alpha * exp(np.minimum(x, 0.0)))
    return np.asarray(grad_y, np.float64) * slope


def normal_cdf(x: ArrayLike) -> Array:
    """Return the probability that a standard normal number lies below x."""
    x = np.asarray(x, np.float64)
    values = [0.5 * math.erfc(-value / math.sqrt(2.0)) for value in x.ravel()]
    return np.array(values).reshape(x.shape)


def gelu(x: ArrayLike, approximate: str = "none") -> Array:
    """Return ``x normal_cdf(x)``, or the approximation of it by a tanh."""
    x = np.asarray(x, np.float64)
    if approximate == "none":
        return x * normal_cdf(x)
    return x * sigmoid(2.0 * _tanh_argument(x))  # (1 + tanh(u)) / 2 is sigmoid(2 u)


def gelu_backward(grad_y: ArrayLike, x: ArrayLike, approximate: str = "none") -> Array:
    """Return the gradient of `gelu`: the probability plus x times its derivative."""
    x = np.asarray(x, np.float64)
    if approximate == "none":
        density = exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
        slope = normal_cdf(x) + x * density
    else:
        u = 2.0 * _tanh_argument(x)
        inner = math.sqrt(2.0 / math.pi) * (1.0 + 3.0 * 0.044715 * x * x)
        slope = sigmoid(u) + x * sigmoid(u) * sigmoid(-u) * 2.0 * inner
    return np.asarray(grad_y, np.float64) * slope


def silu(x: ArrayLike) -> Array:
    """Return ``x sigmoid(x)``."""
    return np.asarray(x, np.float64) * sigmoid(x)


def silu_backward(grad_y: ArrayLike, x: ArrayLike) -> Array:
    """Return the gradient of `silu`: ``sigmoid(x) (1 + x sigmoid(-x))``."""
    x = np.asarray(x, np.float64)
    return np.asarray(grad_y, np.float64) * sigmoid(x) * (1.0 + x * sigmoid(-x))


def softplus(x: ArrayLike, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """Return ``log(1 + exp(beta x)) / beta``, and x itself where beta x is above `threshold`."""
    x = np.asarray(x, np.float64)
    z = beta * x
    smooth = (np.maximum(z, 0.0) + np.log1p(exp(-np.abs(z)))) / beta
    return np.where(z > threshold, x, smooth)


def softplus_backward(
    grad_y: ArrayLike, x: ArrayLike, beta: float = 1.0, threshold: float = 20.0
) -> Array:
    """Return the gradient of `softplus`: ``sigmoid(beta x)``, 1 above the threshold."""
    z = beta * np.asarray(x, np.float64)
    return np.asarray(grad_y, np.float64) * np.where(z > threshold, 1.0, sigmoid(z))


def _tanh_argument(x: Array) -> Array:
    return math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)
