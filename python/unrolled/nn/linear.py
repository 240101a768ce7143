"""The affine map."""

from __future__ import annotations

from typing import Any

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import positive
from unrolled.nn.init import uniform
from unrolled.nn.module import Module
from unrolled.ops.matmul import linear as linear_forward
from unrolled.ops.matmul import linear_backward


class _LinearFunction(Function):
    """The affine map on the tape."""

    gives_new_arrays = True

    def forward(
        self, x: Array, weight: Array, bias: Array | None, *, activation: str | None
    ) -> Array:
        self.x, self.weight, self.has_bias = x, weight, bias is not None
        y = linear_forward(x, weight, bias, activation=activation)
        self.y = y if activation else None
        return y

    def backward(self, grad_y: Array) -> Any:
        return linear_backward(
            grad_y,
            self.x,
            self.weight,
            bias=self.has_bias,
            y=self.y,
            input_gradient=self.needs_input_grad[0],
        )


def linear(
    x: Operand,
    weight: Operand,
    bias: Tensor | None = None,
    *,
    activation: str | None = None,
) -> Tensor:
    """Return ``x @ weight.T + bias``.

    Parameters
    ----------
    x : Tensor or array-like (..., D)
    weight : Tensor or array-like (O, D)
    bias : Tensor (O), optional
    activation : None or "relu"
        Applied to the result.

    Returns
    -------
    Tensor (..., O)

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    weight = as_tensor(weight)
    y: Tensor = _LinearFunction.apply(
        as_tensor(x, weight.dtype), weight, bias, activation=activation
    )
    return y


class Linear(Module):
    """``y = x @ weight.T + bias`` over the last axis.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of the last axis of x, D, and of y, O.
    bias : bool
        Whether there is one.

    Attributes
    ----------
    weight : Parameter (O, D)
    bias : Parameter (O) or None

    Raises
    ------
    ValueError
        If a size is below 1.

    Examples
    --------
    >>> Linear(3, 2)([[1.0, 2.0, 3.0]]).shape
    (1, 2)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        positive(in_features=in_features, out_features=out_features)
        self.weight = uniform((out_features, in_features), fan=in_features)
        self.bias = uniform((out_features,), fan=in_features) if bias else None

    def forward(self, x: Operand) -> Tensor:
        """Map x (..., D) to (..., O)."""
        return linear(x, self.weight, self.bias)

    def with_relu(self, x: Operand) -> Tensor:
        """Map x to what a ReLU behind this layer gives, in one pass."""
        return linear(x, self.weight, self.bias, activation="relu")
