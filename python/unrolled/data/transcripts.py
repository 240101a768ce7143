"""What is said or written: a text, or the tokens of one, as files hold them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from unrolled.data.label_files import ClassLabels
from unrolled.data.labels import DataError, text_lines


def read_text(path: str | os.PathLike[str]) -> str:
    """Read a text file as one text.

    Parameters
    ----------
    path
        Its lines stay lines.

    Returns
    -------
    str
        In NFC, without spaces around it.

    Raises
    ------
    DataError
        If the file is missing, not UTF-8, or has nothing but spaces.
    """
    problems: list[str] = []
    text = "\n".join(line for _, line in text_lines(Path(path), problems)).strip()
    if not text and not problems:
        problems.append(f"{path}: is empty; write the text that the emissions hold")
    if problems:
        raise DataError(problems)
    return unicodedata.normalize("NFC", text)


def as_classes(tokens: str | Iterable[str], labels: ClassLabels, source: str) -> list[int]:
    """Turn symbols, or else numbers of classes, into numbers of classes.

    Parameters
    ----------
    tokens
        Separated by white space, or one by one. Where all are symbols of `labels` they are taken
        as such, so that digits may be symbols; else all must be numbers.
    labels
    source
        Where the tokens stand, for messages.

    Raises
    ------
    DataError
        If there is no token, or one is neither.

    Examples
    --------
    >>> labels = ClassLabels(("-", "a", "b"))
    >>> as_classes("b a", labels, "tokens.txt"), as_classes("2 1", labels, "tokens.txt")
    ([2, 1], [2, 1])
    """
    pieces = tokens.split() if isinstance(tokens, str) else list(tokens)
    if not pieces:
        raise DataError([f"{source}: has no token; write symbols with spaces between them"])
    classes = {symbol: number for number, symbol in enumerate(labels.symbols)}
    found = [classes.get(unicodedata.normalize("NFC", piece)) for piece in pieces]
    known = [number for number in found if number is not None]
    if len(known) == len(pieces):
        return known
    if all(piece.isascii() and piece.isdigit() for piece in pieces):
        beyond = next((piece for piece in pieces if int(piece) >= len(labels)), None)
        if beyond is None:
            return [int(piece) for piece in pieces]
        raise DataError(
            [f"{source}: class {beyond} of {labels.source} with 0 to {len(labels) - 1}; correct it"]
        )
    place = found.index(None)
    raise DataError(
        [
            f"{source}: token {place + 1}, {pieces[place]!r}, is no symbol of {labels.source}; "
            "write symbols of that file, or numbers of classes alone, with spaces between them"
        ]
    )
