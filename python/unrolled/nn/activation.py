"""Activations as functions of tensors and as modules for `Sequential`."""

from __future__ import annotations

from unrolled.autograd import Tensor, as_tensor
from unrolled.autograd.tensor import Operand
from unrolled.nn.module import Module


def relu(x: Operand) -> Tensor:
    """Return max(x, 0) of every element."""
    return as_tensor(x).relu()


def softmax(x: Operand, dim: int = -1) -> Tensor:
    """Return exp(x) divided by its sum along the axis `dim`."""
    return as_tensor(x).softmax(dim)


def log_softmax(x: Operand, dim: int = -1) -> Tensor:
    """Return the logarithm of exp(x) divided by its sum along the axis `dim`."""
    return as_tensor(x).log_softmax(dim)


class ReLU(Module):
    """``max(x, 0)`` of every element."""

    def forward(self, x: Operand) -> Tensor:
        """Return max(x, 0), of x's shape."""
        return relu(x)


class Softmax(Module):
    """Probabilities: exp(x) divided by its sum along one axis.

    Parameters
    ----------
    dim : int
        The axis, counted from the end if negative.

    Examples
    --------
    >>> Softmax(dim=1)([[0.0, 0.0], [1.0, 1.0]])
    Tensor([[0.5, 0.5],
            [0.5, 0.5]])
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Operand) -> Tensor:
        """Return the probabilities, of x's shape."""
        return softmax(x, self.dim)


class LogSoftmax(Module):
    """Natural logarithms of `Softmax`, accurate where that is close to 0.

    Parameters
    ----------
    dim : int
        The axis, counted from the end if negative.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Operand) -> Tensor:
        """Return the logarithms, of x's shape."""
        return log_softmax(x, self.dim)
