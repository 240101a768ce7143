"""A recurrent decoder that attends to a memory at each step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from unrolled._arrays import as_lengths
from unrolled.autograd import Tensor, as_tensor, concatenate, stack, where
from unrolled.autograd.tensor import Operand
from unrolled.nn.attention import Attention
from unrolled.nn.checks import one_of, positive
from unrolled.nn.gru import GRU
from unrolled.nn.linear import Linear
from unrolled.nn.lstm import LSTM
from unrolled.nn.module import Module
from unrolled.nn.recurrent import RNNBase
from unrolled.nn.rnn import RNN

CELLS: dict[str, type[RNNBase]] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}
FEEDINGS = ("none", "input", "context")


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
        self.hidden_size = hidden_size
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
        ends = as_lengths(lengths, "lengths", x.shape[0], x.shape[1])
        active = (np.arange(x.shape[1]) < ends[:, None])[..., None]
        if self.feeding == "none":
            top, state = self.recurrent(x, state, ends)
            context, weights = self.attention(top, memory, memory_lengths)
            output = self.output(concatenate([context, top], axis=-1)).tanh()
            return where(active, output, 0.0), state, where(active, weights, 0.0)
        x = where(active, x, 0.0)
        outputs, all_weights = [], []
        for t in range(x.shape[1]):
            output, after, weights = self.step(x[:, t], memory, state, memory_lengths)
            state = after if state is None else _kept(active[:, t], after, state)
            outputs.append(where(active[:, t], output, 0.0))
            all_weights.append(where(active[:, t], weights, 0.0))
        return stack(outputs, axis=1), state, stack(all_weights, axis=1)

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
        dtype = self.output.weight.dtype
        x_t, memory = as_tensor(x_t, dtype), as_tensor(memory, dtype)
        fed = Tensor(np.zeros((len(x_t), self.hidden_size), dtype))
        if isinstance(state, DecoderState):
            state, fed = state
        if self.feeding == "input":
            x_t = concatenate([x_t, fed], axis=-1)
        if self.feeding == "context":
            if state is None:
                state = self.recurrent.initial_state(len(x_t))
            before = state[0] if self.cell == "lstm" else state
            query = as_tensor(before, dtype)[-1]
            context, weights = self.attention(query.unsqueeze(1), memory, memory_lengths)
            x_t = concatenate([x_t, context.squeeze(1)], axis=-1)
        frames, state = self.recurrent(x_t.unsqueeze(1), state)
        if self.feeding != "context":
            context, weights = self.attention(frames, memory, memory_lengths)
        output = self.output(concatenate([context, frames], axis=-1)).tanh().squeeze(1)
        return (
            output,
            DecoderState(state, output) if self.feeding == "input" else state,
            (weights.squeeze(1)),
        )


def _kept(active: Any, after: Any, before: Any) -> Any:
    """Take the state after a step for the items that still run, the one before for the others."""
    if isinstance(after, DecoderState) and not isinstance(before, DecoderState):
        before = DecoderState(before, Tensor(np.zeros_like(after.output.data)))
    if isinstance(after, DecoderState):
        return DecoderState(
            _kept(active, after.recurrent, before.recurrent),
            where(active, after.output, before.output),
        )
    if isinstance(after, tuple):
        return tuple(_kept(active, a, b) for a, b in zip(after, before, strict=True))
    return where(active, after, before)
