"""Element-wise functions and bias + ReLU."""

from __future__ import annotations

from typing import Any

from unrolled import _core
from unrolled._arrays import RealArray, as_real, as_reals, require_shape


def exp(x: Any) -> RealArray:
    """Exponential, at most 2 ulp off in float32 and 4 in float64."""
    return _core.exp(as_real(x, "x"))


def log(x: Any) -> RealArray:
    """Natural logarithm, at most 4 ulp off; -inf at 0 and NaN below."""
    return _core.log(as_real(x, "x"))


def tanh(x: Any) -> RealArray:
    """Hyperbolic tangent, at most 4 ulp off."""
    return _core.tanh(as_real(x, "x"))


def sigmoid(x: Any) -> RealArray:
    """Logistic function ``1 / (1 + exp(-x))``, at most 4 ulp off."""
    return _core.sigmoid(as_real(x, "x"))


def relu(x: Any) -> RealArray:
    """``max(x, 0)``; NaN stays NaN."""
    return _core.relu(as_real(x, "x"))


def relu_backward(grad_y: Any, y: Any) -> RealArray:
    """Gradient of `relu` from its output: `grad_y` where ``y > 0``, else 0.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    grad_y, y = as_reals(grad_y=grad_y, y=y)
    require_shape(grad_y, "grad_y", y.shape, "the shape of y")
    return _core.relu_backward(grad_y, y)


def bias_relu(x: Any, bias: Any) -> RealArray:
    """``max(x + bias, 0)`` with one bias a channel.

    Parameters
    ----------
    x : array, shape (N, C, ...)
    bias : array, shape (C,)

    Returns
    -------
    array, shape of x

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    x, bias = as_reals(x=x, bias=bias)
    _check_channels(x, "x")
    require_shape(bias, "bias", (x.shape[1],), "the channels of x")
    return _core.bias_relu(x, bias)


def bias_relu_backward(grad_y: Any, y: Any) -> tuple[RealArray, RealArray]:
    """Gradients of `bias_relu` from its output.

    Parameters
    ----------
    grad_y, y : array, shape (N, C, ...)

    Returns
    -------
    grad_x : array, shape of y
    grad_bias : array, shape (C,)

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    grad_y, y = as_reals(grad_y=grad_y, y=y)
    _check_channels(y, "y")
    require_shape(grad_y, "grad_y", y.shape, "the shape of y")
    return _core.bias_relu_backward(grad_y, y)


def _check_channels(x: RealArray, name: str) -> None:
    if x.ndim < 2:
        raise ValueError(f"{name} must have the axes (N, C, ...), got shape {x.shape}")
