"""Convolution (cross-correlation, as in every neural network library) over one or two axes."""

from __future__ import annotations

from typing import Any

from unrolled._arrays import RealArray
from unrolled.ops import conv_passes as passes
from unrolled.ops.conv_geometry import Options, Padding, Pair

__all__ = [
    "Pair",
    "conv1d",
    "conv1d_backward",
    "conv1d_backward_input",
    "conv1d_backward_weight",
    "conv2d",
    "conv2d_backward",
    "conv2d_backward_input",
    "conv2d_backward_weight",
]


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    algorithm: str = "auto",
    activation: str | None = None,
) -> RealArray:
    """Convolution of a batch of images with a bank of kernels, which are not flipped.

    Parameters
    ----------
    x : array, shape (N, C, H, W)
    weight : array, shape (K, C / groups, R, S)
    bias : array, shape (K,), optional
    stride : int or (int, int)
        Step of the kernel, rows and columns.
    padding : int, (int, int), "same" or "valid"
        Border on both sides. ``"valid"`` is none; ``"same"``, for stride 1, gives y the size of
        x: of an odd number of rows or columns the larger half lies behind.
    dilation : int or (int, int)
        Distance of the kernel's elements on the image.
    groups : int
        Channels are cut into as many parts, each convolved by itself; C makes it depthwise.
    padding_mode : "zeros", "reflect" or "replicate"
        What the border holds; `unrolled.ops.padding.pad` says how.
    algorithm : "auto", "direct", "winograd" or "winograd-f2"
        The last two are for 3x3 kernels with stride and dilation 1, ``"winograd"`` also for 3, 5
        or 7 taps of a sequence. Against exact sums (l2-norm of the error over that of the result,
        float32) ``"direct"`` and ``"winograd-f2"`` stay within 5e-7, ``"winograd"``, F(4x4, 3x3)
        or eight points of a sequence, within 1.5e-6. ``"auto"`` takes the fastest
        for the size of the image; with the others, zeros added behind it change no bit.
    activation : None or "relu"
        Applied to y at no extra cost. The backward passes want the gradient before it:
        ``unrolled.ops.activation.relu_backward(grad_y, y)``.

    Returns
    -------
    array, shape (N, K, OH, OW)
        ``OH = (H + 2 * padding - dilation * (R - 1) - 1) // stride + 1``, OW alike.

    Raises
    ------
    ValueError
        The shapes do not fit, the kernel is larger than the padded image, `groups` does not divide
        the channels, or the algorithm is not for this kernel.

    Examples
    --------
    >>> import numpy as np
    >>> conv2d(np.ones((1, 1, 3, 4)), np.ones((1, 1, 3, 3)), padding=1)[0, 0]
    array([[4., 6., 6., 4.],
           [6., 9., 9., 6.],
           [4., 6., 6., 4.]])
    """
    options = Options(stride, padding, dilation, groups, padding_mode, algorithm)
    return passes.forward(2, x, weight, bias, options, activation)


def conv2d_backward(
    grad_y: Any,
    x: Any,
    weight: Any,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    algorithm: str = "auto",
) -> tuple[RealArray, RealArray, RealArray]:
    """All gradients of `conv2d`.

    Parameters
    ----------
    grad_y : array, shape (N, K, OH, OW)
    x : array, shape (N, C, H, W)
    weight : array, shape (K, C / groups, R, S)
    stride, padding, dilation, groups, padding_mode, algorithm
        As in the forward pass.

    Returns
    -------
    grad_x : array, shape (N, C, H, W)
    grad_weight : array, shape (K, C / groups, R, S)
    grad_bias : array, shape (K,)

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    options = Options(stride, padding, dilation, groups, padding_mode, algorithm)
    return passes.backward(2, grad_y, x, weight, options)


def conv2d_backward_input(
    grad_y: Any,
    weight: Any,
    input_size: Pair,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    algorithm: str = "auto",
) -> RealArray:
    """Gradient of `conv2d` by its input alone.

    Parameters
    ----------
    grad_y : array, shape (N, K, OH, OW)
    weight : array, shape (K, C / groups, R, S)
    input_size : int or (int, int)
        H and W of the input.
    stride, padding, dilation, groups, padding_mode, algorithm
        As in the forward pass.

    Returns
    -------
    array, shape (N, C, H, W)

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    options = Options(stride, padding, dilation, groups, padding_mode, algorithm)
    return passes.backward_input(2, grad_y, weight, input_size, options)


