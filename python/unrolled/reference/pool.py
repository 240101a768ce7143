"""Max pooling and its backward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Pair = int | tuple[int, int]


def max_pool2d(
    x: ArrayLike, kernel_size: Pair, *, stride: Pair | None = None, padding: Pair = 0
) -> Array:
    """Return the largest value of every window; see `max_pool2d_with_indices`."""
    return max_pool2d_with_indices(x, kernel_size, stride=stride, padding=padding)[0]


def max_pool2d_with_indices(
    x: ArrayLike, kernel_size: Pair, *, stride: Pair | None = None, padding: Pair = 0
) -> tuple[Array, Array]:
    """Return the largest value of every window and where in the window it stands.

    Of equal values the first wins; a NaN wins over numbers and the last NaN over earlier ones
    (PyTorch's rule: a NaN must not vanish). Padding never wins.

    Parameters
    ----------
    x : array (N, C, H, W)
    kernel_size, stride, padding : int or (vertical, horizontal)
        The stride is the kernel size when not given.

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
    (R, S), (top, left) = _pair(kernel_size), _pair(padding)
    down, right = _pair(kernel_size if stride is None else stride)
    N, C, H, W = x.shape
    if H + 2 * top < R or W + 2 * left < S:
        raise ValueError(f"kernel_size {(R, S)} is larger than the padded x {(H, W)}")
    if 2 * top > R or 2 * left > S:
        raise ValueError(f"padding {(top, left)} is more than half of kernel_size {(R, S)}")
    OH, OW = (H + 2 * top - R) // down + 1, (W + 2 * left - S) // right + 1
    y, window = np.zeros((N, C, OH, OW)), np.zeros((N, C, OH, OW), np.uint8)
    for n, c, row, col in np.ndindex(N, C, OH, OW):
        best, best_at = -np.inf, None
        for r, s in np.ndindex(R, S):
            i, j = row * down + r - top, col * right + s - left
            if not (0 <= i < H and 0 <= j < W):
                continue
            value = x[n, c, i, j]
            if best_at is None or value > best or np.isnan(value):
                best, best_at = value, r * S + s
        y[n, c, row, col], window[n, c, row, col] = best, best_at
    return y, window


def max_pool2d_backward(
    grad_y: ArrayLike,
    window: ArrayLike,
    input_size: tuple[int, int],
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
) -> Array:
    """Send every gradient to the one input that won its window.

    Parameters
    ----------
    grad_y, window : array (N, C, OH, OW)
        The gradient and the positions that `max_pool2d_with_indices` returned.
    input_size : (H, W)
    kernel_size, stride, padding : int or (vertical, horizontal)

    Returns
    -------
    grad_x (N, C, H, W), float64; windows that overlap add up.
    """
    grad_y, window = np.asarray(grad_y, np.float64), np.asarray(window)
    S = _pair(kernel_size)[1]
    (down, right), (top, left) = _pair(kernel_size if stride is None else stride), _pair(padding)
    grad_x = np.zeros(grad_y.shape[:2] + tuple(input_size))
    for n, c, row, col in np.ndindex(*grad_y.shape):
        r, s = divmod(int(window[n, c, row, col]), S)
        grad_x[n, c, row * down + r - top, col * right + s - left] += grad_y[n, c, row, col]
    return grad_x


def _pair(value: Pair) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)
