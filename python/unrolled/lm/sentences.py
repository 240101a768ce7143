"""Sentences as language models take them: texts cut into units, and files read line by line."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from unrolled.data.labels import DataError, decoded_lines, text_lines

#: What a text is cut into.
UNITS = ("word", "char")
#: How models of characters spell a space: in their files, spaces stand between words.
SPACE = "<space>"


def split_sentence(text: str, unit: str) -> list[str]:
    """Cut a text into the units of a model.

    Parameters
    ----------
    text
        A sentence; line ends behind it do not count.
    unit
        "word": what stands between white space; "char": its characters, where white space is
        "<space>".

    Examples
    --------
    >>> from unrolled.lm.sentences import split_sentence
    >>> split_sentence("to be", "char")
    ['t', 'o', '<space>', 'b', 'e']
    """
    if unit == "word":
        return text.split()
    return [SPACE if character.isspace() else character for character in text.rstrip("\r\n")]


class TextLines:
    r"""The lines of text files, one after the other; one line alone is held in memory.

    UTF-8 with or without BOM, lines ending in LF or CRLF, normalised to NFC.

    Parameters
    ----------
    *sources
        Files, or streams of bytes such as ``sys.stdin.buffer``.

    Examples
    --------
    >>> import io
    >>> from unrolled.lm.sentences import TextLines
    >>> list(TextLines(io.BytesIO(b"to be\r\nor not\n")))
    ['to be', 'or not']
    """

    def __init__(self, *sources: str | os.PathLike[str] | BinaryIO) -> None:
        self._sources = sources
        self._starts: list[tuple[int, str]] = []

    def __iter__(self) -> Iterator[str]:
        """Yield the lines without their ends; raises DataError at a file or line it cannot read."""
        self._starts.clear()
        count = 0
        for source in self._sources:
            problems: list[str] = []
            self._starts.append((count, _name_of(source)))
            for _, line in _lines_of(source, problems):
                if problems:
                    break
                count += 1
                yield line if line.isascii() else unicodedata.normalize("NFC", line)
            if problems:
                raise DataError(problems)

    def place(self, index: int) -> str:
        """Return where line `index` of all that were read stands, as ``file:line``."""
        start, name = [begun for begun in self._starts if begun[0] <= index][-1]
        return f"{name}:{index - start + 1}"


def _name_of(source: str | os.PathLike[str] | BinaryIO) -> str:
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    return str(getattr(source, "name", "stream")).strip("<>")


def _lines_of(
    source: str | os.PathLike[str] | BinaryIO, problems: list[str]
) -> Iterator[tuple[str, str]]:
    if isinstance(source, (str, os.PathLike)):
        return text_lines(Path(source), problems)
    return decoded_lines(source, _name_of(source), problems)
