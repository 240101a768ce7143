"""The CTC loss with its gradient by ours, by PyTorch and by optax."""

from __future__ import annotations

import numpy as np

from bench.peers.conv_sides import Passes
from bench.peers.ctc_cases import CtcCase

PASS = "loss+gradient"


def ours(case: CtcCase, wrt: str) -> Passes:
    """`wrt="logits"` gives what PyTorch gives, softmax - posterior; "log_probs" - posterior."""
    from unrolled import ctc

    log_probs, targets = case.arrays()
    return {PASS: lambda: ctc.loss_and_grad(log_probs, targets, reduction="sum", wrt=wrt)}


def torch_arguments(case: CtcCase, dtype: str = "float32") -> tuple:
    """Return a leaf (T, N, C) in memory of its own, targets, and both lengths."""
    import torch

    log_probs, targets = case.arrays()
    leaf = torch.from_numpy(log_probs).to(getattr(torch, dtype)).transpose(0, 1).contiguous()
    frames = torch.full((case.batch,), case.frames)
    lengths = torch.full((case.batch,), case.length)
    return leaf.requires_grad_(), torch.from_numpy(targets), frames, lengths


def torch_side(case: CtcCase) -> Passes:
    import torch

    leaf, *arguments = torch_arguments(case)

    def run() -> object:
        loss = torch.nn.functional.ctc_loss(leaf, *arguments, reduction="sum")
        return loss.detach(), torch.autograd.grad(loss, leaf)

    return {PASS: run}


def compat_side(case: CtcCase) -> Passes:
    """Ours behind PyTorch's function, tensors in and out."""
    import torch

    from unrolled.compat.torch import ctc_loss

    leaf, *arguments = torch_arguments(case)

    def run() -> object:
        loss = ctc_loss(leaf, *arguments, reduction="sum")
        return loss.detach(), torch.autograd.grad(loss, leaf)

    return {PASS: run}


def optax_side(case: CtcCase) -> Passes:
    """Compiled ahead; its threads are as many as the processors that the process may use."""
    import jax
    import optax

    log_probs, targets = case.arrays()
    frames = np.zeros(log_probs.shape[:2], np.float32)
    labels = np.zeros(targets.shape, np.float32)

    def total(logits):
        return optax.ctc_loss(logits, frames, targets, labels).sum()

    function = jax.jit(jax.value_and_grad(total))
    on_device = jax.device_put(log_probs)
    return {PASS: lambda: jax.block_until_ready(function(on_device))}
