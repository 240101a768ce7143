"""The windows of a pooling, checked, and brought to the two spatial axes of the core."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from unrolled._arrays import RealArray, as_sizes, require_axes, require_shape
from unrolled.ops.conv_geometry import Sizes
from unrolled.ops.remembered import remembered
from unrolled.ops.rows import two_axes

_AXES = {1: "L", 2: "H, W"}
_OUTPUT_AXES = {1: "OL", 2: "OH, OW"}
_NAMES = {1: ("elements",), 2: ("rows", "columns")}
_TOO_LARGE = 2**40  # elements of one image
_PLACES = 256  # a place in a window is kept in one byte


class Options(NamedTuple):
    """What the caller asked for, not yet checked."""

    kernel_size: Any
    stride: Any
    padding: Any
    dilation: Any = 1
    ceil_mode: Any = False


class Windows(NamedTuple):
    """Windows that are known to fit: sizes an axis, in the order of the axes."""

    size: Sizes  # of x
    kernel: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes
    ceil_mode: bool
    output: Sizes  # windows


class CoreWindows(NamedTuple):
    """The sizes as the core takes them, of rows and columns; a sequence is an image of one row."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]


def fit(size: Sizes, options: Options) -> Windows:
    """Check the options against the sizes of x.

    Raises
    ------
    ValueError, TypeError
        An option is out of its range, or the window is larger than the padded x.
    """
    return _fit(size, *options)


@remembered
def _fit(
    size: Sizes, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any
) -> Windows:
    axes = len(size)
    kernel = as_sizes(kernel_size, "kernel_size", axes, 1)
    stride = as_sizes(kernel_size if stride is None else stride, "stride", axes, 1)
    padding = as_sizes(padding, "padding", axes, 0)
    dilation = as_sizes(dilation, "dilation", axes, 1)
    ceil_mode = as_flag(ceil_mode, "ceil_mode")
    check_size(size)
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ValueError(f"padding must be at most half of kernel_size {kernel}, got {padding}")
    along = zip(size, kernel, stride, padding, dilation, strict=True)
    outputs = [_output_size(*numbers, ceil_mode) for numbers in along]
    for axis, found in enumerate(outputs):
        if found < 1:
            raise ValueError(
                f"kernel_size {kernel} spans {dilation[axis] * (kernel[axis] - 1) + 1} "
                f"{_NAMES[axes][axis]}, the padded input has only {size[axis] + 2 * padding[axis]}"
            )
    return Windows(size, kernel, stride, padding, dilation, ceil_mode, tuple(outputs))


def _output_size(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> int:
    """Count the windows; with `ceil_mode` they may hang over the far border (PyTorch's rule)."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1 + (stride - 1 if ceil_mode else 0)
    outputs = room // stride + 1
    if ceil_mode and (outputs - 1) * stride >= size + padding:
        outputs -= 1  # it would begin behind the image
    return outputs


@remembered
def on_two_axes(windows: Windows) -> CoreWindows:
    """Make a sequence's sizes those of an image of one row, and bound those that reach outside."""
    padded = [s + 2 * p for s, p in zip(windows.size, windows.padding, strict=True)]
    reach = [d * (k - 1) + 1 for d, k in zip(windows.dilation, windows.kernel, strict=True)]
    # A stride beyond the padded x and the window finds one position, as does one of their size.
    stride = tuple(
        [min(s, max(n, r)) for s, n, r in zip(windows.stride, padded, reach, strict=True)]
    )
    return CoreWindows(
        two_axes(windows.size),
        two_axes(windows.kernel),
        two_axes(stride),
        two_axes(windows.padding, of_one_row=0),
        two_axes(windows.dilation),
    )


def check_places(kernel: Sizes, relu: bool = False) -> None:
    """Raise where a place in the window, or with a ReLU none, does not fit into a byte."""
    places = _PLACES - relu
    if prod(kernel) > places:
        raise ValueError(
            f"kernel_size must have at most {places} elements, got {kernel}: {prod(kernel)}"
        )


def check_input(x: RealArray, axes: int) -> None:
    """Raise unless x has the axes (N, C) and `axes` behind them."""
    require_axes(x, "x", f"N, C, {_AXES[axes]}")


def check_gradient(grad_y: RealArray, axes: int) -> None:
    """Raise unless the gradient has as many axes as the output."""
    require_axes(grad_y, "grad_y", f"N, C, {_OUTPUT_AXES[axes]}")


def check_output(grad_y: RealArray, output: Sizes, **others: RealArray) -> None:
    """Raise unless the gradient, and what else has its shape, fit the number of windows."""
    expected = (*grad_y.shape[:2], *output)
    for name, array in {"grad_y": grad_y, **others}.items():
        require_shape(array, name, expected, "the shape of the output")


def check_size(size: Sizes, name: str = "the input") -> None:
    """Raise unless an image has elements, and not more than any memory holds."""
    if min(size) < 1 or prod(size) > _TOO_LARGE:
        problem = "no element" if min(size) < 1 else "far too many elements"
        raise ValueError(f"{name} has {problem} to pool: its size is {size}")


def as_flag(value: Any, name: str) -> bool:
    """Return a truth value, refusing what only looks like one."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def as_places(window: Any, dtypes: tuple[Any, ...]) -> Any:
    """Return places in windows in C order; they must have one of these types."""
    if type(window) is np.ndarray and window.flags.c_contiguous and window.dtype in dtypes:
        return window
    places = np.ascontiguousarray(window)
    native = places.dtype.newbyteorder("=")
    if native not in dtypes:
        names = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise TypeError(f"window must be {names}, got {places.dtype}")
    return places.astype(native, copy=False)
