"""What pyctcdecode keeps of a word model: weights, known words, whether sentences have ends."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.lm import NGram

_LOG_10 = math.log(10)
_MARKS = frozenset({"<unk>", "<UNK>", "<s>", "</s>"})


class LanguageModel:
    """An n-gram model of words with pyctcdecode's weights.

    Parameters
    ----------
    kenlm_model : NGram, path, or model of kenlm or `unrolled.compat.kenlm`
        These models are read anew from their files.
    unigrams : collection of str, optional
        The words that count as known, of those that the model knows. All of them without it. Where
        it leaves out some, the search asks the model through Python, and takes longer.
    alpha : float
        Weight of the model's log probabilities.
    beta : float
        Added for each word.
    unk_score_offset : float
        Added to the model's logarithm to base 10 of an unknown word.
    score_boundary : bool
        Whether texts begin and end as sentences do.
    """

    def __init__(
        self,
        kenlm_model: Any,
        unigrams: Collection[str] | None = None,
        alpha: float = 0.5,
        beta: float = 1.5,
        unk_score_offset: float = -10.0,
        score_boundary: bool = True,
    ) -> None:
        self.ngram = _as_ngram(kenlm_model)
        self.unigrams = _as_restriction(unigrams, self.ngram)
        self.alpha = alpha
        self.beta = beta
        self.unk_score_offset = unk_score_offset
        self.score_boundary = score_boundary

    @property
    def order(self) -> int:
        """Order of the n-gram model."""
        return self.ngram.order

    def reset_params(self, **params: Any) -> None:
        """Change `alpha`, `beta`, `unk_score_offset` or `score_boundary`; None leaves one as it is.

        Raises
        ------
        TypeError
            There is no parameter of that name.
        """
        names = ("alpha", "beta", "unk_score_offset", "score_boundary")
        for name, value in params.items():
            if name not in names:
                raise TypeError(f"no parameter {name!r}; there are {', '.join(names)}")
            if value is not None:
                setattr(self, name, value)

    def get_start_state(self) -> Any:
        """Return the state at the beginning of a text."""
        return self.ngram.start(bos=self.score_boundary)

    def state_after(self, words: Sequence[str], state: Any = None) -> Any:
        """Return the state after words."""
        state = self.get_start_state() if state is None else state
        for word in words:
            _, state = self.ngram.step(state, word)
        return state

    def decoder_arguments(self, start_state: Any = None) -> dict[str, Any]:
        """Return what `unrolled.decode.BeamSearchDecoder` takes for it."""
        plain = start_state is None and self.score_boundary and self.unigrams is None
        return {
            "lm": self.ngram if plain else _WordModel(self, start_state),
            "lm_unit": "word",
            "lm_weight": self.alpha,
            "word_score": self.beta,
            "unk_score": self.unk_score_offset * _LOG_10,
            "lm_eos": self.score_boundary,
        }


class _WordModel:
    """The model from another state, or with fewer words: the batched protocol of decoders."""

    def __init__(self, model: LanguageModel, start_state: Any) -> None:
        self._ngram = model.ngram
        self._unigrams = model.unigrams
        self._unknown = model.unk_score_offset * _LOG_10
        self._start = model.get_start_state() if start_state is None else start_state

    def start(self) -> Any:
        return self._start

    def score(self, states: list[Any], units: list[str]) -> tuple[NDArray[np.float64], list[Any]]:
        steps = [self._ngram.step(state, unit) for state, unit in zip(states, units, strict=True)]
        scores = [
            score if self._is_known(unit) else score + self._unknown
            for (score, _), unit in zip(steps, units, strict=True)
        ]
        return np.array(scores), [state for _, state in steps]

    def finish(self, states: list[Any]) -> NDArray[np.float64]:
        return np.array([self._ngram.step(state, "</s>")[0] for state in states])

    def _is_known(self, word: str) -> bool:
        return word in self._ngram and (self._unigrams is None or word in self._unigrams)


def _as_restriction(unigrams: Collection[str] | None, ngram: NGram) -> frozenset[str] | None:
    """Return None where all words of the model are among them: the search then asks the model."""
    if unigrams is None:
        return None
    words = frozenset(unigrams)
    return None if all(word in words or word in _MARKS for word in ngram.vocabulary) else words


def _as_ngram(model: Any) -> NGram:
    if isinstance(model, NGram):
        return model
    if isinstance(model, (str, os.PathLike)):
        return NGram.load(model)
    path = getattr(model, "path", None)  # of KenLM's and of unrolled.compat.kenlm's
    if path is None:
        raise TypeError(
            f"kenlm_model must be a path, an NGram or a KenLM model, got {type(model).__name__}"
        )
    return NGram.load(os.fsdecode(path))
