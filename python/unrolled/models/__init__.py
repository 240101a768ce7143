"""Whole models, from data to readings: short compositions of `unrolled.nn`."""

from unrolled.models.crnn import CRNN
from unrolled.models.reading import CharacterSpan, Reading

__all__ = ["CRNN", "CharacterSpan", "Reading"]
