"""Checks of constructor arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Pair = int | tuple[int, int]


def positive(**sizes: int) -> None:
    """Raise ValueError naming the first argument that is not an integer of at least 1."""
    for name, size in sizes.items():
        if isinstance(size, bool) or int(size) != size or size < 1:
            raise ValueError(f"{name} must be an integer of at least 1, not {size!r}")


def probability(name: str, value: float) -> float:
    """Return `value` if it lies in [0, 1], else raise ValueError."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], not {value}")
    return value


def pair(name: str, value: Pair, *, least: int) -> tuple[int, int]:
    """Return an int, or a pair of them, as a pair: sizes along height and width.

    Raises
    ------
    ValueError
        If it is neither, or one is below `least`.
    """
    height, width = per_axis(name, value, 2, least=least)
    return height, width


def per_axis(name: str, value: int | Sequence[int], axes: int, *, least: int) -> tuple[int, ...]:
    """Return an int, or one for each of one or two axes, as a tuple.

    Raises
    ------
    ValueError
        If it is neither, or one is below `least`.
    """
    values = (value,) * axes if isinstance(value, (int, np.integer)) else value
    try:
        whole = tuple([int(item) for item in values])
        fits = len(whole) == axes and whole == tuple(values) and min(whole) >= least
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        several = ", or two of them" if axes == 2 else ""
        raise ValueError(f"{name} must be an integer of at least {least}{several}, not {value!r}")
    return whole


def one_of(name: str, value: Any, choices: Sequence[Any]) -> Any:
    """Return `value` if it is among `choices`, else raise ValueError."""
    if value not in choices:
        names = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {names}, not {value!r}")
    return value
