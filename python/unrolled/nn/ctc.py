"""The CTC loss on tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from unrolled import ctc
from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.module import Module


class _CTCLossFunction(Function):
    """The loss with its gradient, which one pass over the trellis gives together."""

    def forward(self, log_probs: Array, **options: Any) -> Array:
        if any(self.needs_input_grad):
            loss, self.grad = ctc.loss_and_grad(log_probs, wrt="log_probs", **options)
        else:
            loss = ctc.loss(log_probs, **options)
        return np.asarray(loss, dtype=log_probs.dtype)

    def backward(self, grad_loss: Array) -> Array:
        per_item = grad_loss.reshape(grad_loss.shape + (1, 1) * grad_loss.ndim)
        return self.grad * per_item


def ctc_loss(
    log_probs: Operand,
    targets: Any,
    input_lengths: Any = None,
    target_lengths: Any = None,
    *,
    blank: int = 0,
    reduction: str = "mean",
    infeasible: str = "raise",
) -> Tensor:
    """Return the negative logarithm of the probability of `targets`, summed over alignments.

    Parameters, reductions and errors are those of `unrolled.ctc.loss`.

    Parameters
    ----------
    log_probs : Tensor or array-like (N, T, C) or (T, C)
        Natural logarithms of normalised probabilities, as ``log_softmax()`` gives them.
    targets : array-like of int (N, L), or list of lists
    input_lengths, target_lengths : array-like of int (N), optional
    blank : int
    reduction : {"mean", "sum", "none", "batch_mean", "frame_mean"}
    infeasible : {"raise", "inf", "zero"}
        What to do with items whose target needs more frames than there are.

    Returns
    -------
    Tensor () or (N)
    """
    loss: Tensor = _CTCLossFunction.apply(
        as_tensor(log_probs),
        targets=targets,
        input_lengths=input_lengths,
        target_lengths=target_lengths,
        blank=blank,
        reduction=reduction,
        infeasible=infeasible,
    )
    return loss


class CTCLoss(Module):
    """`unrolled.nn.functional.ctc_loss` with its options chosen beforehand.

    Parameters
    ----------
    blank : int
        Class of the blank.
    reduction : {"mean", "sum", "none", "batch_mean", "frame_mean"}
        "mean", as PyTorch's, divides every loss by its target's length (at least 1) before
        averaging over the batch; the formulas are at `unrolled.ctc.loss`.
    zero_infinity : bool
        PyTorch's name for ``infeasible="zero"``.
    infeasible : {"raise", "inf", "zero"}
        What to do with items whose target needs more frames than there are.

    Raises
    ------
    ValueError
        If an option is unknown, or both `zero_infinity` and another `infeasible` are given.

    References
    ----------
    Graves, Fernández, Gomez, Schmidhuber: Connectionist temporal classification (2006).
    """

    def __init__(
        self,
        blank: int = 0,
        reduction: str = "mean",
        zero_infinity: bool = False,
        infeasible: str = "raise",
    ) -> None:
        if zero_infinity and infeasible not in ("raise", "zero"):
            raise ValueError(f"zero_infinity=True contradicts infeasible={infeasible!r}")
        self.blank = blank
        self.reduction = reduction
        self.infeasible = "zero" if zero_infinity else infeasible

    def forward(
        self,
        log_probs: Operand,
        targets: Any,
        input_lengths: Any = None,
        target_lengths: Any = None,
    ) -> Tensor:
        """Return the loss of log_probs (N, T, C) against targets (N, L)."""
        return ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            blank=self.blank,
            reduction=self.reduction,
            infeasible=self.infeasible,
        )
