"""What a line reader returns: text, confidence, and where each character stands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import ctc
from unrolled.ctc import Hypothesis


@dataclass(frozen=True)
class CharacterSpan:
    """A character over the pixels [start, end) of the image's columns.

    Attributes
    ----------
    text : str
        The character.
    start, end : int
        Columns of the image as it was given, ``0 <= start < end <= width``. A CTC network marks a
        character where it is sure of it, which is often only a part of its ink.
    confidence : float
        The highest of the character's probability over its frames, in [0, 1]. A mean would punish a
        character that fades over several frames for being wide.
    """

    text: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class Reading:
    """The text of a line image.

    Attributes
    ----------
    text : str
        What stands there, from the best class of every frame.
    confidence : float
        That of the least certain character, in [0, 1]; of an empty text, the geometric mean of the
        probability that there is nothing.
    spans : list of CharacterSpan
        One a character, from left to right; they overlap only where frames are narrower than a
        pixel of the image.
    """

    text: str
    confidence: float
    spans: list[CharacterSpan]


def read_best(log_probs: NDArray[Any]) -> Hypothesis:
    """Return the tokens of the best class of every frame of one line (T, C)."""
    hypothesis = ctc.greedy(log_probs)
    assert isinstance(hypothesis, Hypothesis)  # a list is for batches
    return hypothesis


def make_reading(log_probs: NDArray[Any], charset: str, frame_pixels: float, width: int) -> Reading:
    """Read the log probabilities of one line, with positions in pixels of its image.

    Parameters
    ----------
    log_probs : ndarray (T, C)
        Class 0 is the blank, class k ``charset[k - 1]``.
    charset : str
    frame_pixels : float
        Columns of the image that one frame covers.
    width : int
        Columns of the image.
    """
    best = read_best(log_probs)
    spans = []
    for span in best.spans:
        start = min(int(span.start * frame_pixels + 0.5), width - 1)
        end = min(max(int(span.end * frame_pixels + 0.5), start + 1), width)
        peak = float(np.exp(log_probs[span.start : span.end, span.token].max()))
        spans.append(CharacterSpan(charset[span.token - 1], start, end, peak))
    nothing = math.exp(best.score / len(log_probs))
    confidence = min((span.confidence for span in spans), default=nothing)
    return Reading("".join(span.text for span in spans), confidence, spans)
