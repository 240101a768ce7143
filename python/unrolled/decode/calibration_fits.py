"""How calibrations are fitted: pool adjacent violators, and two sigmoids of most likelihood."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CLOSEST = 1e-12  # to 0 and 1, where the log odds of a probability are taken
_SLOPES = (1e-3, 1e3)  # within which the temperature is looked for
_STEPS = 100


def fit_isotonic(x: Floats, right: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return knots and values of the map that never falls and has the least squared error.

    Examples
    --------
    >>> fit_isotonic(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 1.0, 0.0, 1.0]))
    ((1.0, 2.0, 3.0, 4.0), (0.0, 0.5, 0.5, 1.0))
    """
    order = np.argsort(x, kind="stable")
    places, first = np.unique(x[order], return_index=True)
    counts = np.diff(np.append(first, x.size))
    means = np.add.reduceat(right[order], first) / counts
    knots: list[float] = []
    values: list[float] = []
    for mean, start, end in _pool(means.tolist(), counts.tolist()):
        for place in dict.fromkeys((places[start], places[end - 1])):
            knots.append(float(place))
            values.append(mean)
    return tuple(knots), tuple(values)


def _pool(means: list[float], counts: list[int]) -> list[tuple[float, int, int]]:
    """Merge neighbours until means do not fall: (mean, first entry, end)."""
    blocks: list[tuple[float, int, int, int]] = []
    for entry, (mean, count) in enumerate(zip(means, counts, strict=True)):
        start = entry
        while blocks and blocks[-1][0] >= mean:
            before, weight, start, _ = blocks.pop()
            mean = (before * weight + mean * count) / (weight + count)
            count += weight
        blocks.append((mean, count, start, entry + 1))
    return [(mean, start, end) for mean, _, start, end in blocks]


def fit_temperature(odds: Floats, right: Floats) -> float:
    """Return the slope of log odds where the derivative of the likelihood, which falls, is 0."""
    low, high = _SLOPES
    for _ in range(_STEPS):
        slope = np.sqrt(low * high)
        if ((right - sigmoid(slope * odds)) * odds).sum() > 0:
            low = slope
        else:
            high = slope
    return float(slope)


def fit_platt(x: Floats, right: Floats) -> tuple[float, float]:
    """Return slope and intercept of Platt's sigmoid.

    By Newton's method, with a shorter step where the loss would not fall (Lin et al. 2007).
    """
    scale = float(x.std()) or 1.0
    middle = float(x.mean())
    design = np.stack([(x - middle) / scale, np.ones_like(x)])
    hits = right.sum()
    targets = np.where(right > 0, (hits + 1) / (hits + 2), 1 / (x.size - hits + 2))
    fit = np.array([0.0, np.log((hits + 1) / (x.size - hits + 1))])
    for _ in range(_STEPS):
        chances = sigmoid(fit @ design)
        gradient = design @ (chances - targets)
        curvature = (design * chances * (1 - chances)) @ design.T + 1e-12 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        if gradient @ step < 1e-18:
            break
        fit = _descend(lambda at: _cross_entropy(at @ design, targets), fit, step)
    return float(fit[0] / scale), float(fit[1] - fit[0] * middle / scale)


def _descend(loss: Callable[[Floats], float], start: Floats, step: Floats) -> Floats:
    before = loss(start)
    share = 1.0
    while share > 1e-10 and loss(start - share * step) > before:
        share /= 2
    return start - share * step


def _cross_entropy(logits: Floats, targets: Floats) -> float:
    return float((np.logaddexp(0.0, logits) - targets * logits).sum())


def sigmoid(x: Floats) -> Floats:
    """Return ``1 / (1 + exp(-x))`` without overflow."""
    result: Floats = 0.5 * (1.0 + np.tanh(0.5 * x))
    return result


def log_odds(x: Floats) -> Floats:
    """Return ``log(x / (1 - x))``, finite at 0 and 1 too."""
    clipped = np.clip(x, _CLOSEST, 1 - _CLOSEST)
    odds: Floats = np.log(clipped) - np.log1p(-clipped)
    return odds
