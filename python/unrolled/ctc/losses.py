"""The CTC loss and its gradient (Graves et al. 2006)."""

from __future__ import annotations

import math
import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray
from unrolled.ctc.batch import NO_BLANK, Batch

Reduction = Literal["mean", "sum", "none", "batch_mean", "frame_mean"]
Infeasible = Literal["raise", "inf", "zero"]

_REDUCTIONS = ("mean", "sum", "none", "batch_mean", "frame_mean")
_POLICIES = ("raise", "inf", "zero")
_FAR_ABOVE_ONE = 1.5  # sums of probabilities: emissions in half precision are off by some percent


def loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any = None,
    target_lengths: Any = None,
    *,
    blank: int | None = 0,
    reduction: Reduction = "mean",
    infeasible: Infeasible = "raise",
) -> float | NDArray[np.float64]:
    """Minus the log probability of each target, summed over all its alignments.

    Parameters
    ----------
    log_probs : array, shape (N, T, C) or (T, C)
        Natural log probabilities of each class at each frame. Frames beyond an item's length are
        never read.
    targets : array of int, shape (N, L) with `target_lengths`, or a list of lists
        Class indices without blanks; one flat target for (T, C).
    input_lengths : array of int, shape (N,), optional
        Frames of each item; all T where not given.
    target_lengths : array of int, shape (N,), optional
        Length of each row of a padded `targets`; all L where not given.
    blank : int or None
        Class of the blank; negative counts from the end. None: there is no blank, every frame
        belongs to a symbol, and a path stays or advances, from the first symbol to the last.
    reduction : {"mean", "sum", "none", "batch_mean", "frame_mean"}
        "mean": each loss over its target's length (at least 1), then the mean, as PyTorch has it;
        "batch_mean": sum over N; "frame_mean": sum over all frames; "none": one loss an item.
    infeasible : {"raise", "inf", "zero"}
        What to do with an item whose target has no alignment: raise, or count its loss as inf or 0
        (with a gradient of 0).

    Returns
    -------
    float, or array of shape (N,) with ``reduction="none"``

    Raises
    ------
    ValueError
        Shapes, lengths or classes do not fit; a target holds the blank; an item is infeasible; a
        score that is read is NaN or +inf. The message names the item.

    Warns
    -----
    UserWarning
        Probabilities of an item's first frame add up to far more than 1: logits, not log_probs.

    Examples
    --------
    >>> import numpy as np
    >>> uniform = np.full((3, 2), np.log(0.5))
    >>> probability = np.exp(-loss(uniform, [1]))  # six of the eight paths read "1"
    >>> round(float(probability), 6)
    0.75
    """
    batch = Batch(log_probs, targets, input_lengths, target_lengths, blank)
    return _evaluate(batch, reduction, infeasible, logits=False, with_grad=False)[0]


def loss_and_grad(
    log_probs: Any,
    targets: Any,
    input_lengths: Any = None,
    target_lengths: Any = None,
    *,
    blank: int | None = 0,
    reduction: Reduction = "mean",
    infeasible: Infeasible = "raise",
    wrt: Literal["log_probs", "logits"] = "log_probs",
) -> tuple[float | NDArray[np.float64], RealArray]:
    """`loss` and its gradient.

    Parameters
    ----------
    log_probs, targets, input_lengths, target_lengths, blank, reduction, infeasible
        As in `loss`.
    wrt : {"log_probs", "logits"}
        "log_probs": the gradient is minus the posterior of each class at each frame. "logits": rows
        are normalised inside (log probabilities stay what they are), and the gradient is softmax
        minus posterior, which is what PyTorch calls the gradient of its log probabilities.

    Returns
    -------
    loss : float, or array of shape (N,) with ``reduction="none"``
    grad : array, shape of `log_probs`
        Gradient of the reduced loss; with ``reduction="none"`` of each item's own. 0 on padding.

    Raises
    ------
    ValueError
        As `loss`.
    """
    if wrt not in ("log_probs", "logits"):
        raise ValueError(f'wrt must be "log_probs" or "logits", got {wrt!r}')
    batch = Batch(log_probs, targets, input_lengths, target_lengths, blank)
    value, grad = _evaluate(batch, reduction, infeasible, logits=wrt == "logits", with_grad=True)
    assert grad is not None
    return value, grad if batch.batched else grad[0]


