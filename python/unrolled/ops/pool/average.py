"""Average pooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from unrolled import _core
from unrolled._arrays import RealArray, as_pair, require_shape
from unrolled.ops.pool.windows import (
    Pair,
    Single,
    Windows,
    gradient_images,
    gradient_rows,
    images,
    pooled_size,
    rows,
    single,
    windows1d,
    windows2d,
)


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
        Zeros around the image, at most half the window.
    ceil_mode : bool
        Whether windows that hang over the lower or right border are kept, as long as they begin
        before it.
    count_include_pad : bool
        Whether the padding counts among a window's elements; what hangs over it never does.
    divisor_override : int, optional
        What sums are divided by, in place of the number of elements.

    Returns
    -------
    array, shape (N, C, OH, OW)
        ``OH = (H + 2 * padding - kernel_size) // stride + 1``, rounded up with `ceil_mode`; OW
        alike.

    Raises
    ------
    ValueError
        The shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool2d(np.arange(8.0).reshape(1, 1, 2, 4), 2)
    array([[[[2.5, 4.5]]]])
    """
    x = images(x)
    windows = windows2d(kernel_size, stride, padding, 1, ceil_mode)
    return _forward(x, windows, count_include_pad, divisor_override)


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
    """Gradient of `avg_pool2d`: each value goes to the elements of its window in equal shares.

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
    ValueError
        The shapes do not fit.
    """
    size = as_pair(input_size, "input_size", 1)
    windows = windows2d(kernel_size, stride, padding, 1, ceil_mode)
    grad_y = gradient_images(grad_y)
    return _backward(grad_y, size, windows, count_include_pad, divisor_override)


def avg_pool1d(
    x: Any,
    kernel_size: Single,
    *,
    stride: Single | None = None,
    padding: Single = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> RealArray:
    """Average over windows of rows: `avg_pool2d` of x, shape (N, C, L), to (N, C, OL).

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool1d(np.arange(6.0).reshape(1, 1, 6), 2)
    array([[[0.5, 2.5, 4.5]]])
    """
    windows = windows1d(kernel_size, stride, padding, 1, ceil_mode)
    return _forward(rows(x), windows, count_include_pad, None)[:, :, 0]


def avg_pool1d_backward(
    grad_y: Any,
    input_size: Single,
    kernel_size: Single,
    *,
    stride: Single | None = None,
    padding: Single = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> RealArray:
    """Gradient of `avg_pool1d`: `grad_y`, shape (N, C, OL), to (N, C, L).

    `input_size` is L; the rest is as in the forward pass.
    """
    size = (1, single(input_size, "input_size", 1))
    windows = windows1d(kernel_size, stride, padding, 1, ceil_mode)
    return _backward(gradient_rows(grad_y), size, windows, count_include_pad, None)[:, :, 0]


def _divisor(divisor_override: int | None) -> int:
    if divisor_override is None:
        return 0
    if not isinstance(divisor_override, (int, np.integer)):
        raise TypeError(f"divisor_override must be a whole number, got {divisor_override!r}")
    if divisor_override == 0 or abs(divisor_override) >= 2**31:
        raise ValueError(
            f"divisor_override must be below 2**31 and not 0, got {divisor_override}; None divides "
            f"by the number of elements"
        )
    return int(divisor_override)


def _forward(
    x: RealArray, windows: Windows, count_include_pad: bool, divisor_override: int | None
) -> RealArray:
    pooled_size(x.shape[2:], windows)
    kernel, stride, padding, _, ceil_mode = windows
    divisor = _divisor(divisor_override)
    return _core.avg_pool2d(
        x, kernel, stride, padding, ceil_mode, bool(count_include_pad), divisor
    )


def _backward(
    grad_y: RealArray,
    size: tuple[int, int],
    windows: Windows,
    count_include_pad: bool,
    divisor_override: int | None,
) -> RealArray:
    expected = (*grad_y.shape[:2], *pooled_size(size, windows))
    require_shape(grad_y, "grad_y", expected, "the shape of the output")
    kernel, stride, padding, _, ceil_mode = windows
    divisor = _divisor(divisor_override)
    return _core.avg_pool2d_backward(
        grad_y, size, kernel, stride, padding, ceil_mode, bool(count_include_pad), divisor
    )
