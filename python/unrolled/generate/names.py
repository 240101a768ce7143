"""The names of a model's tokens, and which of them have a meaning of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True)
class TokenNames:
    """What a search needs to know of a vocabulary.

    Attributes
    ----------
    tokens : sequence of str
    sos, eos : int or None
        Ids; None where there is no such token.
    silent : tuple of int
        Ids of what is not written unless a mask allows it: ``<pad>``, ``<unk>`` and ``<sos>``.
    separator : str
        What stands between tokens in a text.
    """

    tokens: Sequence[str]
    sos: int | None
    eos: int | None
    silent: tuple[int, ...]
    separator: str

    @classmethod
    def of(cls, vocabulary: Any, size: int) -> TokenNames:
        """Take them from a `lm.Vocabulary`, or from plain names.

        Raises
        ------
        ValueError
            There are not `size` of them, or a name comes twice.
        """
        if len(vocabulary) != size:
            raise ValueError(
                f"vocabulary must have the {size} tokens of the model, got {len(vocabulary)}"
            )
        if hasattr(vocabulary, "eos_id"):
            separator = "" if vocabulary.unit == "char" else " "
            sos, eos = vocabulary.sos_id, vocabulary.eos_id
            others = (vocabulary.pad_id, getattr(vocabulary, "unk_id", None))
            return cls(vocabulary.tokens, sos, eos, _silent(sos, eos, *others), separator)
        tokens = tuple(vocabulary)
        place = {name: k for k, name in enumerate(tokens)}
        if len(place) < size:
            twice = next(name for k, name in enumerate(tokens) if place[name] != k)
            raise ValueError(f"vocabulary has {twice!r} twice")
        sos, eos = place.get("<sos>"), place.get("<eos>")
        silent = _silent(sos, eos, place.get("<pad>"), place.get("<unk>"))
        return cls(tokens, sos, eos, silent, " ")

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.tokens)}

    def ids_of(self, tokens: Any, name: str) -> list[int]:
        """Return ids of tokens, which may be ids themselves.

        Raises
        ------
        ValueError
            One is unknown; the message names it and the argument's `name`.
        TypeError
            One is neither a name nor an id.
        """
        return [self._id_of(token, f"{name}[{k}]") for k, token in enumerate(tokens)]

    def _id_of(self, token: Any, name: str) -> int:
        if isinstance(token, str):
            if token not in self._ids:
                raise ValueError(f"{name} is {token!r}, which is not in the vocabulary")
            return self._ids[token]
        if not isinstance(token, (int, np.integer)) or isinstance(token, bool):
            raise TypeError(f"{name} must be a token or its id, got {token!r}")
        if not 0 <= token < len(self.tokens):
            raise ValueError(f"{name} is {token}, ids lie in 0 .. {len(self.tokens) - 1}")
        return int(token)


def _silent(sos: int | None, eos: int | None, *others: int | None) -> tuple[int, ...]:
    """Return the special tokens that are not written; one mark may be both start and end."""
    return tuple(token for token in (sos, *others) if token is not None and token != eos)
