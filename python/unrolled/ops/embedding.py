"""Rows of a table by their numbers, and the gradient by the table, whole or of the rows met."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import RealArray, as_indices, as_reals


def embedding(ids: Any, weight: Any) -> RealArray:
    """Look rows of a table up: ``weight[ids]``.

    Parameters
    ----------
    ids : array of int (...)
        In 0 .. V - 1.
    weight : array (V, D)

    Returns
    -------
    array (..., D)

    Raises
    ------
    ValueError
        If a number is no row (the message says where it stands), or `weight` has not two axes.
    TypeError
        If `ids` are not whole numbers.

    Examples
    --------
    >>> from unrolled.ops.embedding import embedding
    >>> embedding([2, 0], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    array([[5., 6.],
           [1., 2.]], dtype=float32)
    """
    (weight,) = as_reals(weight=weight)
    y: RealArray = weight[as_indices(ids, "ids")]
    return y


def embedding_backward(
    grad_y: Any, ids: Any, num_embeddings: int, padding_idx: int | None = None
) -> RealArray:
    """Return the gradient of `embedding` by its table: (V, D)."""
    rows, values = embedding_backward_rows(grad_y, ids, num_embeddings, padding_idx)
    grad = np.zeros((num_embeddings, values.shape[1]), values.dtype)
    grad[rows] = values
    return grad


def embedding_backward_rows(
    grad_y: Any, ids: Any, num_embeddings: int, padding_idx: int | None = None
) -> tuple[NDArray[np.int64], RealArray]:
    """Return the rows of the table that were looked up, ascending, and their gradients (K, D)."""
    (grad_y,) = as_reals(grad_y=grad_y)
    ids = as_indices(ids, "ids").reshape(-1)
    rows, places = np.unique(ids, return_inverse=True)
    values = np.zeros((len(rows), grad_y.shape[-1]), grad_y.dtype)
    np.add.at(values, places, grad_y.reshape(-1, grad_y.shape[-1]))
    kept = rows != (-1 if padding_idx is None else padding_idx)
    return rows[kept], values[kept]
