"""Losses of single elements on tensors: squared error and Kullback-Leibler divergence."""

from __future__ import annotations

from typing import Any

import numpy as np

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import one_of
from unrolled.nn.module import Module
from unrolled.ops import loss as losses


class _MSEFunction(Function):
    """Squared error; the gradient by the target is minus that by x."""

    def forward(self, x: Array, target: Array, *, reduction: str) -> Array:
        if any(self.needs_input_grad):
            loss, self.grad = losses.mse_loss_and_grad(x, target, reduction=reduction)
        else:
            loss = losses.mse_loss(x, target, reduction=reduction)
        return np.asarray(loss, dtype=np.result_type(x, target))

    def backward(self, grad_loss: Array) -> tuple[Array, Array | None]:
        grad = self.grad * grad_loss
        return grad, -grad if self.needs_input_grad[1] else None


class _KLFunction(Function):
    """Kullback-Leibler divergence."""

    def forward(self, x: Array, target: Array, *, reduction: str, log_target: bool) -> Array:
        options: dict[str, Any] = {"reduction": reduction, "log_target": log_target}
        if any(self.needs_input_grad):
            self.x, self.target, self.log_target = x, target, log_target
            loss, self.grad = losses.kl_div_and_grad(x, target, **options)
        else:
            loss = losses.kl_div(x, target, **options)
        return np.asarray(loss, dtype=np.result_type(x, target))

    def backward(self, grad_loss: Array) -> tuple[Array, Array | None]:
        grad_x = self.grad * grad_loss
        return grad_x, self.grad_target(grad_x) if self.needs_input_grad[1] else None

    def grad_target(self, grad_x: Array) -> Array:
        """Return the gradient by the target from that by x, which is minus its probabilities."""
        if self.log_target:
            return -grad_x * (self.target - self.x + 1)
        positive = self.target > 0
        p = np.where(positive, self.target, 1)
        return np.where(positive, -grad_x / p * (np.log(p) - self.x + 1), 0)


def mse_loss(x: Operand, target: Operand, *, reduction: str = "mean") -> Tensor:
    """Return the squared error ``(x - target)^2``.

    Parameters
    ----------
    x, target : Tensor or array-like, of one shape
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    Tensor (), or of x's shape with ``reduction="none"``

    Raises
    ------
    ValueError
        If the shapes differ (nothing is broadcast), or the mean is over no element.
    """
    x = as_tensor(x)
    loss: Tensor = _MSEFunction.apply(x, as_tensor(target, x.dtype), reduction=reduction)
    return loss


def kl_div(
    x: Operand, target: Operand, *, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """Return the Kullback-Leibler divergence ``target (log(target) - x)``.

    Parameters
    ----------
    x : Tensor or array-like
        Natural logarithms of probabilities.
    target : Tensor or array-like, of x's shape
        Probabilities, or with `log_target` their logarithms.
    reduction : {"mean", "batchmean", "sum", "none"}
        "batchmean", the divergence's definition, divides by the size of the first axis; "mean"
        divides by the number of elements, as PyTorch does.
    log_target : bool

    Returns
    -------
    Tensor (), or of x's shape with ``reduction="none"``

    Raises
    ------
    ValueError
        If the shapes differ, the mean is over nothing, or a probability is negative.
    """
    x = as_tensor(x)
    loss: Tensor = _KLFunction.apply(
        x, as_tensor(target, x.dtype), reduction=reduction, log_target=log_target
    )
    return loss


class MSELoss(Module):
    """`unrolled.nn.functional.mse_loss` with its reduction chosen beforehand.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    ValueError
        If the reduction is unknown.
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        self.reduction = one_of("reduction", reduction, ("mean", "sum", "none"))

    def forward(self, x: Operand, target: Operand) -> Tensor:
        """Return the squared error of x against a target of its shape."""
        return mse_loss(x, target, reduction=self.reduction)


class KLDivLoss(Module):
    """`unrolled.nn.functional.kl_div` with its options chosen beforehand.

    Parameters
    ----------
    reduction : {"mean", "batchmean", "sum", "none"}
        "batchmean" is the divergence's definition.
    log_target : bool
        Whether targets are logarithms too.

    Raises
    ------
    ValueError
        If the reduction is unknown.
    """

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        self.reduction = one_of("reduction", reduction, ("mean", "batchmean", "sum", "none"))
        self.log_target = log_target

    def forward(self, x: Operand, target: Operand) -> Tensor:
        """Return the divergence of the target from log-probabilities x."""
        return kl_div(x, target, reduction=self.reduction, log_target=self.log_target)
