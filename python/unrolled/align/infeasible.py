"""Why a target has no alignment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unrolled.ctc.batch import NO_BLANK, Batch, require_scores
from unrolled.ctc.feasibility import require_room_for_target


def require_paths(
    batch: Batch, totals: NDArray[np.float64], may_leave_out: bool, band: int
) -> None:
    """Raise for the first item that has no path, and say why.

    Raises
    ------
    ValueError
    """
    for item in np.flatnonzero(totals == -np.inf).tolist():
        frames, length = int(batch.input_lengths[item]), int(batch.target_lengths[item])
        needed = length if may_leave_out else int(batch.required[item])
        require_room_for_target(
            item,
            frames,
            needed,
            length,
            has_blanks=batch.blank != NO_BLANK,
            remedy='infeasible="none"',
        )
        if band:
            raise ValueError(
                f"item {item}: no path of its target lies within band={band}; pass a wider one, "
                'none, or infeasible="none"'
            )
        raise ValueError(
            f"item {item}: every path of its target has probability 0 (-inf in log_probs); mask "
            'fewer classes, or pass infeasible="none"'
        )


def require_numbers(batch: Batch, totals: NDArray[np.float64]) -> None:
    """Raise for the first item whose emissions are not numbers below +inf.

    Raises
    ------
    ValueError
    """
    for item in np.flatnonzero(np.isnan(totals)):
        require_scores(batch.scores[item, : batch.input_lengths[item]], f"item {item}")


def require_room(batch: Batch, states: NDArray[np.int32], band: int) -> None:
    """Raise where a path runs along the edge of its band: a better one may lie outside.

    Raises
    ------
    ValueError
    """
    blanks = batch.blank != NO_BLANK
    for item, (frames, length) in enumerate(
        zip(batch.input_lengths, batch.target_lengths, strict=True)
    ):
        path = states[item, :frames]
        if frames == 0 or length == 0 or path[0] < 0:
            continue
        pairs, t = (path // 2 if blanks else path), np.arange(frames)
        first, last = _band_pairs(int(frames), int(length), band)
        limited_below = first > np.maximum(0, length - frames + t)
        limited_above = last < np.minimum(t, length)
        at_edge = (limited_below & (pairs <= first)) | (limited_above & (pairs >= last))
        found = np.flatnonzero(at_edge)
        if found.size:
            raise ValueError(
                f"item {item}: at frame {found[0]} the path runs along the edge of band={band}, so "
                "a better one may lie outside; pass a wider band, or none"
            )


def _band_pairs(
    frames: int, length: int, band: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and last pair of a blank and its label in each frame's band, as the core has them."""
    pace, t = length / frames, np.arange(frames)
    first = np.ceil((t - band + 0.5) * pace - 0.5)
    last = np.floor((t + band + 0.5) * pace - 0.5) + 1
    return first, last
