"""Probabilities of texts by the chain rule, and what they come to on average."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data.sequences import IGNORED
from unrolled.models.language_borders import Texts, is_one_text
from unrolled.models.language_text import shifted
from unrolled.models.sequence_prediction import AT_ONCE, predicting
from unrolled.nn.functional import cross_entropy

if TYPE_CHECKING:
    from unrolled.models.language_model import LanguageModel

_FRAMES = 2048  # tokens of a forward pass


@dataclass(frozen=True)
class LanguageEvaluation:
    """How likely a model finds a text.

    Attributes
    ----------
    log_prob : float
        Natural logarithm of its probability.
    tokens : int
        That were predicted, ends of texts among them.
    characters : int
        Of the text, each end that was predicted counted as one.
    """

    log_prob: float
    tokens: int
    characters: int

    @property
    def nats(self) -> float:
        """Negative log probability a token."""
        return -self.log_prob / self.tokens

    @property
    def perplexity(self) -> float:
        """exp(nats): among how many equally likely tokens the choice would be as hard."""
        return math.exp(self.nats) if self.nats < 700 else math.inf

    @property
    def bits_per_character(self) -> float:
        """Negative binary logarithm of the probability a character."""
        return -self.log_prob / math.log(2) / self.characters


def log_probs_of(
    model: LanguageModel, texts: Sequence[NDArray[np.int64]]
) -> list[NDArray[np.float64]]:
    """Return of each text the log probabilities of its tokens but the first (T - 1).

    A text has the same bits alone and among others.
    """
    found: list[NDArray[np.float64]] = [np.zeros(0) for _ in texts]
    by_length = sorted((i for i, ids in enumerate(texts) if len(ids) > 1), key=_length_in(texts))
    with predicting(model):
        for first in range(0, len(by_length), AT_ONCE):
            chosen = by_length[first : first + AT_ONCE]
            losses = np.concatenate(
                list(_losses(model, shifted([texts[i] for i in chosen]))), axis=1
            )
            for row, i in enumerate(chosen):
                found[i] = -losses[row, : len(texts[i]) - 1].astype(np.float64)
    return found


def _length_in(texts: Sequence[NDArray[np.int64]]) -> Any:
    return lambda i: len(texts[i])


def evaluate_texts(model: LanguageModel, texts: Texts) -> LanguageEvaluation:
    """Measure one long text, or separate ones; see `LanguageModel.evaluate`."""
    if is_one_text(texts, model.vocabulary):
        ids = model.borders.encode(texts, bos=None, eos=False)
        encoded = [ids]
        characters = _characters(texts)
    else:
        each = list(texts)
        encoded = [model.borders.encode(text, bos=None, eos=None) for text in each]
        characters = sum(map(_characters, each))
        characters += 0 if model.borders.end is None else len(each)
    tokens = sum(len(ids) - 1 for ids in encoded)
    if tokens < 1 or characters < 1:
        raise ValueError("there is no token to predict: give a text of at least two tokens")
    log_prob = math.fsum(log_probs.sum() for log_probs in log_probs_of(model, encoded))
    return LanguageEvaluation(log_prob, tokens, characters)


def _characters(text: Any) -> int:
    return len(text) if isinstance(text, str) else sum(map(len, text))


def _losses(model: LanguageModel, batch: dict[str, NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Yield losses (N, t) of the next tokens, piece by piece, 0 on padding."""
    state = None
    ids, targets = batch["ids"], batch["targets"]
    for start in range(0, ids.shape[1], _FRAMES):
        piece = slice(start, start + _FRAMES)
        scores, state = model(ids[:, piece], state)
        flat = scores.reshape(-1, scores.shape[-1])
        wanted = targets[:, piece].reshape(-1)
        losses = cross_entropy(flat, wanted, ignore_index=IGNORED, reduction="none")
        yield losses.data.reshape(len(ids), -1)
