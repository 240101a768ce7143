"""Max pooling and its backward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Pair = int | tuple[int, int]


def max_pool2d(x: ArrayLike, kernel_size: Pair, **options: Any) -> Array:
    """Return the largest value of every window; see `max_pool2d_with_indices`."""
    return max_pool2d_with_indices(x, kernel_size, **options)[0]


def max_pool2d_with_indices(
    x: ArrayLike,
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> tuple[Array, Array]:
    """Return the largest value of every window and where in the window it stands.

    Of equal values the first wins; a NaN wins over numbers and the last NaN over earlier ones
    (PyTorch's rule: a NaN must not vanish). Padding never wins; where nothing else is in a window
    its maximum is -inf.

    Parameters
    ----------
    x : array (N, C, H, W)
    kernel_size, stride, padding, dilation : int or (vertical, horizontal)
        The stride is the kernel size when not given.
    ceil_mode : bool
        Whether windows may hang over the far border.

    Returns
    -------
    y : array (N, C, OH, OW), float64
    window : array (N, C, OH, OW), uint8
        Position ``row * kernel_width + column`` inside the window, padding counted.

    Raises
    ------
    ValueError
        When the window is larger than the padded image or the padding exceeds half of it.
    """
    x = np.asarray(x, np.float64)
    (R, S), (top, left) = as_pair(kernel_size), as_pair(padding)
    (down, right), (tall, wide) = as_pair(stride or kernel_size), as_pair(dilation)
    N, C, H, W = x.shape
    OH = window_count(H, R, down, top, tall, ceil_mode)
    OW = window_count(W, S, right, left, wide, ceil_mode)
    y, window = np.zeros((N, C, OH, OW)), np.zeros((N, C, OH, OW), np.uint8)
    for n, c, row, col in np.ndindex(N, C, OH, OW):
        best, best_at = -np.inf, None
        for r, s in np.ndindex(R, S):
            i, j = row * down + r * tall - top, col * right + s * wide - left
            if not (0 <= i < H and 0 <= j < W):
                continue
            value = x[n, c, i, j]
            if best_at is None or value > best or np.isnan(value):
                best, best_at = value, r * S + s
        y[n, c, row, col], window[n, c, row, col] = best, best_at or 0
    return y, window


def max_pool2d_backward(
    grad_y: ArrayLike,
    window: ArrayLike,
    input_size: tuple[int, int],
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Array:
    """Send every gradient to the one input that won its window.

    Parameters
    ----------
    grad_y, window : array (N, C, OH, OW)
        The gradient and the positions that `max_pool2d_with_indices` returned.
    input_size : (H, W)
    kernel_size, stride, padding, dilation : int or (vertical, horizontal)
    ceil_mode : bool
        Tells the forward pass how many windows there are; here the shape of `grad_y` does.

    Returns
    -------
    grad_x (N, C, H, W), float64; windows that overlap add up.
    """
    grad_y, window = np.asarray(grad_y, np.float64), np.asarray(window)
    (H, W), S = input_size, as_pair(kernel_size)[1]
    (down, right), (top, left) = as_pair(stride or kernel_size), as_pair(padding)
    tall, wide = as_pair(dilation)
    grad_x = np.zeros((*grad_y.shape[:2], H, W))
    for n, c, row, col in np.ndindex(*grad_y.shape):
        r, s = divmod(int(window[n, c, row, col]), S)
        i, j = row * down + r * tall - top, col * right + s * wide - left
        if 0 <= i < H and 0 <= j < W:  # nothing won a window that holds padding alone
            grad_x[n, c, i, j] += grad_y[n, c, row, col]
    return grad_x


def max_pool1d(x: ArrayLike, kernel_size: int, **options: Any) -> Array:
    """Return the largest value of every window of sequences (N, C, L)."""
    return max_pool1d_with_indices(x, kernel_size, **options)[0]


def max_pool1d_with_indices(x: ArrayLike, kernel_size: int, **options: Any) -> tuple[Array, Array]:
    """Pool sequences x (N, C, L) as images of one row: see `max_pool2d_with_indices`."""
    images = np.asarray(x)[:, :, None]
    y, window = max_pool2d_with_indices(images, (1, kernel_size), **one_row(options))
    return y[:, :, 0], window[:, :, 0]


def max_pool1d_backward(
    grad_y: ArrayLike, window: ArrayLike, input_size: int, kernel_size: int, **options: Any
) -> Array:
    """Send every gradient to the input (N, C, L) that won: see `max_pool2d_backward`."""
    rows = np.asarray(grad_y)[:, :, None], np.asarray(window)[:, :, None]
    return max_pool2d_backward(*rows, (1, input_size), (1, kernel_size), **one_row(options))[
        :, :, 0
    ]


def window_count(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> int:
    """Return how many windows an axis has.

    Raises
    ------
    ValueError
        When there is none, or the padding exceeds half the kernel.
    """
    if 2 * padding > kernel:
        raise ValueError(f"padding {padding} is more than half of kernel_size {kernel}")
    reach = dilation * (kernel - 1) + 1
    start, count = -padding, 0
    while start + reach <= size + padding:
        start, count = start + stride, count + 1
    # One more that hangs over the border, if there is something left and it begins in the image.
    left_over = start + reach - stride < size + padding
    if ceil_mode and left_over and start < size:
        count += 1
    if count == 0:
        raise ValueError(f"a window of {reach} is larger than the padded input of {size}")
    return count


def one_row(options: dict[str, Any]) -> dict[str, Any]:
    """Turn the options of a sequence into those of an image of one row."""
    rows = {"stride": 1, "padding": 0, "dilation": 1}
    return {
        name: (rows[name], value) if name in rows and value is not None else value
        for name, value in options.items()
    }


def as_pair(value: Pair) -> tuple[int, int]:
    """Return a number for both axes as a pair."""
    return value if isinstance(value, tuple) else (value, value)
