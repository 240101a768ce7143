"""Emissions, targets and expected losses that the tests of CTC share."""

from __future__ import annotations

import zlib
from functools import cache

import numpy as np
import pytest

from unrolled.reference import ctc as reference
from unrolled.reference.softmax import log_softmax

DTYPES = ["float32", "float64"]

REDUCTIONS = ["none", "sum", "mean", "batch_mean", "frame_mean"]

WRT = ["log_probs", "logits"]


def emissions(rng, *shape, dtype="float64", scale=2.0):
    return log_softmax(scale * rng.standard_normal(shape)).astype(dtype)


def random_targets(rng, lengths, classes, blank, repeats=0.3):
    """Return targets without blanks in which some symbols stand twice."""
    symbols = [c for c in range(classes) if c != blank % classes]
    targets = []
    for length in lengths:
        target: list[int] = []
        for _ in range(length):
            again = target and rng.random() < repeats
            target.append(target[-1] if again else int(rng.choice(symbols)))
        targets.append(target)
    return targets


# (frames of each item, target lengths, C, blank); 2L + 1 states stand around every lane width.
PROBLEMS = [
    ((1, 1), (0, 1), 2, 0),
    ((7, 5, 3), (1, 2, 0), 3, 0),
    ((12, 12), (3, 4), 5, 2),
    ((20, 17, 30), (7, 8, 9), 6, -1),
    ((40, 40), (15, 16), 11, 10),
    ((45, 60), (17, 33), 35, 0),
    ((9, 0, 4, 8), (2, 0, 0, 3), 16, 7),
]


@cache
def data(problem):
    frames, lengths, classes, blank = problem
    rng = np.random.default_rng(zlib.crc32(repr(problem).encode()))
    log_probs = emissions(rng, len(frames), max(frames) + 1, classes, dtype="float32")
    return log_probs, random_targets(rng, lengths, classes, blank)


@cache
def expected(problem, wrt):
    """Return each item's loss and gradient."""
    log_probs, targets = data(problem)
    frames, _, _, blank = problem
    return reference.loss_and_grad(
        log_probs, targets, frames, blank=blank, reduction="none", wrt=wrt
    )


def torch_loss(logits, targets, frames, blank, reduction, zero_infinity=False):
    """Return PyTorch's loss and its gradient by the logits."""
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    tensor = torch.tensor(logits, requires_grad=True)
    log_probs = torch.nn.functional.log_softmax(tensor, -1).transpose(0, 1)
    lengths = torch.tensor([len(row) for row in targets])
    loss = torch.nn.functional.ctc_loss(
        log_probs,
        torch.tensor([token for row in targets for token in row], dtype=torch.long),
        torch.tensor(frames),
        lengths,
        blank=blank,
        reduction=reduction,
        zero_infinity=zero_infinity,
    )
    loss.sum().backward()
    return loss.detach().numpy(), tensor.grad.numpy()
