"""Jacobians multiplied over time: how far back a state reaches, and how fast small things grow."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.dynamics.cell import Run

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Reach:
    """Norms of dh(T)/ds(T-k) for k = 0 .. T: the Jacobian products from the last frame back.

    Attributes
    ----------
    largest : ndarray of float64 (T + 1,)
        Natural logarithm of the largest singular value; -inf where the product is 0.
    average : ndarray of float64 (T + 1,)
        Of the root mean square over all directions of h(T): Frobenius norm over sqrt(P).
    """

    largest: Array
    average: Array


def reach(run: Run) -> Reach:
    """Multiply the Jacobians of a run from its last frame back to its start.

    Logarithms, for products over many frames leave the range of float64: each is divided by its
    own magnitude before the next factor.
    """
    size = run.cell.hidden_size
    product = np.eye(size, run.cell.state_size)
    scale, largest, average = 0.0, np.full(len(run) + 1, -np.inf), np.full(len(run) + 1, -np.inf)
    largest[0] = average[0] = 0.0
    for back in range(1, len(run) + 1):
        product, _ = run.pull(len(run) - back, product)
        magnitude = float(np.abs(product).max())
        if magnitude == 0:
            break
        product /= magnitude
        scale += math.log(magnitude)
        gram = product @ product.T
        largest[back] = scale + 0.5 * math.log(np.linalg.eigvalsh(gram)[-1])
        average[back] = scale + 0.5 * math.log(np.trace(gram) / size)
    return Reach(largest, average)


def horizon(log_norms: Array, fraction: float) -> int | None:
    """Return the frames after which a norm stays below `fraction` of its first value.

    Parameters
    ----------
    log_norms : array (K + 1,)
        Natural logarithms, by frames back.
    fraction : float

    Returns
    -------
    int or None
        None if the last is not below.

    Examples
    --------
    >>> horizon(np.log([1.0, 0.5, 0.05, 0.005, 0.0005]), 0.01)
    3
    """
    if log_norms[0] == -np.inf:
        return 0
    above = np.flatnonzero(log_norms - log_norms[0] >= math.log(fraction))
    return None if above[-1] == len(log_norms) - 1 else int(above[-1]) + 1


def lyapunov_exponents(
    jacobians: Iterable[Array], count: int = 1, *, skip: int = 0, seed: int = 0
) -> Array:
    """Measure the rates at which small differences of the state grow, by Benettin's method.

    `count` random directions are multiplied by one Jacobian after the other and made orthonormal
    again with a QR decomposition each time; the mean logarithms of what that takes off are the
    exponents.

    Parameters
    ----------
    jacobians : iterable of array (S, S)
        ds(t)/ds(t-1), from the first frame to the last.
    count : int
        Exponents wanted, the largest first.
    skip : int
        Frames at the start that only turn the directions.
    seed : int
        Of the first directions.

    Returns
    -------
    ndarray of float64 (count,)
        In nats a frame: below 0 differences vanish, above 0 they grow (chaos); -inf where a
        direction is lost altogether.

    Raises
    ------
    ValueError
        If there are not more Jacobians than `skip`, or fewer than `count` directions.

    References
    ----------
    Benettin, Galgani, Giorgilli, Strelcyn: Lyapunov characteristic exponents (1980).

    Examples
    --------
    >>> lyapunov_exponents([np.diag([0.5, 2.0])] * 50, 2, skip=20).round(6).tolist()
    [0.693147, -0.693147]
    """
    if count < 1 or skip < 0:
        raise ValueError(f"count must be at least 1 and skip at least 0, got {count} and {skip}")
    rng = np.random.default_rng(seed)
    directions, total, frames = np.empty((0, 0)), np.zeros(count), -skip
    for jacobian in jacobians:
        if not directions.size:
            if count > len(jacobian):
                raise ValueError(f"count is {count}, but the state has {len(jacobian)} elements")
            directions = np.linalg.qr(rng.normal(size=(len(jacobian), count)))[0]
        directions, upper = np.linalg.qr(jacobian @ directions)
        frames += 1
        if frames > 0:
            with np.errstate(divide="ignore"):
                total += np.log(np.abs(np.diag(upper)))
    if frames <= 0:
        raise ValueError(f"{frames + skip} Jacobians are given, but skip is {skip}")
    return total / frames


def largest_lyapunov_exponent(run: Run, seed: int = 0) -> float:
    """Return the largest exponent over a run.

    A random direction is carried back from the last frame, which multiplies it by the same
    product from the other side. The last quarter of the frames only turns it, and the first, in
    which the state itself may still be on its way, is left out.
    """
    grads = np.random.default_rng(seed).normal(size=(1, run.cell.state_size))
    quarter, total = len(run) // 4, 0.0
    for t in reversed(range(quarter, len(run))):
        grads, _ = run.pull(t, grads / np.linalg.norm(grads))
        growth = float(np.linalg.norm(grads))
        if growth == 0:
            return -math.inf
        total += math.log(growth) if t < len(run) - quarter else 0.0
    return total / (len(run) - 2 * quarter)
