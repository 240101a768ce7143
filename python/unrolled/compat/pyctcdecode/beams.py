"""What pyctcdecode returns: tuples with names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from unrolled.decode.hypothesis import Hypothesis

WordFrames = tuple[str, tuple[int, int]]

NO_FRAMES = (-1, -1)


class OutputBeam(NamedTuple):
    """A text that was found.

    Attributes
    ----------
    text : str
    last_lm_state
        Of the language model after the text, for ``lm_start_state``; None without a model.
    text_frames : list of (str, (int, int))
        Each word with its frames [start, end).
    logit_score : float
        Log probability by the emissions.
    lm_score : float
        The whole score: with the language model's share, and that of hotwords.
    """

    text: str
    last_lm_state: Any
    text_frames: list[WordFrames]
    logit_score: float
    lm_score: float


class OutputBeamMPSafe(NamedTuple):
    """A text of a batch: `OutputBeam` without the state of the language model."""

    text: str
    text_frames: list[WordFrames]
    logit_score: float
    lm_score: float


class LMBeam(NamedTuple):
    """A text under way, or at its end, of `BeamSearchDecoderCTC.partial_decode_beams`.

    Attributes
    ----------
    text : str
        Words that are complete.
    next_word : str
        Always empty.
    partial_word : str
        The word under way.
    last_char : str or None
        The last label of the text; None at the end.
    text_frames : list of (int, int)
        Of each word of `text`.
    partial_frames : (int, int)
        Of `partial_word`; (-1, -1) without one.
    logit_score, lm_score : float
        As in `OutputBeam`.
    """

    text: str
    next_word: str
    partial_word: str
    last_char: str | None
    text_frames: list[tuple[int, int]]
    partial_frames: tuple[int, int]
    logit_score: float
    lm_score: float


@dataclass(frozen=True)
class Text:
    """A text with one space between its words: of hypotheses that differ in spaces alone.

    Attributes
    ----------
    text : str
    best : Hypothesis
        The best of them.
    logit_score, lm_score : float
        Of all their paths.
    """

    text: str
    best: Hypothesis
    logit_score: float
    lm_score: float

    def plus(self, other: Hypothesis) -> Text:
        """Return the text with the paths of another hypothesis, which is not better."""
        logit_score = float(np.logaddexp(self.logit_score, other.acoustic_score))
        share = self.lm_score - self.logit_score
        return Text(self.text, self.best, logit_score, logit_score + share)

    def word_frames(self, first_frame: int = 0) -> list[WordFrames]:
        """Return each word with the frames that it stands on."""
        frames = [
            (word.text, (first_frame + word.start, first_frame + word.end))
            for word in self.best.word_spans
        ]
        return [(part, place) for text, place in frames for part in text.split()]


def texts_of(found: Hypothesis | list[Hypothesis]) -> list[Text]:
    """Put hypotheses together that differ in spaces alone; the best text first."""
    texts: dict[str, Text] = {}
    for hypothesis in found if isinstance(found, list) else [found]:
        words = " ".join(hypothesis.text.split())
        if words in texts:
            texts[words] = texts[words].plus(hypothesis)
        else:
            scores = hypothesis.acoustic_score, hypothesis.score
            texts[words] = Text(words, hypothesis, *scores)
    return sorted(texts.values(), key=lambda text: -text.lm_score)


def output_beam(text: Text, lm_state: Any) -> OutputBeam:
    """Make the beam of a text that was found."""
    return OutputBeam(text.text, lm_state, text.word_frames(), text.logit_score, text.lm_score)


def lm_beam(text: Text, last_char: str | None, first_frame: int, *, is_word_open: bool) -> LMBeam:
    """Make the beam of a text under way; `is_word_open`: its last word may go on."""
    words = text.word_frames(first_frame)
    open_word, open_frames = words.pop() if is_word_open and words else ("", NO_FRAMES)
    return LMBeam(
        " ".join(word for word, _ in words),
        "",
        open_word,
        last_char,
        [frames for _, frames in words],
        open_frames,
        text.logit_score,
        text.lm_score,
    )
