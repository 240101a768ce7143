"""Tensors that record what is computed with them, and gradients from the record."""

from unrolled.autograd.functions import as_tensor, concatenate, stack, where
from unrolled.autograd.row_gradient import RowGradient
from unrolled.autograd.tape import Function, no_grad
from unrolled.autograd.tensor import Tensor

__all__ = [
    "Function",
    "RowGradient",
    "Tensor",
    "as_tensor",
    "concatenate",
    "no_grad",
    "stack",
    "where",
]
