"""Alignments to begin with, before a model can say anything: uniform, or at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

States = NDArray[np.int32]
Start = Literal["uniform", "random", "model"]


def uniform_states(target: Sequence[int], frames: int, blank: int | None) -> States:
    """Give every state of the trellis the same share of the frames.

    With fewer frames than states, the states that a path cannot leave out have one each, and the
    blanks among the rest, evenly, what is left.

    Parameters
    ----------
    target : sequence of int (L,)
    frames : int
    blank : int or None
        None: there are L states, one a symbol; else ``2 L + 1`` with blanks around and between.

    Returns
    -------
    ndarray of int32 (frames,)

    Raises
    ------
    ValueError
        If the target needs more frames.

    Examples
    --------
    >>> uniform_states([7, 7], 6, blank=None).tolist()
    [0, 0, 0, 1, 1, 1]
    >>> uniform_states([7, 8], 6, blank=0).tolist()
    [0, 1, 2, 2, 3, 4]
    >>> uniform_states([7, 7], 4, blank=0).tolist()
    [1, 2, 3, 4]
    """
    needed = _needed(target, frames, blank)
    states = len(needed)
    if frames >= states:
        return ((2 * np.arange(frames) + 1) * states // (2 * max(frames, 1))).astype(np.int32)
    spare = np.flatnonzero(~needed)
    count = frames - int(needed.sum())
    used = needed.copy()
    used[spare[(2 * np.arange(count) + 1) * len(spare) // (2 * max(count, 1))]] = True
    return np.flatnonzero(used).astype(np.int32)


def random_states(
    target: Sequence[int], frames: int, blank: int | None, rng: np.random.Generator
) -> States:
    """Draw an alignment: each frame that no state needs goes to a state at random.

    Examples
    --------
    >>> random_states([7, 8], 6, None, np.random.default_rng(0)).tolist()
    [0, 0, 1, 1, 1, 1]
    """
    needed = _needed(target, frames, blank)
    states = len(needed)
    drawn = rng.integers(states, size=frames - int(needed.sum())) if states else np.empty(0, int)
    counts = needed + np.bincount(drawn, minlength=states)
    return np.repeat(np.arange(states, dtype=np.int32), counts)


def check_states(states: Any, target: Sequence[int], frames: int, blank: int | None) -> States:
    """Return an alignment that was given, as int32.

    Raises
    ------
    ValueError
        If it is not a path through the trellis of `target` over so many frames.
    """
    path = np.asarray(getattr(states, "states", states))
    if path.shape != (frames,) or path.dtype.kind not in "iu":
        raise ValueError(
            f"needed is one state a frame, {frames} whole numbers; got shape {path.shape} of "
            f"{path.dtype}"
        )
    needed = _needed(target, frames, blank)
    if frames == 0:
        return path.astype(np.int32)
    counts = np.bincount(path, minlength=len(needed)) if path.min() >= 0 else np.empty(0)
    falls = np.flatnonzero(np.diff(path) < 0)
    if len(counts) != len(needed) or falls.size or (needed & (counts == 0)).any():
        raise ValueError(
            f"is no path through the {len(needed)} states of its target: it must not fall, and "
            "may leave out no symbol and no blank between equal symbols"
        )
    return path.astype(np.int32)


def _needed(target: Sequence[int], frames: int, blank: int | None) -> NDArray[np.bool_]:
    """Say of every state whether a path must have it."""
    symbols = np.asarray(target, np.int64)
    if blank is None:
        needed = np.ones(len(symbols), bool)
    else:
        needed = np.zeros(2 * len(symbols) + 1, bool)
        needed[1::2] = True
        needed[2:-1:2] = symbols[1:] == symbols[:-1]
    if needed.sum() > frames or (frames and not len(needed)):
        raise ValueError(
            f"its {len(symbols)} symbols need {int(needed.sum())} frames, there are {frames}"
        )
    return needed
