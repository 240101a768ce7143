"""Experiments with h(t) = f(W h(t-1) + C x(t) + b): where it settles, how long it remembers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.dynamics.arguments import (
    count,
    finite,
    input_frames,
    input_matrix,
    square_matrix,
    state_vector,
    tolerance_of,
)
from unrolled.dynamics.linear import require_representable
from unrolled.dynamics.nonlinearity import nonlinearity_of

Array = NDArray[Any]

_LONGEST_CYCLE = 64


@dataclass(frozen=True, eq=False)
class Settling:
    """Where a recurrence without input comes to rest.

    Attributes
    ----------
    kind : {"fixed point", "cycle", "unsettled", "exploding"}
    states : ndarray of float64 (frames + 1, H)
        From the start; ends early where it explodes.
    frames : int or None
        The first from which the state stays within the tolerance of where it ends.
    period : int or None
        Frames of the cycle; 1 for a fixed point.
    radius : float or None
        Spectral radius of dh(t)/dh(t-1) there, per frame: what a frame multiplies a small
        distance by.
    """

    kind: str
    states: Array
    frames: int | None = None
    period: int | None = None
    radius: float | None = None

    @property
    def state(self) -> Array:
        """The last state, (H,)."""
        last: Array = self.states[-1]
        return last

    def __str__(self) -> str:
        if self.period is None:
            return f"{self.kind} after {len(self.states) - 1} frames"
        cycle = f" of {self.period} frames" if self.period > 1 else ""
        return f"{self.kind}{cycle} after {self.frames} frames, slope {self.radius:.4g}"


def simulate(
    weight_hh: ArrayLike,
    x: ArrayLike | None = None,
    *,
    weight_ih: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    nonlinearity: str = "tanh",
    frames: int = 100,
) -> Array:
    """Run h(t) = f(W h(t-1) + C x(t) + b).

    Parameters
    ----------
    weight_hh : array-like (H, H)
        W; one number is a state of one.
    x : array-like (T, D), optional
        Inputs, (T,) where D is 1; `frames` frames of 0 when not given.
    weight_ih : array-like (H, D), optional
        C; the identity when not given.
    bias, h0 : array-like (H,), optional
        b, and the state before the first frame; 0 when not given.
    nonlinearity : {"identity", "relu", "sigmoid", "tanh"}
    frames : int
        T where `x` is not given.

    Returns
    -------
    ndarray of float64 (T + 1, H)
        `h0` first.

    Raises
    ------
    TypeError, ValueError
        If a shape does not fit, or the state exceeds the largest float64.

    Examples
    --------
    >>> simulate(2.0, [1.0, 0.0, 0.0], nonlinearity="relu").ravel().tolist()
    [0.0, 1.0, 2.0, 4.0]
    """
    weight = square_matrix(weight_hh, "weight_hh")
    into = input_matrix(weight_ih, "weight_ih", len(weight))
    inputs = input_frames(x, "x", count(frames, "frames"), into.shape[1]) @ into.T
    added = inputs + state_vector(bias, "bias", len(weight))
    function = nonlinearity_of(nonlinearity).function
    states = np.empty((len(inputs) + 1, len(weight)))
    states[0] = state_vector(h0, "h0", len(weight))
    for t, frame in enumerate(added):
        states[t + 1] = function(require_representable(weight, frame, states[t], t))
    return states


def memory(first: ArrayLike, second: ArrayLike, tolerance: float = 1e-3) -> int | None:
    """Count the frames for which two runs can be told apart.

    Parameters
    ----------
    first, second : array-like (T + 1, H)
        States of one recurrence from two starts, or with two inputs, as `simulate` gives them.
    tolerance : float
        Largest difference of an element that counts as none.

    Returns
    -------
    int or None
        The first frame from which on no element differs by more; None if the last still do.

    Raises
    ------
    TypeError, ValueError
        If the shapes differ or the tolerance is not above 0.

    Examples
    --------
    >>> low, high = (simulate(0.5, h0=start, nonlinearity="identity") for start in (0.0, 1.0))
    >>> memory(low, high, tolerance=0.01)
    7
    """
    one, other = finite(first, "first"), finite(second, "second")
    if one.shape != other.shape or not one.ndim or not len(one):
        raise ValueError(f"first and second must have one shape, got {one.shape} and {other.shape}")
    distances = np.abs(one - other).reshape(len(one), -1).max(axis=1)
    apart = np.flatnonzero(distances > tolerance_of(tolerance, "tolerance"))
    if not len(apart):
        return 0
    return None if apart[-1] == len(one) - 1 else int(apart[-1]) + 1


def settle(
    weight_hh: ArrayLike,
    h0: ArrayLike | None = None,
    *,
    bias: ArrayLike | None = None,
    nonlinearity: str = "tanh",
    frames: int = 1000,
    tolerance: float = 1e-6,
) -> Settling:
    """Run h(t) = f(W h(t-1) + b) from a start and tell where it settles.

    Parameters
    ----------
    weight_hh : array-like (H, H)
        W; one number is a state of one.
    h0 : array-like (H,), optional
        The start; 0 when not given.
    bias : array-like (H,), optional
        b; a constant input belongs to it.
    nonlinearity : {"identity", "relu", "sigmoid", "tanh"}
    frames : int
        How long to run.
    tolerance : float
        Largest distance from where it would end that counts as there.

    Returns
    -------
    Settling
        A fixed point or a cycle of up to 64 frames, ``unsettled`` where it is still on its way,
        ``exploding`` where it exceeds 1e100.

    Raises
    ------
    TypeError, ValueError
        If a shape does not fit.

    Examples
    --------
    >>> print(settle(0.5, 1.0))
    fixed point after 20 frames, slope 0.5
    >>> print(settle(-3.0, 0.5))
    cycle of 2 frames after 5 frames, slope 0.03051
    >>> print(settle(1.5, 0.1, nonlinearity="relu"))
    exploding after 574 frames
    """
    weight = square_matrix(weight_hh, "weight_hh")
    added = state_vector(bias, "bias", len(weight))
    tolerance = tolerance_of(tolerance, "tolerance")
    nonlinear = nonlinearity_of(nonlinearity)
    states = [state_vector(h0, "h0", len(weight))]
    for _ in range(count(frames, "frames")):
        states.append(nonlinear.function(weight @ states[-1] + added))
        if np.abs(states[-1]).max() > 1e100:
            return Settling("exploding", np.array(states))
    path = np.array(states)
    for period in range(1, min(_LONGEST_CYCLE, len(path) - 1) + 1):
        step = float(np.abs(path[-1] - path[-1 - period]).max())
        if step > tolerance:
            continue
        cycle = nonlinear.slope(path[len(path) - period :])
        radius = _radius_of_product(cycle[:, :, None] * weight)
        # What is left is a geometric sum: step * (r + r^2 + ...).
        if step and (radius >= 1 or step * radius / (1 - radius) > tolerance):
            continue
        kind = "fixed point" if period == 1 else "cycle"
        since = _settled_since(path, period, tolerance)
        return Settling(kind, path, since, period, radius ** (1 / period))
    return Settling("unsettled", path)


def _radius_of_product(factors: Array) -> float:
    product = np.eye(factors.shape[1])
    for factor in factors:
        product = factor @ product
    return float(np.abs(np.linalg.eigvals(product)).max())


def _settled_since(path: Array, period: int, tolerance: float) -> int:
    """Return the first frame from which the path repeats its last `period` states."""
    last = len(path) - 1
    end = path[[last - (last - t) % period for t in range(len(path))]]
    away = np.flatnonzero(np.abs(path - end).max(axis=1) > tolerance)
    return int(away[-1]) + 1 if len(away) else 0
