"""``torch.nn.functional.ctc_loss`` and ``torch.nn.CTCLoss``, computed by ours, on the CPU.

Layout, arguments, reductions and gradients are PyTorch's, and so are the values, also of rows that
are not normalised. What differs is what PyTorch gets wrong: an impossible target has the gradient 0
where PyTorch's is NaN, a target that holds the blank or a class that does not exist raises, float16
and bfloat16 are computed in float32, and the float32 gradient keeps its digits over thousands of
frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    import torch
except ImportError as error:
    raise ImportError(
        "unrolled.compat.torch works on tensors of PyTorch (pip install torch); "
        "for arrays use unrolled.ctc.loss_and_grad"
    ) from error

from unrolled import ctc

_REDUCTIONS = ("none", "mean", "sum")


def ctc_loss(
    log_probs: torch.Tensor,
    targets: torch.Tensor,
    input_lengths: torch.Tensor | Sequence[int],
    target_lengths: torch.Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> torch.Tensor:
    """Return the CTC loss with PyTorch's arguments in PyTorch's order.

    Parameters
    ----------
    log_probs : torch.Tensor, shape (T, N, C) or (T, C), on the CPU
        Natural log probabilities. Frames beyond an item's length may hold anything, NaN too.
    targets : torch.Tensor of int, shape (N, S) padded, or (sum of target_lengths,)
        Classes without the blank. What stands beyond an item's length is never read.
    input_lengths, target_lengths : torch.Tensor or sequence of int, shape (N,) or ()
        Frames and symbols of each item.
    blank : int
        Class of the blank; negative counts from the end.
    reduction : {"mean", "sum", "none"}
        "mean": each loss over its target's length (at least 1), then the mean over the batch.
    zero_infinity : bool
        Count the loss of an impossible target as 0 instead of inf.

    Returns
    -------
    torch.Tensor, shape () or (N,) with ``reduction="none"``
        Of the dtype of `log_probs`; float32 for float16 and bfloat16. Its gradient by `log_probs`
        is PyTorch's: exp(log_probs) - posterior, which is right where `log_probs` came out of
        ``log_softmax``; 0 beyond each item's length and for impossible targets. It cannot be
        differentiated twice, as PyTorch's own cannot.

    Raises
    ------
    ValueError
        Shapes, lengths, classes or the device do not fit; a target holds the blank. The message
        names the item.
    TypeError
        An argument is no tensor, or not of numbers of the right kind.

    Examples
    --------
    >>> import torch
    >>> log_probs = torch.full((3, 1, 2), 0.5).log()  # T, N, C
    >>> loss = ctc_loss(log_probs, torch.tensor([[1]]), (3,), (1,))
    >>> round(loss.exp().reciprocal().item(), 6)  # six of the eight paths read "1"
    0.75
    """
    if reduction not in _REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(_REDUCTIONS)}, got {reduction!r}")
    _require_tensor(log_probs, "log_probs")
    batched = log_probs.ndim == 3
    if log_probs.ndim not in (2, 3):
        raise ValueError(f"log_probs must be (T, N, C) or (T, C), got {tuple(log_probs.shape)}")
    if log_probs.numel() == 0:
        raise ValueError(f"log_probs must not be empty, got {tuple(log_probs.shape)}")
    if not batched:
        log_probs = log_probs.unsqueeze(1)
    frames = _lengths(input_lengths, "input_lengths", log_probs.shape[1])
    lengths = _lengths(target_lengths, "target_lengths", log_probs.shape[1])
    rows = _target_rows(targets, lengths)
    with_grad = log_probs.requires_grad and torch.is_grad_enabled()
    losses = _Losses.apply(log_probs, rows, frames, lengths, blank, with_grad)
    if zero_infinity:
        losses = torch.where(torch.isinf(losses), torch.zeros_like(losses), losses)
    if reduction == "sum":
        return losses.sum()
    if reduction == "mean":
        return (losses / torch.from_numpy(lengths).clamp_min(1).to(losses.dtype)).mean()
    return losses if batched else losses.squeeze(0)


class CTCLoss(torch.nn.Module):
    """``torch.nn.CTCLoss`` by ours: `ctc_loss` with its options kept.

    Examples
    --------
    >>> import torch
    >>> criterion = CTCLoss(blank=0, zero_infinity=True)
    >>> log_probs = torch.zeros(50, 2, 20).log_softmax(2).requires_grad_()
    >>> loss = criterion(log_probs, torch.tensor([[1, 2, 3], [4, 5, 0]]), (50, 40), (3, 2))
    >>> loss.backward()
    >>> log_probs.grad.shape
    torch.Size([50, 2, 20])
    """

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__()
        self.blank = blank
        self.reduction = reduction
        self.zero_infinity = zero_infinity

    def forward(
        self,
        log_probs: torch.Tensor,
        targets: torch.Tensor,
        input_lengths: torch.Tensor | Sequence[int],
        target_lengths: torch.Tensor | Sequence[int],
    ) -> torch.Tensor:
        """Return `ctc_loss` of the arguments."""
        return ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )

    def extra_repr(self) -> str:
        """Name the options, as PyTorch prints modules."""
        return (
            f"blank={self.blank}, reduction={self.reduction!r}, zero_infinity={self.zero_infinity}"
        )


class _Losses(torch.autograd.Function):
    """The loss of each item. The gradient is made on the way forward, where the sums are."""

    @staticmethod
    def forward(
        context: Any,
        log_probs: torch.Tensor,
        targets: NDArray[np.int64],
        frames: NDArray[np.int64],
        lengths: NDArray[np.int64],
        blank: int,
        with_grad: bool,
    ) -> torch.Tensor:
        scores = log_probs.detach().transpose(0, 1)  # (N, T, C); no copy where it came that way
        if scores.dtype not in (torch.float32, torch.float64):
            scores = scores.float()
        scores = scores.contiguous()
        arguments = (scores.numpy(), targets, frames, lengths)
        options: Any = {"blank": blank, "reduction": "none", "infeasible": "inf"}
        if not with_grad:
            return torch.from_numpy(ctc.loss(*arguments, **options)).to(scores.dtype)
        losses, grad = ctc.loss_and_grad(*arguments, **options)
        impossible = np.isinf(losses)
        counted = np.where(impossible, 0, frames)
        torchs = _plus_probabilities(torch.from_numpy(grad), scores, counted)
        context.save_for_backward(log_probs, torchs.transpose(0, 1), torch.from_numpy(impossible))
        return torch.from_numpy(losses).to(scores.dtype)

    @staticmethod
    def backward(context: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        log_probs, grad, impossible = context.saved_tensors
        with torch.no_grad():
            # The loss inf often brings an upstream gradient of inf or NaN, and 0 * inf is NaN.
            weights = upstream.masked_fill(impossible, 0)
            weighted = (grad * weights[:, None]).to(log_probs.dtype)
        if torch.is_grad_enabled():  # create_graph=True
            weighted = _Gradient.apply(weighted, log_probs, upstream)
        return weighted, None, None, None, None, None


class _Gradient(torch.autograd.Function):
    """The gradient as a part of the graph that says that it ends here."""

    @staticmethod
    def forward(
        context: Any, grad: torch.Tensor, log_probs: torch.Tensor, upstream: torch.Tensor
    ) -> torch.Tensor:
        return grad.clone()

    @staticmethod
    def backward(context: Any, upstream: torch.Tensor) -> None:
        raise RuntimeError(
            "unrolled.compat.torch.ctc_loss cannot be differentiated twice, "
            "as PyTorch's ctc_loss cannot"
        )


def _plus_probabilities(
    grad: torch.Tensor, scores: torch.Tensor, counted: NDArray[np.int64]
) -> torch.Tensor:
    """Turn minus the posterior (N, T, C) into PyTorch's gradient, in place."""
    probabilities = scores.exp()
    if counted.min(initial=scores.shape[1]) < scores.shape[1]:
        beyond = np.arange(scores.shape[1]) >= counted[:, None]
        probabilities[torch.from_numpy(beyond)] = 0
    return grad.add_(probabilities)


