"""Convolution layers."""

from __future__ import annotations

from typing import Any

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import Pair, pair, positive
from unrolled.nn.init import uniform
from unrolled.nn.module import Module
from unrolled.ops.conv import conv2d as conv2d_forward
from unrolled.ops.conv import conv2d_backward, conv2d_backward_weight


class _Conv2dFunction(Function):
    """Convolution on the tape; a first layer's input, which needs no gradient, costs none."""

    def forward(
        self, x: Array, weight: Array, bias: Array | None, *, stride: Pair, padding: Pair
    ) -> Array:
        self.x, self.weight, self.has_bias = x, weight, bias is not None
        self.options: dict[str, Any] = {"stride": stride, "padding": padding}
        return conv2d_forward(x, weight, bias, **self.options)

    def backward(self, grad_y: Array) -> tuple[Array | None, ...]:
        grads: tuple[Any, ...]
        if self.needs_input_grad[0]:
            grads = conv2d_backward(grad_y, self.x, self.weight, **self.options)
        else:
            kernel_size = self.weight.shape[2:]
            grads = None, *conv2d_backward_weight(grad_y, self.x, kernel_size, **self.options)
        return grads if self.has_bias else (*grads[:2], None)


def conv2d(
    x: Operand,
    weight: Operand,
    bias: Tensor | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
) -> Tensor:
    """Convolve images with a bank of kernels (cross-correlation: kernels are not flipped).

    Parameters
    ----------
    x : Tensor or array-like (N, C, H, W)
    weight : Tensor or array-like (K, C, R, S)
    bias : Tensor (K), optional
    stride, padding : int or pair of int
        Step of the kernel, and rows and columns of zeros on every side.

    Returns
    -------
    Tensor (N, K, (H + 2 padding - R) // stride + 1, and so for W)

    Raises
    ------
    ValueError
        If the shapes do not fit or the padded image is smaller than the kernel.
    """
    weight = as_tensor(weight)
    x = as_tensor(x, weight.dtype)
    y: Tensor = _Conv2dFunction.apply(x, weight, bias, stride=stride, padding=padding)
    return y


class Conv2d(Module):
    """Two-dimensional convolution (cross-correlation: kernels are not flipped).

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of x, C, and of y, K.
    kernel_size : int or pair of int
        Height R and width S of the kernel.
    stride, padding : int or pair of int
        Step of the kernel, and rows and columns of zeros on every side.
    bias : bool
        Whether there is one.

    Attributes
    ----------
    weight : Parameter (K, C, R, S)
    bias : Parameter (K) or None

    Raises
    ------
    ValueError
        If a size is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> Conv2d(1, 4, kernel_size=3, stride=2, padding=1)(np.zeros((2, 1, 8, 9))).shape
    (2, 4, 4, 5)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        bias: bool = True,
    ) -> None:
        positive(in_channels=in_channels, out_channels=out_channels)
        self.kernel_size = pair("kernel_size", kernel_size, least=1)
        self.stride = pair("stride", stride, least=1)
        self.padding = pair("padding", padding, least=0)
        fan = in_channels * self.kernel_size[0] * self.kernel_size[1]
        self.weight = uniform((out_channels, in_channels, *self.kernel_size), fan)
        self.bias = uniform((out_channels,), fan) if bias else None

    def forward(self, x: Operand) -> Tensor:
        """Map x (N, C, H, W) to (N, K, OH, OW)."""
        return conv2d(x, self.weight, self.bias, stride=self.stride, padding=self.padding)
