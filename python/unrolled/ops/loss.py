"""Losses: cross entropy, negative log-likelihood, squared error, Kullback-Leibler divergence.

Every loss comes in two forms: the value alone, and ``..._and_grad``, which gives value and gradient
from one pass over the scores.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray, as_indices, as_numpy, as_reals, require_shape

# A reduced loss is a float, and with reduction="none" an array.
Loss = Any


def cross_entropy(
    x: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Loss:
    """Negative log-probability of the target class under the softmax of scores.

    Parameters
    ----------
    x : array, shape (C,), (N, C) or (N, C, ...)
        Scores (logits) of C classes; the class axis is the second, or the only one.
    target : array of int, shape of x without the class axis, or of float, shape of x
        The class of every position, or probabilities of all classes.
    weight : array, shape (C,), optional
        Weight of every class.
    ignore_index : int
        Positions with this class count nothing, and their gradient is 0.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the sum of the weights of all classes in `target` (for probabilities, by
        the number of positions).
    label_smoothing : float
        In [0, 1]: the part of every target that is spread evenly over all classes.

    Returns
    -------
    float, or array of the shape of x without the class axis with ``reduction="none"``

    Raises
    ------
    ValueError
        Shapes do not fit; a target is no class (the message names its item); or the mean is over
        nothing: no position, all of them `ignore_index`, or weights that sum to 0.
    TypeError
        `target` holds neither classes nor probabilities.

    Examples
    --------
    >>> round(cross_entropy([[2.0, 0.0], [0.0, 0.0]], [0, 1]), 4)
    0.41
    """
    return _cross_entropy(x, target, weight, ignore_index, reduction, label_smoothing, False)[0]


def cross_entropy_and_grad(
    x: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Loss, RealArray]:
    """`cross_entropy` and its gradient by the scores, from one pass.

    Parameters and errors are those of `cross_entropy`.

    Returns
    -------
    loss : float or array
    grad_x : array, shape of x
        Of the reduced loss; with ``reduction="none"`` each position's by its own loss.
    """
    return _cross_entropy(x, target, weight, ignore_index, reduction, label_smoothing, True)


def nll_loss(
    x: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Loss:
    """Negative log-likelihood: minus the log-probability of the target class.

    Parameters
    ----------
    x : array, shape (C,), (N, C) or (N, C, ...)
        Natural logarithms of probabilities.
    target : array of int, shape of x without the class axis
    weight, ignore_index, reduction
        As for `cross_entropy`.

    Returns
    -------
    float, or array of the shape of x without the class axis with ``reduction="none"``

    Raises
    ------
    ValueError, TypeError
        As for `cross_entropy`.
    """
    return _nll(x, target, weight, ignore_index, reduction, False)[0]


def nll_loss_and_grad(
    x: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> tuple[Loss, RealArray]:
    """`nll_loss` and its gradient by the log-probabilities."""
    return _nll(x, target, weight, ignore_index, reduction, True)


def mse_loss(x: Any, target: Any, *, reduction: str = "mean") -> Loss:
    """Squared error ``(x - target)^2`` of every element.

    Parameters
    ----------
    x, target : array of one shape
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    float, or array of the shape of x with ``reduction="none"``

    Raises
    ------
    ValueError
        The shapes differ, or the mean is over no element.
    """
    return _mse(x, target, reduction, False)[0]


def mse_loss_and_grad(x: Any, target: Any, *, reduction: str = "mean") -> tuple[Loss, RealArray]:
    """`mse_loss` and its gradient by `x`, ``2 (x - target)``; that by `target` is its negative."""
    return _mse(x, target, reduction, True)


def kl_div(x: Any, target: Any, *, reduction: str = "mean", log_target: bool = False) -> Loss:
    """Kullback-Leibler divergence of `target` from `x`: ``target (log(target) - x)``.

    Parameters
    ----------
    x : array
        Natural logarithms of probabilities.
    target : array, shape of x
        Probabilities, or with `log_target` their logarithms.
    reduction : {"mean", "batchmean", "sum", "none"}
        "batchmean" divides by the size of the first axis, which is the divergence's definition;
        "mean" divides by the number of elements, as PyTorch does.
    log_target : bool

    Returns
    -------
    float, or array of the shape of x with ``reduction="none"``

    Raises
    ------
    ValueError
        The shapes differ, the mean is over nothing, or a probability is negative.
    """
    return _kl(x, target, reduction, log_target, False)[0]


def kl_div_and_grad(
    x: Any, target: Any, *, reduction: str = "mean", log_target: bool = False
) -> tuple[Loss, RealArray]:
    """`kl_div` and its gradient by `x`, minus the target's probabilities."""
    return _kl(x, target, reduction, log_target, True)


