"""Batch normalisation (Ioffe and Szegedy 2015), layer normalisation (Ba, Kiros and Hinton 2016)."""

from __future__ import annotations

import math
from typing import Any

from unrolled import _core
from unrolled._arrays import RealArray, as_reals, require_shape


def batch_norm(
    x: Any,
    weight: Any = None,
    bias: Any = None,
    *,
    mean: Any = None,
    var: Any = None,
    eps: float = 1e-5,
) -> tuple[RealArray, RealArray, RealArray]:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` for each channel.

    Parameters
    ----------
    x : array, shape (N, C, ...)
    weight, bias : array, shape (C,), optional
    mean, var : array, shape (C,), optional
        Statistics to use (inference). Where not given, those of the batch are taken: the mean and
        the biased variance over all axes but C.
    eps : float
        Added to the variance.

    Returns
    -------
    y : array, shape of x
    mean, var : array, shape (C,)
        The statistics that were used.

    Raises
    ------
    ValueError
        The shapes do not fit, only one of `mean` and `var` is given, `eps` is negative, or a
        channel has no value to take statistics of.
    """
    x, weight, bias, mean, var = as_reals(x=x, weight=weight, bias=bias, mean=mean, var=var)
    _check(x, weight=weight, bias=bias, mean=mean, var=var)
    if not eps >= 0:
        raise ValueError(f"eps must not be negative, got {eps}")
    if (mean is None) != (var is None):
        raise ValueError("mean and var must be given together")
    if mean is None:
        if x.size == 0:
            raise ValueError(f"x has no values to take statistics of, its shape is {x.shape}")
        return _core.batch_norm_training(x, weight, bias, eps)
    return _core.batch_norm(x, mean, var, weight, bias, eps), mean, var


def batch_norm_backward(
    grad_y: Any,
    x: Any,
    weight: Any,
    mean: Any,
    var: Any,
    *,
    eps: float = 1e-5,
    training: bool = True,
) -> tuple[RealArray, RealArray, RealArray]:
    """Gradients of `batch_norm`.

    Parameters
    ----------
    grad_y, x : array, shape (N, C, ...)
    weight : array, shape (C,), or None
    mean, var : array, shape (C,)
        As the forward pass returned them.
    eps : float
        As in the forward pass.
    training : bool
        Whether the statistics are the batch's own, through which gradients flow; without it they
        are constants.

    Returns
    -------
    grad_x : array, shape of x
    grad_weight, grad_bias : array, shape (C,)

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    grad_y, x, weight, mean, var = as_reals(grad_y=grad_y, x=x, weight=weight, mean=mean, var=var)
    _check(x, weight=weight, mean=mean, var=var)
    require_shape(grad_y, "grad_y", x.shape, "the shape of x")
    return _core.batch_norm_backward(grad_y, x, mean, var, weight, eps, training)


def layer_norm(
    x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5
) -> tuple[RealArray, RealArray, RealArray]:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last axes of every item.

    Parameters
    ----------
    x : array, shape (..., *normalized_shape)
    normalized_shape : int or tuple of int
        The axes over which mean and (biased) variance are taken.
    weight, bias : array, shape normalized_shape, optional
    eps : float
        Added to the variance.

    Returns
    -------
    y : array, shape of x
    mean, inverse : array, shape (...) with axes of size 1 for those normalised
        The statistics that were used: the mean and ``1 / sqrt(var + eps)``.

    Raises
    ------
    ValueError
        The shapes do not fit, there is nothing to normalise over, or `eps` is negative.
    """
    x, weight, bias = as_reals(x=x, weight=weight, bias=bias)
    shape = _check_rows(x, normalized_shape, weight=weight, bias=bias)
    if not eps >= 0:
        raise ValueError(f"eps must not be negative, got {eps}")
    size, leading = math.prod(shape), x.shape[: x.ndim - len(shape)]
    weight, bias = (None if a is None else a.reshape(-1) for a in (weight, bias))
    y, mean, inverse = _core.layer_norm(x.reshape(math.prod(leading), size), weight, bias, eps)
    outer = leading + (1,) * len(shape)
    return y.reshape(x.shape), mean.reshape(outer), inverse.reshape(outer)


def layer_norm_backward(
    grad_y: Any, x: Any, normalized_shape: Any, weight: Any, mean: Any, inverse: Any
) -> tuple[RealArray, RealArray, RealArray]:
    """Gradients of `layer_norm`.

    Parameters
    ----------
    grad_y, x : array, shape (..., *normalized_shape)
    normalized_shape : int or tuple of int
    weight : array, shape normalized_shape, or None
    mean, inverse : array
        As the forward pass returned them.

    Returns
    -------
    grad_x : array, shape of x
    grad_weight, grad_bias : array, shape normalized_shape

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    grad_y, x, weight, mean, inverse = as_reals(
        grad_y=grad_y, x=x, weight=weight, mean=mean, inverse=inverse
    )
    shape = _check_rows(x, normalized_shape, weight=weight)
    require_shape(grad_y, "grad_y", x.shape, "the shape of x")
    leading = x.shape[: x.ndim - len(shape)]
    outer, rows = leading + (1,) * len(shape), (math.prod(leading), math.prod(shape))
    require_shape(mean, "mean", outer, "one value a row of x")
    require_shape(inverse, "inverse", outer, "one value a row of x")
    grad_x, grad_weight, grad_bias = _core.layer_norm_backward(
        grad_y.reshape(rows),
        x.reshape(rows),
        None if weight is None else weight.reshape(-1),
        mean.reshape(-1),
        inverse.reshape(-1),
    )
    return grad_x.reshape(x.shape), grad_weight.reshape(shape), grad_bias.reshape(shape)


def _check_rows(x: RealArray, normalized_shape: Any, **affine: RealArray | None) -> tuple[int, ...]:
    """Return `normalized_shape` as a tuple that ends the shape of x and fits the arrays."""
    sizes = normalized_shape if isinstance(normalized_shape, (tuple, list)) else [normalized_shape]
    shape = tuple(int(size) for size in sizes)
    if not shape or x.shape[x.ndim - len(shape) :] != shape or x.ndim < len(shape):
        raise ValueError(f"x must end with the axes normalized_shape {shape}, got shape {x.shape}")
    if 0 in shape:
        raise ValueError(f"normalized_shape {shape} has nothing to normalise over")
    for name, array in affine.items():
        if array is not None:
            require_shape(array, name, shape, "normalized_shape")
    return shape


def _check(x: RealArray, **channels: RealArray | None) -> None:
    if x.ndim < 2:
        raise ValueError(f"x must have the axes (N, C, ...), got shape {x.shape}")
    for name, array in channels.items():
        if array is not None:
            require_shape(array, name, (x.shape[1],), "the channels of x")
