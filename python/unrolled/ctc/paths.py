"""Paths and what they say: compressing a path, and every path that compresses to given tokens."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import as_indices


def compress(path: Any, *, blank: int | None = None) -> list[int]:
    """Merge the repeats of a path, then drop its blanks.

    Parameters
    ----------
    path : array of int, shape (T,)
        The class of each frame.
    blank : int, optional
        Class of the blank; None where there is none.

    Returns
    -------
    list of int
        The tokens, at most T.

    Raises
    ------
    TypeError, ValueError
        `path` is no sequence of whole numbers, or holds a negative one.

    Examples
    --------
    >>> compress([0, 1, 1, 0, 1, 2], blank=0)
    [1, 1, 2]
    >>> compress([0, 1, 1, 0, 1, 2])
    [0, 1, 0, 1, 2]
    """
    classes = _as_classes(path, "path")
    _check_blank(blank)
    tokens = classes[np.flatnonzero(np.diff(classes, prepend=-1))]
    kept: list[int] = (tokens if blank is None else tokens[tokens != blank]).tolist()
    return kept


def expansions(tokens: Any, frames: int, *, blank: int | None = None) -> Iterator[tuple[int, ...]]:
    """Go through every path of `frames` frames that `compress` turns into `tokens`.

    Their number, `count_expansions`, grows fast; they come one by one, each once.

    Parameters
    ----------
    tokens : array of int, shape (L,)
        Without blanks.
    frames : int
        T, the length of each path.
    blank : int, optional
        Class of the blank. Without one each token fills one frame or more, and equal tokens side by
        side have no path at all: they could not be told from one that lasts.

    Yields
    ------
    tuple of int, shape (T,)

    Raises
    ------
    TypeError, ValueError
        `tokens` are no whole numbers from 0 on, or hold the blank; `frames` is negative.

    Examples
    --------
    >>> list(expansions([1, 2], 3))
    [(1, 2, 2), (1, 1, 2)]
    >>> list(expansions([1, 1], 4, blank=0))
    [(1, 0, 1, 0), (1, 0, 1, 1), (1, 0, 0, 1), (1, 1, 0, 1), (0, 1, 0, 1)]
    """
    return _fill(*_runs(*_checked(tokens, frames, blank)))


def count_expansions(tokens: Any, frames: int, *, blank: int | None = None) -> int:
    """Count the paths of `expansions` by a formula, exactly.

    With blanks a path has 2L + 1 runs, the blanks between different tokens may be empty, and the
    frames that are left once L tokens and R blanks between equal neighbours have one each are
    divided freely: ``C(T + L - R, 2 L)``. Without blanks it is ``C(T - 1, L - 1)``.

    Parameters
    ----------
    tokens, frames, blank
        As in `expansions`.

    Returns
    -------
    int

    Raises
    ------
    TypeError, ValueError
        As in `expansions`.

    Examples
    --------
    >>> count_expansions([1, 1], 4, blank=0)
    5
    >>> count_expansions(range(1, 21), 150, blank=0)
    1375446715324134339931711799966056552329
    """
    runs, _, spare = _runs(*_checked(tokens, frames, blank))
    if spare < 0:
        return 0
    return math.comb(spare + len(runs) - 1, spare) if runs else int(spare == 0)


def _runs(classes: list[int], frames: int, blank: int | None) -> tuple[list[int], list[int], int]:
    """Return the class of each run of a path, its fewest frames, and the frames left to divide.

    The last is negative where there is no path.
    """
    repeats = sum(a == b for a, b in pairwise(classes))
    if blank is None:
        return classes, [1] * len(classes), -1 if repeats else frames - len(classes)
    runs, shortest = [blank], [0]
    for i, token in enumerate(classes):
        if i > 0 and token == classes[i - 1]:
            shortest[-1] = 1
        runs += [token, blank]
        shortest += [1, 0]
    return runs, shortest, frames - len(classes) - repeats


def _fill(runs: list[int], shortest: list[int], spare: int) -> Iterator[tuple[int, ...]]:
    """Divide the spare frames over the runs in every way: stars and bars."""
    if spare < 0 or (spare > 0 and not runs):
        return
    bars = max(len(runs) - 1, 0)
    for places in combinations(range(spare + bars), bars):
        edges = (-1, *places, spare + bars)
        path: list[int] = []
        for token, least, (before, after) in zip(runs, shortest, pairwise(edges), strict=False):
            path += [token] * (least + after - before - 1)
        yield tuple(path)


def _checked(tokens: Any, frames: int, blank: int | None) -> tuple[list[int], int, int | None]:
    classes = _as_classes(tokens, "tokens")
    _check_blank(blank)
    if frames < 0:
        raise ValueError(f"frames must be at least 0, got {frames}")
    if blank is not None and np.any(classes == blank):
        place = int(np.flatnonzero(classes == blank)[0])
        raise ValueError(
            f"tokens: position {place} is the blank (class {blank}); compress(path, blank={blank}) "
            "never gives one"
        )
    return classes.tolist(), int(frames), blank


def _as_classes(value: Any, name: str) -> NDArray[np.int64]:
    classes = as_indices(value, name, ndim=1)
    if classes.size and classes.min() < 0:
        place = int(np.argmin(classes))
        raise ValueError(f"{name}: classes count from 0, position {place} is {classes[place]}")
    return classes


def _check_blank(blank: int | None) -> None:
    if blank is not None and blank < 0:
        raise ValueError(f"blank must be a class from 0 on, got {blank}: a path has no last class")
