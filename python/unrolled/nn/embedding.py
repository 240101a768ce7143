"""Embeddings: a row of a table for every number."""

from __future__ import annotations

from typing import Any, TypeVar

from numpy.typing import ArrayLike, NDArray

from unrolled._arrays import as_indices, require_axes
from unrolled.autograd import Function, RowGradient, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import positive
from unrolled.nn.init import normal
from unrolled.nn.module import Module
from unrolled.ops.embedding import embedding as look_up
from unrolled.ops.embedding import embedding_backward, embedding_backward_rows

Self = TypeVar("Self", bound="Embedding")


class _EmbeddingFunction(Function):
    """The look-up on the tape."""

    gives_new_arrays = True

    def forward(
        self, weight: Array, ids: NDArray[Any], *, padding_idx: int | None, sparse: bool
    ) -> Array:
        self.ids, self.count, self.padding_idx, self.sparse = ids, len(weight), padding_idx, sparse
        return look_up(ids, weight)

    def backward(self, grad_y: Array) -> Any:
        arguments = grad_y, self.ids, self.count, self.padding_idx
        if self.sparse:
            return RowGradient(*embedding_backward_rows(*arguments), self.count), None
        return embedding_backward(*arguments), None


def embedding(
    ids: ArrayLike, weight: Operand, padding_idx: int | None = None, *, sparse: bool = False
) -> Tensor:
    """Look rows of a table up.

    Parameters
    ----------
    ids : array-like of int (...)
        In 0 .. V - 1.
    weight : Tensor or array-like (V, D)
    padding_idx : int, optional
        A row that gets no gradient; below 0 counted from the end.
    sparse : bool
        Whether the gradient by a weight that was not computed from others is a `RowGradient`.

    Returns
    -------
    Tensor (..., D)

    Raises
    ------
    ValueError
        If a number is no row (the message says where it stands), or `weight` has not two axes.
    TypeError
        If `ids` are not whole numbers.
    """
    weight = as_tensor(weight)
    require_axes(weight.data, "weight", "V, D")
    y: Tensor = _EmbeddingFunction.apply(
        weight,
        as_indices(ids, "ids"),
        padding_idx=row_or_none("padding_idx", padding_idx, len(weight)),
        sparse=sparse,
    )
    return y


class Embedding(Module):
    """A row of a table for every number: ``weight[ids]``.

    That is the product of one-hot vectors with the table, without the zeros. PyTorch's `max_norm`,
    which shortens rows as they are looked up, and `scale_grad_by_freq` are left out.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows of the table, V, and size of a row, D.
    padding_idx : int, optional
        A row that is 0 at first and gets no gradient; below 0 counted from the end.
    sparse : bool
        Whether the gradient holds only the rows that were looked up (`RowGradient`): with
        `unrolled.optim.SGD` or `SparseAdam` a step's time is then independent of V.
    std : float
        Standard deviation of the weights at first; 1 as in PyTorch. A table that is the weight of
        an output layer too begins better at ``D ** -0.5``.
    frozen : bool
        Whether the table stays as it is: it gets no gradient, and optimizers pass it over.

    Attributes
    ----------
    weight : Parameter (V, D)
    padding_idx : int or None
        At least 0.

    Raises
    ------
    ValueError
        If a size is below 1, `padding_idx` is no row, or `std` is below 0.

    Examples
    --------
    >>> from unrolled import nn
    >>> letters = nn.Embedding(10, 4, padding_idx=0)
    >>> letters([[1, 2, 0]]).shape
    (1, 3, 4)
    >>> output = nn.Linear(4, 10, bias=False)
    >>> output.weight = letters.weight  # tied: one table in two places, trained and saved as one
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
        if not std >= 0:
            raise ValueError(f"std must be at least 0, not {std}")
        self.padding_idx = row_or_none("padding_idx", padding_idx, num_embeddings)
        self.sparse = sparse
        self.weight = normal((num_embeddings, embedding_dim), std)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0
        self.weight.requires_grad = not frozen

    @classmethod
    def from_pretrained(
        cls: type[Self],
        embeddings: ArrayLike,
        freeze: bool = True,
        padding_idx: int | None = None,
        *,
        sparse: bool = False,
    ) -> Self:
        """Make a layer of a table that was trained elsewhere.

        Parameters
        ----------
        embeddings : array-like (V, D)
            Copied, the row of padding too. float64 stays so.
        freeze : bool
            Whether it stays as it is.
        padding_idx, sparse
            As for the constructor.

        Raises
        ------
        ValueError
            If `embeddings` has not two axes, or `padding_idx` is no row.

        Examples
        --------
        >>> from unrolled import nn
        >>> nn.Embedding.from_pretrained([[1.0, 2.0], [3.0, 4.0]])([1]).data
        array([[3., 4.]], dtype=float32)
        """
        table = Tensor(embeddings).data
        require_axes(table, "embeddings", "V, D")
        rows, size = table.shape
        layer = cls(rows, size, padding_idx, sparse=sparse, std=0.0, frozen=freeze)
        layer.to(table.dtype).weight.data[...] = table
        return layer

    def forward(self, ids: ArrayLike) -> Tensor:
        """Map ids (...) to (..., D)."""
        return embedding(ids, self.weight, self.padding_idx, sparse=self.sparse)


def row_or_none(name: str, row: int | None, rows: int) -> int | None:
    """Return a row counted from the end as counted from the start.

    Raises
    ------
    ValueError
        If it lies in no table of so many rows.
    """
    if row is None:
        return None
    if not -rows <= row < rows:
        raise ValueError(f"{name} must lie in {-rows} .. {rows - 1} (the table's rows), not {row}")
    return row % rows
