"""A batch of emissions with their targets, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import RealArray, as_indices, as_lengths, as_real
from unrolled.ctc.feasibility import required_frames


class Batch:
    """Checked arguments: scores (N, T, C), targets one after the other, lengths."""

    def __init__(
        self, scores: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int
    ) -> None:
        self.scores, self.batched = as_batch(scores)
        n, frames, classes = self.scores.shape
        self.blank = as_class(blank, classes)
        self.input_lengths = as_lengths(input_lengths, "input_lengths", n, frames)
        items = _split_targets(targets, target_lengths, n, self.batched)
        for item, target in enumerate(items):
            _check_target(target, item, classes, self.blank)
        self.target_lengths = np.array([item.size for item in items], dtype=np.int64)
        self.required = [required_frames(item) for item in items]
        self.targets = np.concatenate([np.empty(0, np.int64), *items])
        self.offsets = np.concatenate([[0], np.cumsum(self.target_lengths)]).astype(np.int64)


def as_batch(scores: Any) -> tuple[RealArray, bool]:
    """Return (N, T, C) and whether it came as a batch."""
    array = as_real(scores, "log_probs")
    if array.ndim not in (2, 3) or array.shape[-1] == 0:
        raise ValueError(f"log_probs must have the axes (N, T, C) or (T, C), got {array.shape}")
    return (array, True) if array.ndim == 3 else (array[np.newaxis], False)


def as_class(blank: int, classes: int) -> int:
    """Return the class that a blank, counted from either end, stands for."""
    if not -classes <= blank < classes:
        raise ValueError(f"blank must be one of the {classes} classes, got {blank}")
    return blank % classes


def _split_targets(targets: Any, lengths: Any, n: int, batched: bool) -> list[NDArray[np.int64]]:
    if not batched:
        targets = [targets]
    if isinstance(targets, (list, tuple)):
        items = [as_indices(item, f"targets[{i}]", ndim=1) for i, item in enumerate(targets)]
    else:
        items = list(as_indices(targets, "targets", ndim=2))
    if len(items) != n:
        raise ValueError(f"targets must have one list or row an item: {n}, got {len(items)}")
    if lengths is None:
        return items
    longest = max((item.size for item in items), default=0)
    ends = as_lengths(lengths, "target_lengths", n, longest)
    for i, (item, end) in enumerate(zip(items, ends, strict=True)):
        if end > item.size:
            raise ValueError(f"target_lengths of item {i} is {end}, it has {item.size} symbols")
    return [item[:end] for item, end in zip(items, ends, strict=True)]


def _check_target(target: NDArray[np.int64], item: int, classes: int, blank: int) -> None:
    wrong = np.flatnonzero((target < 0) | (target >= classes))
    if wrong.size:
        raise ValueError(
            f"targets of item {item}: class {target[wrong[0]]} at position {wrong[0]} "
            f"must lie in 0 .. {classes - 1}"
        )
    blanks = np.flatnonzero(target == blank)
    if blanks.size:
        raise ValueError(
            f"targets of item {item}: position {blanks[0]} is the blank (class {blank}), "
            "targets must hold symbols only; pass blank= if it is another class"
        )
