"""The CTC loss and its gradient (Graves et al. 2006)."""

from __future__ import annotations

import math
import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray
from unrolled.ctc.batch import Batch
from unrolled.ctc.reductions import (
    Infeasible,
    Reduction,
    check_losses,
    item_weights,
    require_options,
)

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
    return evaluate(batch, reduction, infeasible, logits=False, with_grad=False)[0]


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
    value, grad = evaluate(batch, reduction, infeasible, logits=wrt == "logits", with_grad=True)
    assert grad is not None
    return value, grad if batch.batched else grad[0]


def evaluate(
    batch: Batch,
    reduction: Reduction,
    infeasible: Infeasible,
    *,
    logits: bool,
    with_grad: bool,
    are_log_probs: bool = True,
) -> tuple[Any, RealArray | None]:
    """Reduced loss of a batch and its gradient; no warning of logits unless `are_log_probs`."""
    require_options(reduction, infeasible)
    if not logits and are_log_probs:
        _warn_of_logits(batch)
    weights = item_weights(batch, reduction)
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
        check_losses(batch, losses, infeasible, logits)
        total = float(np.dot(losses, weights))
    if reduction == "none":
        return losses if batch.batched else losses[0], grad
    return total, grad


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
