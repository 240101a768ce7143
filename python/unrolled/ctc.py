"""Connectionist temporal classification (Graves et al. 2006): loss, gradient, greedy reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray, as_indices, as_lengths, as_real

Reduction = Literal["mean", "sum", "none", "batch_mean", "frame_mean"]
Infeasible = Literal["raise", "inf", "zero"]

_REDUCTIONS = ("mean", "sum", "none", "batch_mean", "frame_mean")
_POLICIES = ("raise", "inf", "zero")


@dataclass(frozen=True)
class Span:
    """A token over the frames [start, end); `score` is its mean log probability a frame."""

    token: int
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Hypothesis:
    """A reading: its tokens, their spans, and the log probability of its path."""

    tokens: list[int]
    spans: list[Span]
    score: float


def loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any = None,
    target_lengths: Any = None,
    *,
    blank: int = 0,
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
    blank : int
        Class of the blank; negative counts from the end.
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
        Shapes, lengths or classes do not fit; a target holds the blank; an item is infeasible. The
        message names the item.

    Examples
    --------
    >>> import numpy as np
    >>> uniform = np.full((3, 2), np.log(0.5))
    >>> probability = np.exp(-loss(uniform, [1]))  # six of the eight paths read "1"
    >>> round(float(probability), 6)
    0.75
    """
    batch = _Batch(log_probs, targets, input_lengths, target_lengths, blank)
    return _evaluate(batch, reduction, infeasible, logits=False, with_grad=False)[0]


