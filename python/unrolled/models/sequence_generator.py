"""`SequenceGenerator`: writes symbols from one vector (one to many)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import nn
from unrolled.data.sequences import Floats
from unrolled.models.sequence_batch import as_sequences
from unrolled.models.symbol_decoder import SymbolDecoder
from unrolled.models.symbol_writer import SymbolWriter


class SequenceGenerator(SymbolWriter):
    """A writer whose first state is made of a vector, as a caption is of an image's features.

    Parameters
    ----------
    symbols : sequence of str
        What it can write, each once.
    features : int
        Size of the vector, D.
    cell : {"lstm", "gru", "rnn"}
    hidden, layers : int
        Of the recurrent layers that write.

    Raises
    ------
    TypeError, ValueError
        If `symbols` are not at least two different strings, or a number is out of its range.

    References
    ----------
    Vinyals, Toshev, Bengio, Erhan: Show and tell: a neural image caption generator (2015).

    Examples
    --------
    >>> model = SequenceGenerator("abc", features=2, hidden=8)
    >>> [len(g.tokens) <= 5 for g in model.generate(np.zeros((3, 2)), max_new_tokens=5)]
    [True, True, True]
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
        self.features, self.cell, self.layers = int(features), cell, int(layers)
        self.decoder = SymbolDecoder(tuple(symbols), cell=cell, hidden=hidden, layers=layers)
        self.starts = [nn.Linear(features, layers * hidden) for _ in range(self._parts)]

    @property
    def _parts(self) -> int:
        """How many arrays a state consists of: an LSTM's are h and c."""
        return 2 if self.cell == "lstm" else 1

    def checked(self, inputs: Any, name: str = "inputs") -> list[Floats]:
        """Return vectors (N, D) as sequences of one frame."""
        array = np.asarray(inputs)
        if array.ndim != 2:
            raise ValueError(f"{name} has shape {array.shape}, needed is (N, {self.features})")
        return as_sequences(array[:, None], self.features, name)

    def state_of(self, frames: NDArray[Any], lengths: NDArray[np.int64]) -> Any:
        """Return the first state, (layers, N, H) or a pair of them."""
        parts = []
        for start in self.starts:
            flat = start(frames[:, 0]).tanh()
            parts.append(flat.reshape(len(frames), self.layers, -1).transpose(1, 0, 2))
        return tuple(parts) if len(parts) > 1 else parts[0]
