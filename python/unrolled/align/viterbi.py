"""Forced alignment: the best path through the trellis of a known target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled.align.alignment import Alignment
from unrolled.ctc.batch import Batch

Memory = Literal["auto", "full", "sqrt"]
Infeasible = Literal["raise", "none"]

_MEMORY = {"auto": 0, "full": 1, "sqrt": 2}


def forced_align(
    log_probs: Any,
    targets: Any,
    input_lengths: Any = None,
    target_lengths: Any = None,
    *,
    blank: int | None = 0,
    skip_penalty: float | None = None,
    memory: Memory = "auto",
    band: int | None = None,
    separator: int | str | None = None,
    labels: Sequence[str] | None = None,
    seconds_per_frame: float | None = None,
    stride: float | None = None,
    offset: float = 0.0,
    infeasible: Infeasible = "raise",
) -> Any:
    """Best alignment of each target: its most probable path over the frames."""
    batch = Batch(log_probs, targets, input_lengths, target_lengths, blank)
    states, totals = _core.align(
        batch.scores,
        batch.targets,
        batch.offsets,
        batch.input_lengths,
        -1 if batch.blank is None else batch.blank,
        np.inf if skip_penalty is None else float(skip_penalty),
        _MEMORY[memory],
        band or 0,
    )
    if infeasible == "raise":
        _require_paths(batch, totals)
    bounds = batch.offsets.tolist()
    alignments = [
        Alignment(
            item_states[:frames],
            total,
            batch.targets[begin:end],
            batch.blank,
            scores,
            seconds_per_frame=seconds_per_frame,
            stride=stride,
            offset=offset,
            labels=labels,
            separator=separator,
        )
        for item_states, frames, total, begin, end, scores in zip(
            states,
            batch.input_lengths.tolist(),
            totals.tolist(),
            bounds,
            bounds[1:],
            batch.scores,
            strict=False,
        )
    ]
    return alignments if batch.batched else alignments[0]


def _require_paths(batch: Batch, totals: NDArray[np.float64]) -> None:
    for item in np.flatnonzero(~(totals > -np.inf)):
        raise ValueError(f"item {item}: no path")
