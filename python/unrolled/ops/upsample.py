"""Upsampling: the nearest element, or linear interpolation along one or two axes.

Every output position is a weighted sum of at most two inputs an axis. Where they lie is computed
here, for whole axes at once; the kernels only apply it, forward from inputs to outputs, and
backward from outputs to the inputs that went into them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from unrolled import _core
from unrolled._arrays import LARGEST_SIZE, RealArray, as_real

# How many axes behind (N, C) a mode takes.
_AXES = {"nearest": (1, 2), "linear": (1,), "bilinear": (2,)}

Size = int | Sequence[int] | None
Factor = float | Sequence[float] | None
_Axis = tuple[RealArray, RealArray, RealArray]


def interpolate(
    x: Any,
    size: Size = None,
    scale_factor: Factor = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> RealArray:
    """Resample the axes behind (N, C) to another size, by PyTorch's rules.

    Parameters
    ----------
    x : array, shape (N, C, W) or (N, C, H, W)
    size : int or one int an axis, optional
        The sizes of the result.
    scale_factor : float or one an axis, optional
        Instead of `size`: the sizes are ``floor(factor * size of x)``, and positions are computed
        with the factor itself. (An axis whose size stays is copied, and one that doubles repeats
        every element. In one dimension PyTorch's gradients follow that rule and its "nearest"
        does not, which shows for factors such as 1.3 that round to the same size.)
    mode : {"nearest", "linear", "bilinear"}
        "linear" takes (N, C, W), "bilinear" (N, C, H, W).
    align_corners : bool, optional
        Only for the linear modes, False if not given. Without it elements are squares whose
        outer edges coincide; with it the centres of the corner elements do.
    recompute_scale_factor : bool, optional
        Whether positions are computed with the ratio of the sizes instead of `scale_factor`.

    Returns
    -------
    array, shape (N, C, *sizes)

    Raises
    ------
    ValueError
        The axes do not fit the mode; not exactly one of `size` and `scale_factor` is given; a size
        is below 1; or `align_corners` is given for "nearest".

    Examples
    --------
    >>> interpolate([[[1.0, 3.0]]], scale_factor=2, mode="linear")
    array([[[1. , 1.5, 2.5, 3. ]]])
    """
    x = as_real(x, "x")
    axes = _positions(
        x.shape, x.dtype, size, scale_factor, mode, align_corners, recompute_scale_factor
    )
    sizes = tuple(len(axis[0]) for axis in axes)
    rows, columns = _two(axes, x.dtype)
    y = _core.resample(_planes(x, x.shape[2:]), rows, columns)
    return y.reshape(*x.shape[:2], *sizes)


def interpolate_backward(
    grad_y: Any,
    input_size: Sequence[int],
    size: Size = None,
    scale_factor: Factor = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> RealArray:
    """Gradient of `interpolate`: every input collects from the outputs that it went into.

    Parameters
    ----------
    grad_y : array, shape (N, C, *sizes)
    input_size : sequence of int
        The axes of x behind (N, C).
    size, scale_factor, mode, align_corners, recompute_scale_factor
        As in the forward pass.

    Returns
    -------
    array, shape (N, C, *input_size)

    Raises
    ------
    ValueError
        As for `interpolate`, or `grad_y` has not the shape of its result.
    """
    grad_y = as_real(grad_y, "grad_y")
    inputs = tuple(int(n) for n in input_size)
    options = (size, scale_factor, mode, align_corners, recompute_scale_factor)
    axes = _positions((*grad_y.shape[:2], *inputs), grad_y.dtype, *options)
    sizes = tuple(len(axis[0]) for axis in axes)
    if grad_y.ndim != len(inputs) + 2 or grad_y.shape[2:] != sizes:
        raise ValueError(f"grad_y must end with the axes {sizes}, got shape {grad_y.shape}")
    rows, columns = _two(axes, grad_y.dtype)
    two = (1, *inputs)[-2:]
    grad_x = _core.resample_backward(_planes(grad_y, sizes), (two[0], two[1]), rows, columns)
    return grad_x.reshape(*grad_y.shape[:2], *inputs)


def _planes(x: RealArray, sizes: tuple[int, ...]) -> RealArray:
    """View (N, C, W) or (N, C, H, W) as planes (N C, H, W)."""
    return x.reshape(math.prod(x.shape[:2]), *(1, *sizes)[-2:])


def _two(axes: list[_Axis], dtype: np.dtype[Any]) -> tuple[_Axis, _Axis]:
    """Put an axis of one row before a single one."""
    if len(axes) == 2:
        return axes[0], axes[1]
    zero = np.zeros(1, np.int64)
    return (zero, zero, np.ones(1, dtype)), axes[0]


def _positions(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    size: Size,
    scale_factor: Factor,
    mode: str,
    align_corners: bool | None,
    recompute_scale_factor: bool | None,
) -> list[_Axis]:
    """Return for every axis behind (N, C) what each of its outputs is made of."""
    inputs = shape[2:]
    if mode not in _AXES:
        raise ValueError(f"mode must be one of {', '.join(_AXES)}, got {mode!r}")
    if len(inputs) not in _AXES[mode]:
        takes = " or ".join(str(n + 2) for n in _AXES[mode])
        raise ValueError(f"x must have {takes} axes for mode {mode!r}, got shape {shape}")
    if mode == "nearest" and align_corners is not None:
        raise ValueError("align_corners is for the modes linear and bilinear, not for nearest")
    if min(inputs) < 1:
        raise ValueError(f"x has nothing to resample, its shape is {shape}")
    sizes, factors = _sizes(inputs, size, scale_factor, recompute_scale_factor)
    axes = []
    for n, out, factor in zip(inputs, sizes, factors, strict=True):
        if mode == "nearest":
            first = _nearest(n, out, factor, dtype)
            axes.append((first, first, np.ones(out, dtype)))
        else:
            axes.append(_linear(n, out, factor, bool(align_corners), dtype))
    return axes


def _sizes(
    inputs: tuple[int, ...], size: Size, scale_factor: Factor, recompute: bool | None
) -> tuple[list[int], list[float | None]]:
    """Return the sizes of the result and the factors that positions are computed with."""
    if (size is None) == (scale_factor is None):
        raise ValueError("exactly one of size and scale_factor must be given")
    factors: list[float | None] = [None] * len(inputs)
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor needs scale_factor, not size")
        wanted = _each(size, len(inputs), "size")
        if any(int(n) != n for n in wanted):
            raise ValueError(f"size must be whole numbers, got {size!r}")
        sizes = [int(n) for n in wanted]
        given = f"size {size!r}"
    else:
        scales = [float(f) for f in _each(scale_factor, len(inputs), "scale_factor")]
        if not all(0 < f < math.inf for f in scales):
            raise ValueError(f"scale_factor must be positive, got {scale_factor!r}")
        sizes = [math.floor(n * f) for n, f in zip(inputs, scales, strict=True)]
        if not recompute:
            factors = list(scales)
        given = f"scale_factor {scale_factor!r}"
    if not all(1 <= n <= LARGEST_SIZE for n in sizes):
        raise ValueError(f"{given} gives the sizes {sizes}, they must be at least 1")
    return sizes, factors


def _each(value: Any, axes: int, name: str) -> list[Any]:
    values = list(value) if isinstance(value, (Sequence, np.ndarray)) else [value] * axes
    if len(values) != axes:
        raise ValueError(f"{name} must be a number or {axes}, one an axis of x, got {value!r}")
    return values


def _nearest(n: int, out: int, factor: float | None, dtype: np.dtype[Any]) -> RealArray:
    if out in (n, 2 * n):  # PyTorch's rule in two dimensions and in gradients, whatever the factor
        return np.arange(out) * n // out
    # PyTorch's roundings: the step in the type of x, the position in float32.
    step = dtype.type(n / out if factor is None else 1 / factor)
    place = (np.arange(out) * np.float64(step)).astype(np.float32)
    return np.minimum(np.floor(place).astype(np.int64), n - 1)


def _linear(
    n: int, out: int, factor: float | None, align_corners: bool, dtype: np.dtype[Any]
) -> _Axis:
    places = np.arange(out, dtype=np.float64)
    if n == out:
        place = places
    elif align_corners:
        place = places * ((n - 1) / (out - 1) if out > 1 else 0.0)
    else:
        step = n / out if factor is None else 1 / factor
        place = np.clip((places + 0.5) * step - 0.5, 0.0, n - 1.0)
    first = np.minimum(np.floor(place).astype(np.int64), n - 1)
    second = np.minimum(first + 1, n - 1)
    return first, second, (1.0 - np.clip(place - first, 0.0, 1.0)).astype(dtype)
