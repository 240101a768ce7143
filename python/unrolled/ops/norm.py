"""Batch normalisation (Ioffe and Szegedy 2015)."""

from __future__ import annotations

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
        mean, var = _core.batch_statistics(x)
    return _core.batch_norm(x, mean, var, weight, bias, eps), mean, var


def batch_norm_backward(
    grad_y: Any, x: Any, weight: Any, mean: Any, var: Any, *, eps: float = 1e-5
) -> tuple[RealArray, RealArray, RealArray]:
    """Gradients of `batch_norm` with the batch's own statistics.

    Parameters
    ----------
    grad_y, x : array, shape (N, C, ...)
    weight : array, shape (C,), or None
    mean, var : array, shape (C,)
        As the forward pass returned them.
    eps : float
        As in the forward pass.

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
    return _core.batch_norm_backward(grad_y, x, mean, var, weight, eps)


def _check(x: RealArray, **channels: RealArray | None) -> None:
    if x.ndim < 2:
        raise ValueError(f"x must have the axes (N, C, ...), got shape {x.shape}")
    for name, array in channels.items():
        if array is not None:
            require_shape(array, name, (x.shape[1],), "the channels of x")
