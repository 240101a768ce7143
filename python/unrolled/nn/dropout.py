"""Dropout."""

from __future__ import annotations

import numpy as np

from unrolled.autograd import Tensor, as_tensor
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import probability
from unrolled.nn.module import Module
from unrolled.random import generator


def dropout(x: Operand, p: float = 0.5, training: bool = True) -> Tensor:
    """Set elements to 0 with probability `p` and scale the others by 1 / (1 - p).

    Parameters
    ----------
    x : Tensor or array-like
    p : float
        In [0, 1].
    training : bool
        Without it x is returned as it is.

    Raises
    ------
    ValueError
        If `p` lies outside [0, 1].
    """
    x, p = as_tensor(x), probability("p", p)
    if not training or p == 0:
        return x
    kept = generator().random(x.shape, dtype=np.float32) >= p
    scale = 0.0 if p == 1 else 1 / (1 - p)
    return x * (kept * x.dtype.type(scale))


class Dropout(Module):
    """Set elements to 0 with probability `p` in training; scale the others by 1 / (1 - p).

    Parameters
    ----------
    p : float
        In [0, 1].

    Raises
    ------
    ValueError
        If `p` lies outside.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov: Dropout (2014), section 4.
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = probability("p", p)

    def forward(self, x: Operand) -> Tensor:
        """Return x with elements dropped, or x itself after ``eval()``."""
        return dropout(x, self.p, self.training)