def loss_and_grad(
    log_probs: Any,
    targets: Any,
    input_lengths: Any = None,
    target_lengths: Any = None,
    *,
    blank: int = 0,
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
    batch = _Batch(log_probs, targets, input_lengths, target_lengths, blank)
    value, grad = _evaluate(batch, reduction, infeasible, logits=wrt == "logits", with_grad=True)
    assert grad is not None
    return value, grad if batch.batched else grad[0]


def required_frames(target: Sequence[int] | NDArray[np.int64]) -> int:
    """Count the frames that `target` needs: its symbols, and a blank between equal neighbours.

    >>> required_frames([1, 1, 2])
    4
    """
    tokens = as_indices(target, "target", ndim=1)
    return int(tokens.size + np.count_nonzero(tokens[1:] == tokens[:-1]))


def greedy(
    log_probs: Any, lengths: Any = None, *, blank: int | None = 0
) -> Hypothesis | list[Hypothesis]:
    """Read the best class of each frame: repeats merged, blanks dropped.

    Parameters
    ----------
    log_probs : array, shape (N, T, C) or (T, C)
    lengths : array of int, shape (N,), optional
        Frames of each item; all T where not given.
    blank : int, optional
        Class of the blank; negative counts from the end. None where there is no blank: the output
        of a network that labels every frame is then read as the symbols in their order, and two
        equal ones beside each other cannot be told from one that lasts.

    Returns
    -------
    Hypothesis for (T, C), list of them for (N, T, C)
        Each span covers the frames in which its token is the best class; of equal values the lower
        class is taken.

    Raises
    ------
    ValueError
        Shapes or lengths do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> best = [1, 1, 0, 1, 2]
    >>> greedy(np.log(np.eye(3)[best] * 0.9 + 0.05)).tokens
    [1, 1, 2]
    >>> [(span.token, span.end) for span in greedy(np.eye(3)[best], blank=None).spans]
    [(1, 2), (0, 3), (1, 4), (2, 5)]
    """
    scores, batched = _as_batch(log_probs)
    n, frames, classes = scores.shape
    blank = None if blank is None else _as_class(blank, classes)
    lengths = as_lengths(lengths, "lengths", n, frames)
    readings = [_read_path(item[:t], blank) for item, t in zip(scores, lengths, strict=True)]
    return readings if batched else readings[0]


def _read_path(scores: RealArray, blank: int | None) -> Hypothesis:
    path = scores.argmax(axis=1)
    best = scores.max(axis=1, initial=-np.inf).astype(np.float64)
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    ends = np.append(starts, path.size)[1:]
    spans = [
        Span(int(path[start]), int(start), int(end), float(best[start:end].mean()))
        for start, end in zip(starts, ends, strict=True)
        if path[start] != blank
    ]
    return Hypothesis([span.token for span in spans], spans, float(best.sum()))


class _Batch:
    """Checked arguments: scores (N, T, C), targets one after the other, lengths."""

    def __init__(
        self, scores: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int
    ) -> None:
        self.scores, self.batched = _as_batch(scores)
        n, frames, classes = self.scores.shape
        self.blank = _as_class(blank, classes)
        self.input_lengths = as_lengths(input_lengths, "input_lengths", n, frames)
        items = _split_targets(targets, target_lengths, n, self.batched)
        for item, target in enumerate(items):
            _check_target(target, item, classes, self.blank)
        self.target_lengths = np.array([item.size for item in items], dtype=np.int64)
        self.required = [required_frames(item) for item in items]
        self.targets = np.concatenate([np.empty(0, np.int64), *items])
        self.offsets = np.concatenate([[0], np.cumsum(self.target_lengths)]).astype(np.int64)


def _as_batch(scores: Any) -> tuple[RealArray, bool]:
    array = as_real(scores, "log_probs")
    if array.ndim not in (2, 3) or array.shape[-1] == 0:
        raise ValueError(f"log_probs must have the axes (N, T, C) or (T, C), got {array.shape}")
    return (array, True) if array.ndim == 3 else (array[np.newaxis], False)


def _as_class(blank: int, classes: int) -> int:
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


def _evaluate(
    batch: _Batch, reduction: Reduction, infeasible: Infeasible, *, logits: bool, with_grad: bool
) -> tuple[Any, RealArray | None]:
    if reduction not in _REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(_REDUCTIONS)}, got {reduction!r}")
    if infeasible not in _POLICIES:
        raise ValueError(f"infeasible must be one of {', '.join(_POLICIES)}, got {infeasible!r}")
    if infeasible == "raise":
        _require_frames(batch)
    weights = _item_weights(batch, reduction)
    losses, grad = _core.ctc_loss(
        batch.scores,
        batch.targets,
        batch.offsets,
        batch.input_lengths,
        batch.blank,
        logits,
        weights if with_grad else None,
    )
    impossible = np.flatnonzero(losses == np.inf)
    if impossible.size and infeasible == "raise":
        raise ValueError(
            f"item {impossible[0]}: every alignment of its target has probability 0 "
            '(-inf in log_probs); mask fewer classes, or pass infeasible="inf" or "zero"'
        )
    if infeasible == "zero":
        losses[impossible] = 0.0
    if reduction == "none":
        return losses if batch.batched else losses[0], grad
    return float(np.dot(losses, weights)) if losses.size else 0.0, grad


def _require_frames(batch: _Batch) -> None:
    for item, (frames, needed) in enumerate(zip(batch.input_lengths, batch.required, strict=True)):
        if frames < needed:
            length = batch.target_lengths[item]
            raise ValueError(
                f"item {item}: {frames} frames are too few for its target, which needs {needed} "
                f"({length} symbols and {needed - length} blanks between repeats); give it more "
                'frames or a shorter target, or pass infeasible="inf" or "zero"'
            )


def _item_weights(batch: _Batch, reduction: Reduction) -> NDArray[np.float64]:
    """Factor of each item's loss in the reduced loss."""
    n = batch.scores.shape[0]
    if reduction == "mean":
        return 1.0 / (np.maximum(batch.target_lengths, 1) * max(n, 1))
    if reduction == "batch_mean":
        return np.full(n, 1.0 / max(n, 1))
    if reduction == "frame_mean":
        return np.full(n, 1.0 / max(int(batch.input_lengths.sum()), 1))
    return np.ones(n)
