"""What a labeller of frames returns: labels over time, and the symbols that they spell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import ctc
from unrolled.ctc import Hypothesis


@dataclass(frozen=True)
class Segment:
    """A symbol over the frames [start, end): it ended at frame ``end - 1``.

    Attributes
    ----------
    label : str
    start, end : int
    confidence : float
        Mean probability over its frames, in [0, 1].
    """

    label: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True, eq=False)
class Tagging:
    """The labels of the frames of one sequence.

    Attributes
    ----------
    labels : list of str
        The likeliest class of every frame (T).
    probabilities : ndarray (T, C)
        In the order of the model's classes.
    segments : list of Segment
        The order-synchronous reading: equal labels side by side merged into one symbol each. A
        symbol that comes twice in a row cannot be told from one that lasts.
    """

    labels: list[str]
    probabilities: NDArray[Any]
    segments: list[Segment]


def make_tagging(probabilities: NDArray[Any], classes: Sequence[str]) -> Tagging:
    """Name the classes of the probabilities (T, C) of one sequence's frames."""
    reading = ctc.greedy(probabilities, blank=None)
    assert isinstance(reading, Hypothesis)  # a list is for batches
    segments = [
        Segment(classes[span.token], span.start, span.end, span.score) for span in reading.spans
    ]
    labels = [classes[best] for best in np.argmax(probabilities, axis=1).tolist()]
    return Tagging(labels, probabilities, segments)
