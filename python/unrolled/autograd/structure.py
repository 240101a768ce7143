"""Functions of the tape that move elements: reshape, transpose, index, join."""
# `Function` says what forward and backward are, and the names say the rest:
# ruff: noqa: D101, D102

from __future__ import annotations

from types import EllipsisType
from typing import Any

import numpy as np

from unrolled.autograd.tape import Array, Function


class Reshape(Function):
    def forward(self, x: Array, *, shape: tuple[int, ...]) -> Array:
        self.shape = x.shape
        return x.reshape(shape)

    def backward(self, grad: Array) -> Array:
        return grad.reshape(self.shape)


class Transpose(Function):
    def forward(self, x: Array, *, axes: tuple[int, ...]) -> Array:
        self.inverse = np.argsort(axes)
        return x.transpose(axes)

    def backward(self, grad: Array) -> Array:
        return grad.transpose(self.inverse)


class Index(Function):
    def forward(self, x: Array, *, index: Any) -> Array:
        self.shape, self.index = x.shape, index
        return x[index]

    def backward(self, grad: Array) -> Array:
        grad_x = np.zeros(self.shape, grad.dtype)
        if _names_elements_once(self.index):
            grad_x[self.index] = grad
        else:
            np.add.at(grad_x, self.index, grad)
        return grad_x


def _names_elements_once(index: Any) -> bool:
    """Whether an index is basic: slices, integers, None, Ellipsis, no arrays."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or isinstance(part, (int, slice, EllipsisType)) for part in parts)


class Concatenate(Function):
    def forward(self, *arrays: Array, axis: int) -> Array:
        self.axis = axis
        self.ends = np.cumsum([array.shape[axis] for array in arrays])[:-1]
        return np.concatenate(arrays, axis=axis)

    def backward(self, grad: Array) -> tuple[Array, ...]:
        return tuple(np.split(grad, self.ends, axis=self.axis))


class Stack(Function):
    def forward(self, *arrays: Array, axis: int) -> Array:
        self.axis = axis
        return np.stack(arrays, axis=axis)

    def backward(self, grad: Array) -> tuple[Array, ...]:
        return tuple(np.moveaxis(grad, self.axis, 0))