def conv2d_backward_weight(
    grad_y: Any,
    x: Any,
    kernel_size: Pair,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    algorithm: str = "auto",
    bias: bool = True,
) -> tuple[RealArray, Any]:
    """Gradients of `conv2d` by its weight and bias alone.

    Parameters
    ----------
    grad_y : array, shape (N, K, OH, OW)
    x : array, shape (N, C, H, W)
    kernel_size : int or (int, int)
        R and S.
    stride, padding, dilation, groups, padding_mode, algorithm
        As in the forward pass.
    bias : bool
        Whether its gradient is wanted too.

    Returns
    -------
    grad_weight : array, shape (K, C / groups, R, S)
    grad_bias : array, shape (K,), or None

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    options = Options(stride, padding, dilation, groups, padding_mode, algorithm)
    return passes.backward_weight(2, grad_y, x, kernel_size, options, bias)


def conv1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: int = 1,
    padding: int | str = 0,
    dilation: int = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    algorithm: str = "auto",
    activation: str | None = None,
) -> RealArray:
    """Convolution of a batch of sequences: `conv2d` with one axis, and the same options.

    Parameters
    ----------
    x : array, shape (N, C, L)
    weight : array, shape (K, C / groups, S)
    bias : array, shape (K,), optional
    stride, padding, dilation, groups, padding_mode, algorithm, activation
        As `conv2d` takes them, one number instead of a pair.

    Returns
    -------
    array, shape (N, K, OL)
        ``OL = (L + 2 * padding - dilation * (S - 1) - 1) // stride + 1``.

    Raises
    ------
    ValueError
        As `conv2d`.

    Examples
    --------
    >>> conv1d([[[1, 2, 4, 8]]], [[[-1, 1]]], padding="same")
    array([[[ 1.,  2.,  4., -8.]]], dtype=float32)
    """
    options = Options(stride, padding, dilation, groups, padding_mode, algorithm)
    return passes.forward(1, x, weight, bias, options, activation)


def conv1d_backward(
    grad_y: Any,
    x: Any,
    weight: Any,
    *,
    stride: int = 1,
    padding: int | str = 0,
    dilation: int = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    algorithm: str = "auto",
) -> tuple[RealArray, RealArray, RealArray]:
    """All gradients of `conv1d`: by x (N, C, L), the weight (K, C / groups, S) and the bias (K).

    Parameters and errors are those of `conv2d_backward` with one axis.
    """
    options = Options(stride, padding, dilation, groups, padding_mode, algorithm)
    return passes.backward(1, grad_y, x, weight, options)


def conv1d_backward_input(
    grad_y: Any,
    weight: Any,
    input_size: int,
    *,
    stride: int = 1,
    padding: int | str = 0,
    dilation: int = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    algorithm: str = "auto",
) -> RealArray:
    """Gradient of `conv1d` by its input (N, C, L) alone; `input_size` is L.

    Parameters and errors are those of `conv2d_backward_input` with one axis.
    """
    options = Options(stride, padding, dilation, groups, padding_mode, algorithm)
    return passes.backward_input(1, grad_y, weight, input_size, options)


def conv1d_backward_weight(
    grad_y: Any,
    x: Any,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: int | str = 0,
    dilation: int = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    algorithm: str = "auto",
    bias: bool = True,
) -> tuple[RealArray, Any]:
    """Gradients of `conv1d` by its weight (K, C / groups, S) and bias (K); `kernel_size` is S.

    Parameters and errors are those of `conv2d_backward_weight` with one axis.
    """
    options = Options(stride, padding, dilation, groups, padding_mode, algorithm)
    return passes.backward_weight(1, grad_y, x, kernel_size, options, bias)
