"""Transposed convolution layers, which enlarge."""

from __future__ import annotations

from math import prod
from typing import Any

from unrolled.autograd import Tensor, as_tensor
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import Pair, one_of, per_axis
from unrolled.nn.conv import Passes, check_channels, convolve
from unrolled.nn.init import uniform
from unrolled.nn.module import Module
from unrolled.ops import conv_transpose as ops
from unrolled.ops.conv_geometry import check_algorithm

_PASSES = {  # by the number of spatial axes
    1: Passes(
        ops.conv_transpose1d,
        ops.conv_transpose1d_backward,
        ops.conv_transpose1d_backward_input,
        ops.conv_transpose1d_backward_weight,
        {},
    ),
    2: Passes(
        ops.conv_transpose2d,
        ops.conv_transpose2d_backward,
        ops.conv_transpose2d_backward_input,
        ops.conv_transpose2d_backward_weight,
        {},
    ),
}


def conv_transpose1d(
    x: Operand,
    weight: Operand,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    groups: int = 1,
    dilation: int = 1,
    algorithm: str = "auto",
) -> Tensor:
    """Spread sequences x (N, C, L) by weight (C, K / groups, S): `conv_transpose2d`, one axis."""
    options: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    options |= {"output_padding": output_padding, "groups": groups, "algorithm": algorithm}
    return convolve(_PASSES[1], x, weight, bias, options)


def conv_transpose2d(
    x: Operand,
    weight: Operand,
    bias: Tensor | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
    algorithm: str = "auto",
) -> Tensor:
    """Spread every pixel over the output by a kernel; kernels that overlap add up.

    Parameters
    ----------
    x : Tensor or array-like (N, C, H, W)
    weight : Tensor or array-like (C, K / groups, R, S)
    bias : Tensor (K), optional
    stride, padding, output_padding, groups, dilation, algorithm
        As `unrolled.conv_transpose2d` takes them.

    Returns
    -------
    Tensor (N, K, OH, OW)

    Raises
    ------
    ValueError
        If the shapes do not fit or an option is out of its range.
    """
    options: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    options |= {"output_padding": output_padding, "groups": groups, "algorithm": algorithm}
    return convolve(_PASSES[2], x, weight, bias, options)


class _ConvTransposeLayer:
    """The constructor of `ConvTranspose1d` and `ConvTranspose2d`, checks included."""

    axes: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        output_padding: Pair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Pair = 1,
        padding_mode: str = "zeros",
        *,
        algorithm: str = "auto",
    ) -> None:
        check_channels(in_channels, out_channels, groups)
        one_of("padding_mode", padding_mode, ("zeros",))
        self.kernel_size = per_axis("kernel_size", kernel_size, self.axes, least=1)
        self.stride = per_axis("stride", stride, self.axes, least=1)
        self.padding = per_axis("padding", padding, self.axes, least=0)
        self.output_padding = per_axis("output_padding", output_padding, self.axes, least=0)
        self.dilation = per_axis("dilation", dilation, self.axes, least=1)
        self.groups = groups
        check_algorithm(algorithm, self.kernel_size, self.stride, self.dilation)
        self.algorithm = algorithm
        fan = out_channels // groups * prod(self.kernel_size)  # PyTorch's fan
        self.weight = uniform((in_channels, out_channels // groups, *self.kernel_size), fan)
        self.bias = uniform((out_channels,), fan) if bias else None

    def forward(self, x: Operand, output_size: Pair | None = None) -> Tensor:
        """Map x (N, C, ...) to (N, K, ...).

        Parameters
        ----------
        x : Tensor or array-like (N, C, L) or (N, C, H, W)
        output_size : int or pair of int, optional
            Size of y, which replaces `output_padding`: several sizes of y have the same x.
        """
        x = as_tensor(x, self.weight.dtype)
        more = self.output_padding
        if output_size is not None and x.ndim == self.axes + 2:
            more = self._output_padding(x.shape[2:], output_size)
        options = {
            "stride": self.stride,
            "padding": self.padding,
            "output_padding": more,
            "groups": self.groups,
            "dilation": self.dilation,
            "algorithm": self.algorithm,
        }
        return convolve(_PASSES[self.axes], x, self.weight, self.bias, options)

    def _output_padding(self, size: tuple[int, ...], output_size: Pair) -> tuple[int, ...]:
        wanted = per_axis("output_size", output_size, self.axes, least=1)
        parts = zip(size, self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        smallest = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in parts]
        more = tuple([w - least for w, least in zip(wanted, smallest, strict=True)])
        if any(not 0 <= m < s for m, s in zip(more, self.stride, strict=True)):
            largest = [least + s - 1 for least, s in zip(smallest, self.stride, strict=True)]
            raise ValueError(f"output_size must lie in {smallest} .. {largest}, not {wanted}")
        return more


class ConvTranspose2d(_ConvTransposeLayer, Module):
    """Transposed convolution of images: what `Conv2d` does to gradients, as a layer.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of x, C, and of y, K.
    kernel_size : int or pair of int
        Height R and width S of the kernel.
    stride : int or pair of int
        Distance at which neighbouring pixels put their kernels down.
    padding : int or pair of int
        Rows and columns cut off y on every side.
    output_padding : int or pair of int
        Rows and columns of y more, below and to the right; smaller than stride or dilation.
    groups : int
        Parts that the channels are cut into, each treated by itself.
    bias : bool
        Whether there is one.
    dilation : int or pair of int
        Distance of the kernel's elements on y.
    padding_mode : "zeros"
        The only one.
    algorithm : "auto", "direct", "winograd" or "winograd-f2"
        As `unrolled.conv2d` takes it.

    Attributes
    ----------
    weight : Parameter (C, K / groups, R, S)
    bias : Parameter (K) or None

    Raises
    ------
    ValueError
        If a size is out of its range, or `groups` does not divide the channels.

    Examples
    --------
    >>> import numpy as np
    >>> ConvTranspose2d(4, 2, kernel_size=4, stride=2, padding=1)(np.zeros((1, 4, 8, 9))).shape
    (1, 2, 16, 18)
    """

    axes = 2


class ConvTranspose1d(_ConvTransposeLayer, Module):
    """Transposed convolution of sequences (N, C, L): `ConvTranspose2d` with one axis.

    Attributes
    ----------
    weight : Parameter (C, K / groups, S)
    bias : Parameter (K) or None

    Raises
    ------
    ValueError
        If a size is out of its range, or `groups` does not divide the channels.

    Examples
    --------
    >>> import numpy as np
    >>> ConvTranspose1d(4, 2, kernel_size=4, stride=4)(np.zeros((1, 4, 8))).shape
    (1, 2, 32)
    """

    axes = 1
