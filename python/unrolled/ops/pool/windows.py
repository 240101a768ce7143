"""The arguments that describe windows: checked, and one dimension made two."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from unrolled._arrays import RealArray, as_pair, as_real, require_axes

Single: TypeAlias = "int | tuple[int]"
Pair: TypeAlias = "int | tuple[int, int]"
Places: TypeAlias = "np.ndarray[Any, np.dtype[np.uint8] | np.dtype[np.int32]]"


class Windows(NamedTuple):
    """Rows and columns of each."""

    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    ceil_mode: bool


def windows2d(
    kernel_size: Pair, stride: Pair | None, padding: Pair, dilation: Pair, ceil_mode: bool
) -> Windows:
    """Check the arguments of two-dimensional windows."""
    kernel = as_pair(kernel_size, "kernel_size", 1)
    step = kernel if stride is None else as_pair(stride, "stride", 1)
    border, spread = as_pair(padding, "padding", 0), as_pair(dilation, "dilation", 1)
    if 2 * border[0] > kernel[0] or 2 * border[1] > kernel[1]:
        raise ValueError(f"padding must be at most half of kernel_size {kernel}, got {border}")
    return Windows(kernel, step, border, spread, bool(ceil_mode))


def windows1d(
    kernel_size: Single, stride: Single | None, padding: Single, dilation: Single, ceil_mode: bool
) -> Windows:
    """Check the arguments of one-dimensional windows; they become one row high."""
    kernel = single(kernel_size, "kernel_size", 1)
    step = kernel if stride is None else single(stride, "stride", 1)
    border, spread = single(padding, "padding", 0), single(dilation, "dilation", 1)
    if 2 * border > kernel:
        raise ValueError(f"padding must be at most half of kernel_size {kernel}, got {border}")
    return Windows((1, kernel), (1, step), (0, border), (1, spread), bool(ceil_mode))


def single(value: Any, name: str, minimum: int) -> int:
    """Make a number of a number or a sequence of one."""
    if isinstance(value, (tuple, list)) and len(value) == 1:
        value = value[0]
    if not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    return as_pair(value, name, minimum)[0]


def pooled_size(size: tuple[int, ...], windows: Windows) -> tuple[int, int]:
    """Rows and columns of windows over an image of `size`."""
    rows, columns = (_outputs(size, windows, axis) for axis in (0, 1))
    return rows, columns


def _outputs(size: tuple[int, ...], windows: Windows, axis: int) -> int:
    name = ("rows", "columns")[axis]
    stride, padding = windows.stride[axis], windows.padding[axis]
    if size[axis] < 1:
        raise ValueError(f"x must have at least one pixel, got images of size {tuple(size)}")
    span = windows.dilation[axis] * (windows.kernel_size[axis] - 1) + 1
    room = size[axis] + 2 * padding - span
    if windows.ceil_mode:
        room += stride - 1  # the last window may hang over the far border
    if room < 0:
        raise ValueError(
            f"kernel_size {windows.kernel_size} needs {span} {name}, the padded input has only "
            f"{size[axis] + 2 * padding}: use a smaller window or more padding"
        )
    outputs = room // stride + 1
    if windows.ceil_mode and (outputs - 1) * stride >= size[axis] + padding:
        outputs -= 1  # it would begin behind the image
    return outputs


def adaptive_size2d(
    output_size: int | tuple[int | None, int | None], size: tuple[int, ...]
) -> tuple[int, int]:
    """Rows and columns asked for; None stands for those of the input."""
    wanted: Any = output_size
    if isinstance(wanted, (tuple, list)) and len(wanted) == 2:
        wanted = tuple(s if w is None else w for w, s in zip(wanted, size, strict=True))
    elif wanted is None:
        wanted = size
    return as_pair(wanted, "output_size", 1)


def images(x: Any) -> RealArray:
    """Return x as an array (N, C, H, W) of real numbers."""
    array = as_real(x, "x")
    require_axes(array, "x", "N, C, H, W")
    if 0 in array.shape[2:]:
        raise ValueError(f"x must have at least one pixel, got shape {array.shape}")
    return array


def rows(x: Any) -> RealArray:
    """Return x (N, C, L) as an array of images one row high."""
    array = as_real(x, "x")
    require_axes(array, "x", "N, C, L")
    if array.shape[2] == 0:
        raise ValueError(f"x must have at least one element in a row, got shape {array.shape}")
    return array[:, :, None]


def gradient_images(grad_y: Any) -> RealArray:
    """Return grad_y as an array (N, C, OH, OW) of real numbers."""
    array = as_real(grad_y, "grad_y")
    require_axes(array, "grad_y", "N, C, OH, OW")
    return array


def gradient_rows(grad_y: Any) -> RealArray:
    """Return grad_y (N, C, OL) as an array of images one row high."""
    array = as_real(grad_y, "grad_y")
    require_axes(array, "grad_y", "N, C, OL")
    return array[:, :, None]


def as_places(window: Any, *dtypes: type[np.generic]) -> Places:
    """Return `window` in C order; its dtype must be one of those given."""
    array = np.ascontiguousarray(window)
    if array.dtype not in dtypes:
        names = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise TypeError(f"window must be {names}, got {array.dtype}")
    return array
