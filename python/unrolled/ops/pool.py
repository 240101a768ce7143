"""Max pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray, as_real, as_sizes
from unrolled.ops.activation import is_relu
from unrolled.ops.conv_geometry import Pair
from unrolled.ops.pool_geometry import (
    Options,
    as_places,
    check_gradient,
    check_input,
    check_output,
    check_places,
    fit,
    on_two_axes,
)
from unrolled.ops.rows import with_rows, without_rows

Winners = tuple[RealArray, NDArray[np.uint8]]


def max_pool1d(
    x: Any,
    kernel_size: int,
    *,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
    activation: str | None = None,
) -> RealArray:
    """Maximum over windows of sequences x (N, C, L): `max_pool2d` with one axis.

    Returns
    -------
    array, shape (N, C, OL)

    Raises
    ------
    ValueError, TypeError
        As for `max_pool2d`.

    Examples
    --------
    >>> max_pool1d([[[1.0, 3.0, 2.0, 5.0]]], 2)
    array([[[3., 5.]]])
    """
    return _forward(x, 1, Options(kernel_size, stride, padding, dilation, ceil_mode), activation)[0]


def max_pool1d_with_indices(
    x: Any,
    kernel_size: int,
    *,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
    activation: str | None = None,
) -> Winners:
    """`max_pool1d`, and where in its window each maximum stands: `max_pool2d_with_indices`."""
    return _forward(x, 1, Options(kernel_size, stride, padding, dilation, ceil_mode), activation)


def max_pool1d_backward(
    grad_y: Any,
    window: Any,
    input_size: int,
    kernel_size: int,
    *,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
    activation: str | None = None,
) -> RealArray:
    """Gradient of `max_pool1d`: `max_pool2d_backward` with one axis.

    Returns
    -------
    array, shape (N, C, input_size)

    Raises
    ------
    ValueError, TypeError
        As for `max_pool2d_backward`.
    """
    options = Options(kernel_size, stride, padding, dilation, ceil_mode)
    return _backward(grad_y, window, input_size, 1, options, activation)


def max_pool2d(
    x: Any,
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    activation: str | None = None,
) -> RealArray:
    """Maximum over windows.

    Parameters
    ----------
    x : array, shape (N, C, H, W)
    kernel_size : int or (int, int)
        Size of the window, at most 256 elements.
    stride : int or (int, int), optional
        Step of the window; `kernel_size` where not given.
    padding : int or (int, int)
        Border around the image, at most half the window, which never wins.
    dilation : int or (int, int)
        Distance between the window's elements. A window whose elements all lie in the border,
        which a dilation beyond the image allows, has the maximum -inf.
    ceil_mode : bool
        Whether windows may hang over the far border, as long as they begin before it.
    activation : None or "relu"
        Applied to y at no extra cost, and the backward pass knows of it. The same as a ReLU of x,
        which has more elements; `kernel_size` has at most 255 then.

    Returns
    -------
    array, shape (N, C, OH, OW)

    Raises
    ------
    ValueError
        The shapes do not fit, or an option is out of its range.
    TypeError
        An option is no whole number, or `ceil_mode` no truth value.

    Examples
    --------
    >>> import numpy as np
    >>> max_pool2d(np.arange(8.0).reshape(1, 1, 2, 4), 2)
    array([[[[5., 7.]]]])
    """
    return _forward(x, 2, Options(kernel_size, stride, padding, dilation, ceil_mode), activation)[0]


def max_pool2d_with_indices(
    x: Any,
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    activation: str | None = None,
) -> Winners:
    """`max_pool2d`, and where in its window each maximum stands.

    The first of equal values wins; a NaN wins over everything, the last one over earlier ones.

    Returns
    -------
    y : array, shape (N, C, OH, OW)
    window : array of uint8, same shape
        Place in the window, row by row: what `max_pool2d_backward` needs. With a ReLU it is 255
        where the maximum is not positive: that window's gradient goes nowhere.
    """
    return _forward(x, 2, Options(kernel_size, stride, padding, dilation, ceil_mode), activation)


def max_pool2d_backward(
    grad_y: Any,
    window: Any,
    input_size: tuple[int, int],
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    activation: str | None = None,
) -> RealArray:
    """Gradient of `max_pool2d`: each value goes to the place that won.

    Parameters
    ----------
    grad_y : array, shape (N, C, OH, OW)
    window : array of uint8, shape (N, C, OH, OW)
        From `max_pool2d_with_indices`.
    input_size : (int, int)
        H and W of the input.
    kernel_size, stride, padding, dilation, ceil_mode, activation
        As in the forward pass.

    Returns
    -------
    array, shape (N, C, H, W)

    Raises
    ------
    ValueError
        The shapes do not fit, or `window` is not of this pooling.
    TypeError
        `window` is not uint8, or an option has a wrong type.
    """
    options = Options(kernel_size, stride, padding, dilation, ceil_mode)
    return _backward(grad_y, window, input_size, 2, options, activation)


def _forward(x: Any, axes: int, options: Options, activation: str | None) -> Winners:
    x = as_real(x, "x")
    check_input(x, axes)
    windows, relu = fit(x.shape[2:], options), is_relu(activation)
    check_places(windows.kernel, relu)
    sizes = on_two_axes(windows)[1:]
    y, window = _core.max_pool2d(with_rows(x), *sizes, windows.ceil_mode, relu)
    return without_rows(y, axes), without_rows(window, axes)


def _backward(
    grad_y: Any,
    window: Any,
    input_size: Any,
    axes: int,
    options: Options,
    activation: str | None,
) -> RealArray:
    grad_y = as_real(grad_y, "grad_y")
    places = as_places(window, (np.uint8,))
    check_gradient(grad_y, axes)
    windows = fit(as_sizes(input_size, "input_size", axes, 0), options)
    relu = is_relu(activation)
    check_places(windows.kernel, relu)
    check_output(grad_y, windows.output, window=places)
    arrays = with_rows(grad_y), with_rows(places)
    grad_x = _core.max_pool2d_backward(*arrays, *on_two_axes(windows), windows.ceil_mode, relu)
    return without_rows(grad_x, axes)
