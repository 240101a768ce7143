"""Discounts of Kneser-Ney and absolute smoothing, estimated from counts of counts."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np


class DiscountWarning(UserWarning):
    """Discounts that could not be estimated from the text, and what was used in their place.

    Silence it with ``warnings.simplefilter("ignore", DiscountWarning)``.
    """


def modified_kneser_ney(counts_of_counts: Any, fallback: Sequence[float]) -> Any:
    """Estimate the discounts of counts 1, 2, and 3 or more, for each order.

    Parameters
    ----------
    counts_of_counts
        (orders, 4): how many n-grams have count 1, 2, 3 and 4.
    fallback
        Three discounts for orders where the estimate does not exist.

    Returns
    -------
    ndarray
        (orders, 3), float64.

    Warns
    -----
    DiscountWarning
        Where `fallback` is used.

    Notes
    -----
    Chen and Goodman (1998), equation 26: with ``Y = n1 / (n1 + 2 n2)``,
    ``D_j = j - (j + 1) Y n_{j+1} / n_j``.
    """
    discounts, faults = [], []
    for order, numbers in enumerate(counts_of_counts.astype(np.float64), start=1):
        fault = _missing(numbers[:3])
        if fault is None:
            y = numbers[0] / (numbers[0] + 2 * numbers[1])
            j = np.arange(1, 4)
            estimated = j - (j + 1) * y * numbers[1:] / numbers[:3]
            fault = _out_of_range(estimated)
        if fault is not None:
            faults.append(f"{order}-grams ({fault})")
            estimated = np.array(fallback, np.float64)
        discounts.append(estimated)
    _warn(faults, fallback)
    return np.array(discounts)


def absolute(counts_of_counts: Any, fallback: float) -> Any:
    """Estimate one discount for each order, as `modified_kneser_ney` does three.

    Notes
    -----
    Ney, Essen and Kneser (1994): ``D = n1 / (n1 + 2 n2)``.
    """
    discounts, faults = [], []
    for order, numbers in enumerate(counts_of_counts.astype(np.float64), start=1):
        fault = _missing(numbers[:2])
        if fault is None:
            discount = numbers[0] / (numbers[0] + 2 * numbers[1])
        else:
            faults.append(f"{order}-grams ({fault})")
            discount = fallback
        discounts.append([discount] * 3)
    _warn(faults, [fallback])
    return np.array(discounts, np.float64)


def _missing(numbers: Any) -> str | None:
    missing = np.flatnonzero(numbers == 0)
    return f"none has count {missing[0] + 1}" if len(missing) else None


def _out_of_range(discounts: Any) -> str | None:
    for count, discount in enumerate(discounts, start=1):
        if not 0 < discount <= count:
            return f"that of count {count} came out as {discount:.3g}"
    return None


def _warn(faults: list[str], used: Sequence[float]) -> None:
    if not faults:
        return
    shown = ", ".join(f"{discount:g}" for discount in used)
    warnings.warn(
        "the text is too small or too regular to estimate the discounts of "
        f"{', '.join(faults)}: {shown} used in their place. More text helps, and "
        "smoothing='witten-bell' needs no discounts",
        DiscountWarning,
        stacklevel=_level_of_caller(),
    )


def _level_of_caller() -> int:
    """Count the calls between a warning and what is not ours."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("unrolled.lm."):
        level, frame = level + 1, frame.f_back
    return level