def _require_tensor(value: Any, name: str) -> None:
    if not isinstance(value, torch.Tensor):
        raise TypeError(
            f"{name} must be a torch.Tensor, got {type(value).__name__}; "
            "for arrays use unrolled.ctc.loss_and_grad"
        )
    if value.device.type != "cpu":
        raise ValueError(
            f"{name} is on {value.device}, unrolled computes on the CPU: pass {name}.cpu(), "
            "which carries the gradient back"
        )
    if name == "log_probs" and not value.is_floating_point():
        raise TypeError(f"log_probs must be floating point, got {value.dtype}")


def _whole(value: Any, name: str) -> NDArray[np.int64]:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    array = np.asarray(value)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be whole numbers, got {array.dtype}")
    return array.astype(np.int64)


def _lengths(value: Any, name: str, n: int) -> NDArray[np.int64]:
    lengths = _whole(value, name).reshape(-1)
    if lengths.size != n:
        raise ValueError(f"{name} must have one length an item: {n}, got {lengths.size}")
    if (lengths < 0).any():
        item = int(np.argmax(lengths < 0))
        raise ValueError(f"{name} of item {item} is {lengths[item]}, it must not be negative")
    return lengths


def _target_rows(targets: Any, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (N, S): targets that came one after the other are laid in rows."""
    _require_tensor(targets, "targets")
    flat = _whole(targets, "targets")
    if flat.ndim == 2:
        return flat
    if flat.ndim != 1 or flat.size != lengths.sum():
        raise ValueError(
            f"targets must be (N, S), or all one after the other: {lengths.sum()} symbols by "
            f"target_lengths, got shape {tuple(flat.shape)}"
        )
    inside = np.arange(lengths.max(initial=0)) < lengths[:, None]
    rows = np.zeros(inside.shape, np.int64)
    rows[inside] = flat
    return rows
