"""Adaptive pooling: as many windows as asked for, spread over the whole input.

Window o of O over n elements holds the elements from ``floor(o n / O)`` to below
``ceil((o + 1) n / O)`` (PyTorch's rule): windows share elements where O does not divide n.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray, as_real, as_sizes
from unrolled.ops.conv_geometry import Sizes
from unrolled.ops.pool_geometry import (
    as_places,
    check_gradient,
    check_input,
    check_output,
    check_size,
)
from unrolled.ops.rows import two_axes, with_rows, without_rows

OutputSize: TypeAlias = "int | tuple[int | None, int | None] | None"
Winners: TypeAlias = "tuple[RealArray, NDArray[np.uint8] | NDArray[np.int32]]"


def adaptive_avg_pool1d(x: Any, output_size: int | None) -> RealArray:
    """Averages of `output_size` windows of sequences x (N, C, L): `adaptive_avg_pool2d`.

    Returns
    -------
    array, shape (N, C, output_size)

    Raises
    ------
    ValueError, TypeError
        As for `adaptive_avg_pool2d`.

    Examples
    --------
    >>> adaptive_avg_pool1d([[[1.0, 3.0, 2.0]]], 2)
    array([[[2. , 2.5]]])
    """
    return _average(x, output_size, 1)


def adaptive_avg_pool1d_backward(grad_y: Any, input_size: int) -> RealArray:
    """Gradient of `adaptive_avg_pool1d`: `adaptive_avg_pool2d_backward` with one axis."""
    return _average_backward(grad_y, input_size, 1)


def adaptive_avg_pool2d(x: Any, output_size: OutputSize) -> RealArray:
    """Averages of a given number of windows, whatever the size of the image.

    Parameters
    ----------
    x : array, shape (N, C, H, W)
    output_size : int, or a pair of int or None
        Windows along each axis; None is as many as the image has elements there.

    Returns
    -------
    array, shape (N, C, *output_size)

    Raises
    ------
    ValueError
        A size is below 1, or x has other axes.
    TypeError
        `output_size` is no whole number or pair.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_avg_pool2d(np.arange(8.0).reshape(1, 1, 2, 4), (1, 2))
    array([[[[2.5, 4.5]]]])
    """
    return _average(x, output_size, 2)


def adaptive_avg_pool2d_backward(grad_y: Any, input_size: tuple[int, int]) -> RealArray:
    """Gradient of `adaptive_avg_pool2d`: each value is shared among the elements of its window.

    Parameters
    ----------
    grad_y : array, shape (N, C, OH, OW)
    input_size : (int, int)
        H and W of the input.

    Returns
    -------
    array, shape (N, C, H, W)

    Raises
    ------
    ValueError, TypeError
        A size is below 1, or `grad_y` has other axes.
    """
    return _average_backward(grad_y, input_size, 2)


def adaptive_max_pool1d(x: Any, output_size: int | None) -> RealArray:
    """Maxima of `output_size` windows of sequences x (N, C, L): `adaptive_max_pool2d`.

    Returns
    -------
    array, shape (N, C, output_size)

    Raises
    ------
    ValueError, TypeError
        As for `adaptive_max_pool2d`.
    """
    return _maximum(x, output_size, 1)[0]


def adaptive_max_pool1d_with_indices(x: Any, output_size: int | None) -> Winners:
    """`adaptive_max_pool1d`, and where in its window each maximum stands."""
    return _maximum(x, output_size, 1)


def adaptive_max_pool1d_backward(grad_y: Any, window: Any, input_size: int) -> RealArray:
    """Gradient of `adaptive_max_pool1d`: `adaptive_max_pool2d_backward` with one axis."""
    return _maximum_backward(grad_y, window, input_size, 1)


def adaptive_max_pool2d(x: Any, output_size: OutputSize) -> RealArray:
    """Maxima of a given number of windows, whatever the size of the image.

    Parameters
    ----------
    x : array, shape (N, C, H, W)
    output_size : int, or a pair of int or None
        Windows along each axis; None is as many as the image has elements there.

    Returns
    -------
    array, shape (N, C, *output_size)

    Raises
    ------
    ValueError
        A size is below 1, or x has other axes.
    TypeError
        `output_size` is no whole number or pair.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_max_pool2d(np.arange(8.0).reshape(1, 1, 2, 4), (1, 2))
    array([[[[5., 7.]]]])
    """
    return _maximum(x, output_size, 2)[0]


def adaptive_max_pool2d_with_indices(x: Any, output_size: OutputSize) -> Winners:
    """`adaptive_max_pool2d`, and where in its window each maximum stands.

    The first of equal values wins; a NaN wins over everything, the last one over earlier ones.

    Returns
    -------
    y : array, shape (N, C, *output_size)
    window : array, same shape
        Place in the window, row by row: uint8 where no window has more than 256 elements, else
        int32.
    """
    return _maximum(x, output_size, 2)


def adaptive_max_pool2d_backward(
    grad_y: Any, window: Any, input_size: tuple[int, int]
) -> RealArray:
    """Gradient of `adaptive_max_pool2d`: each value goes to the place that won.

    Parameters
    ----------
    grad_y : array, shape (N, C, OH, OW)
    window : array of uint8 or int32, shape (N, C, OH, OW)
        From `adaptive_max_pool2d_with_indices`.
    input_size : (int, int)
        H and W of the input.

    Returns
    -------
    array, shape (N, C, H, W)

    Raises
    ------
    ValueError
        The shapes do not fit, or `window` is not of this pooling.
    TypeError
        `window` is neither uint8 nor int32.
    """
    return _maximum_backward(grad_y, window, input_size, 2)


def _average(x: Any, output_size: Any, axes: int) -> RealArray:
    x = as_real(x, "x")
    y = _core.adaptive_avg_pool2d(with_rows(x), two_axes(_fit(x, output_size, axes)))
    return without_rows(y, axes)


def _average_backward(grad_y: Any, input_size: Any, axes: int) -> RealArray:
    grad_y = as_real(grad_y, "grad_y")
    size = _fit_gradient(grad_y, input_size, axes)
    grad_x = _core.adaptive_avg_pool2d_backward(with_rows(grad_y), two_axes(size))
    return without_rows(grad_x, axes)


def _maximum(x: Any, output_size: Any, axes: int) -> Winners:
    x = as_real(x, "x")
    y, window = _core.adaptive_max_pool2d(with_rows(x), two_axes(_fit(x, output_size, axes)))
    return without_rows(y, axes), without_rows(window, axes)


def _maximum_backward(grad_y: Any, window: Any, input_size: Any, axes: int) -> RealArray:
    grad_y = as_real(grad_y, "grad_y")
    places = as_places(window, (np.uint8, np.int32))
    size = _fit_gradient(grad_y, input_size, axes)
    check_output(grad_y, grad_y.shape[2:], window=places)
    arrays = with_rows(grad_y), with_rows(places)
    grad_x = _core.adaptive_max_pool2d_backward(*arrays, two_axes(size))
    return without_rows(grad_x, axes)


def _fit(x: RealArray, output_size: Any, axes: int) -> Sizes:
    """Return the number of windows along each axis."""
    check_input(x, axes)
    size = x.shape[2:]
    check_size(size)
    wanted = output_size
    if wanted is None:
        wanted = size
    elif isinstance(wanted, (tuple, list)) and len(wanted) == axes:
        wanted = [n if asked is None else asked for asked, n in zip(wanted, size, strict=True)]
    sizes = as_sizes(wanted, "output_size", axes, 1)
    check_size(sizes, "output_size")
    return sizes


def _fit_gradient(grad_y: RealArray, input_size: Any, axes: int) -> Sizes:
    check_gradient(grad_y, axes)
    check_size(grad_y.shape[2:], "grad_y")
    size = as_sizes(input_size, "input_size", axes, 1)
    check_size(size, "input_size")
    return size
