"""The best path of every item of a batch, as states and as classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled.ctc.batch import NO_BLANK, Batch

_NO_SKIPS, _AUTO, _NO_BAND = np.inf, 0, 0


def best_paths(batch: Batch) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Find the likeliest alignment of every item.

    Returns
    -------
    states : ndarray of int32 (N, T)
        State of the trellis at each frame: with blanks ``2 i + 1`` is symbol i and even ones are
        blanks, without, state i is symbol i. -1 beyond an item's frames, and for all of an item
        that has no path.
    scores : ndarray of float64 (N,)
        Log probability of each path; -inf where there is none.

    Raises
    ------
    ValueError
        If a target holds no class, or the blank; names the item.
    """
    batch.check()
    states, scores = _core.align(
        batch.scores,
        batch.targets,
        batch.offsets,
        batch.input_lengths,
        batch.blank,
        _NO_SKIPS,
        _AUTO,
        _NO_BAND,
    )
    return states, scores


def path_classes(batch: Batch, states: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the class (N, T) of every state; -1 where there is none."""
    classes = np.full(states.shape, -1, np.int64)
    if batch.blank == NO_BLANK:
        symbol, is_symbol = states, states >= 0
    else:
        symbol, is_symbol = states >> 1, (states >= 0) & (states & 1 == 1)
        classes[states >= 0] = batch.blank
    items, _ = np.nonzero(is_symbol)
    classes[is_symbol] = batch.targets[batch.offsets[items] + symbol[is_symbol]]
    return classes


def path_scores(batch: Batch, states: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the log probability (N,) of paths that are given."""
    classes = path_classes(batch, states)
    chosen: NDArray[Any] = np.take_along_axis(
        batch.scores, np.maximum(classes, 0)[:, :, np.newaxis], axis=2
    )[:, :, 0]
    scores: NDArray[np.float64] = np.where(classes < 0, 0.0, chosen).sum(axis=1, dtype=np.float64)
    return scores
