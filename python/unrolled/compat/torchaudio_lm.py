"""Language models in torchaudio's form, as our search asks them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class CTCDecoderLMState:
    """A state of a language model that grows by one unit at a time.

    Attributes
    ----------
    children : dict of int to CTCDecoderLMState
        The states after this one, by the number of the unit.
    """

    def __init__(self) -> None:
        self.children: dict[int, CTCDecoderLMState] = {}

    def child(self, usr_index: int) -> CTCDecoderLMState:
        """Return the state after a unit, always the same object."""
        return self.children.setdefault(usr_index, CTCDecoderLMState())

    def compare(self, state: CTCDecoderLMState) -> int:
        """Return 0 for the same state, else -1 or 1."""
        return (id(self) > id(state)) - (id(self) < id(state))


class CTCDecoderLM(ABC):
    """Base class of language models of one's own.

    Units are numbers: of words with a lexicon, of tokens without. Scores are added as they are,
    times ``lm_weight``.
    """

    @abstractmethod
    def start(self, start_with_nothing: bool) -> Any:
        """Return the state at the beginning of a text."""

    @abstractmethod
    def score(self, state: Any, usr_token_idx: int) -> tuple[Any, float]:
        """Return the state after a unit, and the unit's score."""

    @abstractmethod
    def finish(self, state: Any) -> tuple[Any, float]:
        """Return the state at the end of a text, and the end's score."""


class ScoredUnits:
    """The batched protocol of `unrolled.decode` over a `CTCDecoderLM` that may be missing.

    Parameters
    ----------
    model : CTCDecoderLM or None
        None scores everything with 0.
    weight : float
        What scores are multiplied by.
    numbers : mapping from str to int
        Of units.
    bonuses : mapping from str to float
        What units add besides.
    """

    def __init__(
        self,
        model: Any,
        weight: float,
        numbers: Mapping[str, int],
        bonuses: Mapping[str, float],
    ) -> None:
        self._model, self._weight = model, weight
        self._numbers, self._bonuses = numbers, bonuses

    def start(self) -> Any:
        """Return the first state."""
        return None if self._model is None else self._model.start(False)

    def score(self, states: list[Any], units: list[str]) -> tuple[NDArray[np.float64], list[Any]]:
        """Return scores of units, weighted, and the states after them."""
        bonuses = np.array([self._bonuses.get(unit, 0.0) for unit in units])
        if self._model is None:
            return bonuses, states
        numbers = [self._numbers[unit] for unit in units]
        steps = [self._model.score(*pair) for pair in zip(states, numbers, strict=True)]
        scores = np.array([float(score) for _, score in steps])
        return self._weight * scores + bonuses, [state for state, _ in steps]

    def finish(self, states: list[Any]) -> NDArray[np.float64]:
        """Return scores of the end, weighted."""
        if self._model is None:
            return np.zeros(len(states))
        return self._weight * np.array([float(self._model.finish(state)[1]) for state in states])
