"""Gradient clipping by the norm over all parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable

from unrolled.autograd import Tensor
from unrolled.autograd.row_gradient import stored_values
from unrolled.ops.optim import gradient_norm, scale_


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients by one factor so that their common norm is at most `max_norm`.

    The norm is computed without overflow, so gradients of 1e30 are clipped like any other.

    Parameters
    ----------
    parameters : iterable of Tensor
        Those without a gradient are left out.
    max_norm : float
        Largest norm to keep, above 0.

    Returns
    -------
    float
        The norm before clipping. If it is not finite the gradients are left as they are.

    Raises
    ------
    ValueError
        If `max_norm` is not above 0.

    References
    ----------
    Pascanu, Mikolov, Bengio: On the difficulty of training recurrent neural networks (2013), 3.2.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm must be above 0, not {max_norm}")
    grads = [stored_values(p.grad) for p in parameters if p.grad is not None]
    norm = gradient_norm(grads)
    if math.isfinite(norm) and norm > max_norm:
        for grad in grads:
            scale_(grad, max_norm / norm)
    return norm
