"""Where a state of one settles: the fixed points of h = f(w h + b), with their slopes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unrolled.dynamics.arguments import finite
from unrolled.dynamics.nonlinearity import nonlinearity_of

_ON_ONE = 1e-6  # slopes this near to magnitude 1 count as on it
_TOUCHES = 1e-12
_SAME = 1e-7


@dataclass(frozen=True)
class FixedPoint:
    """A state that stays as it is.

    Attributes
    ----------
    value : float
        h = f(w h + b).
    slope : float
        dh(t)/dh(t-1) there: what a frame multiplies a small distance by.
    """

    value: float
    slope: float

    @property
    def kind(self) -> str:
        """``stable``, ``unstable`` or, with a slope of magnitude 1, ``marginal``."""
        if abs(abs(self.slope) - 1) <= _ON_ONE:
            return "marginal"
        return "stable" if abs(self.slope) < 1 else "unstable"

    def __str__(self) -> str:
        return f"{self.value:.4g} ({self.kind}, slope {self.slope:.4g})"


def fixed_points(weight: float, bias: float = 0.0, nonlinearity: str = "tanh") -> list[FixedPoint]:
    """Find every h with h = f(w h + b), from the lowest to the highest.

    Parameters
    ----------
    weight, bias : float
        w and b; a constant input c x belongs to b.
    nonlinearity : {"identity", "relu", "sigmoid", "tanh"}

    Returns
    -------
    list of FixedPoint
        Empty where h only grows. Where a whole interval stays as it is (identity or relu with
        w = 1, b = 0), its point 0.

    Raises
    ------
    TypeError, ValueError
        If a number is not finite or there is no such non-linearity.

    Examples
    --------
    >>> print(*fixed_points(2.0), sep=", ")
    -0.9575 (stable, slope 0.1664), 0 (unstable, slope 2), 0.9575 (stable, slope 0.1664)
    >>> print(*fixed_points(1.5, 1.0, "relu"))
    <BLANKLINE>
    """
    w, b = float(finite(weight, "weight")), float(finite(bias, "bias"))
    if not nonlinearity_of(nonlinearity).bounded:
        return _of_lines(w, b, nonlinearity)
    return _of_curve(w, b, nonlinearity)


def _of_lines(w: float, b: float, nonlinearity: str) -> list[FixedPoint]:
    crossing = _where_lines_cross(w, b)
    if nonlinearity == "identity":
        return [] if crossing is None else [FixedPoint(crossing, w)]
    points = [FixedPoint(0.0, w if b == 0 else 0.0)] if b <= 0 else []
    if crossing is not None and crossing > 0:
        points.append(FixedPoint(crossing, w))
    return points


def _where_lines_cross(w: float, b: float) -> float | None:
    if w == 1:
        return 0.0 if b == 0 else None
    return b / (1 - w) + 0.0  # never -0


def _of_curve(w: float, b: float, nonlinearity: str) -> list[FixedPoint]:
    """Bisect f(w h + b) - h between the points where it turns."""
    function, slope, _ = nonlinearity_of(nonlinearity)

    def excess(h: float) -> float:
        return float(function(np.float64(w * h + b))) - h

    low, high = (0.0, 1.0) if nonlinearity == "sigmoid" else (-1.0, 1.0)
    turns = [(z - b) / w for z in _where_slope_is(1 / w if w else math.inf, nonlinearity)]
    inside = sorted(turn for turn in turns if low < turn < high)
    roots = [turn for turn in inside if abs(excess(turn)) <= _TOUCHES]
    for left, right in itertools.pairwise([low, *inside, high]):
        root = _bisect(excess, left, right)
        roots += [] if root is None else [root]
    values: list[float] = []
    for root in roots:
        if all(abs(root - value) > _SAME for value in values):
            values.append(root)
    return [FixedPoint(h, w * float(slope(np.float64(h)))) for h in sorted(values)]


def _where_slope_is(wanted: float, nonlinearity: str) -> list[float]:
    """Return the z with f'(z) = `wanted`: the two of a bell, or none."""
    steepest = 0.25 if nonlinearity == "sigmoid" else 1.0
    if not 0 < wanted <= steepest:
        return []
    # tanh' = 1 - tanh^2, and sigmoid(z) = (1 + tanh(z/2)) / 2 has sigmoid' = tanh'(z/2) / 4.
    z = math.atanh(math.sqrt(1 - wanted / steepest)) if wanted < steepest else 0.0
    z *= 2 if nonlinearity == "sigmoid" else 1
    return [-z, z]


def _bisect(excess: Callable[[float], float], left: float, right: float) -> float | None:
    """Return the root between two points, None where there is none."""
    at_left, at_right = excess(left), excess(right)
    if at_left == 0:
        return left
    if at_right == 0:
        return right
    if (at_left > 0) == (at_right > 0):
        return None
    for _ in range(100):
        middle = 0.5 * (left + right)
        if (excess(middle) > 0) == (at_left > 0):
            left = middle
        else:
            right = middle
    middle = 0.5 * (left + right)
    return 0.0 if abs(middle) < _TOUCHES else middle
