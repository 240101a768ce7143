"""Rows of a table by their numbers, and the gradient by the table, whole or of the rows met."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import LARGEST_SIZE, RealArray, as_indices, as_reals, require_axes


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
           [1., 2.]])
    """
    (weight,) = as_reals(weight=weight)
    require_axes(weight, "weight", "V, D")
    y: RealArray = _core.embedding(as_indices(ids, "ids"), weight)
    return y


def embedding_backward(
    grad_y: Any, ids: Any, num_embeddings: int, padding_idx: int | None = None
) -> RealArray:
    """Gradient of `embedding` by its table: each row the sum over the places that looked it up.

    Parameters
    ----------
    grad_y : array (..., D)
        Gradient by the result.
    ids : array of int (...)
        As given to `embedding`.
    num_embeddings : int
        Rows of the table, V.
    padding_idx : int, optional
        A row whose gradient stays 0.

    Returns
    -------
    array (V, D)

    Raises
    ------
    ValueError
        If a number is no row, or the shapes do not fit.
    TypeError
        If `ids` are not whole numbers.

    Examples
    --------
    >>> from unrolled.ops.embedding import embedding_backward
    >>> embedding_backward([[1.0], [2.0], [4.0]], [2, 0, 2], 3)
    array([[2.],
           [0.],
           [5.]])
    """
    grad: RealArray = _core.embedding_backward(
        *_places(grad_y, ids, num_embeddings), num_embeddings, _row_or_none(padding_idx)
    )
    return grad


def embedding_backward_rows(
    grad_y: Any, ids: Any, num_embeddings: int, padding_idx: int | None = None
) -> tuple[NDArray[np.int64], RealArray]:
    """Do as `embedding_backward`, for the rows alone that were looked up.

    Returns
    -------
    rows : array of int64 (K)
        Ascending, each once, without `padding_idx`.
    values : array (K, D)
        Their gradients.

    Raises
    ------
    ValueError, TypeError
        As `embedding_backward`.

    Examples
    --------
    >>> from unrolled.ops.embedding import embedding_backward_rows
    >>> embedding_backward_rows([[1.0], [2.0], [4.0]], [7, 3, 7], 100_000)
    (array([3, 7]), array([[2.],
           [5.]]))
    """
    return _core.embedding_backward_rows(
        *_places(grad_y, ids, num_embeddings), num_embeddings, _row_or_none(padding_idx)
    )


def _places(grad_y: Any, ids: Any, num_embeddings: int) -> tuple[RealArray, NDArray[np.int64]]:
    if not 0 <= num_embeddings <= LARGEST_SIZE:
        raise ValueError(f"num_embeddings must lie in 0 .. {LARGEST_SIZE}, not {num_embeddings}")
    (grad_y,) = as_reals(grad_y=grad_y)
    ids = as_indices(ids, "ids")
    if grad_y.shape[:-1] != ids.shape or grad_y.ndim != ids.ndim + 1:
        raise ValueError(
            f"grad_y has shape {grad_y.shape}, ids {ids.shape}: grad_y must have one axis more"
        )
    return grad_y, ids


def _row_or_none(padding_idx: int | None) -> int:
    return -1 if padding_idx is None else padding_idx
