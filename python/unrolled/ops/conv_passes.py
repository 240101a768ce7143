"""The passes of a convolution over one or two spatial axes: arguments checked, one call each."""

from __future__ import annotations

from typing import Any

import numpy as np

from unrolled import _core
from unrolled._arrays import RealArray, as_reals, as_sizes, require_axes, require_shape
from unrolled.ops import conv_geometry as geometry
from unrolled.ops.activation import is_relu
from unrolled.ops.conv_geometry import Geometry, Options
from unrolled.ops.padding import add_borders, fold_borders
from unrolled.ops.rows import two_axes, with_rows, without_rows

X_AXES = {1: "N, C, L", 2: "N, C, H, W"}
Y_AXES = {1: "N, K, OL", 2: "N, K, OH, OW"}
_WEIGHT_AXES = {1: "K, C / groups, S", 2: "K, C / groups, R, S"}


def forward(
    axes: int, x: Any, weight: Any, bias: Any, options: Options, activation: str | None
) -> RealArray:
    """Map x (N, C, ...), weight (K, C / groups, ...), bias (K) or None to y (N, K, ...)."""
    x, weight, bias = as_reals(x=x, weight=weight, bias=bias)
    require_axes(x, "x", X_AXES[axes])
    require_axes(weight, "weight", _WEIGHT_AXES[axes])
    shape = geometry.fit(x.shape[2:], weight.shape[2:], options)
    geometry.check_channels(x.shape[1], weight, shape.groups)
    geometry.check_memory(x.shape[1], shape)
    if bias is not None:
        require_shape(bias, "bias", (weight.shape[0],), "the output channels of weight")
    relu = is_relu(activation)
    x, shape = _with_border(x, shape)
    y = _core.conv2d(
        with_rows(x),
        with_rows(weight),
        bias,
        *shape.core_options,
        relu,
    )
    return without_rows(y, axes)


def backward_input(
    axes: int, grad_y: Any, weight: Any, input_size: Any, options: Options
) -> RealArray:
    """Map grad_y (N, K, ...), weight (K, C / groups, ...) to grad_x (N, C, *input_size)."""
    grad_y, weight = as_reals(grad_y=grad_y, weight=weight)
    require_axes(weight, "weight", _WEIGHT_AXES[axes])
    shape = geometry.fit(as_sizes(input_size, "input_size", axes, 0), weight.shape[2:], options)
    geometry.check_groups(weight.shape[0], shape.groups, "output channels of weight")
    channels = weight.shape[1] * shape.groups
    geometry.check_memory(channels, shape)
    _check_grad_y(grad_y, weight.shape[0], shape)
    inner = shape if shape.padding_mode == "zeros" else shape.on_padded
    grad_x = _core.conv2d_backward_input(
        with_rows(grad_y),
        with_rows(weight),
        two_axes(inner.size),
        *inner.core_options,
    )
    grad_x = without_rows(grad_x, axes)
    return grad_x if inner is shape else fold_borders(grad_x, shape.borders, shape.padding_mode)


def backward_weight(
    axes: int, grad_y: Any, x: Any, kernel_size: Any, options: Options, bias: bool = True
) -> tuple[RealArray, Any]:
    """Map grad_y (N, K, ...), x (N, C, ...) to grad_weight (K, C / groups, ...), grad_bias (K)."""
    grad_y, x = as_reals(grad_y=grad_y, x=x)
    require_axes(x, "x", X_AXES[axes])
    require_axes(grad_y, "grad_y", Y_AXES[axes])
    shape = geometry.fit(x.shape[2:], as_sizes(kernel_size, "kernel_size", axes, 1), options)
    geometry.check_groups(x.shape[1], shape.groups, "channels of x")
    geometry.check_groups(grad_y.shape[1], shape.groups, "channels of grad_y")
    geometry.check_memory(x.shape[1], shape)
    _check_grad_y(grad_y, grad_y.shape[1], shape)
    if grad_y.shape[0] != x.shape[0]:
        raise ValueError(f"grad_y has {grad_y.shape[0]} items, x has {x.shape[0]}")
    kernel = two_axes(shape.kernel)
    x, shape = _with_border(x, shape)
    grad_weight, grad_bias = _core.conv2d_backward_weight(
        with_rows(grad_y),
        with_rows(x),
        kernel,
        *shape.core_options,
        bias,
    )
    return without_rows(grad_weight, axes), grad_bias


def backward(
    axes: int, grad_y: Any, x: Any, weight: Any, options: Options
) -> tuple[RealArray, RealArray, RealArray]:
    """All three gradients: by x, by the weight and by the bias."""
    grad_y, x, weight = as_reals(grad_y=grad_y, x=x, weight=weight)
    require_axes(x, "x", X_AXES[axes])
    require_axes(weight, "weight", _WEIGHT_AXES[axes])
    geometry.check_channels(x.shape[1], weight, as_sizes(options.groups, "groups", 1, 1)[0])
    if options.padding_mode == "zeros" and grad_y.shape[:1] == x.shape[:1]:
        return _all_gradients(axes, grad_y, x, weight, options)
    grad_x = backward_input(axes, grad_y, weight, x.shape[2:], options)
    return grad_x, *backward_weight(axes, grad_y, x, weight.shape[2:], options)


def _all_gradients(
    axes: int, grad_y: RealArray, x: RealArray, weight: RealArray, options: Options
) -> tuple[RealArray, RealArray, RealArray]:
    """Compute the three gradients in one call, which may read grad_y once for all."""
    shape = geometry.fit(x.shape[2:], weight.shape[2:], options)
    geometry.check_memory(x.shape[1], shape)
    _check_grad_y(grad_y, weight.shape[0], shape)
    grad_x, grad_weight, grad_bias = _core.conv2d_backward(
        with_rows(grad_y), with_rows(x), with_rows(weight), *shape.core_options
    )
    return without_rows(grad_x, axes), without_rows(grad_weight, axes), grad_bias


def bias_gradient(grad_y: RealArray) -> RealArray:
    """Sum grad_y (N, K, ...) over all but the channels, in double."""
    others = (0, *range(2, grad_y.ndim))
    return np.asarray(grad_y.sum(axis=others, dtype=np.float64)).astype(grad_y.dtype)


def _with_border(x: RealArray, shape: Geometry) -> tuple[RealArray, Geometry]:
    """Give x a border that is not zeros; the core adds zeros itself."""
    if shape.padding_mode == "zeros":
        return x, shape
    return add_borders(x, shape.borders, shape.padding_mode), shape.on_padded


def _check_grad_y(grad_y: RealArray, channels: int, shape: Geometry) -> None:
    require_axes(grad_y, "grad_y", Y_AXES[len(shape.size)])
    expected = (grad_y.shape[0], channels, *shape.output)
    require_shape(grad_y, "grad_y", expected, "the shape of the output")
