"""Optimizer updates, in place, and the global norm of gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray, as_real, require_shape


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
    _require_places(param=param, velocity=velocity)
    _require_same(param, grad=grad, velocity=velocity)
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

    With `decoupled`, the weight decay acts on the parameter itself: AdamW (Loshchilov and Hutter
    2019).

    Raises
    ------
    TypeError
        Dtypes differ or an array is not in C order.
    ValueError
        Shapes differ, an array is read-only, or `step` is below 1.
    """
    if step < 1:
        raise ValueError(f"step counts from 1, got {step}")
    options = lr, *betas, eps, weight_decay, decoupled, step
    _require_places(param=param, exp_avg=exp_avg, exp_avg_sq=exp_avg_sq)
    _require_same(param, grad=grad, exp_avg=exp_avg, exp_avg_sq=exp_avg_sq)
    _core.adam_step(param, grad, exp_avg, exp_avg_sq, *options)


def adam_steps(
    params: list[RealArray],
    grads: list[RealArray],
    exp_avgs: list[RealArray],
    exp_avg_sqs: list[RealArray],
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    steps: list[int],
) -> None:
    """`adam_step` of several parameters, each at a step of its own; raises as it does."""
    arrays = params, grads, exp_avgs, exp_avg_sqs
    try:
        _core.adam_steps(*arrays, lr, *betas, eps, weight_decay, decoupled, steps)
    except (TypeError, ValueError):  # two dtypes, or a fault that the checks will name
        options: dict[str, Any] = {"lr": lr, "betas": betas, "eps": eps}
        options |= {"weight_decay": weight_decay, "decoupled": decoupled}
        for *one, step in zip(*arrays, steps, strict=True):
            adam_step(*one, step=step, **options)


def sgd_rows(param: RealArray, rows: NDArray[np.int64], grad: RealArray, *, lr: float) -> None:
    """Take a step of plain gradient descent with some rows of `param` (V, ...), in place.

    Parameters
    ----------
    param : array (V, ...)
    rows : array of int64 (K)
        Ascending, each once.
    grad : array (K, ...)
        Their gradients.

    Raises
    ------
    TypeError, ValueError
        As `sgd_step`, and where rows do not ascend or lie outside the parameter.
    """
    _require_places(param=param)
    _require_dtype(param, grad=grad)
    _core.sgd_rows(param, rows, grad, lr)


def adam_rows(
    param: RealArray,
    rows: NDArray[np.int64],
    grad: RealArray,
    exp_avg: RealArray,
    exp_avg_sq: RealArray,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    step: int,
) -> None:
    """Take a step of Adam with some rows of `param`, in place; the others keep values and means.

    Parameters
    ----------
    param, exp_avg, exp_avg_sq : array (V, ...)
    rows : array of int64 (K)
        Ascending, each once.
    grad : array (K, ...)
        Their gradients.
    step : int
        Steps taken with the parameter, this one counted, whichever rows they were for.

    Raises
    ------
    TypeError, ValueError
        As `adam_step`, and where rows do not ascend or lie outside the parameter.
    """
    if step < 1:
        raise ValueError(f"step counts from 1, got {step}")
    _require_places(param=param, exp_avg=exp_avg, exp_avg_sq=exp_avg_sq)
    _require_dtype(param, grad=grad)
    _require_same(param, exp_avg=exp_avg, exp_avg_sq=exp_avg_sq)
    _core.adam_rows(param, rows, grad, exp_avg, exp_avg_sq, lr, *betas, eps, step)


def scale_(array: RealArray, factor: float) -> None:
    """Multiply `array` by `factor`, in place."""
    _require_places(array=array)
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


def _require_places(**arrays: RealArray | None) -> None:
    """Raise unless the arrays can be written in place; a copy would take the step and be lost."""
    for name, array in arrays.items():
        if array is None:
            continue
        if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
            kind = getattr(array, "dtype", type(array).__name__)
            raise TypeError(f"{name} must be a float32 or float64 NumPy array, got {kind}")
        if not array.flags.c_contiguous:
            raise ValueError(f"{name} must be in C order to be changed in place")
        if not array.flags.writeable:
            raise ValueError(f"{name} is read-only, it must be writeable to be changed in place")


def _require_same(param: RealArray, **arrays: RealArray | None) -> None:
    for name, array in arrays.items():
        if array is not None:
            _require_dtype(param, **{name: array})
            require_shape(array, name, param.shape, "the shape of param")


def _require_dtype(param: RealArray, **arrays: RealArray) -> None:
    for name, array in arrays.items():
        if array.dtype != param.dtype:
            raise TypeError(f"{name} is {array.dtype}, it must be {param.dtype} as param is")
