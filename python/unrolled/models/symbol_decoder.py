"""`SymbolDecoder`: writes symbols one after the other, from a state to the end mark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled import nn
from unrolled.autograd import Tensor
from unrolled.data.sequences import IGNORED
from unrolled.generate import Settings, generate
from unrolled.generate.step_models import recurrent_step_model
from unrolled.lm.vocabulary import Vocabulary
from unrolled.models.class_labels import check_classes
from unrolled.models.language_text import shifted
from unrolled.models.recurrent import make_recurrent
from unrolled.nn.functional import cross_entropy

if TYPE_CHECKING:
    from unrolled._core import StepModel

END = "<eos>"


class SymbolDecoder(nn.Module):
    """A recurrent network whose input is the symbol it wrote last.

    It starts with a mark that is no symbol, and writes the same mark at the end.

    Parameters
    ----------
    symbols : sequence of str
        What it can write, each once; symbol k is class k, the mark the class behind the last.
    cell : {"lstm", "gru", "rnn"}
    hidden, layers : int

    Attributes
    ----------
    vocabulary : unrolled.lm.Vocabulary
        The symbols and the mark, ``<eos>``.

    Examples
    --------
    >>> decoder = SymbolDecoder(["a", "b"], cell="lstm", hidden=4, layers=1)
    >>> len(decoder.generate(None, 3, Settings(max_new_tokens=5)))
    3
    """

    def __init__(self, symbols: Sequence[str], *, cell: str, hidden: int, layers: int) -> None:
        self.symbols = check_classes(tuple(symbols), "symbols")
        if END in self.symbols:
            raise ValueError(f"symbols has {END!r}, which stands for the end: call it otherwise")
        unit = "char" if all(len(symbol) == 1 for symbol in self.symbols) else "token"
        self.vocabulary = Vocabulary(
            [*self.symbols, END], unit=unit, pad=None, unk=None, sos=None, eos=END
        )
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
        batch = shifted([np.array([self.mark, *text, self.mark]) for text in texts])
        scores = self(batch["ids"], state).reshape(-1, self.mark + 1)
        targets = batch["targets"].reshape(-1)
        total = cross_entropy(scores, targets, ignore_index=IGNORED, reduction="sum")
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

    def step_model(self, state: Any, count: int) -> StepModel:
        """Return the model of what follows from a state of the recurrent layers.

        Parameters
        ----------
        state
            For `count` sequences; None for the initial one.
        count : int
        """
        reads = np.eye(self.mark + 1, dtype=np.float32)
        return recurrent_step_model(self.recurrent, reads, self.output, state, items=count)

    def generate(self, state: Any, count: int, settings: Settings) -> list[Any]:
        """Write a sequence from each of `count` states, as `unrolled.generate.generate` does."""
        start = [[self.mark]] * count
        return generate(self.step_model(state, count), self.vocabulary, settings, start)

    def _one_hot(self, classes: NDArray[Any]) -> NDArray[Any]:
        rows: NDArray[Any] = np.eye(self.mark + 1, dtype=self.output.weight.dtype)[classes]
        return rows
