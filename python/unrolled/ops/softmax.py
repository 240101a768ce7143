"""Softmax and log-softmax over the last axis."""

from __future__ import annotations

from typing import Any

from unrolled import _core
from unrolled._arrays import RealArray, as_real, as_reals, require_shape


def softmax(x: Any) -> RealArray:
    """Probabilities ``exp(x) / sum(exp(x))`` of each row of scores.

    Parameters
    ----------
    x : array, shape (..., C)

    Returns
    -------
    array, shape (..., C)

    Raises
    ------
    ValueError
        `x` is a scalar.
    """
    return _core.softmax(_rows(x))


def log_softmax(x: Any) -> RealArray:
    """Natural logarithm of `softmax`, without its underflow.

    Parameters
    ----------
    x : array, shape (..., C)

    Returns
    -------
    array, shape (..., C)

    Raises
    ------
    ValueError
        `x` is a scalar.
    """
    return _core.log_softmax(_rows(x))


def softmax_backward(grad_y: Any, y: Any) -> RealArray:
    """Gradient of `softmax` from its output: ``y * (grad_y - sum(grad_y * y))``."""
    return _core.softmax_backward(*_grad_and_output(grad_y, y))


def log_softmax_backward(grad_y: Any, y: Any) -> RealArray:
    """Gradient of `log_softmax` from its output: ``grad_y - exp(y) * sum(grad_y)``."""
    return _core.log_softmax_backward(*_grad_and_output(grad_y, y))


def _rows(x: Any) -> RealArray:
    x = as_real(x, "x")
    if x.ndim == 0:
        raise ValueError("x must have at least one axis, got a scalar")
    return x


def _grad_and_output(grad_y: Any, y: Any) -> tuple[RealArray, RealArray]:
    grad_y, y = as_reals(grad_y=grad_y, y=_rows(y))
    require_shape(grad_y, "grad_y", y.shape, "the shape of y")
    return grad_y, y
