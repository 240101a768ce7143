"""Modules that change no number: flattening, and nothing at all."""

from __future__ import annotations

from typing import Any

from unrolled.autograd import Tensor, as_tensor
from unrolled.autograd.tensor import Operand
from unrolled.nn.module import Module


def flatten(x: Operand, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Join the axes from `start_dim` to `end_dim`, both included, into one.

    Parameters
    ----------
    x : Tensor or array-like
    start_dim, end_dim : int
        Counted from the end if negative.

    Raises
    ------
    ValueError
        If x has no such axis, or `start_dim` comes after `end_dim`.

    Examples
    --------
    >>> flatten(Tensor([[[1.0, 2.0], [3.0, 4.0]]]), 1).shape
    (1, 4)
    """
    x = as_tensor(x)
    axes = max(x.ndim, 1)  # a scalar becomes a vector of one element
    for name, axis in (("start_dim", start_dim), ("end_dim", end_dim)):
        if not -axes <= axis < axes:
            raise ValueError(f"{name} must be an axis of x, {-axes} .. {axes - 1}, got {axis}")
    first, last = start_dim % axes, end_dim % axes
    if first > last:
        raise ValueError(f"start_dim {start_dim} comes after end_dim {end_dim} in {x.shape}")
    joined = 1
    for size in x.shape[first : last + 1]:
        joined *= size
    return x.reshape((*x.shape[:first], joined, *x.shape[last + 1 :]))


class Flatten(Module):
    """Join neighbouring axes into one, by default all but that of the batch.

    Parameters
    ----------
    start_dim, end_dim : int
        The first and the last axis that are joined, counted from the end if negative.

    Examples
    --------
    >>> import numpy as np
    >>> Flatten()(np.zeros((2, 3, 4, 5))).shape
    (2, 60)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Operand) -> Tensor:
        """Return the same elements in fewer axes."""
        return flatten(x, self.start_dim, self.end_dim)


class Identity(Module):
    """Returns what it is given; takes the place of a layer that a model does without."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, x: Any) -> Any:
        """Return x itself."""
        return x
