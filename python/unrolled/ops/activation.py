"""Element-wise functions, activations with their gradients, and bias + ReLU."""

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


def tanh_backward(grad_y: Any, y: Any) -> RealArray:
    """Gradient of `tanh` from its output: ``grad_y (1 - y^2)``; ValueError if shapes differ."""
    grad_y, y = _same_shape(grad_y, y=y)
    return _core.tanh_backward(grad_y, y)


def sigmoid_backward(grad_y: Any, y: Any) -> RealArray:
    """Gradient of `sigmoid` from its output: ``grad_y y (1 - y)``; ValueError if shapes differ."""
    grad_y, y = _same_shape(grad_y, y=y)
    return _core.sigmoid_backward(grad_y, y)


def leaky_relu(x: Any, negative_slope: float = 0.01) -> RealArray:
    """``x`` above 0, ``negative_slope * x`` below."""
    return _core.leaky_relu(as_real(x, "x"), negative_slope)


def leaky_relu_backward(grad_y: Any, x: Any, negative_slope: float = 0.01) -> RealArray:
    """Gradient of `leaky_relu` from its input; ValueError if the shapes differ."""
    grad_y, x = _same_shape(grad_y, x=x)
    return _core.leaky_relu_backward(grad_y, x, negative_slope)


def elu(x: Any, alpha: float = 1.0) -> RealArray:
    """``x`` above 0, ``alpha (exp(x) - 1)`` below (Clevert, Unterthiner and Hochreiter 2016)."""
    return _core.elu(as_real(x, "x"), alpha)


def elu_backward(grad_y: Any, x: Any, alpha: float = 1.0) -> RealArray:
    """Gradient of `elu` from its input; ValueError if the shapes differ."""
    grad_y, x = _same_shape(grad_y, x=x)
    return _core.elu_backward(grad_y, x, alpha)


def gelu(x: Any, approximate: str = "none") -> RealArray:
    """``x P(X < x)`` for a standard normal X (Hendrycks and Gimpel 2016).

    Parameters
    ----------
    x : array
    approximate : {"none", "tanh"}
        "none" is exact, to 9 ulp on both sides of 0; "tanh" is the paper's
        ``x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2``.

    Raises
    ------
    ValueError
        `approximate` is neither.
    """
    forward, _ = _gelu_passes(approximate)
    return forward(as_real(x, "x"))


def gelu_backward(grad_y: Any, x: Any, approximate: str = "none") -> RealArray:
    """Gradient of `gelu` from its input.

    Raises
    ------
    ValueError
        The shapes differ, or `approximate` is unknown.
    """
    _, backward = _gelu_passes(approximate)
    return backward(*_same_shape(grad_y, x=x))


def silu(x: Any) -> RealArray:
    """``x sigmoid(x)``, also called swish."""
    return _core.silu(as_real(x, "x"))


def silu_backward(grad_y: Any, x: Any) -> RealArray:
    """Gradient of `silu` from its input; ValueError if the shapes differ."""
    grad_y, x = _same_shape(grad_y, x=x)
    return _core.silu_backward(grad_y, x)


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> RealArray:
    """``log(1 + exp(beta x)) / beta``, and x itself where ``beta x > threshold``.

    Raises
    ------
    ValueError
        `beta` is 0.
    """
    return _core.softplus(as_real(x, "x"), _nonzero(beta), threshold)


def softplus_backward(grad_y: Any, x: Any, beta: float = 1.0, threshold: float = 20.0) -> RealArray:
    """Gradient of `softplus` from its input: ``grad_y sigmoid(beta x)``.

    Raises
    ------
    ValueError
        The shapes differ, or `beta` is 0.
    """
    grad_y, x = _same_shape(grad_y, x=x)
    return _core.softplus_backward(grad_y, x, _nonzero(beta), threshold)


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


def is_relu(activation: Any) -> bool:
    """Whether an operation is to end in a ReLU: its option ``activation`` is "relu", or None."""
    if activation not in (None, "relu"):
        raise ValueError(f"activation must be None or 'relu', got {activation!r}")
    return activation is not None


def _check_channels(x: RealArray, name: str) -> None:
    if x.ndim < 2:
        raise ValueError(f"{name} must have the axes (N, C, ...), got shape {x.shape}")


def _same_shape(grad_y: Any, **values: Any) -> tuple[RealArray, RealArray]:
    """Convert `grad_y` and the array that a gradient is computed from, x or y."""
    name = next(iter(values))
    grad_y, array = as_reals(grad_y=grad_y, **values)
    require_shape(grad_y, "grad_y", array.shape, f"the shape of {name}")
    return grad_y, array


def _gelu_passes(approximate: str) -> tuple[Any, Any]:
    if approximate == "none":
        return _core.gelu, _core.gelu_backward
    if approximate == "tanh":
        return _core.gelu_tanh, _core.gelu_tanh_backward
    raise ValueError(f'approximate must be "none" or "tanh", got {approximate!r}')


def _nonzero(beta: float) -> float:
    if beta == 0:
        raise ValueError("beta must not be 0")
    return beta
