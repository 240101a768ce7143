"""Errors of a corpus as one number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unrolled.metrics.corpus import Tokens, Unit, check_lines, cut_into_units, distances


def character_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Errors of the whole corpus over its reference characters.

    Parameters
    ----------
    references, hypotheses
        As many readings as truths, in the same order.

    Returns
    -------
    float
        Sum of edit distances / sum of reference lengths: 0 is perfect, and it exceeds 1 where
        readings are much too long. What is read where the reference is empty counts as errors;
        when every reference is empty the divisor is 1, so the rate is finite (as jiwer has it).

    Raises
    ------
    TypeError
        If either is one string: a list of lines is meant.
    ValueError
        If the numbers of lines differ, or there is none.

    Examples
    --------
    >>> character_error_rate(["123", "4567"], ["123", "4507"])
    0.14285714285714285
    """
    return _error_rate(references, hypotheses, "character")


def word_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Errors of the whole corpus over its reference words.

    Parameters
    ----------
    references, hypotheses
        As many readings as truths, in the same order. Words are what white space separates.

    Returns
    -------
    float
        As `character_error_rate`, of words.

    Raises
    ------
    TypeError, ValueError
        As `character_error_rate`.

    Examples
    --------
    >>> word_error_rate(["the cat sat", "yes"], ["the cat  sat on", "no"])
    0.5
    """
    return _error_rate(references, hypotheses, "word")


def token_error_rate(references: Sequence[Tokens], hypotheses: Sequence[Tokens]) -> float:
    """Errors of the whole corpus over its reference tokens.

    Parameters
    ----------
    references, hypotheses
        Sequences of tokens, hashable and comparable: class indices, phonemes, word pieces.

    Returns
    -------
    float
        As `character_error_rate`, of tokens.

    Raises
    ------
    TypeError, ValueError
        As `character_error_rate`; TypeError also where a line is a string.

    Examples
    --------
    >>> token_error_rate([[7, 4, 4], ["HH", "AY1"]], [[7, 4], ["HH", "AY2"]])
    0.4
    """
    return _error_rate(references, hypotheses, "token")


def line_accuracy(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Share of lines that are right in every character.

    Parameters
    ----------
    references, hypotheses
        As many readings as truths, in the same order.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    TypeError, ValueError
        As `character_error_rate`.

    Examples
    --------
    >>> line_accuracy(["12", "34"], ["12", "35"])
    0.5
    """
    check_lines(references, hypotheses)
    right = sum(r == h for r, h in zip(references, hypotheses, strict=True))
    return right / len(references)


def _error_rate(references: Sequence[Any], hypotheses: Sequence[Any], unit: Unit) -> float:
    truths, readings = cut_into_units(references, hypotheses, unit)
    return int(distances(truths, readings).sum()) / max(1, sum(map(len, truths)))
