"""Activations as functions of tensors and as modules for `Sequential`."""

from __future__ import annotations

from unrolled.autograd import Tensor, as_tensor
from unrolled.autograd.tensor import Operand
from unrolled.nn.module import Module


def relu(x: Operand) -> Tensor:
    """Return max(x, 0) of every element."""
    return as_tensor(x).relu()


def log_softmax(x: Operand, axis: int = -1) -> Tensor:
    """Return the logarithm of exp(x) divided by its sum along `axis`."""
    return as_tensor(x).log_softmax(axis)


class ReLU(Module):
    """``max(x, 0)`` of every element."""

    def forward(self, x: Operand) -> Tensor:
        """Return max(x, 0), of x's shape."""
        return relu(x)
