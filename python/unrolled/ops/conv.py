"""Two-dimensional convolution (cross-correlation, as in every neural network library)."""

from __future__ import annotations

from typing import Any, TypeAlias

from unrolled import _core
from unrolled._arrays import RealArray, as_pair, as_reals, require_axes, require_shape

Pair: TypeAlias = "int | tuple[int, int]"


def conv2d(
    x: Any, weight: Any, bias: Any = None, *, stride: Pair = 1, padding: Pair = 0
) -> RealArray:
    """Convolution of a batch of images with a bank of kernels.

    Parameters
    ----------
    x : array, shape (N, C, H, W)
    weight : array, shape (K, C, R, S)
    bias : array, shape (K,), optional
    stride : int or (int, int)
        Step of the kernel, rows and columns.
    padding : int or (int, int)
        Zeros added on both sides.

    Returns
    -------
    array, shape (N, K, OH, OW)
        ``OH = (H + 2 * padding - R) // stride + 1``, OW alike.

    Raises
    ------
    ValueError
        The shapes do not fit, or the kernel is larger than the padded image.

    Examples
    --------
    >>> import numpy as np
    >>> conv2d(np.ones((1, 1, 3, 4)), np.ones((1, 1, 3, 3)), padding=1)[0, 0]
    array([[4., 6., 6., 4.],
           [6., 9., 9., 6.],
           [4., 6., 6., 4.]])
    """
    x, weight, bias = as_reals(x=x, weight=weight, bias=bias)
    require_axes(x, "x", "N, C, H, W")
    require_axes(weight, "weight", "K, C, R, S")
    if x.shape[1] != weight.shape[1]:
        raise ValueError(
            f"x has {x.shape[1]} channels, weight {weight.shape} is for another number"
        )
    if bias is not None:
        require_shape(bias, "bias", (weight.shape[0],), "the kernels of weight")
    stride, padding = as_pair(stride, "stride", 1), as_pair(padding, "padding", 0)
    output_size(x.shape[2:], weight.shape[2:], stride, padding)
    _require_memory(x, padding)
    return _core.conv2d(x, weight, bias, stride, _borders(padding), (1, 1), 1, "auto", False)


def conv2d_backward(
    grad_y: Any, x: Any, weight: Any, *, stride: Pair = 1, padding: Pair = 0
) -> tuple[RealArray, RealArray, RealArray]:
    """All gradients of `conv2d`.

    Parameters
    ----------
    grad_y : array, shape (N, K, OH, OW)
    x : array, shape (N, C, H, W)
    weight : array, shape (K, C, R, S)
    stride, padding
        As in the forward pass.

    Returns
    -------
    grad_x : array, shape (N, C, H, W)
    grad_weight : array, shape (K, C, R, S)
    grad_bias : array, shape (K,)

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    grad_y, x, weight = as_reals(grad_y=grad_y, x=x, weight=weight)
    require_axes(x, "x", "N, C, H, W")
    require_axes(weight, "weight", "K, C, R, S")
    grad_x = conv2d_backward_input(grad_y, weight, x.shape[2:], stride=stride, padding=padding)
    grad_weight, grad_bias = conv2d_backward_weight(
        grad_y, x, weight.shape[2:], stride=stride, padding=padding
    )
    return grad_x, grad_weight, grad_bias


def conv2d_backward_input(
    grad_y: Any, weight: Any, input_size: tuple[int, int], *, stride: Pair = 1, padding: Pair = 0
) -> RealArray:
    """Gradient of `conv2d` by its input.

    Parameters
    ----------
    grad_y : array, shape (N, K, OH, OW)
    weight : array, shape (K, C, R, S)
    input_size : (int, int)
        H and W of the input.
    stride, padding
        As in the forward pass.

    Returns
    -------
    array, shape (N, C, H, W)

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    grad_y, weight = as_reals(grad_y=grad_y, weight=weight)
    require_axes(weight, "weight", "K, C, R, S")
    stride, padding = as_pair(stride, "stride", 1), as_pair(padding, "padding", 0)
    size = as_pair(input_size, "input_size", 0)
    _check_grad_y(grad_y, weight.shape[0], size, weight.shape[2:], stride, padding)
    return _core.conv2d_backward_input(
        grad_y, weight, size, stride, _borders(padding), (1, 1), 1, "auto"
    )


def conv2d_backward_weight(
    grad_y: Any, x: Any, kernel_size: tuple[int, int], *, stride: Pair = 1, padding: Pair = 0
) -> tuple[RealArray, RealArray]:
    """Gradients of `conv2d` by its weight and bias.

    Parameters
    ----------
    grad_y : array, shape (N, K, OH, OW)
    x : array, shape (N, C, H, W)
    kernel_size : (int, int)
        R and S.
    stride, padding
        As in the forward pass.

    Returns
    -------
    grad_weight : array, shape (K, C, R, S)
    grad_bias : array, shape (K,)

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    grad_y, x = as_reals(grad_y=grad_y, x=x)
    require_axes(x, "x", "N, C, H, W")
    stride, padding = as_pair(stride, "stride", 1), as_pair(padding, "padding", 0)
    kernel = as_pair(kernel_size, "kernel_size", 1)
    require_axes(grad_y, "grad_y", "N, K, OH, OW")
    _check_grad_y(grad_y, grad_y.shape[1], x.shape[2:], kernel, stride, padding)
    if grad_y.shape[0] != x.shape[0]:
        raise ValueError(f"grad_y has {grad_y.shape[0]} items, x has {x.shape[0]}")
    return _core.conv2d_backward_weight(
        grad_y, x, kernel, stride, _borders(padding), (1, 1), 1, "auto"
    )


def output_size(
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> tuple[int, int]:
    """Rows and columns that a window of size `kernel` finds in an image of size `size`."""
    for axis, name in enumerate(("rows", "columns")):
        if kernel[axis] < 1:
            raise ValueError(f"the kernel must have at least one element, got {tuple(kernel)}")
        if size[axis] + 2 * padding[axis] < kernel[axis]:
            raise ValueError(
                f"the kernel has {kernel[axis]} {name}, the padded input only "
                f"{size[axis] + 2 * padding[axis]}: use a larger padding or a smaller kernel"
            )
    rows, columns = (
        (size[axis] + 2 * padding[axis] - kernel[axis]) // stride[axis] + 1 for axis in (0, 1)
    )
    return rows, columns


def _borders(padding: tuple[int, int]) -> tuple[int, int, int, int]:
    return padding[0], padding[0], padding[1], padding[1]


def _require_memory(x: RealArray, padding: tuple[int, int]) -> None:
    rows, columns = x.shape[2] + 2 * padding[0], x.shape[3] + 2 * padding[1]
    if x.shape[1] * rows * columns > 2**40:
        raise ValueError(f"padding {padding} makes an image of {rows} x {columns}: far too large")


def _check_grad_y(
    grad_y: RealArray,
    channels: int,
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> None:
    require_axes(grad_y, "grad_y", "N, K, OH, OW")
    shape = (grad_y.shape[0], channels, *output_size(size, kernel, stride, padding))
    require_shape(grad_y, "grad_y", shape, "the shape of the output")
