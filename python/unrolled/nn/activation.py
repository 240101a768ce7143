"""Activations as functions of tensors and as modules for `Sequential`."""

from __future__ import annotations

from typing import Any

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import one_of
from unrolled.nn.module import Module
from unrolled.ops import activation as ops


class _Curve(Function):
    """An activation whose gradient is computed from its input, with its parameters."""

    def forward(self, x: Array, *, name: str, parameters: tuple[Any, ...]) -> Array:
        self.x, self.parameters = x, parameters
        self.gradient = getattr(ops, f"{name}_backward")
        y: Array = getattr(ops, name)(x, *parameters)
        return y

    def backward(self, grad_y: Array) -> Array:
        grad_x: Array = self.gradient(grad_y, self.x, *self.parameters)
        return grad_x


def _apply(name: str, x: Operand, *parameters: Any) -> Tensor:
    y: Tensor = _Curve.apply(as_tensor(x), name=name, parameters=parameters)
    return y


def relu(x: Operand) -> Tensor:
    """Return max(x, 0) of every element."""
    return as_tensor(x).relu()


def sigmoid(x: Operand) -> Tensor:
    """Return 1 / (1 + exp(-x)) of every element."""
    return as_tensor(x).sigmoid()


def tanh(x: Operand) -> Tensor:
    """Return the hyperbolic tangent of every element."""
    return as_tensor(x).tanh()


def leaky_relu(x: Operand, negative_slope: float = 0.01) -> Tensor:
    """Return x above 0 and ``negative_slope * x`` below."""
    return _apply("leaky_relu", x, negative_slope)


def elu(x: Operand, alpha: float = 1.0) -> Tensor:
    """Return x above 0 and ``alpha (exp(x) - 1)`` below."""
    return _apply("elu", x, alpha)


def gelu(x: Operand, approximate: str = "none") -> Tensor:
    """Return ``x P(X < x)`` for a standard normal X.

    Parameters
    ----------
    x : Tensor or array-like
    approximate : {"none", "tanh"}
        "tanh" for ``x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2``.

    Raises
    ------
    ValueError
        If `approximate` is neither.
    """
    return _apply("gelu", x, approximate)


def silu(x: Operand) -> Tensor:
    """Return ``x sigmoid(x)`` of every element."""
    return _apply("silu", x)


def softplus(x: Operand, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return ``log(1 + exp(beta x)) / beta``, and x itself where ``beta x > threshold``.

    Raises
    ------
    ValueError
        If `beta` is 0.
    """
    return _apply("softplus", x, beta, threshold)


def softmax(x: Operand, dim: int = -1) -> Tensor:
    """Return exp(x) divided by its sum along the axis `dim`."""
    return as_tensor(x).softmax(dim)


def log_softmax(x: Operand, dim: int = -1) -> Tensor:
    """Return the logarithm of exp(x) divided by its sum along the axis `dim`."""
    return as_tensor(x).log_softmax(dim)


class ReLU(Module):
    """``max(x, 0)`` of every element."""

    def forward(self, x: Operand) -> Tensor:
        """Return max(x, 0), of x's shape."""
        return relu(x)


class Sigmoid(Module):
    """``1 / (1 + exp(-x))`` of every element."""

    def forward(self, x: Operand) -> Tensor:
        """Return the logistic function of x, of its shape."""
        return sigmoid(x)


class Tanh(Module):
    """Hyperbolic tangent of every element."""

    def forward(self, x: Operand) -> Tensor:
        """Return tanh(x), of x's shape."""
        return tanh(x)


class LeakyReLU(Module):
    """``x`` above 0 and ``negative_slope * x`` below.

    Parameters
    ----------
    negative_slope : float

    References
    ----------
    Maas, Hannun, Ng: Rectifier nonlinearities improve neural network acoustic models (2013).
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Operand) -> Tensor:
        """Return the activation of x, of its shape."""
        return leaky_relu(x, self.negative_slope)


class ELU(Module):
    """``x`` above 0 and ``alpha (exp(x) - 1)`` below.

    Parameters
    ----------
    alpha : float
        Minus the limit for x to -inf.

    References
    ----------
    Clevert, Unterthiner, Hochreiter: Fast and accurate deep network learning by exponential
    linear units (2016).
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Operand) -> Tensor:
        """Return the activation of x, of its shape."""
        return elu(x, self.alpha)


class GELU(Module):
    """``x P(X < x)`` for a standard normal X.

    Parameters
    ----------
    approximate : {"none", "tanh"}
        "tanh" for ``x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2``.

    Raises
    ------
    ValueError
        If `approximate` is neither.

    References
    ----------
    Hendrycks, Gimpel: Gaussian error linear units (2016).
    """

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = one_of("approximate", approximate, ("none", "tanh"))

    def forward(self, x: Operand) -> Tensor:
        """Return the activation of x, of its shape."""
        return gelu(x, self.approximate)


class SiLU(Module):
    """``x sigmoid(x)``, also called swish.

    References
    ----------
    Elfwing, Uchibe, Doya: Sigmoid-weighted linear units (2018).
    """

    def forward(self, x: Operand) -> Tensor:
        """Return the activation of x, of its shape."""
        return silu(x)


class Softplus(Module):
    """``log(1 + exp(beta x)) / beta``, and x itself where ``beta x > threshold``.

    Parameters
    ----------
    beta, threshold : float

    Raises
    ------
    ValueError
        If `beta` is 0.
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        if beta == 0:
            raise ValueError("beta must not be 0")
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Operand) -> Tensor:
        """Return the activation of x, of its shape."""
        return softplus(x, self.beta, self.threshold)


class Softmax(Module):
    """Probabilities: exp(x) divided by its sum along one axis.

    Parameters
    ----------
    dim : int
        The axis, counted from the end if negative.

    Examples
    --------
    >>> Softmax(dim=1)([[0.0, 0.0], [1.0, 1.0]])
    Tensor([[0.5, 0.5],
            [0.5, 0.5]])
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Operand) -> Tensor:
        """Return the probabilities, of x's shape."""
        return softmax(x, self.dim)


class LogSoftmax(Module):
    """Natural logarithms of `Softmax`, accurate where that is close to 0.

    Parameters
    ----------
    dim : int
        The axis, counted from the end if negative.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Operand) -> Tensor:
        """Return the logarithms, of x's shape."""
        return log_softmax(x, self.dim)
