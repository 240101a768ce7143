"""Average pooling."""

from __future__ import annotations

from typing import Any

from unrolled import _core
from unrolled._arrays import RealArray, as_real, as_sizes
from unrolled.ops.conv_geometry import Pair
from unrolled.ops.pool_geometry import (
    Options,
    Windows,
    as_flag,
    check_gradient,
    check_input,
    check_output,
    fit,
    on_two_axes,
)
from unrolled.ops.rows import with_rows, without_rows


def avg_pool1d(
    x: Any,
    kernel_size: int,
    *,
    stride: int | None = None,
    padding: int = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> RealArray:
    """Average over windows of sequences x (N, C, L): `avg_pool2d` with one axis.

    Returns
    -------
    array, shape (N, C, OL)

    Raises
    ------
    ValueError, TypeError
        As for `avg_pool2d`.

    Examples
    --------
    >>> avg_pool1d([[[1.0, 3.0, 2.0, 5.0]]], 2)
    array([[[2. , 3.5]]])
    """
    options = Options(kernel_size, stride, padding, 1, ceil_mode)
    return _forward(x, 1, options, count_include_pad, None)


def avg_pool1d_backward(
    grad_y: Any,
    input_size: int,
    kernel_size: int,
    *,
    stride: int | None = None,
    padding: int = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> RealArray:
    """Gradient of `avg_pool1d`: `avg_pool2d_backward` with one axis.

    Returns
    -------
    array, shape (N, C, input_size)

    Raises
    ------
    ValueError, TypeError
        As for `avg_pool2d_backward`.
    """
    options = Options(kernel_size, stride, padding, 1, ceil_mode)
    return _backward(grad_y, input_size, 1, options, count_include_pad, None)


def avg_pool2d(
    x: Any,
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> RealArray:
    """Average over windows.

    Parameters
    ----------
    x : array, shape (N, C, H, W)
    kernel_size : int or (int, int)
        Size of the window.
    stride : int or (int, int), optional
        Step of the window; `kernel_size` where not given.
    padding : int or (int, int)
        Border of zeros around the image, at most half the window.
    ceil_mode : bool
        Whether windows may hang over the far border, as long as they begin before it. What lies
        beyond the border does not count.
    count_include_pad : bool
        Whether a sum is divided by all elements of its window, those of the border included, and
        not by those of the image alone.
    divisor_override : int, optional
        What every sum is divided by instead.

    Returns
    -------
    array, shape (N, C, OH, OW)

    Raises
    ------
    ValueError
        The shapes do not fit, or an option is out of its range.
    TypeError
        An option is no whole number, or a flag no truth value.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool2d(np.arange(8.0).reshape(1, 1, 2, 4), 2)
    array([[[[2.5, 4.5]]]])
    """
    options = Options(kernel_size, stride, padding, 1, ceil_mode)
    return _forward(x, 2, options, count_include_pad, divisor_override)


def avg_pool2d_backward(
    grad_y: Any,
    input_size: tuple[int, int],
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> RealArray:
    """Gradient of `avg_pool2d`: each value is shared among the elements of its window.

    Parameters
    ----------
    grad_y : array, shape (N, C, OH, OW)
    input_size : (int, int)
        H and W of the input.
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As in the forward pass.

    Returns
    -------
    array, shape (N, C, H, W)

    Raises
    ------
    ValueError, TypeError
        As for `avg_pool2d`.
    """
    options = Options(kernel_size, stride, padding, 1, ceil_mode)
    return _backward(grad_y, input_size, 2, options, count_include_pad, divisor_override)


def _forward(
    x: Any, axes: int, options: Options, count_include_pad: Any, divisor_override: Any
) -> RealArray:
    x = as_real(x, "x")
    check_input(x, axes)
    windows = fit(x.shape[2:], options)
    how = _dividing(windows, count_include_pad, divisor_override)
    y = _core.avg_pool2d(with_rows(x), *_core_sizes(windows)[1:], *how)
    return without_rows(y, axes)


def _backward(
    grad_y: Any,
    input_size: Any,
    axes: int,
    options: Options,
    count_include_pad: Any,
    divisor_override: Any,
) -> RealArray:
    grad_y = as_real(grad_y, "grad_y")
    check_gradient(grad_y, axes)
    windows = fit(as_sizes(input_size, "input_size", axes, 0), options)
    how = _dividing(windows, count_include_pad, divisor_override)
    check_output(grad_y, windows.output)
    grad_x = _core.avg_pool2d_backward(with_rows(grad_y), *_core_sizes(windows), *how)
    return without_rows(grad_x, axes)


def _dividing(
    windows: Windows, count_include_pad: Any, divisor_override: Any
) -> tuple[bool, bool, int]:
    """Return ceil_mode, count_include_pad and the divisor as the core takes them."""
    divisor = 0  # each window's own
    if divisor_override is not None:
        divisor = as_sizes(divisor_override, "divisor_override", 1, 1)[0]
    return windows.ceil_mode, as_flag(count_include_pad, "count_include_pad"), divisor


def _core_sizes(
    windows: Windows,
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]:
    size, kernel, stride, padding, _ = on_two_axes(windows)
    padded = size[0] + 2 * padding[0], size[1] + 2 * padding[1]
    # What lies beyond the border does not count: no window need be larger than the padded x.
    return size, _smaller(kernel, padded), _smaller(stride, padded), padding


def _smaller(sizes: tuple[int, int], bounds: tuple[int, int]) -> tuple[int, int]:
    return min(sizes[0], bounds[0]), min(sizes[1], bounds[1])
