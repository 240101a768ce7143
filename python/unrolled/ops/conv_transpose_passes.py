"""The passes of a transposed convolution: those of the convolution from its y to its x.

What the convolution calls x, size and channels, is the transposed one's y, and the other way
round, so each pass here is another pass there, and the kernels are the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from unrolled import _core
from unrolled._arrays import RealArray, as_reals, as_sizes, require_axes, require_shape
from unrolled.ops import conv_geometry as geometry
from unrolled.ops.conv_geometry import Geometry, Sizes
from unrolled.ops.conv_passes import X_AXES, Y_AXES, bias_gradient
from unrolled.ops.padding import add_borders, fold_borders
from unrolled.ops.rows import two_axes, with_rows, without_rows

_WEIGHT_AXES = {1: "C, K / groups, S", 2: "C, K / groups, R, S"}


class TransposeOptions(NamedTuple):
    """What the caller asked for, not yet checked."""

    stride: Any
    padding: Any
    output_padding: Any
    groups: Any
    dilation: Any
    algorithm: Any


def forward(axes: int, x: Any, weight: Any, bias: Any, options: TransposeOptions) -> RealArray:
    """Map x (N, C, ...), weight (C, K / groups, ...), bias (K) or None to y (N, K, ...)."""
    x, weight, bias = as_reals(x=x, weight=weight, bias=bias)
    require_axes(x, "x", X_AXES[axes])
    _check_weight(weight, x.shape[1], axes)
    shape = _fit(x.shape[2:], weight.shape[2:], options)
    _check_groups(weight, shape)
    channels = weight.shape[1] * shape.groups
    geometry.check_memory(channels, shape)
    if bias is not None:
        require_shape(bias, "bias", (channels,), "the output channels of weight")
    y = _core.conv2d_backward_input(
        with_rows(_at_all_positions(x, shape)),
        with_rows(weight),
        two_axes(shape.size),
        *shape.core_options,
    )
    y = without_rows(y, axes)
    if bias is not None:
        y += bias.reshape(-1, *[1] * axes)
    return y


def backward_input(
    axes: int, grad_y: Any, weight: Any, input_size: Any, options: TransposeOptions
) -> RealArray:
    """Map grad_y (N, K, ...), weight (C, K / groups, ...) to grad_x (N, C, *input_size)."""
    grad_y, weight = as_reals(grad_y=grad_y, weight=weight)
    require_axes(weight, "weight", _WEIGHT_AXES[axes])
    size = as_sizes(input_size, "input_size", axes, 1)
    shape = _fit(size, weight.shape[2:], options)
    _check_groups(weight, shape)
    _check_grad_y(grad_y, weight.shape[1] * shape.groups, shape)
    grad_x = _core.conv2d(
        with_rows(grad_y),
        with_rows(weight),
        None,
        *shape.core_options,
        False,
    )
    return fold_borders(without_rows(grad_x, axes), _behind(size, shape), "zeros")


def backward_weight(
    axes: int, grad_y: Any, x: Any, kernel_size: Any, options: TransposeOptions
) -> tuple[RealArray, RealArray]:
    """Map grad_y (N, K, ...), x (N, C, ...) to grad_weight (C, K / groups, ...), grad_bias (K)."""
    grad_y, x = as_reals(grad_y=grad_y, x=x)
    require_axes(x, "x", X_AXES[axes])
    require_axes(grad_y, "grad_y", Y_AXES[axes])
    shape = _fit(x.shape[2:], as_sizes(kernel_size, "kernel_size", axes, 1), options)
    geometry.check_groups(x.shape[1], shape.groups, "channels of x")
    geometry.check_groups(grad_y.shape[1], shape.groups, "channels of grad_y")
    _check_grad_y(grad_y, grad_y.shape[1], shape)
    if grad_y.shape[0] != x.shape[0]:
        raise ValueError(f"grad_y has {grad_y.shape[0]} items, x has {x.shape[0]}")
    grad_weight, _ = _core.conv2d_backward_weight(
        with_rows(_at_all_positions(x, shape)),
        with_rows(grad_y),
        two_axes(shape.kernel),
        *shape.core_options,
        False,
    )
    return without_rows(grad_weight, axes), bias_gradient(grad_y)


def backward(
    axes: int, grad_y: Any, x: Any, weight: Any, options: TransposeOptions
) -> tuple[RealArray, RealArray, RealArray]:
    """All three gradients: by x, by the weight and by the bias."""
    grad_y, x, weight = as_reals(grad_y=grad_y, x=x, weight=weight)
    require_axes(x, "x", X_AXES[axes])
    _check_weight(weight, x.shape[1], axes)
    grad_x = backward_input(axes, grad_y, weight, x.shape[2:], options)
    return grad_x, *backward_weight(axes, grad_y, x, weight.shape[2:], options)


def _fit(size: Sizes, kernel: Sizes, options: TransposeOptions) -> Geometry:
    """Return the convolution from y's size, checked, to the size of x or, rarely, a little more."""
    axes = len(size)
    stride = as_sizes(options.stride, "stride", axes, 1)
    padding = as_sizes(options.padding, "padding", axes, 0)
    dilation = as_sizes(options.dilation, "dilation", axes, 1)
    more = as_sizes(options.output_padding, "output_padding", axes, 0)
    if min(size) < 1 or min(kernel) < 1:
        raise ValueError(f"x and kernel need at least one element an axis, got {size}, {kernel}")
    for extra, step, distance in zip(more, stride, dilation, strict=True):
        if extra >= max(step, distance):
            raise ValueError(
                f"output_padding must be smaller than stride or dilation, got {more} with "
                f"stride {stride} and dilation {dilation}"
            )
    parts = zip(size, kernel, stride, padding, dilation, more, strict=True)
    out = tuple([(n - 1) * s - 2 * p + (k - 1) * d + e + 1 for n, k, s, p, d, e in parts])
    if min(out) < 1:
        raise ValueError(f"padding {padding} leaves nothing of y: its size would be {out}")
    return geometry.fit(
        out,
        kernel,
        geometry.Options(stride, padding, dilation, options.groups, "zeros", options.algorithm),
    )


def _behind(size: Sizes, shape: Geometry) -> list[tuple[int, int]]:
    """Zeros behind x: an output_padding of a whole stride lets the kernel fit once more."""
    return [(0, positions - n) for positions, n in zip(shape.output, size, strict=True)]


def _at_all_positions(x: RealArray, shape: Geometry) -> RealArray:
    if x.shape[2:] == shape.output:
        return x
    return add_borders(x, _behind(x.shape[2:], shape), "zeros")


def _check_weight(weight: RealArray, channels: int, axes: int) -> None:
    require_axes(weight, "weight", _WEIGHT_AXES[axes])
    if weight.shape[0] != channels:
        raise ValueError(
            f"x has {channels} channels, weight of shape {weight.shape} needs {weight.shape[0]}"
        )


def _check_groups(weight: RealArray, shape: Geometry) -> None:
    geometry.check_groups(weight.shape[0], shape.groups, "input channels of weight")


def _check_grad_y(grad_y: RealArray, channels: int, shape: Geometry) -> None:
    require_axes(grad_y, "grad_y", Y_AXES[len(shape.size)])
    expected = (grad_y.shape[0], channels, *shape.size)
    require_shape(grad_y, "grad_y", expected, "the shape of the output")
