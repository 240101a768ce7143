"""What is done to emissions before they are aligned, and emissions that come in chunks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import RealArray, as_indices, as_real
from unrolled.ctc.batch import as_class, require_scores

StarScore = Literal["max"] | float

# The wildcard is nearly as good as the best class: silence stays with the blank, all else is the
# wildcard's. Without the blank among those classes it would cover the peaks of a word alone.
_BELOW_BEST = 0.05


@dataclass(frozen=True)
class EmissionChange:
    """Changes of emissions of so many classes, in this order: priors, wildcard, inserted sound."""

    classes: int
    blank: int | None
    log_priors: NDArray[np.float64] | None
    star: int | None
    star_score: StarScore
    insert_penalty: float | None

    def apply(self, scores: RealArray) -> RealArray:
        """Return the changed copy of (..., C); (..., C + 1) with a wildcard beyond the classes."""
        changed = np.empty((*scores.shape[:-1], self.width), scores.dtype)
        changed[..., : self.classes] = scores
        if self.log_priors is not None:
            changed[..., : self.classes] -= self.log_priors.astype(scores.dtype)
        if self.star is None and self.insert_penalty is None:
            return changed
        if self.star is not None:
            given = [c for c in range(self.classes) if c != self.star]
            best = changed[..., given].max(axis=-1, initial=-np.inf) - _BELOW_BEST
            changed[..., self.star] = best if self.star_score == "max" else self.star_score
        if self.insert_penalty is not None:
            symbols = [c for c in range(self.classes) if c not in (self.blank, self.star)]
            inserted = changed[..., symbols].max(axis=-1, initial=-np.inf) - self.insert_penalty
            changed[..., self.blank] = np.maximum(changed[..., self.blank], inserted)
        return changed

    @property
    def width(self) -> int:
        """Classes of the changed emissions."""
        return self.classes + (self.star == self.classes)


@dataclass(frozen=True)
class EmissionOptions:
    """The arguments of `forced_align` that change emissions, as they came."""

    star: int | str | None
    star_score: StarScore
    labels: Sequence[str] | None
    insert_penalty: float | None
    log_priors: Any
    prior_scale: float

    @property
    def change_nothing(self) -> bool:
        """Whether emissions stay what they are."""
        return self.star is None and self.insert_penalty is None and self.log_priors is None

    def check(self, classes: int, blank: int | None) -> EmissionChange:
        """Return what is to be done to emissions of so many classes.

        Raises
        ------
        ValueError, TypeError
            An argument makes no sense; the message names it.
        """
        insert_penalty = self.insert_penalty
        if insert_penalty is not None:
            insert_penalty = as_penalty(insert_penalty, "insert_penalty")
            if blank is None:
                raise ValueError("insert_penalty needs a blank to take what was inserted")
        return EmissionChange(
            classes,
            blank,
            self._priors(classes),
            self._star_class(classes, blank),
            self.star_score,
            insert_penalty,
        )

    def _priors(self, classes: int) -> NDArray[np.float64] | None:
        if self.log_priors is None:
            return None
        priors = self.prior_scale * np.asarray(as_real(self.log_priors, "log_priors"), np.float64)
        if priors.shape != (classes,):
            raise ValueError(f"log_priors must have shape ({classes},), got {priors.shape}")
        wrong = np.flatnonzero(~np.isfinite(priors))
        if wrong.size:
            raise ValueError(
                f"log_priors of class {wrong[0]} times prior_scale is {priors[wrong[0]]}, it must "
                "be finite: smooth the priors"
            )
        return priors

    def _star_class(self, classes: int, blank: int | None) -> int | None:
        star, labels = self.star, self.labels
        if star is None:
            return None
        if self.star_score != "max" and not _as_number(self.star_score) < np.inf:
            raise ValueError(
                f'star_score must be "max" or a number below inf, got {self.star_score!r}'
            )
        if isinstance(star, str):
            star = list(labels).index(star) if labels is not None and star in labels else classes
        if not isinstance(star, (int, np.integer)):
            raise TypeError(f"star must be a class or a label, got {star!r}")
        if not 0 <= star <= classes or star == blank:
            raise ValueError(
                f"star must be {classes} (a class of its own) or one of the {classes} classes "
                f"other than the blank, got {star}"
            )
        return int(star)


def as_penalty(value: float, name: str) -> float:
    """Return a penalty as a float of at least 0."""
    number = _as_number(value)
    if not number >= 0:
        raise ValueError(f"{name} must be a number of at least 0, got {value!r}")
    return number


def _as_number(value: Any) -> float:
    """Return a number as a float, NaN for what is none: no comparison holds of it."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan


