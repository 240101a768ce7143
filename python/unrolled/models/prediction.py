"""What a classifier returns: labels with their probabilities, and how often they are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import metrics


@dataclass(frozen=True)
class Prediction:
    """The class of an image or a sequence.

    Attributes
    ----------
    label : str
        The likeliest class.
    confidence : float
        Its probability, in [0, 1].
    probabilities : dict of str to float
        Of every class, in the model's order.
    """

    label: str
    confidence: float
    probabilities: dict[str, float]

    def top(self, count: int) -> list[tuple[str, float]]:
        """Return the `count` likeliest classes with their probabilities, the likeliest first."""
        return sorted(self.probabilities.items(), key=lambda pair: -pair[1])[:count]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How a classifier does on labelled images or sequences.

    Attributes
    ----------
    classes : tuple of str
    loss : float
        Mean of -log of the probability of the right class.
    confusion : ndarray of int64 (C, C)
        Items of the class of the row that were taken for that of the column.
    """

    classes: tuple[str, ...]
    loss: float
    confusion: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Items in all."""
        return int(self.confusion.sum())

    @property
    def right(self) -> int:
        """Items whose class was found."""
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        """Share of items whose class was found."""
        return self.right / self.count

    @property
    def recall(self) -> dict[str, float | None]:
        """Share of each class's items that were found; None of a class without any."""
        return self._shares(self.confusion.sum(axis=1))

    @property
    def precision(self) -> dict[str, float | None]:
        """Share of what was taken for each class that is of it; None if nothing was."""
        return self._shares(self.confusion.sum(axis=0))

    def _shares(self, totals: NDArray[np.int64]) -> dict[str, float | None]:
        hits = np.diagonal(self.confusion).tolist()
        return {
            label: hit / total if total else None
            for label, hit, total in zip(self.classes, hits, totals.tolist(), strict=True)
        }


def make_prediction(probabilities: NDArray[np.float32], classes: Sequence[str]) -> Prediction:
    """Name the classes of the probabilities (C) of one item."""
    named = dict(zip(classes, probabilities.tolist(), strict=True))
    best = classes[int(np.argmax(probabilities))]
    return Prediction(best, named[best], named)


def make_evaluation(
    probabilities: NDArray[Any], truths: NDArray[np.int64], classes: tuple[str, ...]
) -> Evaluation:
    """Compare probabilities (N, C) with the right classes (N)."""
    of_truths = probabilities[np.arange(len(truths)), truths].astype(np.float64)
    losses = -np.log(np.maximum(of_truths, np.finfo(np.float32).tiny))
    confusion = metrics.confusion_matrix(truths, probabilities.argmax(axis=1), len(classes))
    return Evaluation(classes, float(losses.mean()), confusion)