def _cross_entropy(
    x: Any,
    target: Any,
    weight: Any,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
    with_grad: bool,
) -> tuple[Loss, Any]:
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must lie in [0, 1], got {label_smoothing}")
    x, target = as_numpy(x, "x"), as_numpy(target, "target")
    # No labels at all have the dtype of an empty list, which is float.
    if target.dtype.kind == "f" and (target.size > 0 or target.shape == x.shape):
        x, weight, target = as_reals(x=x, weight=weight, target=target)
        _check_scores(x, weight, reduction)
        _check_probabilities(target, x)
        return _core.cross_entropy_mixture(x, target, weight, label_smoothing, reduction, with_grad)
    x, weight = as_reals(x=x, weight=weight)
    _check_scores(x, weight, reduction)
    labels = _labels(target, x)
    return _core.cross_entropy(
        x, labels, weight, ignore_index, label_smoothing, reduction, with_grad
    )


def _nll(
    x: Any, target: Any, weight: Any, ignore_index: int, reduction: str, with_grad: bool
) -> tuple[Loss, Any]:
    x, weight = as_reals(x=x, weight=weight)
    _check_scores(x, weight, reduction)
    return _core.nll(x, _labels(target, x), weight, ignore_index, reduction, with_grad)


def _mse(x: Any, target: Any, reduction: str, with_grad: bool) -> tuple[Loss, Any]:
    x, target = _pair(x, target)
    scale = _scale(x, reduction, ("mean", "sum", "none"))
    loss, grad = _core.squared_error(x, target, scale, reduction == "none", with_grad)
    return (loss if reduction == "none" else scale * loss), grad


def _kl(x: Any, target: Any, reduction: str, log_target: bool, with_grad: bool) -> tuple[Loss, Any]:
    x, target = _pair(x, target)
    if not log_target and target.size and target.min() < 0:
        at = np.unravel_index(int(np.argmin(target)), target.shape)
        raise ValueError(
            f"target holds the negative probability {target[at]} at {tuple(map(int, at))}; "
            "if these are logarithms, pass log_target=True"
        )
    scale = _scale(x, reduction, ("mean", "batchmean", "sum", "none"))
    loss, grad = _core.divergence(x, target, log_target, scale, reduction == "none", with_grad)
    return (loss if reduction == "none" else scale * loss), grad


def _check_scores(x: RealArray, weight: RealArray | None, reduction: str) -> None:
    class_axis = 0 if x.ndim == 1 else 1
    if x.ndim == 0 or x.shape[class_axis] == 0:
        raise ValueError(f"x must have the axes (N, C, ...) or (C), C >= 1, got shape {x.shape}")
    if weight is not None:
        require_shape(weight, "weight", (x.shape[class_axis],), "the classes of x")
    _check_reduction(reduction, ("mean", "sum", "none"))


def _check_probabilities(target: RealArray, x: RealArray) -> None:
    if target.shape == _positions(x):
        raise TypeError(f"target must be classes, whole numbers, got dtype {target.dtype}")
    require_shape(target, "target", x.shape, "that of x, for probabilities")


def _labels(target: Any, x: RealArray) -> NDArray[np.int64]:
    """Check classes, one for each position."""
    labels = as_indices(target, "target")
    shape = np.shape(target)  # that of labels has an axis for a scalar
    if shape != _positions(x):
        require_shape(
            labels.reshape(shape), "target", _positions(x), "that of x without its class axis"
        )
    return labels


def _positions(x: RealArray) -> tuple[int, ...]:
    return x.shape[:1] * (x.ndim > 1) + x.shape[2:]


def _pair(x: Any, target: Any) -> tuple[RealArray, RealArray]:
    x, target = as_reals(x=x, target=target)
    require_shape(target, "target", x.shape, "that of x; nothing is broadcast")
    return x, target


def _scale(x: RealArray, reduction: str, known: tuple[str, ...]) -> float:
    """Return what the sum of all elements' losses is multiplied with."""
    _check_reduction(reduction, known)
    if reduction in ("sum", "none"):
        return 1.0
    count = x.size if reduction == "mean" else (x.shape[0] if x.ndim else 1)
    if count == 0:
        raise ValueError(f"x has nothing to average, its shape is {x.shape}")
    return 1 / count


def _check_reduction(reduction: str, known: tuple[str, ...]) -> None:
    if reduction not in known:
        raise ValueError(f"reduction must be one of {', '.join(known)}, got {reduction!r}")
