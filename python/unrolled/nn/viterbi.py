"""The loss of the best alignment, on tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from unrolled.align.best_path import best_paths, path_classes
from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.ctc import Infeasible, Reduction
from unrolled.ctc.batch import Batch
from unrolled.ctc.reductions import check_losses, item_weights, require_options
from unrolled.nn.module import Module


class _ViterbiLossFunction(Function):
    """The loss along the best path; the path is kept, and is what has a gradient."""

    def forward(
        self,
        log_probs: Array,
        *,
        targets: Any,
        input_lengths: Any,
        target_lengths: Any,
        blank: int | None,
        reduction: Reduction,
        infeasible: Infeasible,
    ) -> Array:
        batch = Batch(log_probs, targets, input_lengths, target_lengths, blank)
        require_options(reduction, infeasible)
        self.weights = item_weights(batch, reduction)
        states, scores = best_paths(batch)
        losses = 0.0 - scores
        if not np.isfinite(losses).all():
            check_losses(batch, losses, infeasible, logits=False)
        if any(self.needs_input_grad):
            self.shape, self.dtype = log_probs.shape, log_probs.dtype
            self.classes = path_classes(batch, states)
        if reduction == "none":
            return np.asarray(losses if batch.batched else losses[0], log_probs.dtype)
        return np.asarray(np.dot(losses, self.weights) if losses.size else 0.0, log_probs.dtype)

    def backward(self, grad_loss: Array) -> Array:
        per_item = np.broadcast_to(self.weights * grad_loss.reshape(-1), self.weights.shape)
        grad = np.zeros(self.shape, self.dtype)
        rows = grad.reshape(*self.classes.shape, self.shape[-1])
        items, frames = np.nonzero(self.classes >= 0)
        rows[items, frames, self.classes[items, frames]] = -per_item[items]
        return grad


def viterbi_loss(
    log_probs: Operand,
    targets: Any,
    input_lengths: Any = None,
    target_lengths: Any = None,
    *,
    blank: int | None = 0,
    reduction: str = "mean",
    infeasible: str = "raise",
) -> Tensor:
    """Return minus the log probability of the likeliest alignment of `targets`.

    It is never less than `ctc_loss`, which sums over all alignments, and equals it where one
    alignment has all the probability. The gradient is -1 at the class of every frame of the best
    path and 0 elsewhere: the alignment is guessed, and taken as given.

    Parameters
    ----------
    log_probs : Tensor or array-like (N, T, C) or (T, C)
        Natural logarithms of normalised probabilities, as ``log_softmax()`` gives them.
    targets : array-like of int (N, L), or list of lists
    input_lengths, target_lengths : array-like of int (N), optional
    blank : int or None
        None: there are no blanks, every frame belongs to a symbol.
    reduction : {"mean", "sum", "none", "batch_mean", "frame_mean"}
        As for `unrolled.ctc.loss`.
    infeasible : {"raise", "inf", "zero"}
        What to do with items whose target has no alignment.

    Returns
    -------
    Tensor () or (N)

    Raises
    ------
    ValueError
        Shapes, lengths or classes do not fit, or an item is infeasible; names the item.

    Examples
    --------
    >>> import numpy as np
    >>> log_probs = Tensor(np.log([[0.6, 0.4], [0.2, 0.8], [0.9, 0.1]]), requires_grad=True)
    >>> loss = viterbi_loss(log_probs, [1])
    >>> round(float(np.exp(-loss.item())), 3)  # nothing, the symbol, nothing
    0.432
    >>> loss.backward()
    >>> log_probs.grad
    array([[-1.,  0.],
           [ 0., -1.],
           [-1.,  0.]])
    """
    loss: Tensor = _ViterbiLossFunction.apply(
        as_tensor(log_probs),
        targets=targets,
        input_lengths=input_lengths,
        target_lengths=target_lengths,
        blank=blank,
        reduction=reduction,
        infeasible=infeasible,
    )
    return loss


class ViterbiLoss(Module):
    """`unrolled.nn.functional.viterbi_loss` with its options chosen beforehand.

    It is called as `CTCLoss` is, and can stand in its place. Alignments are guessed anew at every
    step; `unrolled.training.ViterbiTraining` keeps them for a round.

    Parameters
    ----------
    blank : int or None
        Class of the blank; None for the trellis without blanks.
    reduction : {"mean", "sum", "none", "batch_mean", "frame_mean"}
    infeasible : {"raise", "inf", "zero"}
        What to do with items whose target has no alignment.

    References
    ----------
    Viterbi: Error bounds for convolutional codes and an asymptotically optimum decoding algorithm
    (1967). Juang, Rabiner: The segmental K-means algorithm for estimating parameters of hidden
    Markov models (1990).

    Examples
    --------
    >>> import numpy as np
    >>> uniform = np.full((1, 4, 3), np.log(1 / 3))
    >>> round(ViterbiLoss(blank=None, reduction="sum")(uniform, [[1, 2]]).item(), 4)
    4.3944
    """

    def __init__(
        self, blank: int | None = 0, reduction: str = "mean", infeasible: str = "raise"
    ) -> None:
        self.blank = blank
        self.reduction = reduction
        self.infeasible = infeasible

    def forward(
        self,
        log_probs: Operand,
        targets: Any,
        input_lengths: Any = None,
        target_lengths: Any = None,
    ) -> Tensor:
        """Return the loss of log_probs (N, T, C) against targets (N, L)."""
        return viterbi_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            blank=self.blank,
            reduction=self.reduction,
            infeasible=self.infeasible,
        )
