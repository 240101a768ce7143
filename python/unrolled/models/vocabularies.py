"""Vocabularies as arguments of models."""

from __future__ import annotations

from typing import Any

from unrolled.lm.vocabulary import Vocabulary


def check_vocabularies(**arguments: Any) -> None:
    """Raise TypeError naming the first argument that is no vocabulary.

    Examples
    --------
    >>> check_vocabularies(source="abc")
    Traceback (most recent call last):
    ...
    TypeError: source must be an unrolled.lm.Vocabulary, not str: make it with Vocabulary.build
    """
    for name, value in arguments.items():
        if not isinstance(value, Vocabulary):
            raise TypeError(
                f"{name} must be an unrolled.lm.Vocabulary, not {type(value).__name__}: make it "
                "with Vocabulary.build"
            )