class JoinedChunks:
    """Emissions (T, C) that came in chunks: of the classes alone that the target uses.

    Alignment reads emissions twice, so they are kept: 4 bytes (8 in float64) a frame for each class
    that occurs in the target, and for the blank; for a moment twice that, while they are joined.

    Parameters
    ----------
    chunks : iterable of arrays (t, C)
    target : array of int (L,)
    blank : int or None
    options : EmissionOptions

    Attributes
    ----------
    original : ndarray of int64 (L,)
        The target.
    scores : ndarray (T, U)
        Of the classes in use.
    target : ndarray of int64 (L,)
    blank : int or None
        As numbers of those classes.
    change : EmissionChange

    Raises
    ------
    ValueError, TypeError
        A chunk does not fit, or holds NaN or +inf; the message names it.
    """

    def __init__(
        self, chunks: Iterable[Any], target: Any, blank: int | None, options: EmissionOptions
    ) -> None:
        self.original = as_indices(target, "targets", ndim=1)
        arrays = (as_real(chunk, f"chunk {number}") for number, chunk in enumerate(chunks))
        first = next(arrays, None)
        if first is None:
            raise ValueError("log_probs gave no chunk: without one the classes are not known")
        _require_chunk(first, 0, None)
        classes = first.shape[1]
        self.change = options.check(classes, None if blank is None else as_class(blank, classes))
        used = self._number_classes()
        kept: list[RealArray] = []
        frames = 0
        for number, scores in enumerate(chain([first], arrays)):
            _require_chunk(scores, number, classes)
            require_scores(scores, f"chunk {number}", first_frame=frames)
            changed = scores if options.change_nothing else self.change.apply(scores)
            kept.append(np.take(changed, used, axis=1))
            frames += len(scores)
        self.scores = np.concatenate(kept)

    def _number_classes(self) -> NDArray[np.int64]:
        """Give the classes in use numbers; return which they are."""
        blank, width = self.change.blank, self.change.width
        wrong = np.flatnonzero((self.original < 0) | (self.original >= width))
        if wrong.size:
            raise ValueError(
                f"targets: class {self.original[wrong[0]]} at position {wrong[0]} must lie in "
                f"0 .. {width - 1}"
            )
        blanks = np.flatnonzero(self.original == blank)
        if blanks.size:
            raise ValueError(
                f"targets: position {blanks[0]} is the blank (class {blank}), targets must hold "
                "symbols only; pass blank= if it is another class"
            )
        used = np.unique(self.original if blank is None else np.append(self.original, blank))
        self.target = np.searchsorted(used, self.original)
        self.blank = None if blank is None else int(np.searchsorted(used, blank))
        return used if used.size else np.zeros(1, np.int64)


def _require_chunk(scores: RealArray, number: int, classes: int | None) -> None:
    if scores.ndim != 2 or scores.shape[1] == 0:
        raise ValueError(f"chunk {number} must have the axes (t, C), got {scores.shape}")
    if classes is not None and scores.shape[1] != classes:
        raise ValueError(f"chunk {number} has {scores.shape[1]} classes, the first has {classes}")
