"""Tables and facts on the terminal: with rich where it is installed, else plain and aligned."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from unrolled._text_table import table_lines

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_CHARACTERS = {escape: chr(character) for character, escape in _ESCAPES.items()}


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and what is to say of them, in two columns that fit from block to block."""
    for name, text in facts:
        print(f"{name:<16} {text}", flush=True)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print a table; columns whose name begins with ``>`` are aligned to the right."""
    if sys.stdout.isatty():
        try:
            from rich.console import Console
            from rich.table import Table
        except ImportError:
            pass
        else:
            _print_rich(Console(highlight=False), Table, header, rows, title)
            return
    print("\n".join(table_lines(header, rows, title)), flush=True)


def escaped(cell: str) -> str:
    """Keep a cell in its column and row."""
    return cell.translate(_ESCAPES)


def unescaped(cell: str) -> str:
    """Return what `escaped` was given."""
    return re.sub(r"\\(.)", lambda match: _CHARACTERS[match[0]], cell)


def _print_rich(
    console: Any, table_class: Any, header: Sequence[str], rows: Sequence[Sequence[str]], title: str
) -> None:
    from rich.text import Text

    table = table_class(title=title or None, title_justify="left", title_style="bold")
    for name in header:
        table.add_column(name.lstrip(">"), justify="right" if name[0] == ">" else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: brackets in a cell are no markup
    console.print(table)
