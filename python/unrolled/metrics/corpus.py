"""A corpus of references and hypotheses as the core compares it: tokens as numbers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unrolled import _core

Unit = Literal["word", "character", "token"]
Tokens = Sequence[Hashable]


def check_lines(references: Any, hypotheses: Any) -> None:
    """Raise unless there is a list of lines on either side, one hypothesis for each reference."""
    for name, lines in (("references", references), ("hypotheses", hypotheses)):
        if isinstance(lines, str):
            raise TypeError(f"{name} is one string; give a list with a string for each line")
    if len(references) != len(hypotheses):
        raise ValueError(
            f"{len(references)} references but {len(hypotheses)} hypotheses; give one for each"
        )
    if not len(references):
        raise ValueError("references is empty; an error rate needs at least one line")


def cut_into_units(
    references: Sequence[Any], hypotheses: Sequence[Any], unit: Unit
) -> tuple[list[Tokens], list[Tokens]]:
    """Return every line as the sequence of its words, characters or tokens."""
    check_lines(references, hypotheses)
    cuts: dict[str, Callable[[Any], Tokens]] = {
        "word": str.split,
        "character": lambda line: line,
        "token": lambda line: line,
    }
    if unit not in cuts:
        raise ValueError(f'unit must be "word", "character" or "token", got {unit!r}')
    for name, lines in (("references", references), ("hypotheses", hypotheses)):
        for number, line in enumerate(lines):
            if isinstance(line, str) == (unit == "token"):
                wanted = "a sequence of tokens" if unit == "token" else "a string"
                raise TypeError(f"{name}[{number}] must be {wanted}, got {line!r:.60}")
    cut = cuts[unit]
    return [cut(line) for line in references], [cut(line) for line in hypotheses]


def distances(references: Sequence[Tokens], hypotheses: Sequence[Tokens]) -> NDArray[np.int64]:
    """Return the edit distance of every pair, (N,)."""
    return _core.edit_distances(*_as_numbers(references, hypotheses))


def paths(references: Sequence[Tokens], hypotheses: Sequence[Tokens]) -> list[NDArray[np.uint8]]:
    """Return the steps of every pair: 0 keeps, 1 substitutes, 2 deletes, 3 inserts."""
    steps, offsets = _core.edit_paths(*_as_numbers(references, hypotheses))
    return np.split(steps, offsets[1:-1])


def _as_numbers(
    references: Sequence[Tokens], hypotheses: Sequence[Tokens]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    numbers = _numbering(chain(references, hypotheses))
    ids, offsets = numbers(references), _offsets(references)
    return ids, offsets, numbers(hypotheses), _offsets(hypotheses)


def _numbering(lines: Iterable[Tokens]) -> Callable[[Sequence[Tokens]], NDArray[np.int32]]:
    """Choose how tokens become numbers: characters have theirs, others are counted as they come."""
    if all(isinstance(line, str) for line in lines):
        return _code_points
    known: dict[Hashable, int] = {}

    def count(lines: Sequence[Tokens]) -> NDArray[np.int32]:
        tokens = chain.from_iterable(lines)
        return np.array([known.setdefault(token, len(known)) for token in tokens], np.int32)

    return count


def _code_points(lines: Sequence[Any]) -> NDArray[np.int32]:
    return np.frombuffer("".join(lines).encode("utf-32-le", "surrogatepass"), np.int32)


def _offsets(lines: Sequence[Tokens]) -> NDArray[np.int64]:
    return np.cumsum([0, *map(len, lines)], dtype=np.int64)
