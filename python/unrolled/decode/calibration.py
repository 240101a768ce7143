"""From measures of confidence to the chance of being right, learnt from held-out results."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from unrolled._arrays import as_numpy
from unrolled._files import write_atomically
from unrolled.decode.calibration_fits import (
    Floats,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    log_odds,
    sigmoid,
)

Method = Literal["isotonic", "temperature", "platt"]
_METHODS = ("isotonic", "temperature", "platt")


@dataclass(frozen=True)
class Calibration:
    """A map from a confidence to the chance that what has it is right; it never falls.

    `calibrate` makes it.

    Attributes
    ----------
    method : {"isotonic", "temperature", "platt"}
    knots, values : tuple of float
        "isotonic": chances at some confidences, joined by straight lines, constant beyond.
    slope, intercept : float
        The others: ``sigmoid(slope * x + intercept)``, where x is the confidence, and its log odds
        for "temperature".

    Examples
    --------
    >>> calibration = calibrate([0.2, 0.4, 0.6, 0.8], [False, True, False, True])
    >>> calibration.apply([0.2, 0.5, 0.9]).tolist()
    [0.0, 0.5, 1.0]
    """

    method: Method
    knots: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, confidences: Any) -> Floats:
        """Return the chances of being right, in the shape of `confidences`.

        Raises
        ------
        ValueError
            A confidence is NaN, or no probability for the method "temperature".
        """
        x = _as_floats(confidences)
        if self.method == "isotonic":
            return np.interp(x, self.knots, self.values)
        if self.method == "temperature":
            _require_probabilities(x)
            x = log_odds(x)
        return sigmoid(self.slope * x + self.intercept)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        write_atomically(path, (json.dumps(asdict(self)) + "\n").encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Calibration:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            The file holds no calibration.
        OSError
            If it cannot be read.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            content["knots"], content["values"] = map(tuple, (content["knots"], content["values"]))
            calibration = cls(**content)
            calibration.apply(0.5)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"{path}: holds no calibration ({error}); save one with Calibration.save"
            ) from None
        return calibration


def calibrate(confidences: Any, correct: Any, method: Method = "isotonic") -> Calibration:
    """Learn how often what has a certain confidence is right.

    Parameters
    ----------
    confidences : array-like of float (n,)
        One measure of held-out results, such as ``hypothesis.confidence.posterior`` of texts or
        ``word.posterior`` of words.
    correct : array-like of bool (n,)
        Whether each was right.
    method : {"isotonic", "temperature", "platt"}
        "isotonic": any map that never falls, the one with the least squared error (pool adjacent
        violators, Ayer et al. 1955); for a few hundred results and more. "temperature": log odds
        divided by one number (Guo et al. 2017), for probabilities. "platt": a sigmoid of any
        score, such as the margin (Platt 1999, with his targets, so that few results do not make it
        certain). Both maximise the likelihood.

    Returns
    -------
    Calibration

    Raises
    ------
    ValueError
        Numbers of entries differ or there is none, a confidence is not finite, or no probability
        for "temperature", or `correct` holds something else than true and false.

    Examples
    --------
    >>> calibration = calibrate([0.9, 0.9, 0.9, 0.9], [1, 0, 1, 0], "temperature")
    >>> round(float(calibration.apply(0.9)), 2)  # too sure: right in half of the cases
    0.5
    """
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, got {method!r}")
    x, right = _as_pairs(confidences, correct)
    if method == "isotonic":
        return Calibration(method, *fit_isotonic(x, right))
    if method == "temperature":
        _require_probabilities(x)
        return Calibration(method, slope=fit_temperature(log_odds(x), right))
    slope, intercept = fit_platt(x, right)
    return Calibration(method, slope=slope, intercept=intercept)


def expected_calibration_error(confidences: Any, correct: Any, bins: int = 10) -> float:
    """Return how far confidences are from the share that is right, on the average.

    Parameters
    ----------
    confidences : array-like of float (n,)
        Probabilities.
    correct : array-like of bool (n,)
    bins : int
        Bins of equal width in 0 .. 1, the upper edge within.

    Returns
    -------
    float
        The distance of the mean confidence of a bin from the share of it that is right, weighted by
        what is in the bin (Naeini et al. 2015).

    Raises
    ------
    ValueError
        As `calibrate`; a confidence is no probability; `bins` is not above 0.

    Examples
    --------
    >>> expected_calibration_error([0.75, 0.75, 0.75, 0.75], [True, True, False, False])
    0.25
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    x, right = _as_pairs(confidences, correct)
    _require_probabilities(x)
    places = np.clip(np.ceil(x * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(places, x - right, minlength=bins)
    return float(np.abs(gaps).sum() / x.size)


def _as_floats(confidences: Any) -> Floats:
    x = np.asarray(as_numpy(confidences, "confidences"), np.float64)
    if np.isnan(x).any():
        raise ValueError(
            f"confidences must be numbers; entry {np.flatnonzero(np.isnan(x))[0]} is nan"
        )
    return x


def _as_pairs(confidences: Any, correct: Any) -> tuple[Floats, Floats]:
    x, right = _as_floats(confidences), np.asarray(as_numpy(correct, "correct"), np.float64)
    if x.ndim != 1 or x.shape != right.shape or not x.size:
        raise ValueError(
            "confidences and correct must have one entry a result, and at least one, got the "
            f"shapes {x.shape} and {right.shape}"
        )
    if not np.isfinite(x).all():
        raise ValueError(
            f"confidences must be finite, entry {np.flatnonzero(~np.isfinite(x))[0]} is not; a "
            "margin is infinite where the beam held one text: leave it out, or bound it"
        )
    if not np.isin(right, (0.0, 1.0)).all():
        raise ValueError("correct must hold true and false, or 1 and 0")
    return x, right


def _require_probabilities(x: Floats) -> None:
    wrong = np.flatnonzero((x < 0) | (x > 1))
    if wrong.size:
        raise ValueError(
            f"confidences must be probabilities in 0 .. 1, entry {wrong[0]} is {x.flat[wrong[0]]}; "
            'for other scores there are the methods "isotonic" and "platt"'
        )
