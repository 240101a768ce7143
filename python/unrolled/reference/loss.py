"""Losses, position by position."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


def cross_entropy(
    x: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """Return the negative log-probability of the target under the softmax of scores.

    A position's target is a distribution t over the classes, 1 at its class or given; smoothing
    replaces it by ``(1 - label_smoothing) t + label_smoothing / C``. Its loss is
    ``-sum(weight t log_softmax(x))``.

    Parameters
    ----------
    x : array (C,), (N, C) or (N, C, ...)
    target : array of int, as x without its class axis, or of float, as x
    weight : array (C,), optional
    ignore_index : int
        A class that does not count.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the weights of the targets' classes, or by the number of positions.
    label_smoothing : float

    Returns
    -------
    array (), or as x without its class axis with "none"; float64.
    """
    losses, _, divisor = _positions(x, target, weight, ignore_index, label_smoothing)
    return _reduced(losses, reduction, divisor)


def cross_entropy_and_grad(
    x: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Array, Array]:
    """Return `cross_entropy` and its gradient by `x`.

    With q = weight t, a position's gradient is ``sum(q) softmax(x) - q``.
    """
    losses, grad, divisor = _positions(x, target, weight, ignore_index, label_smoothing)
    return _reduced(losses, reduction, divisor), grad / (divisor if reduction == "mean" else 1.0)


def nll_loss(
    x: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """Return ``-weight(target) x(target)`` of every position; x are log-probabilities."""
    return nll_loss_and_grad(x, target, weight, ignore_index=ignore_index, reduction=reduction)[0]


def nll_loss_and_grad(
    x: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> tuple[Array, Array]:
    """Return `nll_loss` and its gradient by `x`."""
    scores, labels, w = _prepared(x, target, weight)
    losses, grad, divisor = np.zeros(labels.shape), np.zeros_like(scores), 0.0
    for place in np.ndindex(labels.shape):
        label = labels[place]
        if label != ignore_index:
            at = (place[0], label, *place[1:])
            losses[place] = -w[label] * scores[at]
            grad[at] = -w[label]
            divisor += w[label]
    losses, grad = losses.reshape(np.shape(target)), grad.reshape(np.shape(x))
    return _reduced(losses, reduction, divisor), grad / (divisor if reduction == "mean" else 1.0)


def mse_loss(x: ArrayLike, target: ArrayLike, *, reduction: str = "mean") -> Array:
    """Return ``(x - target)^2``."""
    return mse_loss_and_grad(x, target, reduction=reduction)[0]


def mse_loss_and_grad(
    x: ArrayLike, target: ArrayLike, *, reduction: str = "mean"
) -> tuple[Array, Array]:
    """Return `mse_loss` and its gradient by `x`."""
    difference = np.asarray(x, np.float64) - np.asarray(target, np.float64)
    losses, divisor = difference**2, float(difference.size)
    scale = divisor if reduction == "mean" else 1.0
    return _reduced(losses, reduction, divisor), 2 * difference / scale


def kl_div(
    x: ArrayLike, target: ArrayLike, *, reduction: str = "mean", log_target: bool = False
) -> Array:
    """Return ``target (log(target) - x)``, 0 where the target is 0; x are log-probabilities."""
    return kl_div_and_grad(x, target, reduction=reduction, log_target=log_target)[0]


def kl_div_and_grad(
    x: ArrayLike, target: ArrayLike, *, reduction: str = "mean", log_target: bool = False
) -> tuple[Array, Array]:
    """Return `kl_div` and its gradient by `x`; "batchmean" divides by the first axis's size."""
    x, target = np.asarray(x, np.float64), np.asarray(target, np.float64)
    p = np.exp(target) if log_target else target
    log_p = target if log_target else np.log(np.where(p > 0, p, 1.0))
    losses = np.where(p > 0, p * (log_p - np.where(p > 0, x, 0.0)), 0.0)
    divisor = float(len(x)) if reduction == "batchmean" and x.ndim else float(x.size)
    scale = divisor if reduction in ("mean", "batchmean") else 1.0
    return _reduced(losses, reduction, divisor), -p / scale


def _positions(
    x: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None,
    ignore_index: int,
    label_smoothing: float,
) -> tuple[Array, Array, float]:
    """Return every position's loss and gradient, and what a mean divides by."""
    scores, t, w = _prepared(x, target, weight)
    C, given = scores.shape[1], np.asarray(target).dtype.kind == "f"
    shape = (scores.shape[0], *scores.shape[2:])
    losses, grad, divisor = np.zeros(shape), np.zeros_like(scores), 0.0
    for place in np.ndindex(shape):
        row = (place[0], slice(None), *place[1:])
        if not given and t[place] == ignore_index:
            continue
        distribution = t[row] if given else np.eye(C)[t[place]]
        q = w * ((1 - label_smoothing) * distribution + label_smoothing / C)
        shifted = scores[row] - np.max(scores[row])
        log_p = shifted - np.log(np.sum(np.exp(shifted)))
        losses[place] = -np.sum(q[q != 0] * log_p[q != 0])
        grad[row] = np.sum(q) * np.exp(log_p) - q
        divisor += 1.0 if given else w[t[place]]
    flat = np.ndim(x) == 1
    return (losses[0] if flat else losses), grad.reshape(np.shape(x)), divisor


def _prepared(
    x: ArrayLike, target: ArrayLike, weight: ArrayLike | None
) -> tuple[Array, Array, Array]:
    """Return scores (N, C, ...), the target with an axis for N, and weights (C,)."""
    scores, target = np.asarray(x, np.float64), np.asarray(target)
    if scores.ndim == 1:
        scores, target = scores[None], target[None]
    w = np.ones(scores.shape[1]) if weight is None else np.asarray(weight, np.float64)
    return scores, target, w


def _reduced(losses: Array, reduction: str, divisor: float) -> Array:
    if reduction == "none":
        return np.asarray(losses)
    total = np.sum(losses)
    return np.asarray(total if reduction == "sum" else total / divisor)
