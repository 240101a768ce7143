"""Whether a bounded input can drive a recurrence beyond all bounds (BIBO stability)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.dynamics.arguments import input_matrix, square_matrix
from unrolled.dynamics.linear import modes, spectral_radius
from unrolled.dynamics.nonlinearity import nonlinearity_of

Array = NDArray[Any]

_RANK = 1e-10  # directions shorter than this share of their vector are rounding
_LONGEST = 20_000  # frames of the impulse response that the gain adds up
_SETTLED = 1e-12


@dataclass(frozen=True)
class Boundedness:
    """Whether bounded input gives bounded output.

    Attributes
    ----------
    bounded : bool or None
        None where neither is certain.
    reason : str
    gain : float or None
        With inputs of magnitude up to 1 no element of h comes to exceed it, from h = 0; None where
        nothing bounds h, or the response takes more than 20,000 frames to die out.
    """

    bounded: bool | None
    reason: str
    gain: float | None = None

    def __str__(self) -> str:
        answer = {True: "bounded", False: "not bounded", None: "not certain"}[self.bounded]
        gain = "" if self.gain is None else f"; at most {self.gain:.4g} for inputs up to 1"
        return f"{answer}: {self.reason}{gain}"


def bounded_output(
    weight_hh: ArrayLike, weight_ih: ArrayLike | None = None, nonlinearity: str = "identity"
) -> Boundedness:
    """Tell whether h(t) = f(W h(t-1) + C x(t)) stays bounded for every bounded input.

    A linear recurrence does exactly when every mode that the input reaches has a magnitude below
    1: a marginal one adds up a constant input, or one in its own rhythm, without end.

    Parameters
    ----------
    weight_hh : array-like (H, H)
        W; one number is a state of one.
    weight_ih : array-like (H, D), optional
        C; the identity when not given.
    nonlinearity : {"identity", "relu", "sigmoid", "tanh"}

    Returns
    -------
    Boundedness

    Raises
    ------
    TypeError, ValueError
        If a shape does not fit or there is no such non-linearity.

    Examples
    --------
    >>> print(bounded_output(0.5))
    bounded: all modes that the input reaches vanish; at most 2 for inputs up to 1
    >>> print(bounded_output(1.0))
    not bounded: the input reaches the mode 1 (magnitude 1): marginal
    >>> print(bounded_output(3.0, nonlinearity="tanh"))
    bounded: tanh keeps every element within 1; at most 1 for inputs up to 1
    """
    weight = square_matrix(weight_hh, "weight_hh")
    into = input_matrix(weight_ih, "weight_ih", len(weight))
    if nonlinearity_of(nonlinearity).bounded:
        return Boundedness(True, f"{nonlinearity} keeps every element within 1", 1.0)
    return _linear(weight, into) if nonlinearity == "identity" else _relu(weight, into)


def _linear(weight: Array, into: Array) -> Boundedness:
    basis = _reachable(weight, into)
    if not basis.shape[1]:
        return Boundedness(True, "the input reaches no mode", 0.0)
    inner = basis.T @ weight @ basis
    first = modes(inner)[0]
    if first.kind != "vanishing":
        return Boundedness(False, f"the input reaches the mode {first}")
    reason = "all modes that the input reaches vanish"
    return Boundedness(True, reason, _gain(inner, basis.T @ into, basis))


def _reachable(weight: Array, into: Array) -> Array:
    """Return an orthonormal basis (H, R) of C, W C, W W C, ...: all that inputs can reach."""
    basis = np.zeros((len(weight), 0))
    new = into
    while new.shape[1] and basis.shape[1] < len(weight):
        lengths = np.linalg.norm(new, axis=0)
        rest = new - basis @ (basis.T @ new)
        rest -= basis @ (basis.T @ rest)  # once more: the first leaves rounding behind
        rest = rest[:, lengths > 0] / lengths[lengths > 0]
        left, sizes, _ = np.linalg.svd(rest, full_matrices=False)
        added = left[:, sizes > _RANK]
        basis = np.concatenate([basis, added], axis=1)
        new = weight @ added
    return basis


def _gain(inner: Array, into: Array, basis: Array) -> float | None:
    """Add up the magnitudes of the impulse response: the largest output of inputs up to 1."""
    total, term = np.zeros(len(basis)), into
    for _ in range(_LONGEST):
        added = np.abs(basis @ term).sum(axis=1)
        total += added
        if np.abs(term).max() <= _SETTLED * max(total.max(), 1e-300) * (1 - _radius(inner)):
            return float(total.max())
        term = inner @ term
    return None


def _radius(inner: Array) -> float:
    return min(spectral_radius(inner), 1.0 - _SETTLED)


def _relu(weight: Array, into: Array) -> Boundedness:
    positive = np.maximum(weight, 0.0)
    grows = spectral_radius(positive)
    if grows < 1:
        reason = f"the positive part of the weights has spectral radius {grows:.4g}, below 1"
        return Boundedness(True, reason, _gain(positive, np.abs(into), np.eye(len(weight))))
    one_sign = [column for column in into.T if (column >= 0).all() or (column <= 0).all()]
    if (weight >= 0).all() and any(not _linear(weight, c[:, None]).bounded for c in one_sign):
        reason = "above 0 relu is linear, and there the recurrence is not bounded"
        return Boundedness(False, reason)
    reason = (
        f"the positive part of the weights has spectral radius {grows:.4g}: what grows may be cut "
        "off, or not"
    )
    return Boundedness(None, reason)
