"""Tables of plain text, aligned whatever characters are in them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence


def table_lines(
    header: Sequence[str], rows: Sequence[Sequence[str]], title: str = ""
) -> Iterable[str]:
    """Yield the lines of a table; columns whose name begins with ``>`` are aligned to the right."""
    names = [name.lstrip(">") for name in header]
    widths = [max(map(columns_of, column)) for column in zip(names, *rows, strict=True)]
    if title:
        yield title
    for cells in (names, ["-" * width for width in widths], *rows):
        padded = []
        for name, cell, width in zip(header, cells, widths, strict=True):
            space = " " * (width - columns_of(cell))
            padded.append(space + cell if name[0] == ">" else cell + space)
        yield "  ".join(padded).rstrip()


def columns_of(text: str) -> int:
    """Columns of a terminal that a text takes: 2 for wide characters, 0 for combining ones."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
