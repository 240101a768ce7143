"""Matrix product and the fully connected layer."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from unrolled import _core
from unrolled._arrays import RealArray, as_reals, require_shape
from unrolled.ops.activation import is_relu


def matmul(a: Any, b: Any) -> RealArray:
    """Matrix product with NumPy's rules for vectors and for batches of matrices.

    Parameters
    ----------
    a : array, shape (..., M, K) or (K,)
    b : array, shape (..., K, N) or (K,)

    Returns
    -------
    array, shape (..., M, N)

    Raises
    ------
    ValueError
        The inner sizes differ, the batch axes do not broadcast, or an argument is a scalar.

    Examples
    --------
    >>> matmul([[1.0, 2.0]], [[3.0], [4.0]])
    array([[11.]])
    """
    a, b = as_reals(a=a, b=b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("a and b must have at least one axis")
    left = a[np.newaxis] if a.ndim == 1 else a
    right = b[:, np.newaxis] if b.ndim == 1 else b
    if left.shape[-1] != right.shape[-2]:
        raise ValueError(f"the inner sizes of a {a.shape} and b {b.shape} differ")
    product = _matmul_matrices(left, right)
    if a.ndim == 1:
        product = product[..., 0, :]
    return product[..., 0] if b.ndim == 1 else product


def _matmul_matrices(a: RealArray, b: RealArray) -> RealArray:
    rows, inner, columns = a.shape[-2], a.shape[-1], b.shape[-1]
    if b.ndim == 2:  # one matrix for the whole batch: one product
        flat = _core.matmul(a.reshape(-1, inner) if inner else a.reshape(_count(a), 0), b)
        return flat.reshape(*a.shape[:-1], columns)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    size = int(np.prod(batch))
    a = np.ascontiguousarray(np.broadcast_to(a, (*batch, rows, inner))).reshape(size, rows, inner)
    b = np.ascontiguousarray(np.broadcast_to(b, (*batch, inner, columns)))
    return _core.batched_matmul(a, b.reshape(size, inner, columns)).reshape(*batch, rows, columns)


def _count(a: RealArray) -> int:
    return prod(a.shape[:-1])


def _as_rows(a: RealArray) -> RealArray:
    return a.reshape(_count(a), a.shape[-1])


def linear(x: Any, weight: Any, bias: Any = None, *, activation: str | None = None) -> RealArray:
    """Affine map ``x @ weight.T + bias`` over the last axis.

    Parameters
    ----------
    x : array, shape (..., D)
    weight : array, shape (O, D)
    bias : array, shape (O,), optional
    activation : None or "relu"
        Applied to the result; `linear_backward` wants the gradient before it.

    Returns
    -------
    array, shape (..., O)

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    x, weight, bias = as_reals(x=x, weight=weight, bias=bias)
    _check_linear(x, weight)
    if bias is not None:
        require_shape(bias, "bias", (weight.shape[0],), "the rows of weight")
    if x.ndim == 2:
        return _core.linear(x, weight, bias, is_relu(activation))
    y = _core.linear(_as_rows(x), weight, bias, is_relu(activation))
    return y.reshape(*x.shape[:-1], weight.shape[0])


def linear_backward(
    grad_y: Any,
    x: Any,
    weight: Any,
    *,
    bias: bool = True,
    y: Any = None,
    input_gradient: bool = True,
) -> tuple[RealArray | None, RealArray, RealArray | None]:
    """Gradients of `linear`.

    Parameters
    ----------
    grad_y : array, shape (..., O)
    x : array, shape (..., D)
    weight : array, shape (O, D)
    bias : bool
        Whether the gradient of the bias is wanted.
    y : array, shape (..., O), optional
        What `linear` gave with ``activation="relu"``; without it `grad_y` is the gradient before
        the activation.
    input_gradient : bool
        Whether the gradient of x is wanted.

    Returns
    -------
    grad_x : array, shape (..., D), or None
    grad_weight : array, shape (O, D)
    grad_bias : array, shape (O,), or None

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    grad_y, x, weight, y = as_reals(grad_y=grad_y, x=x, weight=weight, y=y)
    _check_linear(x, weight)
    require_shape(grad_y, "grad_y", (*x.shape[:-1], weight.shape[0]), "the shape of the output")
    if y is not None:
        require_shape(y, "y", grad_y.shape, "the shape of grad_y")
    if x.ndim == 2:
        return _core.linear_backward(grad_y, x, weight, y, bias, input_gradient)
    grad_x, grad_weight, grad_bias = _core.linear_backward(
        _as_rows(grad_y),
        _as_rows(x),
        weight,
        None if y is None else _as_rows(y),
        bias,
        input_gradient,
    )
    return None if grad_x is None else grad_x.reshape(x.shape), grad_weight, grad_bias


def _check_linear(x: RealArray, weight: RealArray) -> None:
    if weight.ndim != 2:
        raise ValueError(f"weight must have the axes (O, D), got shape {weight.shape}")
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ValueError(f"the last axis of x {x.shape} must be D of weight (O, D) {weight.shape}")
