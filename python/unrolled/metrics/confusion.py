"""What was taken for what: characters of lines, and classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.metrics.error_report import error_report

Pair = tuple[Any, Any]


def confusions(references: Sequence[str], hypotheses: Sequence[str]) -> Counter[Pair]:
    """Count every kind of error in a corpus.

    Parameters
    ----------
    references, hypotheses
        As many readings as truths, in the same order.

    Returns
    -------
    Counter
        Occurrences of each unequal pair of `error_alignment`.

    Raises
    ------
    TypeError, ValueError
        As `character_error_rate`.

    Examples
    --------
    >>> confusions(["17", "71"], ["77", "7"]).most_common()
    [(('1', '7'), 1), (('1', None), 1)]
    """
    return error_report(references, hypotheses, unit="character").confusions()


def confusion_matrix(truths: ArrayLike, guesses: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Count, for every class, what its items were taken for.

    Parameters
    ----------
    truths, guesses : array-like of int (N)
        Classes from 0.
    classes : int
        How many there are.

    Returns
    -------
    ndarray of int64 (classes, classes)
        Items of the class of the row that were taken for that of the column.

    Raises
    ------
    ValueError
        If there are not as many guesses as truths, or one is no class.

    Examples
    --------
    >>> confusion_matrix([0, 1, 1], [0, 1, 0], 2)
    array([[1, 0],
           [1, 1]])
    """
    rows, columns = np.asarray(truths), np.asarray(guesses)
    if rows.shape != columns.shape or rows.ndim != 1:
        raise ValueError(
            f"truths has shape {rows.shape}, guesses {columns.shape}; give one guess for each truth"
        )
    for name, given in (("truths", rows), ("guesses", columns)):
        if len(given) and not (given.min() >= 0 and given.max() < classes):
            raise ValueError(
                f"{name} must lie in [0, {classes - 1}], the {classes} classes: got {given.min()} "
                f"to {given.max()}"
            )
    places = rows.astype(np.int64) * classes + columns.astype(np.int64)
    return np.bincount(places, minlength=classes * classes).reshape(classes, classes)
