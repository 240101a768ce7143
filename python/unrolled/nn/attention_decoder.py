"""A recurrent decoder that attends to a memory at each step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from unrolled._arrays import as_lengths, require_axes
from unrolled.autograd import Function, Tensor, as_tensor, concatenate, where
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.attention import Attention
from unrolled.nn.checks import one_of, positive
from unrolled.nn.dropout import drop_mask
from unrolled.nn.embedding import Embedding
from unrolled.nn.gru import GRU
from unrolled.nn.linear import Linear, linear
from unrolled.nn.lstm import LSTM
from unrolled.nn.module import Module
from unrolled.nn.recurrent_tokens import folds
from unrolled.nn.rnn import RNN
from unrolled.ops.attention import WEIGHTS
from unrolled.ops.attention_decoder import attention_decoder, attention_decoder_backward

CELLS: dict[str, Any] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}
FEEDINGS = ("none", "input", "context")


class _DecoderFunction(Function):
    """The loop over time on the tape.

    Inputs: x, what tokens look up in its place or None, memory, h0, c0, output0, the weights of the
    score, of the output, of each layer.
    """

    gives_new_arrays = True

    def forward(
        self,
        x: Array,
        table: Array | None,
        memory: Array,
        *arrays: Any,
        ids: Array | None,
        layers: int,
        score: str,
        **options: Any,
    ) -> tuple[Array, ...]:
        h0, c0, output0 = arrays[:3]
        count = len(WEIGHTS[score])
        weights, arrays = arrays[3 : 3 + count], arrays[3 + count :]
        output_weights, own = arrays[:2], arrays[2:]
        output, attended, state, self.saved = attention_decoder(
            x,
            memory,
            [own[4 * i : 4 * i + 4] for i in range(layers)],
            output_weights,
            score=score,
            weights=weights,
            h0=h0,
            c0=c0,
            output0=output0,
            tokens=None if table is None else (ids, table),
            **options,
        )
        empty = np.zeros(0, output.dtype)
        return output, attended, *(empty if part is None else part for part in state)

    def backward(self, grad_output: Any, grad_attended: Any, *grad_state: Any) -> Any:
        if grad_output is None:
            grad_output = np.zeros_like(self.saved.output)
        g = attention_decoder_backward(
            grad_output, grad_attended, grad_state, self.saved,
            input_gradient=self.needs_input_grad[0],
        )  # fmt: skip
        by_layer = [grad for layer in g.layers for grad in layer]
        return g.x, g.table, g.memory, *g.state, *g.weights, *g.output_weights, *by_layer


class DecoderState(NamedTuple):
    """The state of a decoder with ``feeding="input"``.

    Attributes
    ----------
    recurrent : Tensor (layers, N, H), or a pair of them
        Of the recurrent layers.
    output : Tensor (N, H)
        What the decoder put out last, which its next step reads.
    """

    recurrent: Any
    output: Tensor


class AttentionDecoder(Module):
    """Recurrent layers that attend to a memory, with o_t = tanh(W_o [c_t; h_t] + b_o).

    With h_t the top layer's state and c_t the context:

    - ``feeding="none"``: the layers read x_t, and h_t is the query of c_t;
    - ``feeding="input"``: the layers read [x_t; o_{t-1}], o_0 = 0, and h_t is the query;
    - ``feeding="context"``: h_{t-1} is the query, and the layers read [x_t; c_t].

    Parameters
    ----------
    cell : {"rnn", "lstm", "gru"}
    input_size, hidden_size, memory_size : int
        Features of an input, E, of a state, H, and of a position of the memory, M.
    num_layers : int
    score : {"dot", "general", "additive"}
        As for `Attention`.
    feeding : {"none", "input", "context"}
    dropout : float
        Probability of dropping an output between two layers in training.
    attention_size : int, optional
        Features K of the additive score; H where not given.

    Attributes
    ----------
    recurrent : RNN, LSTM or GRU
        The layers; their input is E wide, E + H with ``feeding="input"``, E + M with
        ``feeding="context"``.
    attention : Attention
    output : Linear
        (H, M + H): W_o and b_o.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    References
    ----------
    Luong, Pham, Manning: Effective approaches to attention-based neural machine translation
    (2015), sections 3.1 and 3.3. Bahdanau, Cho, Bengio: Neural machine translation by jointly
    learning to align and translate (2015).

    Examples
    --------
    >>> decoder = AttentionDecoder("gru", 3, 4, 5, feeding="context")
    >>> output, state, weights = decoder(np.ones((2, 6, 3)), np.ones((2, 7, 5)))
    >>> output.shape, state.shape, weights.shape
    ((2, 6, 4), (1, 2, 4), (2, 6, 7))
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        memory_size: int,
        num_layers: int = 1,
        *,
        score: str = "general",
        feeding: str = "none",
        dropout: float = 0.0,
        attention_size: int | None = None,
    ) -> None:
        positive(input_size=input_size, hidden_size=hidden_size, memory_size=memory_size)
        self.cell = one_of("cell", cell, tuple(CELLS))
        self.feeding = one_of("feeding", feeding, FEEDINGS)
        self.input_size, self.hidden_size, self.memory_size = input_size, hidden_size, memory_size
        fed = {"none": 0, "input": hidden_size, "context": memory_size}[feeding]
        self.recurrent = CELLS[cell](input_size + fed, hidden_size, num_layers, dropout=dropout)
        self.attention = Attention(
            hidden_size, memory_size, score=score, hidden_size=attention_size
        )
        self.output = Linear(memory_size + hidden_size, hidden_size)

    def forward(
        self,
        x: Operand,
        memory: Operand,
        state: Any = None,
        memory_lengths: ArrayLike | None = None,
        lengths: ArrayLike | None = None,
    ) -> tuple[Tensor, Any, Tensor]:
        """Run all steps, with the inputs known beforehand.

        Parameters
        ----------
        x : Tensor or array-like (N, T, E)
        memory : Tensor or array-like (N, S, M)
        state : Tensor or array-like (layers, N, H), for an LSTM a pair (h, c), optional
            Before the first step, zeros where not given; or what an earlier call returned.
        memory_lengths, lengths : array-like of int (N), optional
            True positions of every memory, and true steps of every item; what lies beyond is
            never read.

        Returns
        -------
        output : Tensor (N, T, H)
            o_t; 0 beyond an item's steps.
        state : Tensor (layers, N, H), or a pair of them, or DecoderState
            After each item's last step; a `DecoderState` with ``feeding="input"``.
        weights : Tensor (N, T, S)
            Of the attention; exactly 0 beyond the true positions and steps.

        Raises
        ------
        ValueError
            If the shapes or lengths do not fit.
        """
        dtype = self.output.weight.dtype
        x, memory = as_tensor(x, dtype), as_tensor(memory, dtype)
        self._check(x, memory)
        if self.feeding != "none":
            return self._loop(x, memory, state, memory_lengths, lengths)
        top, state = self.recurrent(x, state, lengths)
        context, weights = self.attention(top, memory, memory_lengths, lengths)
        output = self.output(concatenate([context, top], axis=-1)).tanh()
        if lengths is not None:
            inside = np.arange(x.shape[1]) < as_lengths(lengths, "lengths", *x.shape[:2])[:, None]
            output = where(inside[..., None], output, 0.0)
        return output, state, weights

    def run_tokens(
        self,
        ids: ArrayLike,
        embedding: Embedding,
        memory: Operand,
        state: Any = None,
        memory_lengths: ArrayLike | None = None,
        lengths: ArrayLike | None = None,
    ) -> tuple[Tensor, Any, Tensor]:
        """Run all steps over embedded tokens: ``forward(embedding(ids), memory, state, ...)``.

        Where there are fewer tokens than steps, each is multiplied with the input weights once, as
        `unrolled.nn.functional.run_tokens` does; outputs have the same bits.

        Parameters
        ----------
        ids : array-like of int (N, T)
        embedding : Embedding
            As wide as the decoder's input, E.
        memory, state, memory_lengths, lengths
            As for ``forward``, and so are what is returned and raised.

        Examples
        --------
        >>> from unrolled import nn
        >>> decoder = nn.AttentionDecoder("gru", 3, 4, 5, feeding="context")
        >>> words, memory = nn.Embedding(2, 3), np.ones((2, 7, 5))
        >>> output, state, weights = decoder.run_tokens([[1, 0], [1, 1]], words, memory)
        >>> output.shape
        (2, 2, 4)
        """
        tokens = np.asarray(ids)
        if self.feeding == "none" or not folds(tokens, embedding, self.input_size):
            return self.forward(embedding(ids), memory, state, memory_lengths, lengths)
        memory = as_tensor(memory, self.output.weight.dtype)
        self._check_features("memory", memory, "N, S, M", self.memory_size)
        x = Tensor(np.empty((*tokens.shape, 0), self.output.weight.dtype))
        return self._loop(x, memory, state, memory_lengths, lengths, (tokens, embedding.weight))

    def step(
        self, x_t: Operand, memory: Operand, state: Any = None, memory_lengths: Any = None
    ) -> tuple[Tensor, Any, Tensor]:
        """Run one step.

        Parameters
        ----------
        x_t : Tensor or array-like (N, E)
        memory, state, memory_lengths
            As for ``forward``.

        Returns
        -------
        output_t : Tensor (N, H)
        state
            As ``forward`` returns it.
        weights_t : Tensor (N, S)

        Raises
        ------
        ValueError
            If the shapes or lengths do not fit.
        """
        x_t = as_tensor(x_t, self.output.weight.dtype)
        output, state, weights = self.forward(x_t.unsqueeze(-2), memory, state, memory_lengths)
        return output.squeeze(1), state, weights.squeeze(1)

    def _loop(
        self,
        x: Tensor,
        memory: Tensor,
        state: Any,
        memory_lengths: Any,
        lengths: Any,
        tokens: tuple[Array, Tensor] | None = None,
    ) -> tuple[Tensor, Any, Tensor]:
        """Run the steps that read what the one before found or put out."""
        output0 = None
        if isinstance(state, DecoderState):
            state, output0 = state
        layers, cell = self.recurrent, self.recurrent
        weights = [weight for i in range(layers.num_layers) for weight in layers._weights(i)[0][:4]]
        ids = table = None
        if tokens is not None:
            ids, embedding = tokens
            table = linear(embedding, weights[0][:, : self.input_size])
            weights[0] = weights[0][:, self.input_size :]
        output, attended, h, c, last = _DecoderFunction.apply(
            x,
            table,
            memory,
            *self._state(state, output0, len(x)),
            *self.attention.weights(),
            self.output.weight,
            self.output.bias,
            *weights,
            ids=ids,
            layers=layers.num_layers,
            score=self.attention.score,
            cell=cell.nonlinearity if isinstance(cell, RNN) else self.cell,
            feeding=self.feeding,
            lengths=lengths,
            memory_lengths=memory_lengths,
            dropout_mask=self._dropout_mask(x),
        )
        after = (h, c) if self.cell == "lstm" else h
        return output, DecoderState(after, last) if self.feeding == "input" else after, attended

    def _state(self, state: Any, output: Any, items: int) -> tuple[Tensor | None, ...]:
        """Return h, c and the output before; None for what there is not."""
        h, c = (*self.recurrent._parts_of(state, (items,)), None)[:2]
        if output is not None:
            output = as_tensor(output, self.output.weight.dtype)
        return h, c, output

    def _dropout_mask(self, x: Tensor) -> Any:
        layers, p = self.recurrent.num_layers - 1, self.recurrent.dropout
        if not self.training or p == 0 or layers == 0:
            return None
        return drop_mask((layers, *x.shape[:2], self.hidden_size), p, x.dtype)

    def _check(self, x: Tensor, memory: Tensor) -> None:
        self._check_features("x", x, "N, T, E", self.input_size)
        self._check_features("memory", memory, "N, S, M", self.memory_size)

    def _check_features(self, name: str, array: Tensor, axes: str, features: int) -> None:
        require_axes(array.data, name, axes)
        if array.shape[-1] != features:
            raise ValueError(
                f"{name} has shape {array.shape}, hence {array.shape[-1]} features; this decoder "
                f"was made for {features}"
            )
