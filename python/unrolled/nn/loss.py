"""Losses over classes on tensors, as functions and as modules."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import one_of, probability
from unrolled.nn.module import Module
from unrolled.ops import loss as losses
from unrolled.ops.softmax import log_softmax

_REDUCTIONS = ("mean", "sum", "none")


def _times(grad: Array, grad_loss: Array, class_axis: int) -> Array:
    """Multiply a gradient by the scores with that of the losses, one a position or one for all."""
    if grad_loss.size == 1:
        return grad if grad_loss.item() == 1 else grad * grad_loss.reshape(())
    return grad * np.expand_dims(grad_loss, class_axis)


class _CrossEntropyFunction(Function):
    """Cross entropy with its gradient by the scores, which one pass gives together."""

    def forward(self, x: Array, target: Array, *, weight: Array | None, **options: Any) -> Array:
        self.class_axis = min(x.ndim - 1, 1)
        if any(self.needs_input_grad):
            self.x, self.target, self.weight, self.options = x, target, weight, options
            loss, self.grad = losses.cross_entropy_and_grad(x, target, weight, **options)
        else:
            loss = losses.cross_entropy(x, target, weight, **options)
        return np.asarray(loss, dtype=x.dtype)

    def backward(self, grad_loss: Array) -> tuple[Array, Array | None]:
        grad_x = _times(self.grad, grad_loss, self.class_axis)
        return grad_x, self.grad_target(grad_loss) if self.needs_input_grad[1] else None

    def grad_target(self, grad_loss: Array) -> Array:
        """Return ``-weight (1 - label_smoothing) log_softmax(x)``: the loss is linear in it."""
        log_p = np.moveaxis(log_softmax(np.moveaxis(self.x, self.class_axis, -1)), -1, 0)
        scale = 1 - self.options["label_smoothing"]
        if self.options["reduction"] == "mean":
            scale /= self.x.size // self.x.shape[self.class_axis]
        grad = -scale * np.moveaxis(log_p, 0, self.class_axis)
        if self.weight is not None:
            behind = grad.ndim - self.class_axis - 1
            grad = grad * np.reshape(self.weight, (-1, *[1] * behind))
        return _times(grad, grad_loss, self.class_axis)


class _NLLFunction(Function):
    """Negative log-likelihood with its gradient."""

    def forward(self, x: Array, **options: Any) -> Array:
        self.class_axis = min(x.ndim - 1, 1)
        if any(self.needs_input_grad):
            loss, self.grad = losses.nll_loss_and_grad(x, **options)
        else:
            loss = losses.nll_loss(x, **options)
        return np.asarray(loss, dtype=x.dtype)

    def backward(self, grad_loss: Array) -> Array:
        return _times(self.grad, grad_loss, self.class_axis)


def cross_entropy(
    x: Operand,
    target: Any,
    weight: ArrayLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the negative log-probability of the target class under the softmax of scores.

    Parameters
    ----------
    x : Tensor or array-like (C), (N, C) or (N, C, ...)
        Scores (logits), not yet normalised.
    target : array-like of int, of x's shape without the class axis, or of float, of x's shape
        The class of every position, or probabilities of all classes.
    weight : array-like (C), optional
        Weight of every class.
    ignore_index : int
        Positions with this class count nothing, and their gradient is 0.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the sum of the weights of all classes in `target` (for probabilities, by
        the number of positions).
    label_smoothing : float
        In [0, 1]: the part of every target that is spread evenly over all classes.

    Returns
    -------
    Tensor (), or of x's shape without the class axis with ``reduction="none"``

    Raises
    ------
    ValueError
        Shapes do not fit; a target is no class (the message names its item); or the mean is over
        nothing: no position, all of them `ignore_index`, or weights that sum to 0.
    TypeError
        `target` holds neither classes nor probabilities.

    Examples
    --------
    >>> scores = Tensor([[2.0, 0.0], [0.0, 0.0]], requires_grad=True)
    >>> loss = cross_entropy(scores, [0, 1])
    >>> loss.backward()
    >>> round(loss.item(), 4), scores.grad[1]
    (0.41, array([ 0.25, -0.25], dtype=float32))
    """
    x = as_tensor(x)
    if not isinstance(target, Tensor):
        target = np.asarray(target)
        if target.dtype.kind == "f":
            target = target.astype(x.dtype, copy=False)
    loss: Tensor = _CrossEntropyFunction.apply(
        x,
        target,
        weight=None if weight is None else np.asarray(weight, x.dtype),
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
    return loss


def nll_loss(
    x: Operand,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Return minus the log-probability of the target class.

    Parameters
    ----------
    x : Tensor or array-like (C), (N, C) or (N, C, ...)
        Natural logarithms of probabilities, as ``log_softmax`` gives them.
    target : array-like of int, of x's shape without the class axis
    weight, ignore_index, reduction
        As for `cross_entropy`, and so are the errors.

    Returns
    -------
    Tensor (), or of x's shape without the class axis with ``reduction="none"``
    """
    x = as_tensor(x)
    loss: Tensor = _NLLFunction.apply(
        x,
        target=target,
        weight=None if weight is None else np.asarray(weight, x.dtype),
        ignore_index=ignore_index,
        reduction=reduction,
    )
    return loss


class _WeightedLoss(Module):
    """A loss with one weight a class; `weight` is a buffer, as PyTorch's is."""

    weight: Array | None

    def set_weight(self, weight: ArrayLike | None) -> None:
        self.weight = None
        if weight is not None:
            values = np.asarray(weight, np.float32).reshape(-1)
            self.register_buffer("weight", values)
            self.arguments["weight"] = values.tolist()  # what a saved model can hold


class CrossEntropyLoss(_WeightedLoss):
    """`unrolled.nn.functional.cross_entropy` with its options chosen beforehand.

    Parameters
    ----------
    weight : array-like (C), optional
        Weight of every class; a buffer of this name.
    ignore_index : int
        Positions with this class count nothing.
    reduction : {"mean", "sum", "none"}
    label_smoothing : float
        In [0, 1]: the part of every target that is spread evenly over all classes.

    Raises
    ------
    ValueError
        If an option is out of its range.

    References
    ----------
    Szegedy, Vanhoucke, Ioffe, Shlens, Wojna: Rethinking the Inception architecture (2016),
    section 7, for the smoothing.

    Examples
    --------
    >>> criterion = CrossEntropyLoss(label_smoothing=0.1)
    >>> round(criterion([[2.0, 0.0, 1.0]], [0]).item(), 4)
    0.5076
    """

    def __init__(
        self,
        weight: ArrayLike | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        self.set_weight(weight)
        self.ignore_index = ignore_index
        self.reduction = one_of("reduction", reduction, _REDUCTIONS)
        self.label_smoothing = probability("label_smoothing", label_smoothing)

    def forward(self, x: Operand, target: Any) -> Tensor:
        """Return the loss of scores x (N, C, ...) against classes (N, ...) or probabilities."""
        return cross_entropy(
            x,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_WeightedLoss):
    """`unrolled.nn.functional.nll_loss` with its options chosen beforehand.

    Parameters
    ----------
    weight : array-like (C), optional
        Weight of every class; a buffer of this name.
    ignore_index : int
        Positions with this class count nothing.
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    ValueError
        If the reduction is unknown.
    """

    def __init__(
        self,
        weight: ArrayLike | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        self.set_weight(weight)
        self.ignore_index = ignore_index
        self.reduction = one_of("reduction", reduction, _REDUCTIONS)

    def forward(self, x: Operand, target: ArrayLike) -> Tensor:
        """Return the loss of log-probabilities x (N, C, ...) against classes (N, ...)."""
        return nll_loss(
            x, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )
