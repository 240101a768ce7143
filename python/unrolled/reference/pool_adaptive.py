"""Adaptive average and max pooling, and their backward passes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
OutputSize = int | tuple[int | None, int | None] | None


def adaptive_avg_pool2d(x: ArrayLike, output_size: OutputSize) -> Array:
    """Return the averages of as many windows as asked for.

    Parameters
    ----------
    x : array (N, C, H, W)
    output_size : int, or (vertical, horizontal)
        Number of windows; None means as many as there are elements.

    Returns
    -------
    y : array (N, C, *output_size), float64
    """
    x = np.asarray(x, np.float64)
    rows, columns = _axes(x.shape[2:], output_size)
    y = np.zeros((*x.shape[:2], len(rows), len(columns)))
    for row, (top, bottom) in enumerate(rows):
        for col, (left, right) in enumerate(columns):
            for i in range(top, bottom):
                for j in range(left, right):
                    y[:, :, row, col] += x[:, :, i, j]
            y[:, :, row, col] /= (bottom - top) * (right - left)
    return y


def adaptive_avg_pool2d_backward(grad_y: ArrayLike, input_size: tuple[int, int]) -> Array:
    """Give every input of a window its share of the window's gradient: (N, C, H, W), float64."""
    grad_y = np.asarray(grad_y, np.float64)
    rows, columns = _axes(input_size, grad_y.shape[2:])
    grad_x = np.zeros((*grad_y.shape[:2], *input_size))
    for row, (top, bottom) in enumerate(rows):
        for col, (left, right) in enumerate(columns):
            share = grad_y[:, :, row, col] / ((bottom - top) * (right - left))
            for i in range(top, bottom):
                for j in range(left, right):
                    grad_x[:, :, i, j] += share
    return grad_x


def adaptive_max_pool2d(x: ArrayLike, output_size: OutputSize) -> Array:
    """Return the maxima; see `adaptive_max_pool2d_with_indices`."""
    return adaptive_max_pool2d_with_indices(x, output_size)[0]


def adaptive_max_pool2d_with_indices(x: ArrayLike, output_size: OutputSize) -> tuple[Array, Array]:
    """Return the maxima of as many windows as asked for, and where in its window each stands.

    Of equal values the first wins; a NaN wins over numbers and the last NaN over earlier ones.

    Parameters
    ----------
    x : array (N, C, H, W)
    output_size : int, or (vertical, horizontal)
        Number of windows; None means as many as there are elements.

    Returns
    -------
    y : array (N, C, *output_size), float64
    window : array of the same shape
        Position inside the window, row by row.
    """
    x = np.asarray(x, np.float64)
    rows, columns = _axes(x.shape[2:], output_size)
    y = np.zeros((*x.shape[:2], len(rows), len(columns)))
    window = np.zeros(y.shape, np.int32)
    for n, c, row, col in np.ndindex(*y.shape):
        (top, bottom), (left, right) = rows[row], columns[col]
        values = [x[n, c, i, j] for i in range(top, bottom) for j in range(left, right)]
        place = 0
        for at, value in enumerate(values):
            if value > values[place] or np.isnan(value):
                place = at
        y[n, c, row, col], window[n, c, row, col] = values[place], place
    return y, window


def adaptive_max_pool2d_backward(
    grad_y: ArrayLike, window: ArrayLike, input_size: tuple[int, int]
) -> Array:
    """Send every gradient to the one input that won its window: (N, C, H, W), float64."""
    grad_y, window = np.asarray(grad_y, np.float64), np.asarray(window)
    rows, columns = _axes(input_size, grad_y.shape[2:])
    grad_x = np.zeros((*grad_y.shape[:2], *input_size))
    for n, c, row, col in np.ndindex(*grad_y.shape):
        left, right = columns[col]
        r, s = divmod(int(window[n, c, row, col]), right - left)
        grad_x[n, c, rows[row][0] + r, left + s] += grad_y[n, c, row, col]
    return grad_x


def adaptive_avg_pool1d(x: ArrayLike, output_size: int | None) -> Array:
    """Average over windows of sequences x (N, C, L): images of one row."""
    return adaptive_avg_pool2d(np.asarray(x)[:, :, None], _one_row(output_size))[:, :, 0]


def adaptive_avg_pool1d_backward(grad_y: ArrayLike, input_size: int) -> Array:
    """Share the gradients among the inputs (N, C, L) of the windows."""
    return adaptive_avg_pool2d_backward(np.asarray(grad_y)[:, :, None], (1, input_size))[:, :, 0]


def adaptive_max_pool1d(x: ArrayLike, output_size: int | None) -> Array:
    """Maxima over windows of sequences x (N, C, L): images of one row."""
    return adaptive_max_pool1d_with_indices(x, output_size)[0]


def adaptive_max_pool1d_with_indices(x: ArrayLike, output_size: int | None) -> tuple[Array, Array]:
    """Maxima of sequences x (N, C, L), and where in its window each stands."""
    images = np.asarray(x)[:, :, None]
    y, window = adaptive_max_pool2d_with_indices(images, _one_row(output_size))
    return y[:, :, 0], window[:, :, 0]


def adaptive_max_pool1d_backward(grad_y: ArrayLike, window: ArrayLike, input_size: int) -> Array:
    """Send every gradient to the input (N, C, L) that won its window."""
    rows = np.asarray(grad_y)[:, :, None], np.asarray(window)[:, :, None]
    return adaptive_max_pool2d_backward(*rows, (1, input_size))[:, :, 0]


def _axes(size: tuple[int, ...], output_size: OutputSize) -> list[list[tuple[int, int]]]:
    """Return for both axes each window's first element and the one behind its last."""
    wanted = output_size if isinstance(output_size, tuple) else (output_size, output_size)
    counts = [n if count is None else count for n, count in zip(size, wanted, strict=True)]
    return [
        [(o * n // count, -(-(o + 1) * n // count)) for o in range(count)]
        for n, count in zip(size, counts, strict=True)
    ]


def _one_row(output_size: int | None) -> tuple[int, int | None]:
    return 1, output_size
