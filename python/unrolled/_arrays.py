"""Conversion of what users pass into what the core takes: the only place where dtypes change."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core

RealArray = NDArray[Any]

# Sizes, strides and paddings above it are mistakes; below it, no sum of a few overflows 64 bits.
LARGEST_SIZE = 2**31 - 1


class NonFiniteError(ValueError):
    """A number that must be finite is NaN or infinite."""


def as_numpy(value: Any, name: str) -> NDArray[Any]:
    """Return `value` as an array of whatever dtype it has."""
    if isinstance(value, np.ndarray):
        return value
    if not hasattr(value, "__array__") and hasattr(value, "__dlpack__"):
        return np.from_dlpack(value)
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise TypeError(f"{name} must be an array of numbers: {error}") from None


def real_dtype(array: NDArray[Any], name: str) -> np.dtype[Any]:
    """Return the precision to work in: float64 for more than 32 bits, else float32."""
    if array.dtype.kind == "f":
        return np.dtype(np.float64 if array.dtype.itemsize > 4 else np.float32)
    if array.dtype.kind in "iub":
        return np.dtype(np.float32)
    raise TypeError(f"{name} must be an array of real numbers, got dtype {array.dtype}")


def as_reals(**arrays: Any) -> list[Any]:
    """All arrays in C order and one precision, in the order given; None stays None.

    Raises
    ------
    TypeError
        An array is not of real numbers; the message names it.
    """
    if _core.are_ready(*arrays.values()):  # as at nearly every call from the layers of a model
        return list(arrays.values())
    found = {name: as_numpy(a, name) for name, a in arrays.items() if a is not None}
    kinds = [real_dtype(array, name) for name, array in found.items()]
    dtype = np.result_type(*kinds) if kinds else np.dtype(np.float32)
    # ascontiguousarray would make a scalar one-dimensional; order="C" keeps it.
    ready = {name: np.asarray(a, dtype=dtype, order="C") for name, a in found.items()}
    return [ready.get(name) for name in arrays]


def as_real(value: Any, name: str) -> RealArray:
    """One array in C order, float32 or float64."""
    array: RealArray = as_reals(**{name: value})[0]
    return array


def aligned_copy(array: RealArray) -> RealArray:
    """Copy into C order from a cache line on, so that no vector of a kernel lies across two."""
    line = 64
    memory = np.empty(array.nbytes + line, np.uint8)
    start = -memory.__array_interface__["data"][0] % line
    copy: RealArray = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def as_indices(value: Any, name: str, ndim: int | None = None) -> NDArray[np.int64]:
    """Convert to an array of whole numbers, int64.

    Raises
    ------
    TypeError, ValueError
        The array does not hold whole numbers, or has not `ndim` axes.
    """
    array = as_numpy(value, name)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be whole numbers, got dtype {array.dtype}")
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} axes, got shape {array.shape}")
    return np.asarray(array, dtype=np.int64, order="C")


def as_lengths(value: Any, name: str, count: int, longest: int) -> NDArray[np.int64]:
    """Lengths of `count` items, each within 0 .. `longest`; None means all are `longest`.

    Raises
    ------
    ValueError
        Wrong number of lengths, or one out of range; the message names the item.
    """
    if value is None:
        return np.full(count, longest, dtype=np.int64)
    lengths = as_indices(value, name).reshape(-1)
    if lengths.size != count:
        raise ValueError(f"{name} must have one length an item: {count}, got {lengths.size}")
    if lengths.min(initial=0) < 0 or lengths.max(initial=0) > longest:
        item = np.flatnonzero((lengths < 0) | (lengths > longest))[0]
        raise ValueError(f"{name} of item {item} is {lengths[item]}, it must lie in 0 .. {longest}")
    return lengths


def as_sizes(value: Any, name: str, axes: int, minimum: int) -> tuple[int, ...]:
    """Make whole numbers of at least `minimum`, one an axis (one or two), of one or several."""
    sizes = (value,) * axes if isinstance(value, (int, np.integer)) else value
    try:
        whole = tuple([int(size) for size in sizes])
        if len(whole) != axes or whole != tuple(sizes):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        pair = " or a pair of them" if axes == 2 else ""
        raise TypeError(f"{name} must be a whole number{pair}, got {value!r}") from None
    if not all([minimum <= size <= LARGEST_SIZE for size in whole]):
        raise ValueError(f"{name} must lie in {minimum} .. {LARGEST_SIZE}, got {value!r}")
    return whole


def require_axes(array: NDArray[Any], name: str, axes: str) -> None:
    """Raise unless `array` has the axes that `axes`, such as "N, C, H, W", names."""
    if array.ndim != axes.count(",") + 1:
        raise ValueError(f"{name} must have the axes ({axes}), got shape {array.shape}")


def require_shape(array: NDArray[Any], name: str, shape: tuple[int, ...], why: str) -> None:
    """Raise unless `array` has exactly this shape; `why` says where the shape comes from."""
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape} ({why}), got {array.shape}")
