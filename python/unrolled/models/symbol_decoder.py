"""`SymbolDecoder`: writes symbols one after the other, from a state to the end mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import nn
from unrolled.autograd import Tensor
from unrolled.models.class_labels import check_classes
from unrolled.models.frame_labels import IGNORED
from unrolled.models.recurrent import make_recurrent
from unrolled.nn.functional import cross_entropy


@dataclass(frozen=True)
class Generation:
    """A sequence that a network wrote.

    Attributes
    ----------
    symbols : list of str
        Without the end mark.
    score : float
        Natural logarithm of its probability, with that of the end mark where it came.
    """

    symbols: list[str]
    score: float


class SymbolDecoder(nn.Module):
    """A recurrent network whose input is the symbol it wrote last.

    It starts with a mark that is no symbol, and writes the same mark at the end.

    Parameters
    ----------
    symbols : sequence of str
        What it can write, each once; symbol k is class k, the mark the class behind the last.
    cell : {"lstm", "gru", "rnn"}
    hidden, layers : int

    Examples
    --------
    >>> decoder = SymbolDecoder(["a", "b"], cell="lstm", hidden=4, layers=1)
    >>> len(decoder.generate(None, count=3, most=5))
    3
    """

    def __init__(self, symbols: Sequence[str], *, cell: str, hidden: int, layers: int) -> None:
        self.symbols = check_classes(tuple(symbols), "symbols")
        self.mark = len(self.symbols)
        self.recurrent = make_recurrent(cell, self.mark + 1, hidden, layers)
        self.output = nn.Linear(hidden, self.mark + 1)

    def forward(self, inputs: NDArray[np.int64], state: Any = None) -> Tensor:
        """Map classes written before (N, T) to scores of the next ones (N, T, symbols + 1)."""
        output, _ = self.recurrent(self._one_hot(inputs), state)
        scores: Tensor = self.output(output)
        return scores

    def loss(self, state: Any, texts: Sequence[Sequence[int]]) -> Tensor:
        """Return the mean over texts of the cross entropy summed over their symbols and the mark.

        Each symbol is predicted from the right ones before it (Williams and Zipser 1989).
        """
        longest = max(map(len, texts)) + 1
        inputs = np.full((len(texts), longest), self.mark)
        targets = np.full((len(texts), longest), IGNORED)
        for row, text in enumerate(texts):
            inputs[row, 1 : len(text) + 1] = text
            targets[row, : len(text) + 1] = [*text, self.mark]
        scores = self(inputs, state).reshape(-1, self.mark + 1)
        total = cross_entropy(scores, targets.reshape(-1), ignore_index=IGNORED, reduction="sum")
        return total * (1 / len(texts))

    def encode(self, text: Sequence[str], name: str) -> list[int]:
        """Turn symbols into classes.

        Raises
        ------
        ValueError
            If one is unknown; names it and the text's `name`.
        """
        unknown = [symbol for symbol in text if symbol not in self.symbols]
        if unknown:
            raise ValueError(f"{name} has {unknown[0]!r}, which is not among the symbols")
        return [self.symbols.index(symbol) for symbol in text]

    def generate(
        self, state: Any, count: int, most: int, rng: np.random.Generator | None = None
    ) -> list[Generation]:
        """Write `count` sequences of at most `most` symbols.

        Parameters
        ----------
        state
            Of the recurrent layers, for `count` sequences.
        count, most : int
        rng : numpy.random.Generator, optional
            Draws each symbol by its probability; without, the likeliest is taken.
        """
        written = np.full(count, self.mark)
        is_open = np.ones(count, bool)
        texts: list[list[int]] = [[] for _ in range(count)]
        scores = np.zeros(count)
        for _ in range(most):
            output, state = self.recurrent.step(self._one_hot(written), state)
            log_probs = self.output(output).log_softmax().data.astype(np.float64)
            written = _choose(log_probs, rng)
            scores += np.where(is_open, log_probs[np.arange(count), written], 0)
            is_open &= written != self.mark
            for i in np.flatnonzero(is_open).tolist():
                texts[i].append(int(written[i]))
            if not is_open.any():
                break
        return [
            Generation([self.symbols[k] for k in text], float(score))
            for text, score in zip(texts, scores, strict=True)
        ]

    def _one_hot(self, classes: NDArray[Any]) -> NDArray[Any]:
        rows: NDArray[Any] = np.eye(self.mark + 1, dtype=self.output.weight.dtype)[classes]
        return rows


def _choose(log_probs: NDArray[np.float64], rng: np.random.Generator | None) -> NDArray[np.int64]:
    """Choose a class of each row (N, C): the likeliest, or by its probability."""
    if rng is None:
        return log_probs.argmax(axis=1)
    sums = np.exp(log_probs).cumsum(axis=1)
    places = rng.random((len(sums), 1)) * sums[:, -1:]
    return np.asarray((sums <= places).sum(axis=1))
