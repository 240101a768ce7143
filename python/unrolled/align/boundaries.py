"""How far the boundaries of words are from where somebody else put them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unrolled.align.ctm import CTMWord
from unrolled.align.textgrid import Interval
from unrolled.align.words import Word

Timed = Word | Interval | CTMWord


@dataclass(frozen=True, eq=False)
class BoundaryErrors:
    """Distances between boundaries of the same words, in seconds.

    Attributes
    ----------
    starts, ends : ndarray (number of words,)
        Found minus reference: above 0 where it was found too late.
    """

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]

    @property
    def distances(self) -> NDArray[np.float64]:
        """Distances of all starts and ends, without sign."""
        return np.abs(np.concatenate([self.starts, self.ends]))

    @property
    def mean(self) -> float:
        """Mean distance; nan where there are no words."""
        return float(self.distances.mean()) if self.starts.size else float("nan")

    @property
    def median(self) -> float:
        """Median distance; nan where there are no words."""
        return float(np.median(self.distances)) if self.starts.size else float("nan")

    def within(self, tolerance: float) -> float:
        """Return the share of boundaries that are at most `tolerance` seconds off.

        A billionth is let through, so that frames of 20 ms count as within 0.02.
        """
        close = self.distances <= tolerance + 1e-9
        return float(close.mean()) if close.size else float("nan")


def boundary_errors(found: Iterable[Timed], reference: Iterable[Timed]) -> BoundaryErrors:
    """Compare the boundaries of words with those of a reference, such as one made by hand.

    Parameters
    ----------
    found, reference : iterable of Word, Interval or CTMWord
        ``alignment.words``, a tier's ``intervals`` of a TextGrid, or the words of a CTM file. Both
        must have the same words; case does not count, nor do intervals without text.

    Returns
    -------
    BoundaryErrors

    Raises
    ------
    ValueError
        If the words differ; the message names the first that does.

    Examples
    --------
    >>> found = [Interval(0.0, 0.52, "so"), Interval(0.6, 1.0, "far")]
    >>> by_hand = [Interval(0.0, 0.5, "So"), Interval(0.5, 0.6, ""), Interval(0.6, 1.1, "far")]
    >>> errors = boundary_errors(found, by_hand)
    >>> round(errors.mean, 3), errors.within(0.02)
    (0.03, 0.75)
    """
    own, theirs = _rows(found), _rows(reference)
    for number, (one, other) in enumerate(zip(own, theirs, strict=False)):
        if one[0].casefold() != other[0].casefold():
            raise ValueError(f"word {number} is {one[0]!r}, and {other[0]!r} in the reference")
    if len(own) != len(theirs):
        raise ValueError(f"there are {len(own)} words, and {len(theirs)} in the reference")
    times = np.array([row[1:] for row in own]).reshape(-1, 2)
    times -= np.array([row[1:] for row in theirs]).reshape(-1, 2)
    return BoundaryErrors(times[:, 0], times[:, 1])


def _rows(items: Iterable[Timed]) -> Sequence[tuple[str, float, float]]:
    return [row for row in map(_row, items) if row[0]]


def _row(item: Timed) -> tuple[str, float, float]:
    if isinstance(item, Word):
        return item.text, item.start_seconds, item.end_seconds
    if isinstance(item, CTMWord):
        return item.word, item.start, item.start + item.duration
    return item.text, item.start, item.end
