"""Probabilities of texts by the chain rule, and what they come to on average."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled.models.frame_labels import IGNORED
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


def log_probs_of(model: LanguageModel, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the log probability of each token of one text but the first (T - 1)."""
    batch = shifted([ids])
    if not len(ids[1:]):
        return np.zeros(0)
    with predicting(model):
        parts = [losses[0] for losses in _losses(model, batch)]
    return -np.concatenate(parts).astype(np.float64)


def evaluate_texts(model: LanguageModel, texts: Texts) -> LanguageEvaluation:
    """Measure one long text, or separate ones; see `LanguageModel.evaluate`."""
    if is_one_text(texts, model.vocabulary):
        ids = model.borders.encode(texts, bos=None, eos=False)
        log_prob, tokens = float(log_probs_of(model, ids).sum()), len(ids) - 1
        characters = _characters(texts)
    else:
        each = list(texts)
        encoded = [model.borders.encode(text, bos=None, eos=None) for text in each]
        tokens = sum(len(ids) - 1 for ids in encoded)
        log_prob = _sum_of(model, encoded)
        characters = sum(map(_characters, each))
        characters += 0 if model.borders.end is None else len(each)
    if tokens < 1 or characters < 1:
        raise ValueError("there is no token to predict: give a text of at least two tokens")
    return LanguageEvaluation(log_prob, tokens, characters)


def _characters(text: Any) -> int:
    return len(text) if isinstance(text, str) else sum(map(len, text))


def _sum_of(model: LanguageModel, texts: Sequence[NDArray[np.int64]]) -> float:
    by_length = sorted((ids for ids in texts if len(ids) > 1), key=len)
    total = 0.0
    with predicting(model):
        for first in range(0, len(by_length), AT_ONCE):
            batch = shifted(by_length[first : first + AT_ONCE])
            for losses in _losses(model, batch):
                total -= float(losses.sum(dtype=np.float64))
    return total


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
