"""Embeddings: a row of a table for every number."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import positive
from unrolled.nn.init import normal
from unrolled.nn.module import Module
from unrolled.ops.embedding import embedding as look_up
from unrolled.ops.embedding import embedding_backward


class _EmbeddingFunction(Function):
    """The look-up on the tape."""

    gives_new_arrays = True

    def forward(self, weight: Array, ids: Any, *, padding_idx: int | None, sparse: bool) -> Array:
        self.ids, self.rows, self.padding_idx, self.sparse = ids, len(weight), padding_idx, sparse
        return look_up(ids, weight)

    def backward(self, grad_y: Array) -> Any:
        return embedding_backward(grad_y, self.ids, self.rows, self.padding_idx), None


def embedding(
    ids: ArrayLike, weight: Operand, padding_idx: int | None = None, *, sparse: bool = False
) -> Tensor:
    """Return the rows of a table that `ids` name."""
    y: Tensor = _EmbeddingFunction.apply(
        as_tensor(weight), ids, padding_idx=padding_idx, sparse=sparse
    )
    return y


class Embedding(Module):
    """A row of a table for every number: ``weight[ids]``.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows of the table, V, and size of a row, D.
    padding_idx : int, optional
        A row that is 0 at first and gets no gradient; below 0 counted from the end.
    sparse : bool
        Whether the gradient holds only the rows that were looked up.
    std : float
        Standard deviation of the weights at first.
    frozen : bool
        Whether the table stays as it is: it has no gradient.

    Attributes
    ----------
    weight : Parameter (V, D)

    Examples
    --------
    >>> from unrolled import nn
    >>> nn.Embedding(10, 4)([[1, 2, 9]]).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        sparse: bool = False,
        std: float = 1.0,
        frozen: bool = False,
    ) -> None:
        positive(num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.weight = normal((num_embeddings, embedding_dim), std)
        self.padding_idx, self.sparse = padding_idx, sparse
        if padding_idx is not None:
            self.weight.data[padding_idx] = 0
        self.weight.requires_grad = not frozen

    def forward(self, ids: ArrayLike) -> Tensor:
        """Map ids (...) to (..., D)."""
        return embedding(ids, self.weight, self.padding_idx, sparse=self.sparse)
