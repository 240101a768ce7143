"""A sequence as an image of one row: the core has two spatial axes."""

from __future__ import annotations

from typing import Any, TypeVar

from numpy.typing import NDArray

Array = TypeVar("Array", bound=NDArray[Any])


def two_axes(sizes: tuple[int, ...], of_one_row: int = 1) -> tuple[int, int]:
    """Make a sequence's sizes those of an image of one row."""
    return (of_one_row, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])


def with_rows(array: Array) -> Array:
    """View (N, C, L) as (N, C, 1, L); images stay as they are."""
    images: Any = array if array.ndim == 4 else array[:, :, None]
    return images


def without_rows(array: Array, axes: int) -> Array:
    """View (N, C, 1, L) as (N, C, L) where there is one axis."""
    sequences: Any = array if axes == 2 else array[:, :, 0]
    return sequences
