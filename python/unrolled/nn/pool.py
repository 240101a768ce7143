"""Max pooling layers."""

from __future__ import annotations

from typing import Any, NamedTuple

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import Pair, per_axis
from unrolled.nn.module import Module
from unrolled.ops import pool as ops
from unrolled.ops.activation import is_relu
from unrolled.ops.pool_geometry import as_flag, check_places


class Passes(NamedTuple):
    """The functions of max pooling along some number of axes."""

    forward: Any
    forward_with_indices: Any
    backward: Any


_PASSES = {  # by the number of spatial axes
    1: Passes(ops.max_pool1d, ops.max_pool1d_with_indices, ops.max_pool1d_backward),
    2: Passes(ops.max_pool2d, ops.max_pool2d_with_indices, ops.max_pool2d_backward),
}


class MaxPoolFunction(Function):
    """Max pooling on the tape; the winners' places are kept only if they will be needed."""

    def forward(self, x: Array, *, passes: Passes, arguments: Any, **options: Any) -> Array:
        """Compute y; `arguments` go to both passes."""
        y: Array
        if not any(self.needs_input_grad):
            y = passes.forward(x, *arguments, **options)
            return y
        self.input_size, self.arguments, self.options = x.shape[2:], arguments, options
        self.by_input = passes.backward
        y, self.window = passes.forward_with_indices(x, *arguments, **options)
        return y

    def backward(self, grad_y: Array) -> Array:
        """Send the gradients to the winners."""
        grad_x: Array = self.by_input(
            grad_y, self.window, self.input_size, *self.arguments, **self.options
        )
        return grad_x


def max_pool1d(
    x: Operand,
    kernel_size: int,
    *,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
    activation: str | None = None,
) -> Tensor:
    """Take the largest element of every window of x (N, C, L): `max_pool2d` with one axis."""
    options: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    options |= {"ceil_mode": ceil_mode, "activation": activation}
    return _pool(1, x, kernel_size, options)


def max_pool2d(
    x: Operand,
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    activation: str | None = None,
) -> Tensor:
    """Take the largest element of every window; the first of equal ones gets the gradient.

    Parameters
    ----------
    x : Tensor or array-like (N, C, H, W)
    kernel_size, stride, padding, dilation, ceil_mode, activation
        As `unrolled.nn.MaxPool2d` takes them.

    Returns
    -------
    Tensor (N, C, (H + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1, and so for W);
    with `ceil_mode` the division rounds up

    Raises
    ------
    ValueError
        If a size is out of its range or the padded image is smaller than the window.
    """
    options: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    options |= {"ceil_mode": ceil_mode, "activation": activation}
    return _pool(2, x, kernel_size, options)


def _pool(axes: int, x: Operand, kernel_size: Any, options: dict[str, Any]) -> Tensor:
    y: Tensor = MaxPoolFunction.apply(
        as_tensor(x), passes=_PASSES[axes], arguments=(kernel_size,), **options
    )
    return y


class _MaxPool:
    """The constructor of `MaxPool1d` and `MaxPool2d`, checks included."""

    axes: int

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        dilation: Pair = 1,
        *,
        ceil_mode: bool = False,
        activation: str | None = None,
    ) -> None:
        step = kernel_size if stride is None else stride
        sizes = {
            "kernel_size": per_axis("kernel_size", kernel_size, self.axes, least=1),
            "stride": per_axis("stride", step, self.axes, least=1),
            "padding": per_axis("padding", padding, self.axes, least=0),
            "dilation": per_axis("dilation", dilation, self.axes, least=1),
        }
        check_places(sizes["kernel_size"], is_relu(activation))
        self.kernel_size, self.stride, self.padding, self.dilation = sizes.values()
        self.ceil_mode = as_flag(ceil_mode, "ceil_mode")
        self.activation = activation

    @property
    def relu_commutes(self) -> bool:
        """Whether a ReLU before it gives the same: no window lies in the border alone."""
        return max(self.dilation) == 1

    def forward(self, x: Operand) -> Tensor:
        """Map x (N, C, ...) to the largest element of every window, (N, C, ...)."""
        return self._forward(x, self.activation)

    def with_relu(self, x: Operand) -> Tensor:
        """Map x to what a ReLU behind this layer gives, in one pass."""
        return self._forward(x, "relu")

    def _forward(self, x: Operand, activation: str | None) -> Tensor:
        options: dict[str, Any] = {"stride": self.stride, "padding": self.padding}
        options |= {"dilation": self.dilation, "ceil_mode": self.ceil_mode}
        return _pool(self.axes, x, self.kernel_size, options | {"activation": activation})


class MaxPool1d(_MaxPool, Module):
    """The largest element of every window of a sequence.

    Parameters
    ----------
    kernel_size : int
        Length of the window, at most 256.
    stride : int, optional
        Step of the window; its own length when not given.
    padding : int
        Elements around the sequence that never win; at most half the window.
    dilation : int
        Distance between the window's elements.
    ceil_mode : bool
        Whether windows may hang over the end, as long as they begin before it.
    activation : None or "relu"
        Applied to y at no extra cost.

    Raises
    ------
    ValueError
        If a size is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> MaxPool1d(2)(np.zeros((2, 4, 9))).shape
    (2, 4, 4)
    """

    axes = 1


class MaxPool2d(_MaxPool, Module):
    """The largest element of every window.

    Parameters
    ----------
    kernel_size : int or pair of int
        Height and width of the window, at most 256 elements.
    stride : int or pair of int, optional
        Step of the window; its own size when not given.
    padding : int or pair of int
        Rows and columns around the image that never win; at most half the window.
    dilation : int or pair of int
        Distance between the window's elements.
    ceil_mode : bool
        Whether windows may hang over the far border, as long as they begin before it.
    activation : None or "relu"
        Applied to y at no extra cost.

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

    axes = 2
