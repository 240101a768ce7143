"""Optimizer updates, in place, and the global norm of gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable

from unrolled import _core
from unrolled._arrays import RealArray, as_real


def sgd_step(
    param: RealArray,
    grad: RealArray,
    velocity: RealArray | None,
    *,
    lr: float,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    first: bool = False,
) -> None:
    """One step of stochastic gradient descent on `param`, in place, with PyTorch's formulas.

    Parameters
    ----------
    param, grad : array
        C order, one dtype and shape.
    velocity : array or None
        Momentum's running gradient; None without momentum.
    first : bool
        The first step: the velocity becomes the gradient.

    Raises
    ------
    TypeError
        Dtypes differ or an array is not in C order.
    ValueError
        Shapes differ or an array is read-only.
    """
    _core.sgd_step(param, grad, velocity, lr, momentum, weight_decay, nesterov, first)


def adam_step(
    param: RealArray,
    grad: RealArray,
    exp_avg: RealArray,
    exp_avg_sq: RealArray,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    step: int,
) -> None:
    """One step of Adam (Kingma and Ba 2015) on `param`, in place; `step` counts from 1.

    With `decoupled`, the weight decay acts on the parameter itself: AdamW (Loshchilov and Hutter 2019).

    Raises
    ------
    TypeError
        Dtypes differ or an array is not in C order.
    ValueError
        Shapes differ, an array is read-only, or `step` is below 1.
    """
    beta1, beta2 = betas
    _core.adam_step(
        param, grad, exp_avg, exp_avg_sq, lr, beta1, beta2, eps, weight_decay, decoupled, step
    )


def scale_(array: RealArray, factor: float) -> None:
    """Multiply `array` by `factor`, in place."""
    _core.scale(array, factor)


def gradient_norm(arrays: Iterable[RealArray]) -> float:
    """Euclidean norm over all values of all arrays.

    Sums are in double and scaled by the largest value, so that no finite gradient overflows or
    underflows. NaN where a value is NaN, inf where one is infinite.
    """
    reals = [as_real(array, "arrays") for array in arrays]
    peaks = [_core.max_abs(array) for array in reals]
    if any(math.isnan(peak) for peak in peaks):
        return math.nan
    top = max(peaks, default=0.0)
    if top == 0.0 or math.isinf(top):
        return top
    # A power of two: dividing by it is exact. Its reciprocal stays finite for subnormal peaks.
    exponent = max(math.frexp(top)[1], -1020)
    total = sum(_core.sum_squares(array, math.ldexp(1.0, -exponent)) for array in reals)
    return math.sqrt(total) * math.ldexp(1.0, exponent) if exponent < 1024 else math.inf
