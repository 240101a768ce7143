"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from unrolled.autograd import Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import probability
from unrolled.nn.module import Module
from unrolled.random import generator


def _dropped(x: Tensor, p: float, training: bool, shape: tuple[int, ...]) -> Tensor:
    """Multiply x with a mask of `shape`, which broadcasts: 0 with probability p, or 1 / (1 - p)."""
    p = probability("p", p)
    if not training or p == 0:
        return x
    return x * drop_mask(shape, p, x.dtype)


def drop_mask(shape: tuple[int, ...], p: float, dtype: np.dtype[Any]) -> Array:
    """Draw factors that are 0 with probability p, or 1 / (1 - p)."""
    kept = generator().random(shape, dtype=np.float32) >= p
    scale = 0.0 if p == 1 else 1 / (1 - p)
    mask: Array = kept * dtype.type(scale)
    return mask


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
    x = as_tensor(x)
    return _dropped(x, p, training, x.shape)


def dropout1d(x: Operand, p: float = 0.5, training: bool = True) -> Tensor:
    """Set whole channels to 0 with probability `p` and scale the others by 1 / (1 - p).

    Parameters
    ----------
    x : Tensor or array-like (N, C, L) or (C, L)
    p : float
        In [0, 1].
    training : bool
        Without it x is returned as it is.

    Raises
    ------
    ValueError
        If `p` lies outside [0, 1], or x has other axes.
    """
    x = as_tensor(x)
    _require_axes(x, "N, C, L", "C, L")
    return _dropped(x, p, training, (*x.shape[:-1], 1))


def dropout2d(x: Operand, p: float = 0.5, training: bool = True) -> Tensor:
    """Set whole channels to 0 with probability `p` and scale the others by 1 / (1 - p).

    Parameters
    ----------
    x : Tensor or array-like (N, C, H, W) or (N, C, L)
        Three axes are a batch of rows, not one image: PyTorch's rule.
    p : float
        In [0, 1].
    training : bool
        Without it x is returned as it is.

    Raises
    ------
    ValueError
        If `p` lies outside [0, 1], or x has other axes.
    """
    x = as_tensor(x)
    _require_axes(x, "N, C, H, W", "N, C, L")
    return _dropped(x, p, training, (*x.shape[:2], *[1] * (x.ndim - 2)))


def _require_axes(x: Tensor, *forms: str) -> None:
    if x.ndim not in [form.count(",") + 1 for form in forms]:
        raise ValueError(f"x must have the axes ({') or ('.join(forms)}), got shape {x.shape}")


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


class Dropout1d(Module):
    """Set whole channels of rows to 0 with probability `p` in training; scale the others.

    Parameters
    ----------
    p : float
        In [0, 1]; the others are multiplied with 1 / (1 - p).

    Raises
    ------
    ValueError
        If `p` lies outside.

    References
    ----------
    Tompson, Goroshin, Jain, LeCun, Bregler: Efficient object localization using convolutional
    networks (2015), section 3.2.
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = probability("p", p)

    def forward(self, x: Operand) -> Tensor:
        """Return x (N, C, L) or (C, L) with channels dropped, or x itself after ``eval()``."""
        return dropout1d(x, self.p, self.training)


class Dropout2d(Module):
    """Set whole channels of images to 0 with probability `p` in training; scale the others.

    Neighbouring pixels say nearly the same, so that dropping single ones hides little.

    Parameters
    ----------
    p : float
        In [0, 1]; the others are multiplied with 1 / (1 - p).

    Raises
    ------
    ValueError
        If `p` lies outside.

    References
    ----------
    Tompson, Goroshin, Jain, LeCun, Bregler: Efficient object localization using convolutional
    networks (2015), section 3.2.
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = probability("p", p)

    def forward(self, x: Operand) -> Tensor:
        """Return x (N, C, H, W) with channels dropped, or x itself after ``eval()``."""
        return dropout2d(x, self.p, self.training)
