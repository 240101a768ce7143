"""The CTC loss on tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unrolled._arrays import RealArray, as_lengths
from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array, is_recording
from unrolled.autograd.tensor import Operand
from unrolled.ctc.batch import Batch
from unrolled.ctc.entropy import entropy_and_grad
from unrolled.ctc.losses import evaluate
from unrolled.ctc.reductions import item_weights
from unrolled.nn.checks import probability
from unrolled.nn.module import Module

_LEAST_PRIOR = -20.0  # log prior of a class that has not come up


class _CTCLossFunction(Function):
    """The loss with its gradient, which one pass over the trellis gives together."""

    def forward(
        self,
        log_probs: Array,
        *,
        bias: Array | None,
        entropy_weight: float,
        reduction: Any,
        infeasible: Any,
        **items: Any,
    ) -> Array:
        batch = Batch(log_probs if bias is None else log_probs - bias, **items)
        needs_grad = any(self.needs_input_grad)
        loss, grad = evaluate(
            batch,
            reduction,
            infeasible,
            logits=False,
            with_grad=needs_grad,
            are_log_probs=bias is None,
        )
        if entropy_weight:
            shares = entropy_weight * item_weights(batch, reduction)
            entropies, of_entropy = entropy_and_grad(batch, shares if needs_grad else None)
            loss = loss - _reduced(shares * entropies, batch, reduction)
            grad = None if grad is None else grad - of_entropy
        if grad is not None:
            self.grad = grad.reshape(log_probs.shape)
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
    blank: int | None = 0,
    reduction: str = "mean",
    infeasible: str = "raise",
    log_priors: ArrayLike | None = None,
    prior_scale: float = 1.0,
    entropy_weight: float = 0.0,
) -> Tensor:
    """Return the negative logarithm of the probability of `targets`, summed over alignments.

    Parameters, reductions and errors are those of `unrolled.ctc.loss`, and these:

    Parameters
    ----------
    log_probs : Tensor or array-like (N, T, C) or (T, C)
        Natural logarithms of normalised probabilities, as ``log_softmax()`` gives them.
    targets : array-like of int (N, L), or list of lists
    input_lengths, target_lengths : array-like of int (N), optional
    blank : int or None
        None: there are no blanks, every frame belongs to a symbol.
    reduction : {"mean", "sum", "none", "batch_mean", "frame_mean"}
    infeasible : {"raise", "inf", "zero"}
        What to do with items whose target needs more frames than there are.
    log_priors : array-like (C), optional
        Log of how often each class comes; constants to the gradient. The loss is that of
        ``log_probs - prior_scale * log_priors``: alignments with fewer blanks count for more, and
        symbols last longer. It is no longer minus the log of a probability, and may be negative.
    prior_scale : float
        At least 0.
    entropy_weight : float
        At least 0. So many times the entropy of the alignments (`unrolled.ctc.path_entropy`) is
        taken off each item's loss, before the reduction.

    Returns
    -------
    Tensor () or (N)

    Raises
    ------
    ValueError
        As `unrolled.ctc.loss`, or a prior is not finite, or a weight negative.

    References
    ----------
    Huang et al.: Less peaky and more accurate CTC forced alignment by label priors (2024). Liu,
    Jin, Zhang: Connectionist temporal classification with maximum entropy regularization (2018).
    """
    log_probs = as_tensor(log_probs)
    bias = None
    if log_priors is not None:
        priors = _checked_priors(log_priors, log_probs.shape[-1])
        bias = (_not_negative("prior_scale", prior_scale) * priors).astype(log_probs.dtype)
    loss: Tensor = _CTCLossFunction.apply(
        log_probs,
        bias=bias,
        entropy_weight=_not_negative("entropy_weight", entropy_weight),
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
    blank : int or None
        Class of the blank; None for the trellis without blanks.
    reduction : {"mean", "sum", "none", "batch_mean", "frame_mean"}
        "mean", as PyTorch's, divides every loss by its target's length (at least 1) before
        averaging over the batch; the formulas are at `unrolled.ctc.loss`.
    zero_infinity : bool
        PyTorch's name for ``infeasible="zero"``.
    infeasible : {"raise", "inf", "zero"}
        What to do with items whose target needs more frames than there are.
    log_priors : array-like (C), optional
        See `ctc_loss`; a buffer of this name.
    prior_scale : float
        Of the priors.
    prior_momentum : float, optional
        In [0, 1]: the priors are the mean probability of each class over the frames seen in
        training, a running one: ``momentum * priors + (1 - momentum) * mean of the batch`` after
        every batch with a gradient, unless after ``eval()``. They start as `log_priors`.
    entropy_weight : float
        See `ctc_loss`.

    Raises
    ------
    ValueError
        If an option is unknown or out of its range, both `zero_infinity` and another `infeasible`
        are given, or `prior_momentum` without priors to start from.

    References
    ----------
    Graves, Fernández, Gomez, Schmidhuber: Connectionist temporal classification (2006). Huang et
    al.: Less peaky and more accurate CTC forced alignment by label priors (2024), which estimates
    the priors over an epoch. Liu, Jin, Zhang: Connectionist temporal classification with maximum
    entropy regularization (2018).

    Examples
    --------
    >>> import numpy as np
    >>> uniform = np.zeros(3)  # as good as any: a constant does not move the posterior
    >>> criterion = CTCLoss(log_priors=uniform, prior_scale=0.3, prior_momentum=0.5)
    >>> log_probs = Tensor(np.log([[[0.8, 0.1, 0.1], [0.6, 0.3, 0.1]]]), requires_grad=True)
    >>> loss = criterion(log_probs, [[1]])
    >>> np.exp(criterion.log_priors).round(3)  # between the first ones and this batch's mean
    array([0.85, 0.6 , 0.55])
    """

    log_priors: RealArray | None

    def __init__(
        self,
        blank: int | None = 0,
        reduction: str = "mean",
        zero_infinity: bool = False,
        infeasible: str = "raise",
        *,
        log_priors: ArrayLike | None = None,
        prior_scale: float = 1.0,
        prior_momentum: float | None = None,
        entropy_weight: float = 0.0,
    ) -> None:
        if zero_infinity and infeasible not in ("raise", "zero"):
            raise ValueError(f"zero_infinity=True contradicts infeasible={infeasible!r}")
        if prior_momentum is not None and log_priors is None:
            raise ValueError(
                "prior_momentum needs log_priors to start from: give one number a class, such as "
                "np.full(C, -np.log(C))"
            )
        self.blank = blank
        self.reduction = reduction
        self.infeasible = "zero" if zero_infinity else infeasible
        self.prior_scale = _not_negative("prior_scale", prior_scale)
        self.prior_momentum = (
            None if prior_momentum is None else probability("prior_momentum", prior_momentum)
        )
        self.entropy_weight = _not_negative("entropy_weight", entropy_weight)
        self.log_priors = None
        if log_priors is not None:
            values = _checked_priors(log_priors, None)
            self.register_buffer("log_priors", values)
            self.arguments["log_priors"] = values.tolist()  # what a saved model can hold

    def forward(
        self,
        log_probs: Operand,
        targets: Any,
        input_lengths: Any = None,
        target_lengths: Any = None,
    ) -> Tensor:
        """Return the loss of log_probs (N, T, C) against targets (N, L)."""
        log_probs = as_tensor(log_probs)
        loss = ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            blank=self.blank,
            reduction=self.reduction,
            infeasible=self.infeasible,
            log_priors=self.log_priors,
            prior_scale=self.prior_scale,
            entropy_weight=self.entropy_weight,
        )
        learns = self.training and is_recording() and log_probs.requires_grad
        if self.prior_momentum is not None and learns:
            self._update_priors(log_probs.data, input_lengths)
        return loss

    def _update_priors(self, log_probs: Array, input_lengths: Any) -> None:
        assert self.log_priors is not None and self.prior_momentum is not None
        items = log_probs if log_probs.ndim == 3 else log_probs[np.newaxis]
        lengths = as_lengths(input_lengths, "input_lengths", *items.shape[:2])
        frames = items[np.arange(items.shape[1]) < lengths[:, np.newaxis]]
        if not len(frames):
            return
        mean = np.exp(frames).mean(axis=0, dtype=np.float64)
        share = self.prior_momentum * np.exp(self.log_priors)
        priors = share + (1 - self.prior_momentum) * mean
        self.log_priors[...] = np.log(np.maximum(priors, math.exp(_LEAST_PRIOR)))


def _reduced(losses: RealArray, batch: Batch, reduction: str) -> Any:
    if reduction == "none":
        return losses if batch.batched else losses[0]
    return losses.sum()


def _checked_priors(log_priors: ArrayLike, classes: int | None) -> RealArray:
    values: RealArray = np.asarray(log_priors, np.float64)
    if values.ndim != 1 or (classes is not None and values.shape != (classes,)):
        needed = "(C)" if classes is None else f"({classes})"
        raise ValueError(f"log_priors must be {needed}, one number a class, got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(
            f"log_priors holds {values[~np.isfinite(values)][0]} for class "
            f"{np.flatnonzero(~np.isfinite(values))[0]}: needed are finite numbers; give classes "
            "that never come a low one, such as -20"
        )
    return values


def _not_negative(name: str, value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be a finite number of at least 0, got {value}")
    return float(value)
