"""Arguments of the recurrences that are given as matrices and vectors, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled._arrays import as_numpy, real_dtype

Array = NDArray[Any]


def finite(value: ArrayLike, name: str) -> Array:
    """Convert to float64.

    Raises
    ------
    TypeError, ValueError
        If it is not of real numbers, or one is NaN or infinite.
    """
    array = as_numpy(value, name)
    real_dtype(array, name)
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        index = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ValueError(f"{name} is {array[tuple(index)]} at index {index}; it must be finite")
    return array


def square_matrix(value: ArrayLike, name: str) -> Array:
    """Convert recurrent weights to (H, H); one number is a state of one.

    Raises
    ------
    TypeError, ValueError
        If it is no square matrix of finite numbers.
    """
    array = finite(value, name)
    if array.ndim == 0:
        return array.reshape(1, 1)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not array.size:
        raise ValueError(f"{name} must be a square matrix (H, H), got shape {array.shape}")
    return array


def input_matrix(value: ArrayLike | None, name: str, size: int) -> Array:
    """Convert input weights to (H, D): None is the identity, a vector one column.

    Raises
    ------
    TypeError, ValueError
        If it has not `size` rows of finite numbers.
    """
    if value is None:
        return np.eye(size)
    array = finite(value, name)
    if array.ndim < 2:
        array = array.reshape(-1, 1)
    if array.ndim != 2 or len(array) != size:
        raise ValueError(f"{name} must be (H, D) with H = {size} rows, got shape {array.shape}")
    return array


def state_vector(value: ArrayLike | None, name: str, size: int) -> Array:
    """Convert a state or bias to (H,): None is 0, one number is taken for all.

    Raises
    ------
    TypeError, ValueError
        If it has not `size` finite numbers.
    """
    if value is None:
        return np.zeros(size)
    array = finite(value, name)
    if array.ndim == 0:
        return np.full(size, float(array))
    if array.shape != (size,):
        raise ValueError(f"{name} must be ({size},), got shape {array.shape}")
    return array


def input_frames(value: ArrayLike | None, name: str, frames: int, size: int) -> Array:
    """Convert inputs to (T, D); None is `frames` frames of 0, (T,) is one feature.

    Raises
    ------
    TypeError, ValueError
        If there are no frames, or not of `size` finite numbers.
    """
    if value is None:
        return np.zeros((frames, size))
    array = finite(value, name)
    if array.ndim == 1 and size == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != size or not len(array):
        raise ValueError(f"{name} must be (T, {size}) with T >= 1, got shape {array.shape}")
    return array


def count(value: Any, name: str, least: int = 1) -> int:
    """Convert to a whole number.

    Raises
    ------
    TypeError, ValueError
        If it is none, or below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)


def share(value: Any, name: str) -> float:
    """Convert to a number above 0 and below 1.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    number = float(finite(value, name))
    if not 0 < number < 1:
        raise ValueError(f"{name} must lie between 0 and 1, got {number:g}")
    return number


def tolerance_of(value: Any, name: str) -> float:
    """Convert to a number above 0.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    number = float(finite(value, name))
    if number <= 0:
        raise ValueError(f"{name} must be above 0, got {number:g}")
    return number
