"""How far readings are from the truth: edit distance, character error, lines and classes right.

Rates are of the whole corpus: all errors over all reference characters, not a mean of each
line's own rate. Characters are Python's (code points); normalise both sides (NFC) beforehand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Pair = tuple[Any, Any]


def edit_distance(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> int:
    """Fewest substitutions, insertions and deletions that turn one sequence into the other.

    Parameters
    ----------
    reference, hypothesis
        Two strings, or two sequences of hashable tokens.

    Returns
    -------
    int
        The Levenshtein distance.

    Notes
    -----
    The recurrence of R. Wagner and M. Fischer, "The string-to-string correction problem" (1974),
    one row at a time.

    Examples
    --------
    >>> edit_distance("kitten", "sitting")
    3
    """
    a, b = _as_ids(reference, hypothesis)
    row = np.arange(len(b) + 1)
    for i, token in enumerate(a, start=1):
        row = _next_row(row, i, token, b)
    return int(row[-1])


def error_alignment(
    reference: Sequence[Hashable], hypothesis: Sequence[Hashable]
) -> list[tuple[Any, Any]]:
    """Pair the tokens of both sequences along a cheapest edit path.

    Parameters
    ----------
    reference, hypothesis
        Two strings, or two sequences of hashable tokens.

    Returns
    -------
    list of (reference token or None, hypothesis token or None)
        Equal pairs are right, unequal ones substitutions; ``(token, None)`` is a deletion (the
        reading lacks it), ``(None, token)`` an insertion (the reading has too much). Of several
        cheapest paths the one is taken that, from the end backwards, prefers a pair to a
        deletion, and a deletion to an insertion.

    Examples
    --------
    >>> error_alignment("1225", "125")
    [('1', '1'), ('2', None), ('2', '2'), ('5', '5')]
    """
    a, b = _as_ids(reference, hypothesis)
    rows = [np.arange(len(b) + 1)]
    for i, token in enumerate(a, start=1):
        rows.append(_next_row(rows[-1], i, token, b))
    pairs: list[Pair] = []
    i, j = len(a), len(b)
    while i or j:
        if i and j and rows[i][j] == rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((reference[i], hypothesis[j]))
        elif i and rows[i][j] == rows[i - 1][j] + 1:
            i -= 1
            pairs.append((reference[i], None))
        else:
            j -= 1
            pairs.append((None, hypothesis[j]))
    return pairs[::-1]


def character_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Errors of the whole corpus over its reference characters.

    Parameters
    ----------
    references, hypotheses
        As many readings as truths, in the same order.

    Returns
    -------
    float
        Sum of edit distances / sum of reference lengths: 0 is perfect, and it exceeds 1 where
        readings are much too long. What is read where the reference is empty counts as errors;
        when every reference is empty the divisor is 1, so the rate is finite.

    Raises
    ------
    TypeError
        If either is one string: a list of lines is meant.
    ValueError
        If the numbers of lines differ, or there is none.

    Examples
    --------
    >>> character_error_rate(["123", "4567"], ["123", "4507"])
    0.14285714285714285
    """
    _check_corpus(references, hypotheses)
    errors = sum(edit_distance(r, h) for r, h in zip(references, hypotheses, strict=True))
    return errors / max(1, sum(len(reference) for reference in references))


def line_accuracy(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Share of lines that are right in every character.

    Parameters
    ----------
    references, hypotheses
        As many readings as truths, in the same order.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    TypeError, ValueError
        As `character_error_rate`.

    Examples
    --------
    >>> line_accuracy(["12", "34"], ["12", "35"])
    0.5
    """
    _check_corpus(references, hypotheses)
    right = sum(r == h for r, h in zip(references, hypotheses, strict=True))
    return right / len(references)


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
    _check_corpus(references, hypotheses)
    counts: Counter[Pair] = Counter()
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        if reference != hypothesis:
            counts.update(p for p in error_alignment(reference, hypothesis) if p[0] != p[1])
    return counts


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


def _as_ids(
    reference: Sequence[Hashable], hypothesis: Sequence[Hashable]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    ids: dict[Hashable, int] = {}
    pair = [[ids.setdefault(token, len(ids)) for token in s] for s in (reference, hypothesis)]
    return np.array(pair[0], np.int64), np.array(pair[1], np.int64)


def _next_row(row: NDArray[Any], i: int, token: int, b: NDArray[Any]) -> NDArray[Any]:
    best = np.empty_like(row)
    best[0] = i
    np.minimum(row[1:] + 1, row[:-1] + (b != token), out=best[1:])
    # Insertions run along the row: best[j] = min over k <= j of best[k] + (j - k), a running
    # minimum once j is subtracted.
    columns = np.arange(len(row))
    running: NDArray[Any] = np.minimum.accumulate(best - columns) + columns
    return running


def _check_corpus(references: Sequence[str], hypotheses: Sequence[str]) -> None:
    for name, lines in (("references", references), ("hypotheses", hypotheses)):
        if isinstance(lines, str):
            raise TypeError(f"{name} is one string; give a list with a string for each line")
    if len(references) != len(hypotheses):
        raise ValueError(
            f"{len(references)} references but {len(hypotheses)} hypotheses; give one for each"
        )
    if not len(references):
        raise ValueError("references is empty; an error rate needs at least one line")
