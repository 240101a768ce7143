"""Average pooling layers."""

from __future__ import annotations

from typing import Any, NamedTuple

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import Pair, per_axis, positive
from unrolled.nn.module import Module
from unrolled.ops import pool_average as ops
from unrolled.ops.pool_geometry import as_flag


class Passes(NamedTuple):
    """The functions of average pooling along some number of axes."""

    forward: Any
    backward: Any


_PASSES = {  # by the number of spatial axes
    1: Passes(ops.avg_pool1d, ops.avg_pool1d_backward),
    2: Passes(ops.avg_pool2d, ops.avg_pool2d_backward),
}


class AveragePoolFunction(Function):
    """Average pooling on the tape: a linear function, whose gradient needs only sizes."""

    def forward(self, x: Array, *, passes: Passes, arguments: Any, **options: Any) -> Array:
        """Compute y; `arguments` go to both passes."""
        self.input_size, self.arguments, self.options = x.shape[2:], arguments, options
        self.by_input = passes.backward
        y: Array = passes.forward(x, *arguments, **options)
        return y

    def backward(self, grad_y: Array) -> Array:
        """Share the gradients among the elements of their windows."""
        grad_x: Array = self.by_input(grad_y, self.input_size, *self.arguments, **self.options)
        return grad_x


def avg_pool1d(
    x: Operand,
    kernel_size: int,
    *,
    stride: int | None = None,
    padding: int = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Average over every window of x (N, C, L): `avg_pool2d` with one axis."""
    options: dict[str, Any] = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    return _pool(1, x, kernel_size, options | {"count_include_pad": count_include_pad})


def avg_pool2d(
    x: Operand,
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Average over every window.

    Parameters
    ----------
    x : Tensor or array-like (N, C, H, W)
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As `unrolled.nn.AvgPool2d` takes them.

    Returns
    -------
    Tensor (N, C, (H + 2 padding - kernel_size) // stride + 1, and so for W); with `ceil_mode` the
    division rounds up

    Raises
    ------
    ValueError
        If a size is out of its range or the padded image is smaller than the window.
    """
    options: dict[str, Any] = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    options["count_include_pad"] = count_include_pad
    return _pool(2, x, kernel_size, options | {"divisor_override": divisor_override})


def _pool(axes: int, x: Operand, kernel_size: Any, options: dict[str, Any]) -> Tensor:
    y: Tensor = AveragePoolFunction.apply(
        as_tensor(x), passes=_PASSES[axes], arguments=(kernel_size,), **options
    )
    return y


class _AvgPool:
    """The constructor of `AvgPool1d` and `AvgPool2d`, checks included."""

    axes: int

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        step = kernel_size if stride is None else stride
        self.kernel_size = per_axis("kernel_size", kernel_size, self.axes, least=1)
        self.stride = per_axis("stride", step, self.axes, least=1)
        self.padding = per_axis("padding", padding, self.axes, least=0)
        self.ceil_mode = as_flag(ceil_mode, "ceil_mode")
        self.count_include_pad = as_flag(count_include_pad, "count_include_pad")

    def forward(self, x: Operand) -> Tensor:
        """Map x (N, C, ...) to the average of every window, (N, C, ...)."""
        return _pool(self.axes, x, self.kernel_size, self._options())

    def _options(self) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "padding": self.padding,
            "ceil_mode": self.ceil_mode,
            "count_include_pad": self.count_include_pad,
        }


class AvgPool1d(_AvgPool, Module):
    """The average of every window of a sequence.

    Parameters
    ----------
    kernel_size : int
        Length of the window.
    stride : int, optional
        Step of the window; its own length when not given.
    padding : int
        Zeros around the sequence; at most half the window.
    ceil_mode : bool
        Whether windows may hang over the end, as long as they begin before it.
    count_include_pad : bool
        Whether the zeros count among a window's elements.

    Raises
    ------
    ValueError
        If a size is out of its range.

    Examples
    --------
    >>> AvgPool1d(2)([[[1.0, 3.0, 2.0, 5.0]]])
    Tensor([[[2. , 3.5]]])
    """

    axes = 1


class AvgPool2d(_AvgPool, Module):
    """The average of every window.

    Parameters
    ----------
    kernel_size : int or pair of int
        Height and width of the window.
    stride : int or pair of int, optional
        Step of the window; its own size when not given.
    padding : int or pair of int
        Rows and columns of zeros around the image; at most half the window.
    ceil_mode : bool
        Whether windows may hang over the far border, as long as they begin before it.
    count_include_pad : bool
        Whether the zeros count among a window's elements.
    divisor_override : int, optional
        What sums are divided by, instead of the number of elements.

    Raises
    ------
    ValueError
        If a size is out of its range.

    Examples
    --------
    >>> AvgPool2d(2)([[[[1.0, 3.0], [2.0, 4.0]]]])
    Tensor([[[[2.5]]]])
    """

    axes = 2

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        if divisor_override is not None:
            positive(divisor_override=divisor_override)
        self.divisor_override = divisor_override

    def _options(self) -> dict[str, Any]:
        return super()._options() | {"divisor_override": self.divisor_override}
