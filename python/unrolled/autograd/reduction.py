"""Functions of the tape that bring elements together: sums, maxima, softmax, matrix products."""
# `Function` says what forward and backward are, and the names say the rest:
# ruff: noqa: D101, D102

from __future__ import annotations

import numpy as np

from unrolled.autograd.elementwise import promote, unbroadcast
from unrolled.autograd.tape import Array, Function
from unrolled.ops.matmul import matmul
from unrolled.ops.softmax import (
    log_softmax,
    log_softmax_backward,
    softmax,
    softmax_backward,
)

Axis = int | tuple[int, ...] | None


def _restore(reduced: Array, axis: Axis, keepdims: bool) -> Array:
    """Put reduced axes back with size 1, so that the array broadcasts against the input."""
    return reduced if keepdims or axis is None else np.expand_dims(reduced, axis)


class Sum(Function):
    def forward(self, x: Array, *, axis: Axis, keepdims: bool) -> Array:
        self.shape, self.axis, self.keepdims = x.shape, axis, keepdims
        return x.sum(axis=axis, keepdims=keepdims)

    def backward(self, grad: Array) -> Array:
        return np.broadcast_to(_restore(grad, self.axis, self.keepdims), self.shape)


class Max(Function):
    """The largest element; several equal ones share its gradient evenly."""

    def forward(self, x: Array, *, axis: Axis, keepdims: bool) -> Array:
        self.axis, self.keepdims = axis, keepdims
        y = x.max(axis=axis, keepdims=keepdims)
        self.is_max = x == _restore(y, axis, keepdims)
        return y

    def backward(self, grad: Array) -> Array:
        ties = self.is_max.sum(axis=self.axis, keepdims=True).astype(grad.dtype)
        return _restore(grad, self.axis, self.keepdims) * self.is_max / ties


class Softmax(Function):
    def forward(self, x: Array, *, axis: int) -> Array:
        self.axis = axis
        self.y = softmax(np.moveaxis(x, axis, -1))
        return np.moveaxis(self.y, -1, axis)

    def backward(self, grad: Array) -> Array:
        grad_x = softmax_backward(np.moveaxis(grad, self.axis, -1), self.y)
        return np.moveaxis(grad_x, -1, self.axis)


class LogSoftmax(Function):
    def forward(self, x: Array, *, axis: int) -> Array:
        self.axis = axis
        self.y = log_softmax(np.moveaxis(x, axis, -1))
        return np.moveaxis(self.y, -1, axis)

    def backward(self, grad: Array) -> Array:
        grad_x = log_softmax_backward(np.moveaxis(grad, self.axis, -1), self.y)
        return np.moveaxis(grad_x, -1, self.axis)


class MatMul(Function):
    def forward(self, a: Array, b: Array) -> Array:
        self.a, self.b = promote(a, b)
        return matmul(self.a, self.b)

    def backward(self, grad: Array) -> tuple[Array | None, Array | None]:
        needs_a, needs_b = self.needs_input_grad
        a, b = self.a, self.b
        if b.ndim == 1:  # a vector on the right is a column, one on the left a row
            b, grad = b[:, None], grad[..., None]
        if a.ndim == 1:
            a, grad = a[None, :], grad[..., None, :]
        grad_a = unbroadcast(matmul(grad, b.swapaxes(-1, -2)), a.shape) if needs_a else None
        grad_b = unbroadcast(matmul(a.swapaxes(-1, -2), grad), b.shape) if needs_b else None
        return (
            grad_a.reshape(self.a.shape) if grad_a is not None else None,
            grad_b.reshape(self.b.shape) if grad_b is not None else None,
        )
