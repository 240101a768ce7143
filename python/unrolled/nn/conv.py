"""Convolution layers."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import Pair, one_of, per_axis, positive
from unrolled.nn.init import uniform
from unrolled.nn.module import Module
from unrolled.ops import conv as ops
from unrolled.ops.activation import relu_backward
from unrolled.ops.conv_geometry import Padding, check_algorithm
from unrolled.ops.conv_passes import bias_gradient
from unrolled.ops.padding import MODES

ACTIVATIONS = (None, "relu")


class Passes(NamedTuple):
    """The functions of one kind of convolution."""

    forward: Any
    by_all: Any
    by_input: Any
    by_weight: Any
    weight_alone: dict[str, Any]  # options of by_weight where the bias needs no gradient


_PASSES = {  # by the number of spatial axes
    1: Passes(
        ops.conv1d,
        ops.conv1d_backward,
        ops.conv1d_backward_input,
        ops.conv1d_backward_weight,
        {"bias": False},
    ),
    2: Passes(
        ops.conv2d,
        ops.conv2d_backward,
        ops.conv2d_backward_input,
        ops.conv2d_backward_weight,
        {"bias": False},
    ),
}


class ConvFunction(Function):
    """Convolution of any kind on the tape; gradients that nobody needs are not computed."""

    gives_new_arrays = True

    def forward(
        self,
        x: Array,
        weight: Array,
        bias: Array | None,
        *,
        passes: Passes,
        activation: str | None = None,
        **options: Any,
    ) -> Array:
        """Compute y, and keep what the needed gradients take."""
        fused = {"activation": activation} if activation else {}
        y: Array = passes.forward(x, weight, bias, **options, **fused)
        by_x, by_weight, _ = self.needs_input_grad
        self.passes, self.options = passes, options
        self.input_size, self.kernel_size = x.shape[2:], weight.shape[2:]
        self.x = x if by_weight else None
        self.weight = weight if by_x else None
        self.y = y if activation else None
        self.wanted = {} if self.needs_input_grad[2] else passes.weight_alone
        return y

    def backward(self, grad_y: Array) -> tuple[Array | None, ...]:
        """Run the passes whose gradients are needed."""
        if self.y is not None:
            grad_y = relu_backward(grad_y, self.y)
        if self.x is not None and self.weight is not None and self._may_share_passes:
            grads = self.passes.by_all(grad_y, self.x, self.weight, **self.options)
            return (*grads[:2], grads[2] if self.needs_input_grad[2] else None)
        grad_x = grad_weight = grad_bias = None
        if self.weight is not None:
            grad_x = self.passes.by_input(grad_y, self.weight, self.input_size, **self.options)
        if self.x is not None:
            grad_weight, grad_bias = self.passes.by_weight(
                grad_y, self.x, self.kernel_size, **self.options, **self.wanted
            )
        elif self.needs_input_grad[2]:
            grad_bias = bias_gradient(grad_y)
        return grad_x, grad_weight, grad_bias if self.needs_input_grad[2] else None

    @property
    def _may_share_passes(self) -> bool:
        """Depthwise gradients come from one reading; others would sum a bias for nothing."""
        return self.needs_input_grad[2] or self.options["groups"] > 1


def conv1d(
    x: Operand,
    weight: Operand,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int | str = 0,
    dilation: int = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    algorithm: str = "auto",
    activation: str | None = None,
) -> Tensor:
    """Convolve sequences x (N, C, L) with weight (K, C / groups, S): `conv2d` with one axis."""
    options: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    options |= {"groups": groups, "padding_mode": padding_mode, "algorithm": algorithm}
    options["activation"] = activation
    return convolve(_PASSES[1], x, weight, bias, options)


def conv2d(
    x: Operand,
    weight: Operand,
    bias: Tensor | None = None,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    algorithm: str = "auto",
    activation: str | None = None,
) -> Tensor:
    """Convolve images with a bank of kernels (cross-correlation: kernels are not flipped).

    Parameters
    ----------
    x : Tensor or array-like (N, C, H, W)
    weight : Tensor or array-like (K, C / groups, R, S)
    bias : Tensor (K), optional
    stride, padding, dilation, groups, padding_mode, algorithm, activation
        As `unrolled.conv2d` takes them.

    Returns
    -------
    Tensor (N, K, OH, OW)

    Raises
    ------
    ValueError
        If the shapes do not fit or the padded image is smaller than the kernel.
    """
    options: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    options |= {"groups": groups, "padding_mode": padding_mode, "algorithm": algorithm}
    options["activation"] = activation
    return convolve(_PASSES[2], x, weight, bias, options)


def convolve(
    passes: Passes, x: Operand, weight: Operand, bias: Tensor | None, options: dict[str, Any]
) -> Tensor:
    """Run one kind of convolution on the tape; an x that is no tensor gets the weight's dtype."""
    weight = as_tensor(weight)
    x = as_tensor(x, weight.dtype)
    y: Tensor = ConvFunction.apply(x, weight, bias, passes=passes, **options)
    return y


