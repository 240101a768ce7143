"""What a decoder knows beside the emissions, put together for the search."""

from __future__ import annotations

import math
from typing import Any

from unrolled import _core
from unrolled.decode.hotwords import as_hotwords
from unrolled.decode.labels import Labels
from unrolled.decode.language_models import MOST_GAIN_PER_UNIT, Unit, fuse_language_model
from unrolled.decode.letters import LabelLetters
from unrolled.decode.lexicon import as_lexicon
from unrolled.decode.settings import require_finite


def build(
    labels: Labels,
    *,
    lm: Any = None,
    lm_unit: Unit = "word",
    lm_weight: float = 0.5,
    word_score: float = 1.5,
    unk_score: float = -10.0,
    lm_eos: bool = True,
    lexicon: Any = None,
    hotwords: Any = None,
    hotword_weight: float = 10.0,
) -> _core.Fusion | None:
    """Put together what adds to the score of a text beside its emissions.

    A text's score is ``ln(mass of its paths) + lm_weight * lm_score + word_score * units +
    hotwords``, all in natural logarithms, and minus infinity where the lexicon does not know a
    word. Each term depends on the tokens of the text alone.

    Parameters
    ----------
    labels : Labels
    lm : NGram, path of one, or LanguageModel, optional
        `lm_score` is the sum of its log probabilities over the units of the text, from the state
        after ``<s>``. Words are scored when they are complete: at the delimiter, before a label
        that begins another word, or at the end of the text; empty ones, as between two delimiters,
        do not count. Tokens and characters are scored one by one, the space between words among
        them.
    lm_unit : {"word", "token", "char"}
    lm_weight : float
        At least 0.
    word_score : float
        Added for each unit that the model scores, at most 30; without a model there are none.
    unk_score : float
        Added to the log probability that an n-gram model gives to ``<unk>``, for each unit that it
        does not know; ``-inf`` forbids them. It is part of `lm_score`, so that `lm_weight`
        multiplies it. Where it is below 0, an unfinished word has it as soon as no known word
        begins so. Models in Python have their own way with unknown units.
    lm_eos : bool
        Whether the log probability of the end, ``</s>``, is added to `lm_score` of a whole text.
        It is no unit.
    lexicon : Lexicon, or what it is made of, optional
        The only words that a text may have.
    hotwords : Hotwords, or what it is made of, optional
        Phrases that are favoured.
    hotword_weight : float
        Weight of phrases without one of their own.

    Returns
    -------
    _core.Fusion, or None where there is nothing to add

    Raises
    ------
    ValueError
        A number cannot work, words cannot be written with the labels, or most of the model's units
        cannot.
    TypeError
        An argument is of a wrong type.

    Examples
    --------
    >>> build(Labels(["", "a", " "]), hotwords=["a a"]).classes
    3
    """
    sources = []
    if lexicon is not None:
        sources.append(as_lexicon(lexicon).fuse(labels))
    if lm is not None:
        model = fuse_language_model(
            lm,
            LabelLetters(labels),
            unit=lm_unit,
            lm_weight=_require_weight(lm_weight),
            word_score=_require_gain(word_score),
            unk_score=_require_offset(unk_score),
            lm_eos=bool(lm_eos),
        )
        sources.append(model)
    if hotwords is not None:
        weight = require_finite(hotword_weight, "hotword_weight")
        phrases = as_hotwords(hotwords, weight)
        if len(phrases):
            sources.append(phrases.fuse(labels))
    return _core.Fusion(len(labels), sources) if sources else None


def _require_weight(value: Any) -> float:
    weight = require_finite(value, "lm_weight")
    if weight < 0:
        raise ValueError(f"lm_weight must be 0 or more, got {value}")
    return weight


def _require_gain(value: Any) -> float:
    gain = require_finite(value, "word_score")
    if gain > MOST_GAIN_PER_UNIT:
        raise ValueError(f"word_score must be at most {MOST_GAIN_PER_UNIT}, got {value}")
    return gain


def _require_offset(value: Any) -> float:
    if not value < math.inf:
        raise ValueError(f"unk_score must be finite, or -inf to forbid unknown units, got {value}")
    return float(value)
