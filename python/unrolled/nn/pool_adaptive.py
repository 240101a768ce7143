"""Adaptive pooling layers: the output's size is given, not the window's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unrolled.autograd import Tensor, as_tensor
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import per_axis
from unrolled.nn.module import Module
from unrolled.nn.pool import MaxPoolFunction
from unrolled.nn.pool import Passes as MaxPasses
from unrolled.nn.pool_average import AveragePoolFunction
from unrolled.nn.pool_average import Passes as AveragePasses
from unrolled.ops import pool_adaptive as ops
from unrolled.ops.pool_adaptive import OutputSize

_AVERAGE = {  # by the number of spatial axes; gradients need the size of x alone
    1: AveragePasses(
        ops.adaptive_avg_pool1d,
        lambda grad_y, n, _: ops.adaptive_avg_pool1d_backward(grad_y, n),
    ),
    2: AveragePasses(
        ops.adaptive_avg_pool2d,
        lambda grad_y, n, _: ops.adaptive_avg_pool2d_backward(grad_y, n),
    ),
}
_MAX = {
    1: MaxPasses(
        ops.adaptive_max_pool1d,
        ops.adaptive_max_pool1d_with_indices,
        lambda grad_y, window, n, _: ops.adaptive_max_pool1d_backward(grad_y, window, n),
    ),
    2: MaxPasses(
        ops.adaptive_max_pool2d,
        ops.adaptive_max_pool2d_with_indices,
        lambda grad_y, window, n, _: ops.adaptive_max_pool2d_backward(grad_y, window, n),
    ),
}


def adaptive_avg_pool1d(x: Operand, output_size: int | None) -> Tensor:
    """Average over `output_size` windows of x (N, C, L): `adaptive_avg_pool2d` with one axis."""
    return _average(1, x, output_size)


def adaptive_avg_pool2d(x: Operand, output_size: OutputSize) -> Tensor:
    """Average over as many windows as asked for, which cover the whole image.

    Parameters
    ----------
    x : Tensor or array-like (N, C, H, W)
    output_size : int, or a pair of int or None
        Windows along each axis; None is as many as the image has elements there.

    Returns
    -------
    Tensor (N, C, *output_size)

    Raises
    ------
    ValueError
        If a size is below 1.
    """
    return _average(2, x, output_size)


def adaptive_max_pool1d(x: Operand, output_size: int | None) -> Tensor:
    """Take the maxima of `output_size` windows of x (N, C, L): `adaptive_max_pool2d`."""
    return _maximum(1, x, output_size)


def adaptive_max_pool2d(x: Operand, output_size: OutputSize) -> Tensor:
    """Take the maxima of as many windows as asked for, which cover the whole image.

    Parameters
    ----------
    x : Tensor or array-like (N, C, H, W)
    output_size : int, or a pair of int or None
        Windows along each axis; None is as many as the image has elements there.

    Returns
    -------
    Tensor (N, C, *output_size)

    Raises
    ------
    ValueError
        If a size is below 1.
    """
    return _maximum(2, x, output_size)


def _average(axes: int, x: Operand, output_size: Any) -> Tensor:
    y: Tensor = AveragePoolFunction.apply(
        as_tensor(x), passes=_AVERAGE[axes], arguments=(output_size,)
    )
    return y


def _maximum(axes: int, x: Operand, output_size: Any) -> Tensor:
    y: Tensor = MaxPoolFunction.apply(as_tensor(x), passes=_MAX[axes], arguments=(output_size,))
    return y


class _AdaptivePool(Module):
    """What the adaptive layers are but for `axes` and `_pool`."""

    axes: int
    _pool: Callable[[int, Operand, Any], Tensor]

    def __init__(self, output_size: OutputSize) -> None:
        given: Any = output_size
        if not isinstance(given, (tuple, list)):
            given = (given,) * self.axes
        known = [1 if size is None else size for size in given]
        per_axis("output_size", known, self.axes, least=1)
        # None stays what it is until x is known.
        self.output_size = tuple(None if size is None else int(size) for size in given)

    def forward(self, x: Operand) -> Tensor:
        """Map x (N, C, L) or (N, C, H, W) to (N, C, *output_size)."""
        return self._pool(self.axes, x, self.output_size)


class AdaptiveAvgPool1d(_AdaptivePool):
    """The averages of as many windows of a sequence as asked for.

    Parameters
    ----------
    output_size : int or None
        Number of windows; None is as many as the sequence has elements.

    Raises
    ------
    ValueError
        If the size is below 1.

    Examples
    --------
    >>> AdaptiveAvgPool1d(2)([[[1.0, 3.0, 2.0]]])
    Tensor([[[2. , 2.5]]])
    """

    axes = 1
    _pool = staticmethod(_average)


class AdaptiveAvgPool2d(_AdaptivePool):
    """The averages of as many windows as asked for; with 1, over the whole image.

    Parameters
    ----------
    output_size : int, or a pair of int or None
        Windows along each axis; None is as many as the image has elements there.

    Raises
    ------
    ValueError
        If a size is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveAvgPool2d((1, None))(np.zeros((2, 4, 8, 9))).shape
    (2, 4, 1, 9)
    """

    axes = 2
    _pool = staticmethod(_average)


class AdaptiveMaxPool1d(_AdaptivePool):
    """The maxima of as many windows of a sequence as asked for.

    Parameters
    ----------
    output_size : int or None
        Number of windows; None is as many as the sequence has elements.

    Raises
    ------
    ValueError
        If the size is below 1.

    Examples
    --------
    >>> AdaptiveMaxPool1d(2)([[[1.0, 3.0, 2.0]]])
    Tensor([[[3., 3.]]])
    """

    axes = 1
    _pool = staticmethod(_maximum)


class AdaptiveMaxPool2d(_AdaptivePool):
    """The maxima of as many windows as asked for; with 1, over the whole image.

    Parameters
    ----------
    output_size : int, or a pair of int or None
        Windows along each axis; None is as many as the image has elements there.

    Raises
    ------
    ValueError
        If a size is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveMaxPool2d(3)(np.zeros((2, 4, 8, 9))).shape
    (2, 4, 3, 3)
    """

    axes = 2
    _pool = staticmethod(_maximum)
