"""One training step that happens wholly or not at all."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.autograd import Tensor
from unrolled.autograd.row_gradient import stored_values
from unrolled.checkpoint import NonFiniteError
from unrolled.optim import clip_grad_norm

if TYPE_CHECKING:
    from unrolled.nn import Module
    from unrolled.optim import Optimizer

_REMEDY = "lower the learning rate, set clip_norm, or look for bad values in these items"


def take_step(
    model: Module,
    loss: Callable[[Any, Any], Tensor],
    optimizer: Optimizer,
    batch: Any,
    *,
    lr: float,
    clip_norm: float | None,
    where: str,
) -> float:
    """Take one optimizer step and return the loss before it.

    Raises
    ------
    ValueError
        If `lr` is not a finite number of at least 0.
    NonFiniteError
        If the loss or a gradient is NaN or infinite: says `where`, and which tensor. Weights,
        buffers and optimizer are then as before the step, as after any other error in `loss`.
    """
    if not (math.isfinite(lr) and lr >= 0):
        raise ValueError(f"the learning rate is {lr} at {where}")
    optimizer.zero_grad()
    with _buffers_restored_on_error(model):
        value = _loss_of(model, loss, batch, where)
        number = scalar(value)
        if not math.isfinite(number):
            raise NonFiniteError(f"{_blame_for_loss(model, number)} at {where}; {_REMEDY}")
        value.backward()
        if all(parameter.grad is None for parameter in optimizer.params):
            raise ValueError("the loss does not depend on any parameter of the optimizer")
        norm = clip_grad_norm(optimizer.params, math.inf if clip_norm is None else clip_norm)
        if not math.isfinite(norm):
            raise NonFiniteError(f"{_blame_for_gradient(model, norm)} at {where}; {_REMEDY}")
    optimizer.lr = lr
    optimizer.step()
    return number


def _loss_of(model: Module, loss: Callable[[Any, Any], Tensor], batch: Any, where: str) -> Tensor:
    """Return the loss; one that refuses what the model gave it says where that was."""
    try:
        return loss(model, batch)
    except NonFiniteError as error:
        found = str(error).partition(";")[0]  # the remedy after it is for another caller
        raise NonFiniteError(f"{found} at {where}; {_REMEDY}") from None


def scalar(value: Any) -> float:
    """Return the number in what a loss function gave."""
    if not isinstance(value, Tensor) or math.prod(value.shape) != 1:
        found = f"one of shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"loss(model, batch) must return a scalar Tensor, not {found}")
    return float(value.item())


@contextlib.contextmanager
def _buffers_restored_on_error(model: Module) -> Iterator[None]:
    """Undo what the forward pass did to running statistics if the step fails."""
    before = {name: array.copy() for name, array in model.named_buffers()}
    try:
        yield
    except BaseException:
        for name, array in model.named_buffers():
            array[...] = before[name]
        raise


def _blame_for_loss(model: Module, number: float) -> str:
    for name, parameter in model.named_parameters():
        if not np.isfinite(parameter.data).all():
            return f"loss is {number}, with {name} not finite before the step,"
    return f"loss is {number}"


def _blame_for_gradient(model: Module, norm: float) -> str:
    for name, parameter in model.named_parameters():
        if parameter.grad is None:
            continue
        if not np.isfinite(stored_values(parameter.grad)).all():
            return f"gradient of {name} is not finite"
    return f"norm of the gradients is {norm}"
