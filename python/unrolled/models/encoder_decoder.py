"""`EncoderDecoder`: reads a sequence, then writes another one (many to many, delayed)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data.sequences import Floats
from unrolled.models.recurrent import make_recurrent
from unrolled.models.sequence_batch import as_sequences
from unrolled.models.symbol_decoder import SymbolDecoder
from unrolled.models.symbol_writer import SymbolWriter


class EncoderDecoder(SymbolWriter):
    """Two networks: the state in which the first ends is the one in which the second begins.

    All that is written must pass through that one state, so it suits short sequences.

    Parameters
    ----------
    symbols : sequence of str
        What it can write, each once.
    features : int
        Features of a frame that is read, D.
    cell : {"lstm", "gru", "rnn"}
    hidden, layers : int
        Of both networks.

    Raises
    ------
    TypeError, ValueError
        If `symbols` are not at least two different strings, or a number is out of its range.

    References
    ----------
    Sutskever, Vinyals, Le: Sequence to sequence learning with neural networks (2014).

    Examples
    --------
    >>> model = EncoderDecoder("abc", features=2, hidden=8)
    >>> written = model.generate([np.zeros((4, 2)), np.zeros((9, 2))], max_new_tokens=5)
    >>> all(symbol in "abc" for generation in written for symbol in generation.tokens)
    True
    """

    def __init__(
        self,
        symbols: Sequence[str],
        features: int,
        *,
        cell: str = "lstm",
        hidden: int = 64,
        layers: int = 1,
    ) -> None:
        self.features = int(features)
        self.encoder = make_recurrent(cell, features, hidden, layers)
        self.decoder = SymbolDecoder(tuple(symbols), cell=cell, hidden=hidden, layers=layers)

    def checked(self, inputs: Any, name: str = "inputs") -> list[Floats]:
        """Return sequences as arrays (T, D)."""
        return as_sequences(inputs, self.features, name)

    def state_of(self, frames: NDArray[Any], lengths: NDArray[np.int64]) -> Any:
        """Return the state of the encoder at the end of each sequence."""
        return self.encoder(frames, lengths=lengths)[1]