class _ConvLayer:
    """The constructor of `Conv1d` and `Conv2d`, checks included."""

    axes: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        algorithm: str = "auto",
        activation: str | None = None,
    ) -> None:
        check_channels(in_channels, out_channels, groups)
        self.kernel_size = per_axis("kernel_size", kernel_size, self.axes, least=1)
        self.stride = per_axis("stride", stride, self.axes, least=1)
        self.dilation = per_axis("dilation", dilation, self.axes, least=1)
        self.padding = self._checked_padding(padding)
        self.groups = groups
        self.padding_mode = one_of("padding_mode", padding_mode, MODES)
        check_algorithm(algorithm, self.kernel_size, self.stride, self.dilation)
        self.algorithm = algorithm
        self.activation = one_of("activation", activation, ACTIVATIONS)
        fan = in_channels // groups * prod(self.kernel_size)
        self.weight = uniform((out_channels, in_channels // groups, *self.kernel_size), fan)
        self.bias = uniform((out_channels,), fan) if bias else None

    def forward(self, x: Operand) -> Tensor:
        """Map x (N, C, ...) to (N, K, ...)."""
        return self._forward(x, self.activation)

    def with_relu(self, x: Operand) -> Tensor:
        """Map x to what a ReLU behind this layer gives, in one pass."""
        return self._forward(x, "relu")

    def _forward(self, x: Operand, activation: str | None) -> Tensor:
        options = {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
            "padding_mode": self.padding_mode,
            "algorithm": self.algorithm,
            "activation": activation,
        }
        return convolve(_PASSES[self.axes], x, self.weight, self.bias, options)

    def _checked_padding(self, padding: Padding) -> tuple[int, ...] | str:
        if not isinstance(padding, str):
            return per_axis("padding", padding, self.axes, least=0)
        if padding == "same" and max(self.stride) > 1:
            raise ValueError(f"padding 'same' needs stride 1, not {self.stride}")
        return str(one_of("padding", padding, ("same", "valid")))


def check_channels(in_channels: int, out_channels: int, groups: int) -> None:
    """Raise unless both are positive multiples of `groups`."""
    positive(in_channels=in_channels, out_channels=out_channels, groups=groups)
    if in_channels % groups or out_channels % groups:
        raise ValueError(
            f"groups must divide in_channels and out_channels, but {groups} does not divide "
            f"{in_channels if in_channels % groups else out_channels}"
        )


class Conv2d(_ConvLayer, Module):
    """Two-dimensional convolution (cross-correlation: kernels are not flipped).

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of x, C, and of y, K.
    kernel_size : int or pair of int
        Height R and width S of the kernel.
    stride : int or pair of int
        Step of the kernel.
    padding : int, pair of int, "same" or "valid"
        Rows and columns of the border on every side; "same" (with stride 1) keeps x's size,
        "valid" is no border.
    dilation : int or pair of int
        Distance of the kernel's elements on the image.
    groups : int
        Parts that the channels are cut into, each convolved by itself; C makes it depthwise.
    bias : bool
        Whether there is one.
    padding_mode : "zeros", "reflect" or "replicate"
        What the border holds.
    algorithm : "auto", "direct", "winograd" or "winograd-f2"
        As `unrolled.conv2d` takes it.
    activation : None or "relu"
        Applied to y while it is in the cache, as a `ReLU` after the layer would.

    Attributes
    ----------
    weight : Parameter (K, C / groups, R, S)
    bias : Parameter (K) or None

    Raises
    ------
    ValueError
        If a size is out of its range, or `groups` does not divide the channels.

    Examples
    --------
    >>> import numpy as np
    >>> Conv2d(1, 4, kernel_size=3, stride=2, padding=1)(np.zeros((2, 1, 8, 9))).shape
    (2, 4, 4, 5)
    """

    axes = 2


class Conv1d(_ConvLayer, Module):
    """Convolution of sequences (N, C, L): `Conv2d` with one axis, and the same arguments.

    Attributes
    ----------
    weight : Parameter (K, C / groups, S)
    bias : Parameter (K) or None

    Raises
    ------
    ValueError
        If a size is out of its range, or `groups` does not divide the channels.

    Examples
    --------
    >>> import numpy as np
    >>> Conv1d(4, 8, kernel_size=5, padding="same", dilation=2)(np.zeros((2, 4, 30))).shape
    (2, 8, 30)
    """

    axes = 1
