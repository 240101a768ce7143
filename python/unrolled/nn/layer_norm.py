"""Layer normalisation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import positive
from unrolled.nn.module import Module, Parameter
from unrolled.ops.norm import layer_norm as layer_norm_forward
from unrolled.ops.norm import layer_norm_backward

Grads = tuple[Array, Array | None, Array | None]


class _LayerNormFunction(Function):
    """Normalisation of every item over its last axes."""

    def forward(
        self,
        x: Array,
        weight: Array | None,
        bias: Array | None,
        *,
        normalized_shape: tuple[int, ...],
        eps: float,
    ) -> Array:
        y, mean, inverse = layer_norm_forward(x, normalized_shape, weight, bias, eps=eps)
        self.saved, self.has_bias = (x, normalized_shape, weight, mean, inverse), bias is not None
        return y

    def backward(self, grad_y: Array) -> Grads:
        grad_x, grad_weight, grad_bias = layer_norm_backward(grad_y, *self.saved)
        return grad_x, grad_weight, grad_bias if self.has_bias else None


def layer_norm(
    x: Operand,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Give every item mean 0 and variance 1 over its last axes, then scale and shift it.

    Parameters
    ----------
    x : Tensor or array-like (..., *normalized_shape)
    normalized_shape : int or sequence of int
        The axes over which mean and variance are taken.
    weight, bias : Tensor of normalized_shape, optional
        Scale and shift.
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor, of x's shape

    Raises
    ------
    ValueError
        If the shapes do not fit, or there is nothing to normalise over.
    """
    y: Tensor = _LayerNormFunction.apply(
        as_tensor(x, None if weight is None else weight.dtype),
        weight,
        bias,
        normalized_shape=_as_shape(normalized_shape),
        eps=eps,
    )
    return y


def _as_shape(sizes: int | Sequence[int]) -> tuple[int, ...]:
    return tuple(sizes) if isinstance(sizes, Sequence) else (sizes,)


class LayerNorm(Module):
    """Give every item mean 0 and variance 1 over its last axes, then a learned scale and shift.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The sizes of these axes.
    eps : float
        Added to the (biased) variance.
    elementwise_affine : bool
        Whether there is a `weight`.
    bias : bool
        Whether there is a `bias` too.

    Attributes
    ----------
    weight, bias : Parameter of normalized_shape, or None

    Raises
    ------
    ValueError
        If a size is not an integer of at least 1.

    References
    ----------
    Ba, Kiros, Hinton: Layer normalization (2016), section 3.

    Examples
    --------
    >>> LayerNorm(2)([[1.0, 3.0], [0.0, 200.0]])
    Tensor([[-0.999995,  0.999995],
            [-1.      ,  1.      ]], requires_grad=True)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        self.normalized_shape = _as_shape(normalized_shape)
        for axis, size in enumerate(self.normalized_shape):
            positive(**{f"normalized_shape[{axis}]": size})
        self.eps = eps
        shape = self.normalized_shape
        self.weight = Parameter(np.ones(shape, np.float32)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(shape, np.float32)) if elementwise_affine and bias else None

    def forward(self, x: Operand) -> Tensor:
        """Normalise x (..., *normalized_shape)."""
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
