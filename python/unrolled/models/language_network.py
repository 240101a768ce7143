"""What a language model reads the tokens before with: recurrent layers, or convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import nn
from unrolled.autograd import Tensor, as_tensor
from unrolled.models.recurrent import make_recurrent
from unrolled.nn.checks import positive
from unrolled.nn.functional import run_tokens


class RecurrentReader(nn.Module):
    """Recurrent layers: what is known of all tokens before stands in their state.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
    embedding, hidden, layers : int
    dropout : float
        Between two layers.
    recurrent_dropout : float
        Of the state that enters the recurrent product, the same at each step of a window.
    """

    def __init__(
        self,
        cell: str,
        embedding: int,
        hidden: int,
        layers: int = 1,
        *,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> None:
        self.layers = make_recurrent(
            cell, embedding, hidden, layers, dropout=dropout, recurrent_dropout=recurrent_dropout
        )

    def forward(self, ids: NDArray[np.int64], table: Any, drop: Any, state: Any) -> Any:
        """Map tokens (N, T) to features (N, T, H) and the state after them.

        Parameters
        ----------
        ids : ndarray of int64 (N, T)
        table, drop : Embedding, Dropout
            Tokens to vectors (N, T, E), and what drops some of these in training.
        state
            Of the recurrent layers, None at the start.
        """
        if drop.training and drop.p > 0:
            return self.layers(drop(table(ids)), state)
        return run_tokens(self.layers, ids, table, state)

    def start(self, items: int) -> Any:
        """Return the state before the first token: zeros."""
        layers = self.layers
        shape = (layers.num_layers, items, layers.hidden_size)
        parts = [Tensor(np.zeros(shape, layers.weight_ih_l0.dtype)) for _ in layers.parts]
        return tuple(parts) if len(parts) > 1 else parts[0]


class WindowReader(nn.Module):
    """Convolutions over the past: what is known are the last tokens, and nothing before them.

    One convolution over a window and layers on top of it make the n-word model of Bengio, several
    convolutions a time-delay network. The state is the tokens that later windows reach back to.

    Parameters
    ----------
    embedding, hidden : int
    widths : sequence of int
        Tokens that each layer reads, itself included; 1 for a layer that looks at one place alone.
    before : int
        The token that stands before the first one.
    activation : {"tanh", "relu"}
    dropout : float
        Between two layers.
    """

    def __init__(
        self,
        embedding: int,
        hidden: int,
        widths: list[int],
        before: int,
        *,
        activation: str = "tanh",
        dropout: float = 0.0,
    ) -> None:
        for width in widths:
            positive(window=width)
        sizes = [embedding, *[hidden] * len(widths)]
        self.layers = [nn.Conv1d(sizes[k], sizes[k + 1], width) for k, width in enumerate(widths)]
        self.activation = activation
        self.between = nn.Dropout(dropout)
        self.before = before
        self.reach = sum(width - 1 for width in widths)

    def forward(self, ids: NDArray[np.int64], table: Any, drop: Any, state: Any) -> Any:
        """Map tokens (N, T) to features (N, T, H) and the tokens to remember; see above."""
        state = self.start(len(ids)) if state is None else state
        past = as_tensor(state).data.astype(np.int64)
        seen = np.concatenate([past, ids], axis=1)
        x = drop(table(seen)).transpose(0, 2, 1)
        for k, layer in enumerate(self.layers):
            x = layer(x if k == 0 else self.between(x))
            x = x.tanh() if self.activation == "tanh" else x.relu()
        kept = seen[:, seen.shape[1] - self.reach :]
        return x.transpose(0, 2, 1), Tensor(kept.astype(np.float32))

    def start(self, items: int) -> Tensor:
        """Return the tokens before the first one (N, reach), as floats: they are a state."""
        return Tensor(np.full((items, self.reach), self.before, np.float32))
