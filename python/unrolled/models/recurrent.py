"""Recurrent layers by the name of their cell, and what a model reads of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import nn
from unrolled.autograd import Tensor
from unrolled.nn.checks import one_of, positive, probability

CELLS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}


def make_recurrent(
    cell: str,
    features: int,
    hidden: int,
    layers: int = 1,
    *,
    bidirectional: bool = False,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
) -> Any:
    """Make recurrent layers: an `unrolled.nn.LSTM`, `GRU` or `RNN`.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
    features, hidden : int
        Features of a frame and of the state in each direction.
    layers : int
    bidirectional : bool
    dropout : float
        Between two layers; with a single one there is nothing to drop.
    recurrent_dropout : float
        Of the state that enters the recurrent product.

    Raises
    ------
    ValueError
        If the cell is unknown or a number is out of its range.

    Examples
    --------
    >>> output, state = make_recurrent("lstm", 3, 5)(np.zeros((2, 7, 3)))
    >>> output.shape
    (2, 7, 5)
    """
    positive(features=features, hidden=hidden, layers=layers)
    layer: Any = getattr(nn, CELLS[one_of("cell", cell, tuple(CELLS))])
    between = probability("dropout", dropout) if layers > 1 else 0.0
    options = {"bidirectional": bidirectional, "recurrent_dropout": recurrent_dropout}
    return layer(features, hidden, layers, dropout=between, **options)


def last_hidden(state: Any, layers: int) -> Tensor:
    """Return what the last layer knows at the end of each sequence: (N, directions * H).

    Parameters
    ----------
    state : Tensor (layers * directions, N, H), or a pair (h, c) of them
        As a recurrent layer returns it.
    layers : int
    """
    h: Tensor = state[0] if isinstance(state, tuple) else state
    directions = h.shape[0] // layers
    last = h[(layers - 1) * directions :]
    return last.transpose(1, 0, 2).reshape(last.shape[1], directions * last.shape[2])


def is_frame(lengths: NDArray[np.int64], frames: int) -> NDArray[np.bool_]:
    """Tell frames from padding: (N, T)."""
    return np.arange(frames) < lengths[:, None]
