"""Adaptive pooling: as many windows as asked for, whose sizes follow from the input's.

Window i of n along an axis of size s holds the elements ``i * s // n`` to ``ceil((i + 1) * s / n)``,
the last one excluded. Windows may share elements.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from unrolled import _core
from unrolled._arrays import RealArray, as_pair, require_axes, require_shape
from unrolled.ops.pool.windows import (
    Places,
    Single,
    adaptive_size2d,
    as_places,
    gradient_images,
    gradient_rows,
    images,
    rows,
    single,
)

OutputSize: TypeAlias = "int | tuple[int | None, int | None]"


def adaptive_avg_pool2d(x: Any, output_size: OutputSize) -> RealArray:
    """Average over windows that cover the image evenly.

    Parameters
    ----------
    x : array, shape (N, C, H, W)
    output_size : int or (int or None, int or None)
        Rows and columns of windows; None stands for those of the input.

    Returns
    -------
    array, shape (N, C, OH, OW)

    Raises
    ------
    ValueError
        `output_size` is below 1, or the image is empty.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_avg_pool2d(np.arange(10.0).reshape(1, 1, 2, 5), (1, 2))
    array([[[[3.5, 5.5]]]])
    """
    x = images(x)
    return _core.adaptive_avg_pool2d(x, adaptive_size2d(output_size, x.shape[2:]))


def adaptive_avg_pool2d_backward(grad_y: Any, input_size: tuple[int, int]) -> RealArray:
    """Gradient of `adaptive_avg_pool2d`.

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
    ValueError
        The shapes do not fit.
    """
    grad_y = _windowed(gradient_images(grad_y))
    return _core.adaptive_avg_pool2d_backward(grad_y, as_pair(input_size, "input_size", 1))


def adaptive_max_pool2d(x: Any, output_size: OutputSize) -> RealArray:
    """Maximum over windows that cover the image evenly.

    Parameters
    ----------
    x : array, shape (N, C, H, W)
    output_size : int or (int or None, int or None)
        Rows and columns of windows; None stands for those of the input.

    Returns
    -------
    array, shape (N, C, OH, OW)

    Raises
    ------
    ValueError
        `output_size` is below 1, or the image is empty.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_max_pool2d(np.arange(10.0).reshape(1, 1, 2, 5), (1, 2))
    array([[[[7., 9.]]]])
    """
    return adaptive_max_pool2d_with_indices(x, output_size)[0]


def adaptive_max_pool2d_with_indices(
    x: Any, output_size: OutputSize
) -> tuple[RealArray, Places]:
    """`adaptive_max_pool2d`, and where in its window each maximum stands.

    The first of equal values wins; a NaN wins over everything.

    Returns
    -------
    y : array, shape (N, C, OH, OW)
    window : array of uint8, or of int32 where a window has more than 256 elements, same shape
        Place in the window, row by row: what `adaptive_max_pool2d_backward` needs.
    """
    x = images(x)
    return _core.adaptive_max_pool2d(x, adaptive_size2d(output_size, x.shape[2:]))


def adaptive_max_pool2d_backward(
    grad_y: Any, window: Any, input_size: tuple[int, int]
) -> RealArray:
    """Gradient of `adaptive_max_pool2d`: each value goes to the place that won.

    Parameters
    ----------
    grad_y, window : array, shape (N, C, OH, OW)
        `window` is from `adaptive_max_pool2d_with_indices`.
    input_size : (int, int)
        H and W of the input.

    Returns
    -------
    array, shape (N, C, H, W)

    Raises
    ------
    ValueError
        The shapes do not fit, or `window` is not of this pooling.
    """
    size = as_pair(input_size, "input_size", 1)
    return _max_backward(gradient_images(grad_y), as_places(window, np.uint8, np.int32), size)


def adaptive_avg_pool1d(x: Any, output_size: Single | None) -> RealArray:
    """`adaptive_avg_pool2d` of rows: x, shape (N, C, L), to (N, C, OL)."""
    x = rows(x)
    return _core.adaptive_avg_pool2d(x, _size1d(output_size, x))[:, :, 0]


def adaptive_avg_pool1d_backward(grad_y: Any, input_size: Single) -> RealArray:
    """Gradient of `adaptive_avg_pool1d`: `grad_y`, shape (N, C, OL), to (N, C, L)."""
    size = (1, single(input_size, "input_size", 1))
    return _core.adaptive_avg_pool2d_backward(_windowed(gradient_rows(grad_y)), size)[:, :, 0]


def adaptive_max_pool1d(x: Any, output_size: Single | None) -> RealArray:
    """`adaptive_max_pool2d` of rows: x, shape (N, C, L), to (N, C, OL)."""
    return adaptive_max_pool1d_with_indices(x, output_size)[0]


def adaptive_max_pool1d_with_indices(
    x: Any, output_size: Single | None
) -> tuple[RealArray, Places]:
    """`adaptive_max_pool1d`, and where in its window each maximum stands.

    Returns
    -------
    y : array, shape (N, C, OL)
    window : array of uint8, or of int32 where a window has more than 256 elements, same shape
    """
    x = rows(x)
    y, window = _core.adaptive_max_pool2d(x, _size1d(output_size, x))
    return y[:, :, 0], window[:, :, 0]


def adaptive_max_pool1d_backward(grad_y: Any, window: Any, input_size: Single) -> RealArray:
    """Gradient of `adaptive_max_pool1d`: `grad_y` and `window` (N, C, OL) to (N, C, L)."""
    places = as_places(window, np.uint8, np.int32)
    require_axes(places, "window", "N, C, OL")
    size = (1, single(input_size, "input_size", 1))
    return _max_backward(gradient_rows(grad_y), places[:, :, None], size)[:, :, 0]


def _size1d(output_size: Single | None, x: RealArray) -> tuple[int, int]:
    if isinstance(output_size, (tuple, list)) and len(output_size) == 1:
        output_size = output_size[0]
    return 1, x.shape[3] if output_size is None else single(output_size, "output_size", 1)


def _windowed(grad_y: RealArray) -> RealArray:
    if 0 in grad_y.shape[2:]:
        raise ValueError(f"grad_y must have at least one window, got shape {grad_y.shape}")
    return grad_y


def _max_backward(grad_y: RealArray, window: Any, size: tuple[int, int]) -> RealArray:
    require_shape(window, "window", _windowed(grad_y).shape, "the shape of grad_y")
    return _core.adaptive_max_pool2d_backward(grad_y, window, size)
