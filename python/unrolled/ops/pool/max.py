"""Max pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray, as_pair, require_axes, require_shape
from unrolled.ops.pool.windows import (
    Pair,
    Single,
    Windows,
    as_places,
    gradient_images,
    gradient_rows,
    images,
    pooled_size,
    rows,
    single,
    windows1d,
    windows2d,
)

Places = NDArray[np.uint8]


def max_pool2d(
    x: Any,
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
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
        Distance between the elements of a window.
    ceil_mode : bool
        Whether windows that hang over the lower or right border are kept, as long as they begin
        before it.

    Returns
    -------
    array, shape (N, C, OH, OW)
        ``OH = (H + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1``, rounded up
        with `ceil_mode`; OW alike. A window that holds nothing but padding, which only a dilation
        can make, gives -inf.

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
    windows = _windows2d(kernel_size, stride, padding, dilation, ceil_mode)
    return _forward(images(x), windows)[0]


def max_pool2d_with_indices(
    x: Any,
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> tuple[RealArray, Places]:
    """`max_pool2d`, and where in its window each maximum stands.

    The first of equal values wins; a NaN wins over everything.

    Returns
    -------
    y : array, shape (N, C, OH, OW)
    window : array of uint8, same shape
        Place in the window, row by row: what `max_pool2d_backward` needs.
    """
    windows = _windows2d(kernel_size, stride, padding, dilation, ceil_mode)
    return _forward(images(x), windows)


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
) -> RealArray:
    """Gradient of `max_pool2d`: each value goes to the place that won.

    Parameters
    ----------
    grad_y : array, shape (N, C, OH, OW)
    window : array of uint8, shape (N, C, OH, OW)
        From `max_pool2d_with_indices`.
    input_size : (int, int)
        H and W of the input.
    kernel_size, stride, padding, dilation, ceil_mode
        As in the forward pass.

    Returns
    -------
    array, shape (N, C, H, W)

    Raises
    ------
    ValueError
        The shapes do not fit, or `window` is not of this pooling.
    """
    windows = _windows2d(kernel_size, stride, padding, dilation, ceil_mode)
    size = as_pair(input_size, "input_size", 1)
    return _backward(gradient_images(grad_y), as_places(window, np.uint8), size, windows)


def max_pool1d(
    x: Any,
    kernel_size: Single,
    *,
    stride: Single | None = None,
    padding: Single = 0,
    dilation: Single = 1,
    ceil_mode: bool = False,
) -> RealArray:
    """Maximum over windows of rows: `max_pool2d` of x, shape (N, C, L), to (N, C, OL).

    Examples
    --------
    >>> import numpy as np
    >>> max_pool1d(np.arange(6.0).reshape(1, 1, 6), 3, stride=2, ceil_mode=True)
    array([[[2., 4., 5.]]])
    """
    windows = _windows1d(kernel_size, stride, padding, dilation, ceil_mode)
    return _forward(rows(x), windows)[0][:, :, 0]


def max_pool1d_with_indices(
    x: Any,
    kernel_size: Single,
    *,
    stride: Single | None = None,
    padding: Single = 0,
    dilation: Single = 1,
    ceil_mode: bool = False,
) -> tuple[RealArray, Places]:
    """`max_pool1d`, and where in its window each maximum stands.

    Returns
    -------
    y : array, shape (N, C, OL)
    window : array of uint8, same shape
    """
    windows = _windows1d(kernel_size, stride, padding, dilation, ceil_mode)
    y, window = _forward(rows(x), windows)
    return y[:, :, 0], window[:, :, 0]


def max_pool1d_backward(
    grad_y: Any,
    window: Any,
    input_size: Single,
    kernel_size: Single,
    *,
    stride: Single | None = None,
    padding: Single = 0,
    dilation: Single = 1,
    ceil_mode: bool = False,
) -> RealArray:
    """Gradient of `max_pool1d`: `grad_y` and `window`, shape (N, C, OL), to (N, C, L).

    `input_size` is L; the rest is as in the forward pass.
    """
    windows = _windows1d(kernel_size, stride, padding, dilation, ceil_mode)
    places = as_places(window, np.uint8)
    require_axes(places, "window", "N, C, OL")
    size = (1, single(input_size, "input_size", 1))
    return _backward(gradient_rows(grad_y), places[:, :, None], size, windows)[:, :, 0]


def _windows2d(*arguments: Any) -> Windows:
    return _few(windows2d(*arguments))


def _windows1d(*arguments: Any) -> Windows:
    return _few(windows1d(*arguments))


def _few(windows: Windows) -> Windows:
    kernel = windows.kernel_size
    if kernel[0] * kernel[1] > 256:
        raise ValueError(
            f"kernel_size must have at most 256 elements, the places that one byte can name, got "
            f"{kernel}: for larger windows use adaptive_max_pool1d or adaptive_max_pool2d"
        )
    return windows


def _forward(x: RealArray, windows: Windows) -> tuple[RealArray, Places]:
    pooled_size(x.shape[2:], windows)
    return _core.max_pool2d(x, *windows)


def _backward(
    grad_y: RealArray, window: Any, size: tuple[int, int], windows: Windows
) -> RealArray:
    expected = (*grad_y.shape[:2], *pooled_size(size, windows))
    require_shape(grad_y, "grad_y", expected, "the shape of the output")
    require_shape(window, "window", expected, "the shape of the output")
    return _core.max_pool2d_backward(grad_y, window, size, *windows)
