"""Max pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray, as_pair, as_real, require_axes, require_shape
from unrolled.ops.conv import Pair, output_size


def max_pool2d(
    x: Any, kernel_size: Pair, *, stride: Pair | None = None, padding: Pair = 0
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

    Returns
    -------
    array, shape (N, C, OH, OW)

    Raises
    ------
    ValueError
        The shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> max_pool2d(np.arange(8.0).reshape(1, 1, 2, 4), 2)
    array([[[[5., 7.]]]])
    """
    return max_pool2d_with_indices(x, kernel_size, stride=stride, padding=padding)[0]


def max_pool2d_with_indices(
    x: Any, kernel_size: Pair, *, stride: Pair | None = None, padding: Pair = 0
) -> tuple[RealArray, NDArray[np.uint8]]:
    """`max_pool2d`, and where in its window each maximum stands.

    The first of equal values wins; a NaN wins over everything.

    Returns
    -------
    y : array, shape (N, C, OH, OW)
    window : array of uint8, same shape
        Place in the window, row by row: what `max_pool2d_backward` needs.
    """
    x = as_real(x, "x")
    require_axes(x, "x", "N, C, H, W")
    window = _window(kernel_size, stride, padding)
    output_size(x.shape[2:], window[0], window[1], window[2])
    return _core.max_pool2d(x, *window)


def max_pool2d_backward(
    grad_y: Any,
    window: Any,
    input_size: tuple[int, int],
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
) -> RealArray:
    """Gradient of `max_pool2d`: each value goes to the place that won.

    Parameters
    ----------
    grad_y : array, shape (N, C, OH, OW)
    window : array of uint8, shape (N, C, OH, OW)
        From `max_pool2d_with_indices`.
    input_size : (int, int)
        H and W of the input.
    kernel_size, stride, padding
        As in the forward pass.

    Returns
    -------
    array, shape (N, C, H, W)

    Raises
    ------
    ValueError
        The shapes do not fit, or `window` is not of this pooling.
    """
    grad_y = as_real(grad_y, "grad_y")
    window = np.ascontiguousarray(window)
    if window.dtype != np.uint8:
        raise TypeError(f"window must be uint8, got {window.dtype}")
    require_axes(grad_y, "grad_y", "N, C, OH, OW")
    size = as_pair(input_size, "input_size", 0)
    shape = _window(kernel_size, stride, padding)
    expected = (*grad_y.shape[:2], *output_size(size, *shape))
    require_shape(grad_y, "grad_y", expected, "the shape of the output")
    require_shape(window, "window", expected, "the shape of the output")
    return _core.max_pool2d_backward(grad_y, window, size, *shape)


def _window(
    kernel_size: Pair, stride: Pair | None, padding: Pair
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    kernel = as_pair(kernel_size, "kernel_size", 1)
    if kernel[0] * kernel[1] > 256:
        raise ValueError(f"kernel_size must have at most 256 elements, got {kernel}")
    step = kernel if stride is None else as_pair(stride, "stride", 1)
    border = as_pair(padding, "padding", 0)
    if 2 * border[0] > kernel[0] or 2 * border[1] > kernel[1]:
        raise ValueError(f"padding must be at most half of kernel_size {kernel}, got {border}")
    return kernel, step, border