def _evaluate(
    batch: Batch,
    reduction: Reduction,
    infeasible: Infeasible,
    *,
    logits: bool,
    with_grad: bool,
    are_log_probs: bool = True,
) -> tuple[Any, RealArray | None]:
    _require_options(reduction, infeasible)
    if not logits and are_log_probs:
        _warn_of_logits(batch)
    weights = _item_weights(batch, reduction)
    try:
        losses, grad = _core.ctc_loss(
            batch.scores,
            batch.targets,
            batch.offsets,
            batch.input_lengths,
            batch.blank,
            logits,
            weights if with_grad else None,
        )
    except ValueError:
        batch.check()
        raise
    total = float(np.dot(losses, weights)) if losses.size else 0.0
    if not math.isfinite(total):
        _check_losses(batch, losses, infeasible, logits)
        total = float(np.dot(losses, weights))
    if reduction == "none":
        return losses if batch.batched else losses[0], grad
    return total, grad


def _require_options(reduction: str, infeasible: str) -> None:
    if reduction not in _REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(_REDUCTIONS)}, got {reduction!r}")
    if infeasible not in _POLICIES:
        raise ValueError(f"infeasible must be one of {', '.join(_POLICIES)}, got {infeasible!r}")


def _warn_of_logits(batch: Batch) -> None:
    """Warn where an item's first frame has more probability than there is."""
    if batch.scores.shape[1] == 0:
        return
    with np.errstate(over="ignore"):
        sums = np.exp(batch.scores[:, 0]).sum(axis=1)
    far = sums > _FAR_ABOVE_ONE  # below 1 they may be: classes that are masked
    if not far.any():
        return
    far &= batch.input_lengths > 0
    for item in np.flatnonzero(far)[:1]:
        warnings.warn(
            f"item {item}: the probabilities of its first frame add up to {sums[item]:.3g}, so its "
            "log_probs are not normalised and its loss is no -log(probability); pass them through "
            'log_softmax, or logits to loss_and_grad(..., wrt="logits")',
            UserWarning,
            stacklevel=4,
        )


def _check_losses(
    batch: Batch, losses: NDArray[np.float64], infeasible: Infeasible, logits: bool
) -> None:
    """Raise for losses that are no numbers; treat the infinite ones as `infeasible` says."""
    for item in np.flatnonzero(np.isnan(losses)):
        _name_bad_score(batch, int(item), logits)
    impossible = np.flatnonzero(losses == np.inf)
    if infeasible == "raise" and impossible.size:
        _require_frames(batch)
        raise ValueError(
            f"item {impossible[0]}: every alignment of its target has probability 0 "
            '(-inf in log_probs); mask fewer classes, or pass infeasible="inf" or "zero"'
        )
    if infeasible == "zero":
        losses[impossible] = 0.0


def _name_bad_score(batch: Batch, item: int, logits: bool) -> None:
    scores = batch.scores[item, : batch.input_lengths[item]]
    classes = np.arange(scores.shape[1])
    if not logits:  # of log probabilities, no others are read
        target = batch.targets[batch.offsets[item] : batch.offsets[item + 1]]
        classes = np.unique(np.append(target, batch.blank) if batch.blank >= 0 else target)
    found = scores[:, classes]
    for frame, place in np.argwhere(np.isnan(found) | (found == np.inf)):
        raise ValueError(
            f"item {item}: log_probs at frame {frame}, class {classes[place]}, is "
            f"{found[frame, place]}; a loss needs finite numbers, or -inf for probability 0"
        )
    raise ValueError(f"item {item}: the loss is no number; frames of -inf alone have no softmax")


def _require_frames(batch: Batch) -> None:
    lengths, required = batch.target_lengths, batch.required
    if batch.blank == NO_BLANK:
        empty = np.flatnonzero((lengths == 0) & (batch.input_lengths > 0))
        if empty.size:
            raise ValueError(
                f"item {empty[0]}: its target is empty, and without a blank nothing can take its "
                f'frames; give it a target, or pass infeasible="inf" or "zero"'
            )
    for item in np.flatnonzero(batch.input_lengths < required):
        frames, needed, length = batch.input_lengths[item], required[item], lengths[item]
        blanks = "" if batch.blank == NO_BLANK else _count_blanks(needed - length)
        raise ValueError(
            f"item {item}: {frames} frames are too few for its target, which needs {needed} "
            f"({length} symbols{blanks}); give it more frames or a shorter target, "
            'or pass infeasible="inf" or "zero"'
        )


def _count_blanks(count: int) -> str:
    return f" and {count} blanks between repeats"


def _item_weights(batch: Batch, reduction: Reduction) -> NDArray[np.float64]:
    """Factor of each item's loss in the reduced loss."""
    n = batch.scores.shape[0]
    if reduction == "mean":
        return 1.0 / (np.maximum(batch.target_lengths, 1) * max(n, 1))
    if reduction == "batch_mean":
        return np.full(n, 1.0 / max(n, 1))
    if reduction == "frame_mean":
        return np.full(n, 1.0 / max(int(batch.input_lengths.sum()), 1))
    return np.ones(n)
