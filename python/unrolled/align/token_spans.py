"""Where each token of a path stands, and how likely it is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.ctc.spans import FrameScale, Span

Floats = NDArray[np.float64]

STAR = "<star>"


@dataclass(frozen=True, slots=True)
class TokenFrames:
    """For each of L tokens: frames [starts, ends), sum and minimum of the log probability there.

    Tokens that the path leaves out have no frames, a sum of 0 and a minimum of nan.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    sums: Floats
    minima: Floats
    posteriors: Floats | None

    @property
    def counts(self) -> NDArray[np.int64]:
        """Frames of each token."""
        return self.ends - self.starts


def measure_tokens(
    states: NDArray[np.int32],
    length: int,
    with_blanks: bool,
    frame_scores: Floats,
    posterior: Floats | None,
) -> TokenFrames:
    """Measure the tokens of a path, whose states never fall: each is one run of frames."""
    own = np.arange(length, dtype=states.dtype)
    if with_blanks:
        own = 2 * own + 1
    starts = states.searchsorted(own, "left")
    ends = states.searchsorted(own, "right")
    return TokenFrames(
        starts,
        ends,
        _reduced(np.add, frame_scores, starts, ends, 0.0),
        _reduced(np.minimum, frame_scores, starts, ends, np.nan),
        None if posterior is None else _reduced(np.add, posterior, starts, ends, 0.0),
    )


def _reduced(
    operation: np.ufunc, values: Floats, starts: NDArray[Any], ends: NDArray[Any], empty: float
) -> Floats:
    results = np.full(starts.size, empty)
    kept = starts < ends
    if kept.any():
        # Every second run lies between two tokens and is not wanted; the last end needs a value.
        bounds = np.stack([starts[kept], ends[kept]], axis=1).ravel()
        results[kept] = operation.reduceat(np.append(values, 0.0), bounds)[::2]
    return results


def make_spans(
    frames: TokenFrames,
    target: NDArray[np.int64],
    star: int | None,
    labels: Sequence[str] | None,
    scale: FrameScale,
) -> list[Span]:
    """Make one span a token."""
    counts = frames.counts
    omitted = counts == 0
    with np.errstate(invalid="ignore"):
        scores = (frames.sums / counts).tolist()
        posteriors: Sequence[float | None] = [None] * target.size
        if frames.posteriors is not None:
            posteriors = (frames.posteriors / counts).tolist()
    columns = zip(
        target.tolist(),
        frames.starts.tolist(),
        frames.ends.tolist(),
        scores,
        frames.minima.tolist(),
        posteriors,
        (target == star).tolist() if star is not None else [False] * target.size,
        omitted.tolist(),
        label_of_each(target, labels, star),
        [scale] * target.size,
        strict=True,
    )
    return [Span(*row) for row in columns]


def label_of_each(
    target: NDArray[np.int64], labels: Sequence[str] | None, star: int | None
) -> Sequence[str | None]:
    """Return the text of each token; `STAR` for the wildcard, None without labels."""
    if labels is None:
        return [STAR if token == star else None for token in target.tolist()]
    return [STAR if token == star else labels[token] for token in target.tolist()]
