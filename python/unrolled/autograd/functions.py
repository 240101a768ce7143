"""Functions of several tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from unrolled.autograd.structure import Concatenate, Stack
from unrolled.autograd.tensor import Operand, Tensor


def as_tensor(value: Operand, dtype: DTypeLike | None = None) -> Tensor:
    """Return `value` itself if it is a tensor, else a tensor that holds it, in `dtype` if given.

    So NumPy's float64 arrays can be given to a float32 model, while tensors are never converted.
    """
    if isinstance(value, Tensor):
        return value
    tensor = Tensor(value)
    return tensor if dtype is None else Tensor(tensor.data.astype(dtype, copy=False))


def where(condition: ArrayLike, x: Operand, y: Operand) -> Tensor:
    """Take elements of `x` where `condition` holds and of `y` elsewhere.

    Parameters
    ----------
    condition : array-like of bool
    x, y : Tensor or array-like
        All three broadcast.

    Examples
    --------
    >>> x = Tensor([-2.0, 3.0])
    >>> where(x > 0, x, 0.1 * x)
    Tensor([-0.2,  3. ])
    """
    if isinstance(x, Tensor) or not isinstance(y, Tensor):
        return as_tensor(x).where(condition, y)
    return y.where(~np.asarray(condition, dtype=bool), x)


def concatenate(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Join tensors along an axis they have; all other axes must agree.

    Raises
    ------
    ValueError
        If there is nothing to join or the shapes do not fit.

    Examples
    --------
    >>> concatenate([Tensor([1.0]), Tensor([2.0, 3.0])])
    Tensor([1., 2., 3.])
    """
    return _joined(Concatenate, tensors, axis)


def stack(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis.

    Raises
    ------
    ValueError
        If there is nothing to join or the shapes differ.

    Examples
    --------
    >>> stack([Tensor([1.0, 2.0]), Tensor([3.0, 4.0])]).shape
    (2, 2)
    """
    return _joined(Stack, tensors, axis)


def _joined(function: type[Concatenate | Stack], tensors: Sequence[Operand], axis: int) -> Tensor:
    if len(tensors) == 0:
        raise ValueError("tensors: need at least one array to join")
    joined: Tensor = function.apply(*(as_tensor(tensor) for tensor in tensors), axis=axis)
    return joined
