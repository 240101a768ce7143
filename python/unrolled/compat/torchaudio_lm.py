"""Language models in torchaudio's form, as our search asks them."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled.lm import NGram

_LOG_10 = math.log(10)


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
    """The batched protocol of `unrolled.decode` over a model of units by number.

    Parameters
    ----------
    model : CTCDecoderLM or None
        None scores everything with 0.
    weight : float
        What its scores are multiplied by.
    numbers : mapping from str to int
        Of units.
    bonuses : mapping from str to float
        What units add besides.
    """

    upper_bound = math.inf  # scores of any size

    def __init__(
        self,
        model: CTCDecoderLM | None,
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
        steps = [self._step(*pair) for pair in zip(states, units, strict=True)]
        return np.array([score for _, score in steps]) + bonuses, [state for state, _ in steps]

    def _step(self, state: Any, unit: str) -> tuple[Any, float]:
        """Words are asked for before the lexicon is: those that are not in it have no number."""
        number = self._numbers.get(unit)
        if number is None or self._model is None:
            return state, -math.inf
        after, score = self._model.score(state, number)
        return after, self._weight * float(score)

    def finish(self, states: list[Any]) -> NDArray[np.float64]:
        """Return scores of the end, weighted."""
        if self._model is None:
            return np.zeros(len(states))
        return self._weight * np.array([float(self._model.finish(state)[1]) for state in states])


class _NGramUnits(CTCDecoderLM):
    """An n-gram model of units by number, with its logarithms to base 10."""

    def __init__(self, ngram: NGram, units: Sequence[str]) -> None:
        self._ngram, self._units = ngram, units

    def start(self, start_with_nothing: bool) -> Any:
        return self._ngram.start()

    def score(self, state: Any, usr_token_idx: int) -> tuple[Any, float]:
        score, after = self._ngram.step(state, self._units[usr_token_idx])
        return after, score / _LOG_10

    def finish(self, state: Any) -> tuple[Any, float]:
        score, after = self._ngram.step(state, "</s>")
        return after, score / _LOG_10


class Units(NamedTuple):
    """What a language model scores.

    Attributes
    ----------
    kind : {"token", "word"}
    names : dict of str to str
        What the model calls a unit, by the text that labels write it with.
    dictionary : list of str
        Units by number.
    unit_score : float
        Added for each.
    bonuses : dict of str to float
        Added for some, by their text.
    """

    kind: str
    names: dict[str, str]
    dictionary: list[str]
    unit_score: float
    bonuses: dict[str, float]

    @classmethod
    def of_tokens(cls, tokens: list[str], silence: str, sil_score: float) -> Units:
        """Return tokens as units."""
        bonuses = {silence: sil_score} if sil_score else {}
        return cls("token", dict(zip(tokens, tokens, strict=True)), tokens, 0.0, bonuses)

    @classmethod
    def of_words(cls, words: dict[str, str], score: float) -> Units:
        """Return words as units, numbered in their order."""
        return cls("word", words, list(dict.fromkeys(words.values())), score, {})


def lm_arguments(lm: Any, lm_weight: float, units: Units) -> dict[str, Any]:
    """Return what `unrolled.decode.BeamSearchDecoder` takes for a model of torchaudio's.

    Parameters
    ----------
    lm : path, NGram, CTCDecoderLM or None
    lm_weight : float
        Of scores as the model gives them, those of n-gram models to base 10.
    units : Units

    Raises
    ------
    ValueError
        A unit has no number.
    """
    if isinstance(lm, (str, os.PathLike)):
        lm = NGram.load(lm)
    shared = {"lm_unit": units.kind, "word_score": units.unit_score}
    is_plain = not units.bonuses and all(text == name for text, name in units.names.items())
    if isinstance(lm, NGram) and is_plain:
        return {**shared, "lm": lm, "lm_weight": lm_weight / _LOG_10, "unk_score": 0.0}
    if lm is None and not units.bonuses and not units.unit_score:
        return {}
    if isinstance(lm, NGram):
        lm = _NGramUnits(lm, units.dictionary)
    places = {name: number for number, name in enumerate(units.dictionary)}
    missing = next((name for name in units.names.values() if name not in places), None)
    if lm is not None and missing is not None:
        raise ValueError(f"lm_dict: has no {missing!r}, which the decoder writes")
    numbers = {text: places.get(name, -1) for text, name in units.names.items()}
    model = ScoredUnits(lm, lm_weight, numbers, units.bonuses)
    return {**shared, "lm": model, "lm_weight": 1.0}
