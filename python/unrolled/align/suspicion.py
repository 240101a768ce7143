"""Which words of an alignment are probably not what is heard or seen there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from unrolled.align.words import Word
from unrolled.ctc.spans import FrameScale, Placed, Span

_LEAST_SPREAD = 1.0  # of scores, nats a frame: words that are right differ by as much
_DEVIATIONS = 1.4826  # from the median absolute deviation to the standard one of a normal law


@dataclass(frozen=True, slots=True)
class Suspicion(Placed):
    """Words in a row over the frames [start, end) that the emissions do not support.

    Attributes
    ----------
    start, end : int
        Frames from the first to the last of them.
    score : float
        The least score of them; nan where all were left out.
    items : tuple of Word, or of Span
    """

    start: int
    end: int
    score: float
    items: tuple[Word | Span, ...]
    scale: FrameScale = field(default=FrameScale(), repr=False, compare=False)


def find_suspicious(
    items: Sequence[Word | Span], threshold: float = 3.0, below: float | None = None
) -> list[Suspicion]:
    """Return runs of words, or of tokens, whose score lies far below that of the rest.

    A word is suspicious if it was left out of the path, or if its score is below the median of all
    scores by more than `threshold` times their spread: 1.4826 times the median absolute deviation,
    but at least 1. A wildcard or an interpolated word says nothing and is never suspicious. Both
    measures are medians, so that up to half of the words may be wrong.

    Parameters
    ----------
    items : sequence of Word or Span
    threshold : float
        Spreads below the median.
    below : float, optional
        Scores below this one are suspicious too, whatever the rest.

    Returns
    -------
    list of Suspicion
        Neighbours are joined to one.

    Examples
    --------
    >>> scores = [-0.1, -0.2, -4.0, -5.0, -0.1, -0.3, -0.2]
    >>> words = [Word("word", 5 * i, 5 * i + 4, score) for i, score in enumerate(scores)]
    >>> [(found.start, found.end, found.score) for found in find_suspicious(words)]
    [(10, 19, -5.0)]
    """
    known = np.array([item.score for item in items if _is_heard(item)])
    floor = -math.inf if below is None else below
    if known.size:
        median = float(np.median(known))
        if median > -math.inf:
            spread = _DEVIATIONS * float(np.median(np.abs(known - median)))
            floor = max(floor, median - threshold * max(spread, _LEAST_SPREAD))
    runs = groupby(
        items, lambda item: item.omitted or (_is_heard(item) and not item.score >= floor)
    )
    return [_joined(list(run)) for is_suspicious, run in runs if is_suspicious]


def _is_heard(item: Word | Span) -> bool:
    return not (item.omitted or item.estimated)


def _joined(run: list[Word | Span]) -> Suspicion:
    scores = [item.score for item in run if not math.isnan(item.score)]
    least = min(scores, default=math.nan)
    return Suspicion(run[0].start, run[-1].end, least, tuple(run), run[0].scale)
