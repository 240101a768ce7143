"""What the core found for one item, as its hypotheses share it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled.ctc.spans import FrameScale
from unrolled.decode.labels import Labels

_KNOWN = 10

#: What the core returns of an item: the first eight of `SearchResult`.
Found = tuple[Any, Any, Any, Any, Any, Any, Any, Any]
Emissions = NDArray[Any] | Callable[[], NDArray[Any]]


def ask_for(nbest: Any) -> int:
    """Return how many hypotheses confidence compares where `nbest` are wanted.

    Raises
    ------
    ValueError, TypeError
        `nbest` is not a whole number of at least 1.
    """
    if not isinstance(nbest, (int, np.integer)) or isinstance(nbest, bool):
        raise TypeError(f"nbest must be a whole number, got {nbest!r}")
    if nbest < 1:
        raise ValueError(f"nbest must be at least 1, got {nbest}")
    return max(int(nbest) + 1, _KNOWN)


@dataclass(frozen=True, slots=True)
class ScoreParts:
    """What a score is made of beside the acoustic one."""

    lm_weight: float = 0.0
    word_score: float = 0.0
    phrases: Sequence[str] = ()


class SearchResult(NamedTuple):
    """The hypotheses of one item, best first, and what they have in common.

    Attributes
    ----------
    tokens : ndarray of int32
        Of all hypotheses one after the other; hypothesis i has those from ``offsets[i]`` on.
    offsets : ndarray of int64 (n + 1,)
    score, acoustic, lm, units, hotwords : ndarray (n,)
        The whole score and its parts.
    fired : sequence
        For each hypothesis (phrase, first token, end token) of each phrase that fired.
    labels, scale, parts
        Of the decoder.
    emissions : ndarray (T, C), function that returns it, or None
        What was decoded; None where it was not kept.
    compared : function that returns a SearchResult, or None
        The same search with all the hypotheses that confidence compares; None where these are they.
    """

    tokens: NDArray[np.int32]
    offsets: NDArray[np.int64]
    score: NDArray[np.float64]
    acoustic: NDArray[np.float64]
    lm: NDArray[np.float64]
    units: NDArray[np.int64]
    hotwords: NDArray[np.float64]
    fired: Sequence[Sequence[tuple[int, int, int]]]
    labels: Labels
    scale: FrameScale
    parts: ScoreParts
    emissions: Emissions | None
    compared: Callable[[], SearchResult] | None = None

    def require_emissions(self) -> NDArray[Any]:
        """Return the emissions (T, C).

        Raises
        ------
        ValueError
            They were not kept.
        """
        if self.emissions is None:
            raise ValueError(
                "spans and confidence are read off the emissions, which were not kept: pass "
                "keep_emissions=True to the decoder, or the tokens to unrolled.align.forced_align"
            )
        return self.emissions() if callable(self.emissions) else self.emissions

    def without_text(self) -> SearchResult:
        """Return the result for emissions that no text fits: one without tokens, score -inf."""
        nothing = np.zeros(1)
        return self._replace(
            offsets=np.zeros(2, np.int64),
            score=np.array([-np.inf]),
            acoustic=np.array([-np.inf]),
            lm=nothing,
            units=np.zeros(1, np.int64),
            hotwords=nothing,
            fired=[()],
        )
