"""Recurrent layers that read tokens: what an embedding gives the gates is looked up.

An embedding only ever meets the input weights, so with fewer tokens than frames one product a token
does: forward, a frame looks up a row of ``embedding weight_ih^T``, and backward, the gradients of
the gates are summed token by token.
"""
# `Function` says what forward and backward are:
# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled._arrays import as_lengths
from unrolled.autograd import Function, Tensor, stack
from unrolled.autograd.tape import Array
from unrolled.nn.embedding import Embedding
from unrolled.nn.linear import linear
from unrolled.ops.recurrent import run, run_backward

if TYPE_CHECKING:
    from unrolled.nn.recurrent import RNNBase
    from unrolled.nn.recurrent_function import States

MOST_FEATURES = 512  # that a product sums up in one chain: with more, the bits would be others


class TokenFunction(Function):
    """One layer over whole sequences of tokens, its input looked up in a table."""

    gives_new_arrays = True

    def forward(
        self,
        table: Array,
        *arrays: Array | None,
        cell: str,
        ids: NDArray[np.int64],
        parts: int,
        lengths: NDArray[np.int64],
        hidden_mask: Array | None,
        record: list[States] | None,
    ) -> tuple[Array, ...]:
        states, weights = arrays[:parts], arrays[parts:]
        count = len(weights) // len(table)
        nothing = np.empty((table.shape[2], 0), table.dtype)
        by_direction = [(nothing, *weights[d * count : (d + 1) * count]) for d in range(len(table))]
        h0, c0 = (*states, None)[:2]
        frames = np.empty((*ids.shape, 0), table.dtype)
        output, h_n, c_n, self.saved = run(
            cell, frames, by_direction, h0, c0, lengths, hidden_mask, ids, table
        )
        self.parts = parts
        if record is not None:
            record.append(self.saved.states())
        return (output, h_n) if c_n is None else (output, h_n, c_n)

    def backward(
        self, grad_output: Array | None, *grad_states: Array | None
    ) -> tuple[Array | None, ...]:
        if grad_output is None:
            grad_output = np.zeros(self.saved.output.shape, self.saved.output.dtype)
        grad_h_n, grad_c_n = (*grad_states, None)[:2]
        grad_table, grads, grad_h0, grad_c0 = run_backward(
            grad_output, grad_h_n, grad_c_n, self.saved
        )
        initial = (grad_h0, grad_c0)[: self.parts]
        return (grad_table, *initial, *(grad for entry in grads for grad in entry[1:]))


class EmbeddedTokens:
    """What a first layer reads in place of frames (N, T, E): tokens (N, T) and their vectors."""

    def __init__(self, cell: str, ids: NDArray[np.int64], embedding: Tensor) -> None:
        self.cell, self.ids, self.embedding = cell, ids, embedding
        self.dtype = embedding.dtype

    def __len__(self) -> int:
        return len(self.ids)

    def run(
        self,
        weights: Sequence[Sequence[Tensor | None]],
        initial: Sequence[Tensor | None],
        *,
        hidden_mask: ArrayLike | None = None,
        record: list[States] | None = None,
        lengths: Any = None,
        **_: Any,
    ) -> tuple[Tensor, ...]:
        """Run one layer, as `unrolled.nn.recurrent_function.run_layer` does over frames."""
        rows = [linear(self.embedding, entry[0]) for entry in weights if entry[0] is not None]
        results: tuple[Tensor, ...] = TokenFunction.apply(
            stack(rows),
            *initial,
            *[weight for entry in weights for weight in entry[1:]],
            cell=self.cell,
            ids=self.ids,
            parts=len(initial),
            lengths=as_lengths(lengths, "lengths", *self.ids.shape),
            hidden_mask=None if hidden_mask is None else np.asarray(hidden_mask, self.dtype),
            record=record,
        )
        return results


def run_tokens(
    layers: RNNBase,
    ids: ArrayLike,
    embedding: Embedding,
    state: Any = None,
    lengths: ArrayLike | None = None,
) -> tuple[Tensor, Any]:
    """Run recurrent layers over embedded tokens: ``layers(embedding(ids), state, lengths)``.

    Where there are fewer tokens than frames, the embeddings are multiplied with the input weights
    once, and the frames look the products up; outputs have the same bits.

    Parameters
    ----------
    layers : RNN, LSTM or GRU
    ids : array-like of int (N, T)
    embedding : Embedding
        As wide as the layers' input.
    state, lengths
        As for `layers`.

    Returns
    -------
    output : Tensor (N, T, directions * H)
    state
        As `layers` returns them.

    Raises
    ------
    ValueError
        If shapes or lengths do not fit, or an id is no row of the embedding.
    TypeError
        If the ids are not integers.

    Examples
    --------
    >>> from unrolled import nn
    >>> output, state = run_tokens(nn.GRU(4, 8), [[1, 2, 1], [0, 0, 1]], nn.Embedding(3, 4))
    >>> output.shape, state.shape
    ((2, 3, 8), (1, 2, 8))
    """
    tokens = np.asarray(ids)
    if layers._cell is None or not folds(tokens, embedding, layers.input_size):
        output, state = layers(embedding(ids), state, lengths)
        return output, state
    tokens = np.ascontiguousarray(tokens, np.int64)
    x = EmbeddedTokens(str(layers._cell), tokens, embedding.weight)
    given = layers._parts_of(state, (len(tokens),))
    frames: Any = x
    output, parts = layers._run(frames, layers._initial(given, len(tokens)), lengths, None)
    return output, parts if len(parts) > 1 else parts[0]


def folds(ids: Array, embedding: Embedding, features: int) -> bool:
    """Whether the table pays, and everything is as usual: what is wrong is named elsewhere."""
    rows, size = embedding.weight.shape
    return (
        ids.ndim == 2
        and ids.dtype.kind in "iu"
        and rows < ids.size
        and size == features <= MOST_FEATURES
        and embedding.padding_idx is None
        and not embedding.sparse
        and bool(ids.min() >= 0 and ids.max() < rows)
    )
