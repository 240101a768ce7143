"""Transposed convolution: a convolution's backward pass by its input, used as a forward pass."""

from __future__ import annotations

from typing import Any

from unrolled._arrays import RealArray
from unrolled.ops import conv_transpose_passes as passes
from unrolled.ops.conv_geometry import Pair
from unrolled.ops.conv_transpose_passes import TransposeOptions as Options


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
    algorithm: str = "auto",
) -> RealArray:
    """Spread every pixel over the output by a kernel; kernels that overlap add up.

    Parameters
    ----------
    x : array, shape (N, C, H, W)
    weight : array, shape (C, K / groups, R, S)
    bias : array, shape (K,), optional
    stride : int or (int, int)
        Distance at which neighbouring pixels put their kernels down, rows and columns.
    padding : int or (int, int)
        Rows and columns cut off y on both sides.
    output_padding : int or (int, int)
        Rows and columns of y more, below and to the right; smaller than stride or dilation.
    groups : int
        Channels are cut into as many parts, each treated by itself.
    dilation : int or (int, int)
        Distance of the kernel's elements on y.
    algorithm : "auto", "direct", "winograd" or "winograd-f2"
        As `unrolled.conv2d` takes it.

    Returns
    -------
    array, shape (N, K, OH, OW)
        ``OH = (H - 1) * stride - 2 * padding + dilation * (R - 1) + output_padding + 1``, and OW
        alike.

    Raises
    ------
    ValueError
        The shapes do not fit, y would have no pixel, or an option is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> conv_transpose2d([[[[1, 2]]]], np.ones((1, 1, 2, 3)), stride=2)[0, 0]
    array([[1., 1., 3., 2., 2.],
           [1., 1., 3., 2., 2.]])
    """
    options = Options(stride, padding, output_padding, groups, dilation, algorithm)
    return passes.forward(2, x, weight, bias, options)


def conv_transpose2d_backward(
    grad_y: Any,
    x: Any,
    weight: Any,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
    algorithm: str = "auto",
) -> tuple[RealArray, RealArray, RealArray]:
    """All gradients of `conv_transpose2d`.

    Parameters
    ----------
    grad_y : array, shape (N, K, OH, OW)
    x : array, shape (N, C, H, W)
    weight : array, shape (C, K / groups, R, S)
    stride, padding, output_padding, groups, dilation, algorithm
        As in the forward pass.

    Returns
    -------
    grad_x : array, shape (N, C, H, W)
    grad_weight : array, shape (C, K / groups, R, S)
    grad_bias : array, shape (K,)

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    options = Options(stride, padding, output_padding, groups, dilation, algorithm)
    return passes.backward(2, grad_y, x, weight, options)


def conv_transpose2d_backward_input(
    grad_y: Any,
    weight: Any,
    input_size: Pair,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
    algorithm: str = "auto",
) -> RealArray:
    """Gradient of `conv_transpose2d` by its input (N, C, H, W) alone; `input_size` is (H, W).

    Parameters and errors are those of `conv_transpose2d_backward`.
    """
    options = Options(stride, padding, output_padding, groups, dilation, algorithm)
    return passes.backward_input(2, grad_y, weight, input_size, options)


def conv_transpose2d_backward_weight(
    grad_y: Any,
    x: Any,
    kernel_size: Pair,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
    algorithm: str = "auto",
) -> tuple[RealArray, RealArray]:
    """Gradients of `conv_transpose2d` by weight and bias alone; `kernel_size` is (R, S).

    Parameters and errors are those of `conv_transpose2d_backward`.
    """
    options = Options(stride, padding, output_padding, groups, dilation, algorithm)
    return passes.backward_weight(2, grad_y, x, kernel_size, options)


def conv_transpose1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    groups: int = 1,
    dilation: int = 1,
    algorithm: str = "auto",
) -> RealArray:
    """Spread every element of a sequence by a kernel: `conv_transpose2d` with one axis.

    Parameters
    ----------
    x : array, shape (N, C, L)
    weight : array, shape (C, K / groups, S)
    bias : array, shape (K,), optional
    stride, padding, output_padding, groups, dilation, algorithm
        As `conv_transpose2d` takes them, one number instead of a pair.

    Returns
    -------
    array, shape (N, K, OL)
        ``OL = (L - 1) * stride - 2 * padding + dilation * (S - 1) + output_padding + 1``.

    Raises
    ------
    ValueError
        As `conv_transpose2d`.

    Examples
    --------
    >>> conv_transpose1d([[[1, 2, 3]]], [[[1, 10]]], stride=2)
    array([[[ 1., 10.,  2., 20.,  3., 30.]]], dtype=float32)
    """
    options = Options(stride, padding, output_padding, groups, dilation, algorithm)
    return passes.forward(1, x, weight, bias, options)


def conv_transpose1d_backward(
    grad_y: Any,
    x: Any,
    weight: Any,
    *,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    groups: int = 1,
    dilation: int = 1,
    algorithm: str = "auto",
) -> tuple[RealArray, RealArray, RealArray]:
    """All gradients of `conv_transpose1d`: by x (N, C, L), weight (C, K / groups, S), bias (K).

    Parameters and errors are those of `conv_transpose2d_backward` with one axis.
    """
    options = Options(stride, padding, output_padding, groups, dilation, algorithm)
    return passes.backward(1, grad_y, x, weight, options)


def conv_transpose1d_backward_input(
    grad_y: Any,
    weight: Any,
    input_size: int,
    *,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    groups: int = 1,
    dilation: int = 1,
    algorithm: str = "auto",
) -> RealArray:
    """Gradient of `conv_transpose1d` by its input (N, C, L) alone; `input_size` is L.

    Parameters and errors are those of `conv_transpose2d_backward` with one axis.
    """
    options = Options(stride, padding, output_padding, groups, dilation, algorithm)
    return passes.backward_input(1, grad_y, weight, input_size, options)


def conv_transpose1d_backward_weight(
    grad_y: Any,
    x: Any,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    groups: int = 1,
    dilation: int = 1,
    algorithm: str = "auto",
) -> tuple[RealArray, RealArray]:
    """Gradients of `conv_transpose1d` by weight and bias alone; `kernel_size` is S.

    Parameters and errors are those of `conv_transpose2d_backward` with one axis.
    """
    options = Options(stride, padding, output_padding, groups, dilation, algorithm)
    return passes.backward_weight(1, grad_y, x, kernel_size, options)
