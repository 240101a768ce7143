"""Steps of the optimizers, in place, with PyTorch's formulas and names."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def sgd_step(
    param: Array,
    grad: Array,
    velocity: Array | None,
    *,
    lr: float,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    first: bool = False,
) -> None:
    """Change `param` by one step of gradient descent with momentum.

    Parameters
    ----------
    param, grad, velocity : arrays of one shape
        `param` and `velocity` are changed; without momentum `velocity` may be None.
    lr, momentum, weight_decay : float
    nesterov : bool
        Look ahead along the velocity (Sutskever et al. 2013).
    first : bool
        The first step: the velocity starts as the gradient, not as 0.
    """
    step = grad + weight_decay * param
    if velocity is not None:
        velocity[...] = step if first else momentum * velocity + step
        step = step + momentum * velocity if nesterov else velocity
    param -= lr * step


def adam_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool,
    step: int,
) -> None:
    """Change `param` by one step of Adam (Kingma and Ba 2015, algorithm 1).

    Parameters
    ----------
    param, grad, exp_avg, exp_avg_sq : arrays of one shape
        All but `grad` are changed.
    lr, eps, weight_decay : float
    betas : (float, float)
        Decay of the two moving averages.
    decoupled : bool
        Shrink the weights directly (AdamW, Loshchilov and Hutter 2019), not through the gradient.
    step : int
        Number of this step, from 1.
    """
    beta1, beta2 = betas
    if decoupled:
        param *= 1.0 - lr * weight_decay
    else:
        grad = grad + weight_decay * param
    exp_avg[...] = beta1 * exp_avg + (1.0 - beta1) * grad
    exp_avg_sq[...] = beta2 * exp_avg_sq + (1.0 - beta2) * grad**2
    mean = exp_avg / (1.0 - beta1**step)
    mean_square = exp_avg_sq / (1.0 - beta2**step)
    param -= lr * mean / (np.sqrt(mean_square) + eps)


def gradient_norm(arrays: Iterable[Array]) -> float:
    """Return the L2 norm over all elements of all arrays: NaN for a NaN, else infinite for one.

    Divided by the largest element first, so squares neither overflow nor vanish.
    """
    flat = [np.asarray(array, np.float64).ravel() for array in arrays]
    values = np.concatenate(flat) if flat else np.zeros(0)
    largest = float(np.max(np.abs(values), initial=0.0))
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    return largest * math.sqrt(float(np.sum((values / largest) ** 2)))


def scale_(array: Array, factor: float) -> None:
    """Multiply `array` by `factor`, in place."""
    array *= factor


def sgd_rows(param: Array, rows: Array, grad: Array, *, lr: float) -> None:
    """Change the `rows` of `param` by one step of plain gradient descent; `grad` is (K, ...)."""
    for row, step in zip(rows, grad, strict=True):
        param[row] -= lr * step


def adam_rows(
    param: Array,
    rows: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    step: int,
) -> None:
    """Change the `rows` of `param` by one step of `adam_step`; the others keep their means."""
    options: dict[str, Any] = {"lr": lr, "betas": betas, "eps": eps, "step": step}
    options |= {"weight_decay": 0.0, "decoupled": False}
    for row, own in zip(rows, grad, strict=True):
        adam_step(param[row], own, exp_avg[row], exp_avg_sq[row], **options)
