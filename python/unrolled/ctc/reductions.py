"""What becomes of the losses of a batch: their reduction, and those that have no path."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unrolled.ctc.batch import NO_BLANK, Batch, require_scores
from unrolled.ctc.feasibility import require_room_for_target

Reduction = Literal["mean", "sum", "none", "batch_mean", "frame_mean"]
Infeasible = Literal["raise", "inf", "zero"]

_REDUCTIONS = ("mean", "sum", "none", "batch_mean", "frame_mean")
_POLICIES = ("raise", "inf", "zero")


def require_options(reduction: str, infeasible: str) -> None:
    """Raise for a reduction or a policy that there is none of."""
    if reduction not in _REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(_REDUCTIONS)}, got {reduction!r}")
    if infeasible not in _POLICIES:
        raise ValueError(f"infeasible must be one of {', '.join(_POLICIES)}, got {infeasible!r}")


def item_weights(batch: Batch, reduction: Reduction) -> NDArray[np.float64]:
    """Factor of each item's loss in the reduced loss."""
    n = batch.scores.shape[0]
    if reduction == "mean":
        return 1.0 / (np.maximum(batch.target_lengths, 1) * max(n, 1))
    if reduction == "batch_mean":
        return np.full(n, 1.0 / max(n, 1))
    if reduction == "frame_mean":
        return np.full(n, 1.0 / max(int(batch.input_lengths.sum()), 1))
    return np.ones(n)


def check_losses(
    batch: Batch, losses: NDArray[np.float64], infeasible: Infeasible, logits: bool
) -> None:
    """Raise for losses that are no numbers; treat the infinite ones as `infeasible` says."""
    for item in np.flatnonzero(np.isnan(losses)):
        _name_bad_score(batch, int(item), logits)
    impossible = np.flatnonzero(losses == np.inf)
    if infeasible == "raise" and impossible.size:
        for item in impossible:
            _require_room(batch, int(item))
        raise ValueError(
            f"item {impossible[0]}: every alignment of its target has probability 0 "
            '(-inf in log_probs); mask fewer classes, or pass infeasible="inf" or "zero"'
        )
    if infeasible == "zero":
        losses[impossible] = 0.0


def _name_bad_score(batch: Batch, item: int, logits: bool) -> None:
    classes = None
    if not logits:  # of log probabilities, no others are read
        target = batch.targets[batch.offsets[item] : batch.offsets[item + 1]]
        classes = np.unique(np.append(target, batch.blank) if batch.blank >= 0 else target)
    scores = batch.scores[item, : batch.input_lengths[item]]
    require_scores(scores, f"item {item}", classes=classes)
    raise ValueError(f"item {item}: the loss is no number; frames of -inf alone have no softmax")


def _require_room(batch: Batch, item: int) -> None:
    require_room_for_target(
        item,
        int(batch.input_lengths[item]),
        int(batch.required[item]),
        int(batch.target_lengths[item]),
        has_blanks=batch.blank != NO_BLANK,
        remedy='infeasible="inf" or "zero"',
    )
