"""Two lines one above the other, with marks under what differs."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

_MARKS = {"hit": "", "substitution": "S", "deletion": "D", "insertion": "I"}
_NAMES = ("REF  ", "HYP  ", "     ")


def side_by_side(steps: Sequence[Any], width: int | None) -> str:
    """Write the steps of an edit path in columns, at most `width` wide where that is possible."""
    columns = [_column(step) for step in steps]
    blocks = []
    for block in _stretches(columns, width):
        rows = (" ".join(cells) for cells in zip(*block, strict=True))
        blocks.append(
            "\n".join((name + row).rstrip() for name, row in zip(_NAMES, rows, strict=True))
        )
    return "\n\n".join(blocks)


def _column(step: Any) -> tuple[str, str, str]:
    """Return a token of each side and its mark, filled up to the same width."""
    reference, hypothesis = (_shown(token) for token in (step.reference, step.hypothesis))
    wide = max(_width(reference), _width(hypothesis), 1)
    filled = ((text or "*" * wide) for text in (reference, hypothesis))
    reference, hypothesis = (text + " " * (wide - _width(text)) for text in filled)
    return reference, hypothesis, _MARKS[step.kind].ljust(wide)


def _shown(token: Any) -> str:
    """Return a token as it can be seen; nothing for one that is missing."""
    if token is None:
        return ""
    return "␣" if token == " " else str(token) or "''"


def _width(text: str) -> int:
    """Return the columns of a terminal that a text takes."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) != 0 for c in text)


def _stretches(
    columns: Sequence[tuple[str, str, str]], width: int | None
) -> Iterator[list[tuple[str, str, str]]]:
    """Cut the columns where a line would grow beyond `width`."""
    stretch: list[tuple[str, str, str]] = []
    used = len(_NAMES[0])
    for column in columns:
        needed = _width(column[0]) + 1
        if stretch and width is not None and used + needed > width + 1:
            yield stretch
            stretch, used = [], len(_NAMES[0])
        stretch.append(column)
        used += needed
    if stretch:
        yield stretch
