"""What a transcriber returns: symbols, their score, and which letters they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled.align import viterbi
from unrolled.decode import BeamSearchDecoder

if TYPE_CHECKING:
    from unrolled.decode import Hypothesis
    from unrolled.lm import NGram

_BEAM_LOG_P = -20.0  # what is further below the best is no answer


@dataclass(frozen=True)
class TranscribedToken:
    """A symbol over the letters [start, end) of the source that it came from."""

    token: str
    start: int
    end: int


@dataclass(frozen=True)
class Transcription:
    """What a source was transcribed to.

    Attributes
    ----------
    tokens : list of str
    score : float
        What the search orders by: `log_probability`, and the weighted score of a language model.
    log_probability : float
        Natural logarithm of the network's probability of the tokens: with a blank of all their
        paths that the search has kept, without one of their best path.
    spans : list of TranscribedToken
        Each token with the letters that its frames on the best path belong to.
    """

    tokens: list[str]
    score: float
    log_probability: float
    spans: list[TranscribedToken]

    @property
    def text(self) -> str:
        """The tokens with spaces between."""
        return " ".join(self.tokens)


class TranscriptionSearch:
    """Finds the best sequences of symbols in the log probabilities of frames.

    Parameters
    ----------
    tokens : sequence of str
        Symbols by class, without the blank.
    blank : bool
        Whether class 0 is the blank and the tokens follow it.
    repeat : int
        Frames to a letter.
    num_beams : int
    lm : NGram, optional
        Of the symbols.
    lm_weight : float
        What its log probabilities are multiplied by.
    """

    def __init__(
        self,
        tokens: Sequence[str],
        blank: bool,
        repeat: int,
        num_beams: int,
        lm: NGram | None = None,
        lm_weight: float = 0.0,
    ) -> None:
        self.tokens, self.blank, self.repeat = tuple(tokens), blank, repeat
        self.decoder = BeamSearchDecoder(
            ["<blank>", *(tokens if lm is not None else map(str, range(len(tokens))))],
            beam_width=num_beams,
            lm=lm,
            lm_unit="token",
            lm_weight=lm_weight,
            word_score=0.0,
            token_min_logp=_BEAM_LOG_P,
            beam_prune_logp=_BEAM_LOG_P,
            merge="sum" if blank else "max",
            word_delimiter=None,
            keep_emissions=False,
        )

    def best(self, emissions: Sequence[NDArray[Any]], count: int) -> list[list[Transcription]]:
        """Return the best `count` transcriptions of frames (T, C), or as many as the beam holds."""
        if not emissions:
            return []
        scores = [rows if self.blank else _with_blank(rows) for rows in emissions]
        found = self.decoder.decode(scores, nbest=count)
        return [
            [self._transcription(rows, h) for h in (item if count > 1 else [item])]
            for rows, item in zip(emissions, found, strict=True)
        ]

    def _transcription(self, log_probs: NDArray[Any], found: Hypothesis) -> Transcription:
        classes = found.tokens
        tokens = [self.tokens[number - 1] for number in classes]
        if not tokens:
            return Transcription([], found.score, found.acoustic_score, [])
        shift = 0 if self.blank else 1
        alignment = viterbi.forced_align(
            log_probs, [number - shift for number in classes], blank=0 if self.blank else None
        )
        spans = [
            TranscribedToken(token, span.start // self.repeat, -(-span.end // self.repeat))
            for token, span in zip(tokens, alignment.spans, strict=True)
        ]
        return Transcription(tokens, found.score, found.acoustic_score, spans)


def _with_blank(log_probs: NDArray[Any]) -> NDArray[Any]:
    """Add a blank that never comes to frames (T, C)."""
    never = np.full((len(log_probs), 1), -np.inf, log_probs.dtype)
    return np.concatenate([never, log_probs], axis=1)
