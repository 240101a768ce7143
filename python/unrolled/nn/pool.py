"""Pooling layers."""

from __future__ import annotations

from typing import Any

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import Pair, pair
from unrolled.nn.module import Module
from unrolled.ops.pool import max_pool2d as max_pool2d_forward
from unrolled.ops.pool import max_pool2d_backward, max_pool2d_with_indices


class _MaxPool2dFunction(Function):
    """Max pooling on the tape; the winners' places are kept only if they will be needed."""

    def forward(self, x: Array, *, kernel_size: Pair, stride: Pair | None, padding: Pair) -> Array:
        self.input_size, self.kernel_size = x.shape[2:], kernel_size
        self.options: dict[str, Any] = {"stride": stride, "padding": padding}
        if not any(self.needs_input_grad):
            return max_pool2d_forward(x, kernel_size, **self.options)
        y, self.window = max_pool2d_with_indices(x, kernel_size, **self.options)
        return y

    def backward(self, grad_y: Array) -> Array:
        return max_pool2d_backward(
            grad_y, self.window, self.input_size, self.kernel_size, **self.options
        )


def max_pool2d(
    x: Operand, kernel_size: Pair, *, stride: Pair | None = None, padding: Pair = 0
) -> Tensor:
    """Take the largest element of every window; the first of equal ones gets the gradient.

    Parameters
    ----------
    x : Tensor or array-like (N, C, H, W)
    kernel_size : int or pair of int
        Height and width of the window.
    stride : int or pair of int, optional
        Step of the window; its own size when not given.
    padding : int or pair of int
        Rows and columns around the image that never win; at most half the window.

    Returns
    -------
    Tensor (N, C, (H + 2 padding - kernel_size) // stride + 1, and so for W)

    Raises
    ------
    ValueError
        If a size is out of its range or the padded image is smaller than the window.
    """
    y: Tensor = _MaxPool2dFunction.apply(
        as_tensor(x), kernel_size=kernel_size, stride=stride, padding=padding
    )
    return y


class MaxPool2d(Module):
    """The largest element of every window.

    Parameters
    ----------
    kernel_size : int or pair of int
        Height and width of the window.
    stride : int or pair of int, optional
        Step of the window; its own size when not given.
    padding : int or pair of int
        Rows and columns around the image that never win; at most half the window.

    Raises
    ------
    ValueError
        If a size is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> MaxPool2d((2, 1))(np.zeros((2, 4, 8, 9))).shape
    (2, 4, 4, 9)
    """

    def __init__(self, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> None:
        self.kernel_size = pair("kernel_size", kernel_size, least=1)
        self.stride = self.kernel_size if stride is None else pair("stride", stride, least=1)
        self.padding = pair("padding", padding, least=0)

    def forward(self, x: Operand) -> Tensor:
        """Map x (N, C, H, W) to (N, C, OH, OW)."""
        return max_pool2d(x, self.kernel_size, stride=self.stride, padding=self.padding)
