"""The linear recurrence h(t) = W h(t-1) + C x(t): its response and what its eigenvalues say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.dynamics.arguments import (
    count,
    input_frames,
    input_matrix,
    square_matrix,
    state_vector,
)

Array = NDArray[Any]

_MARGIN = 1e-6  # eigenvalues this near to the unit circle count as on it
_RANK = 1e-9  # of singular values, relative to the largest


@dataclass(frozen=True)
class Mode:
    """One eigenvalue of recurrent weights: the part of the response that goes as its powers.

    Attributes
    ----------
    eigenvalue : complex
    kind : {"exploding", "marginal", "vanishing"}
        Whether its magnitude is above, on or below 1.
    oscillating : bool
        Whether it is negative or has an imaginary part.
    defective : bool
        Whether a marginal mode has fewer eigenvectors than its eigenvalue occurs: then it grows
        like a power of t.
    """

    eigenvalue: complex
    kind: str
    oscillating: bool
    defective: bool = False

    @property
    def magnitude(self) -> float:
        """What a frame multiplies the mode by."""
        return abs(self.eigenvalue)

    @property
    def period(self) -> float:
        """Frames of one oscillation; infinite where it does not oscillate."""
        if not self.oscillating:
            return math.inf
        return 2 * math.pi / abs(math.atan2(self.eigenvalue.imag, self.eigenvalue.real))

    def frames_to(self, factor: float) -> float:
        """Return the frames after which the mode is `factor` times what it was.

        Parameters
        ----------
        factor : float
            Above 0; below 1 for a mode that vanishes, above 1 for one that explodes.

        Returns
        -------
        float
            Not rounded; infinite where that is never so.
        """
        if not factor > 0:
            raise ValueError(f"factor must be above 0, got {factor}")
        if self.magnitude == 0:
            return 1.0 if factor < 1 else math.inf
        rate = math.log(self.magnitude)
        frames = math.log(factor) / rate if rate else math.inf
        return frames if frames >= 0 else math.inf

    def __str__(self) -> str:
        words = [self.kind]
        if self.oscillating:
            words.append(f"oscillating with a period of {self.period:.3g} frames")
        if self.defective:
            words.append("growing like a power of t, for its eigenvectors are too few")
        real, imag = self.eigenvalue.real, self.eigenvalue.imag
        number = f"{real:.4g}" if imag == 0 else f"{real:.4g}{imag:+.4g}i"
        return f"{number} (magnitude {self.magnitude:.4g}): {', '.join(words)}"


def modes(weight_hh: ArrayLike) -> list[Mode]:
    """Name what each eigenvalue of recurrent weights does, the largest first.

    Parameters
    ----------
    weight_hh : array-like (H, H)
        W; one number is a state of one.

    Returns
    -------
    list of Mode
        One for each of the H eigenvalues.

    Raises
    ------
    TypeError, ValueError
        If it is no square matrix of finite numbers.

    Examples
    --------
    >>> for mode in modes([[1.1, 0.0, 0.0], [0.0, 0.0, -0.5], [0.0, 0.5, 0.0]]):
    ...     print(mode)
    1.1 (magnitude 1.1): exploding
    0+0.5i (magnitude 0.5): vanishing, oscillating with a period of 4 frames
    0-0.5i (magnitude 0.5): vanishing, oscillating with a period of 4 frames
    """
    weight = square_matrix(weight_hh, "weight_hh")
    found = np.linalg.eigvals(weight).astype(complex)
    order = np.lexsort((-found.imag, -found.real, -np.round(np.abs(found), 12)))
    return [_mode(complex(found[place]), found, weight) for place in order]


def spectral_radius(weight_hh: ArrayLike) -> float:
    """Return the largest magnitude of the eigenvalues.

    Examples
    --------
    >>> spectral_radius([[0.0, 2.0], [0.0, 0.5]])
    0.5
    """
    weight = square_matrix(weight_hh, "weight_hh")
    return float(np.abs(np.linalg.eigvals(weight)).max())


def response(
    weight_hh: ArrayLike, weight_ih: ArrayLike | None, x: ArrayLike, h0: ArrayLike | None = None
) -> Array:
    """Run h(t) = W h(t-1) + C x(t).

    Parameters
    ----------
    weight_hh : array-like (H, H)
        W.
    weight_ih : array-like (H, D), optional
        C; the identity when not given.
    x : array-like (T, D)
        Inputs; (T,) where D is 1.
    h0 : array-like (H,), optional
        The state before the first frame; 0 when not given.

    Returns
    -------
    ndarray of float64 (T, H)

    Raises
    ------
    TypeError, ValueError
        If a shape does not fit, or the response exceeds the largest float64.

    Examples
    --------
    >>> response([[0.5]], [[1.0]], [1.0, 0.0, 0.0]).ravel().tolist()
    [1.0, 0.5, 0.25]
    """
    weight = square_matrix(weight_hh, "weight_hh")
    into = input_matrix(weight_ih, "weight_ih", len(weight))
    frames = input_frames(x, "x", 1, into.shape[1])
    h = state_vector(h0, "h0", len(weight))
    states = np.empty((len(frames), len(weight)))
    for t, frame in enumerate(frames):
        h = states[t] = require_representable(weight, into @ frame, h, t)
    return states


def impulse_response(weight_hh: ArrayLike, weight_ih: ArrayLike | None, frames: int) -> Array:
    """Return what one input leaves in the state: W^t C for t = 0 .. frames-1.

    Parameters
    ----------
    weight_hh : array-like (H, H)
        W.
    weight_ih : array-like (H, D), optional
        C; the identity when not given.
    frames : int

    Returns
    -------
    ndarray of float64 (frames, H, D)

    Raises
    ------
    TypeError, ValueError
        If a shape does not fit, or the response exceeds the largest float64.
    """
    weight = square_matrix(weight_hh, "weight_hh")
    term = input_matrix(weight_ih, "weight_ih", len(weight))
    terms = np.empty((count(frames, "frames"), *term.shape))
    for t in range(len(terms)):
        terms[t] = term
        if t + 1 < len(terms):
            term = require_representable(weight, 0.0, term, t + 1)
    return terms


def require_representable(weight: Array, added: Any, h: Array, frame: int) -> Array:
    """Return ``weight @ h + added``, or say that it exceeds float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        after: Array = weight @ h + added
    if not np.isfinite(after).all():
        raise ValueError(
            f"the state exceeds the largest float64 at frame {frame}: it explodes; take fewer "
            "frames or smaller recurrent weights"
        )
    return after


def _mode(eigenvalue: complex, found: Array, weight: Array) -> Mode:
    size = abs(eigenvalue)
    oscillates = abs(eigenvalue.imag) > _MARGIN * size or eigenvalue.real < 0
    if abs(size - 1) > _MARGIN:
        return Mode(eigenvalue, "exploding" if size > 1 else "vanishing", oscillates)
    return Mode(eigenvalue, "marginal", oscillates, _is_defective(eigenvalue, found, weight))


def _is_defective(eigenvalue: complex, found: Array, weight: Array) -> bool:
    times = int((np.abs(found - eigenvalue) < 2 * _MARGIN).sum())
    if times == 1:
        return False
    sizes = np.linalg.svd(weight - eigenvalue * np.eye(len(weight)), compute_uv=False)
    # An eigenvalue found to 1e-6 leaves singular values of that size in place of zeros.
    vectors = int((sizes <= max(_RANK * sizes[0], 2 * _MARGIN)).sum())
    return vectors < times
