"""Functions of the tape that work element by element, broadcasting as NumPy does."""
# `Function` says what forward and backward are, and the names say the rest:
# ruff: noqa: D101, D102

from __future__ import annotations

import numpy as np

from unrolled.autograd.tape import Array, Function
from unrolled.ops.activation import (
    exp,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)


def promote(a: Array, b: Array) -> tuple[Array, Array]:
    """Bring two arrays to one dtype, in which a 0-d array has no say beside a larger one.

    NumPy 1 and 2 disagree about scalars; they must not turn float32 into float64 in either.
    """
    if a.dtype == b.dtype:
        return a, b
    if (a.ndim == 0) == (b.ndim == 0):
        dtype = np.result_type(a.dtype, b.dtype)
    else:
        dtype = b.dtype if a.ndim == 0 else a.dtype
    return a.astype(dtype, copy=False), b.astype(dtype, copy=False)


def unbroadcast(grad: Array, shape: tuple[int, ...]) -> Array:
    """Sum `grad` over the axes along which an array of `shape` was broadcast."""
    if grad.shape == shape:
        return grad
    added = tuple(range(grad.ndim - len(shape)))
    grad = grad.sum(axis=added) if added else grad
    stretched = tuple(axis for axis, size in enumerate(shape) if size == 1 != grad.shape[axis])
    return grad.sum(axis=stretched, keepdims=True) if stretched else grad


class Broadcast(Function):
    """A function that broadcasts two arrays and needs only their shapes for its gradients."""

    def operands(self, a: Array, b: Array) -> tuple[Array, Array]:
        self.shapes = a.shape, b.shape
        return promote(a, b)

    def to_operands(self, grad_a: Array, grad_b: Array) -> tuple[Array | None, Array | None]:
        needs_a, needs_b = self.needs_input_grad[-2:]
        return (
            unbroadcast(grad_a, self.shapes[0]) if needs_a else None,
            unbroadcast(grad_b, self.shapes[1]) if needs_b else None,
        )


class Add(Broadcast):
    def forward(self, a: Array, b: Array) -> Array:
        a, b = self.operands(a, b)
        return a + b

    def backward(self, grad: Array) -> tuple[Array | None, Array | None]:
        return self.to_operands(grad, grad)


class Sub(Broadcast):
    def forward(self, a: Array, b: Array) -> Array:
        a, b = self.operands(a, b)
        return a - b

    def backward(self, grad: Array) -> tuple[Array | None, Array | None]:
        return self.to_operands(grad, -grad)


class Where(Broadcast):
    def forward(self, condition: Array, a: Array, b: Array) -> Array:
        self.condition = condition
        a, b = self.operands(a, b)
        return np.where(condition, a, b)

    def backward(self, grad: Array) -> tuple[Array | None, ...]:
        grad_a, grad_b = np.where(self.condition, grad, 0), np.where(self.condition, 0, grad)
        return None, *self.to_operands(grad_a, grad_b)


class Binary(Function):
    """A function of two arrays whose gradients need both: kept as `a` and `b`, in one dtype."""

    def forward(self, a: Array, b: Array) -> Array:
        self.a, self.b = promote(a, b)
        return self.value()

    def backward(self, grad: Array) -> tuple[Array | None, Array | None]:
        needs_a, needs_b = self.needs_input_grad
        return (
            unbroadcast(self.grad_a(grad), self.a.shape) if needs_a else None,
            unbroadcast(self.grad_b(grad), self.b.shape) if needs_b else None,
        )

    def value(self) -> Array:
        raise NotImplementedError

    def grad_a(self, grad: Array) -> Array:
        raise NotImplementedError

    def grad_b(self, grad: Array) -> Array:
        raise NotImplementedError


class Mul(Binary):
    def value(self) -> Array:
        return self.a * self.b

    def grad_a(self, grad: Array) -> Array:
        return grad * self.b

    def grad_b(self, grad: Array) -> Array:
        return grad * self.a


class Div(Binary):
    def value(self) -> Array:
        return self.a / self.b

    def grad_a(self, grad: Array) -> Array:
        return grad / self.b

    def grad_b(self, grad: Array) -> Array:
        return -grad * self.a / (self.b * self.b)


class Pow(Binary):
    def value(self) -> Array:
        self.y = self.a**self.b
        return self.y

    def grad_a(self, grad: Array) -> Array:
        # With exponent 0 the derivative is 0 everywhere, also where a ** -1 has a pole.
        exponent = np.where(self.b == 0, 1, self.b - 1)
        return grad * self.b * self.a**exponent

    def grad_b(self, grad: Array) -> Array:
        # 0 ** b stays 0 when b grows: its derivative there is 0, not 0 * log(0).
        log_a = np.log(np.where(self.a == 0, 1, self.a))
        return grad * self.y * log_a


class Neg(Function):
    def forward(self, x: Array) -> Array:
        return -x

    def backward(self, grad: Array) -> Array:
        return -grad


class Exp(Function):
    def forward(self, x: Array) -> Array:
        self.y = exp(x)
        return self.y

    def backward(self, grad: Array) -> Array:
        return grad * self.y


class Log(Function):
    def forward(self, x: Array) -> Array:
        self.x = x
        return np.log(x)

    def backward(self, grad: Array) -> Array:
        return grad / self.x


class Tanh(Function):
    def forward(self, x: Array) -> Array:
        self.y = tanh(x)
        return self.y

    def backward(self, grad: Array) -> Array:
        return tanh_backward(grad, self.y)


class Sigmoid(Function):
    def forward(self, x: Array) -> Array:
        self.y = sigmoid(x)
        return self.y

    def backward(self, grad: Array) -> Array:
        return sigmoid_backward(grad, self.y)


class ReLU(Function):
    def forward(self, x: Array) -> Array:
        self.y = relu(x)
        return self.y

    def backward(self, grad: Array) -> Array:
        return relu_backward(grad, self.y)


class Clip(Function):
    def forward(self, x: Array, *, min: float | None, max: float | None) -> Array:
        y = np.clip(x, min, max)
        self.inside = x == y
        return y

    def backward(self, grad: Array) -> Array:
        return grad * self.inside
