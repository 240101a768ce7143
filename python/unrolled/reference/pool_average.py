"""Average pooling and its backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .pool import Pair, as_pair, one_row, window_count

Array = NDArray[Any]


def avg_pool2d(
    x: ArrayLike,
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Return the sum of every window over its number of elements.

    Parameters
    ----------
    x : array (N, C, H, W)
    kernel_size, stride, padding : int or (vertical, horizontal)
        The stride is the kernel size when not given; the padding is of zeros.
    ceil_mode : bool
        Whether windows may hang over the far border; what lies beyond it does not count.
    count_include_pad : bool
        Whether the padding counts among a window's elements.
    divisor_override : int, optional
        What to divide by instead.

    Returns
    -------
    y : array (N, C, OH, OW), float64

    Raises
    ------
    ValueError
        When the window is larger than the padded image or the padding exceeds half of it.
    """
    x = np.asarray(x, np.float64)
    N, C, H, W = x.shape
    rows, columns = _axes((H, W), kernel_size, stride, padding, ceil_mode)
    y = np.zeros((N, C, len(rows), len(columns)))
    for row, (top, bottom, tall) in enumerate(rows):
        for col, (left, right, wide) in enumerate(columns):
            count = tall * wide if count_include_pad else (bottom - top) * (right - left)
            for i, j in _pixels(top, bottom, left, right):
                y[:, :, row, col] += x[:, :, i, j]
            y[:, :, row, col] /= divisor_override or count
    return y


def avg_pool2d_backward(
    grad_y: ArrayLike,
    input_size: tuple[int, int],
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Give every input of a window its share of the window's gradient.

    Returns
    -------
    grad_x (N, C, H, W), float64; windows that overlap add up.
    """
    grad_y = np.asarray(grad_y, np.float64)
    rows, columns = _axes(input_size, kernel_size, stride, padding, ceil_mode)
    grad_x = np.zeros((*grad_y.shape[:2], *input_size))
    for row, (top, bottom, tall) in enumerate(rows):
        for col, (left, right, wide) in enumerate(columns):
            count = tall * wide if count_include_pad else (bottom - top) * (right - left)
            share = grad_y[:, :, row, col] / (divisor_override or count)
            for i, j in _pixels(top, bottom, left, right):
                grad_x[:, :, i, j] += share
    return grad_x


def avg_pool1d(x: ArrayLike, kernel_size: int, **options: Any) -> Array:
    """Average over windows of sequences x (N, C, L): images of one row."""
    images = np.asarray(x)[:, :, None]
    return avg_pool2d(images, (1, kernel_size), **one_row(options))[:, :, 0]


def avg_pool1d_backward(
    grad_y: ArrayLike, input_size: int, kernel_size: int, **options: Any
) -> Array:
    """Give every input (N, C, L) of a window its share of the window's gradient."""
    rows, size = np.asarray(grad_y)[:, :, None], (1, input_size)
    return avg_pool2d_backward(rows, size, (1, kernel_size), **one_row(options))[:, :, 0]


def _axes(
    size: tuple[int, int], kernel_size: Pair, stride: Pair | None, padding: Pair, ceil_mode: bool
) -> list[list[tuple[int, int, int]]]:
    """Return for both axes each window's first element, the one behind its last, and its length.

    The length counts the padding, the elements are those of the image.
    """
    axes = []
    options = zip(
        size, as_pair(kernel_size), as_pair(stride or kernel_size), as_pair(padding), strict=True
    )
    for n, kernel, step, pad in options:
        windows = []
        for o in range(window_count(n, kernel, step, pad, 1, ceil_mode)):
            start = o * step - pad
            end = min(start + kernel, n + pad)
            windows.append((max(start, 0), min(end, n), end - start))
        axes.append(windows)
    return axes


def _pixels(top: int, bottom: int, left: int, right: int) -> Iterator[tuple[int, int]]:
    return ((i, j) for i in range(top, bottom) for j in range(left, right))
