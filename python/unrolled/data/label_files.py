"""Files that name the classes of emissions.

UTF-8 with or without BOM, lines ending in LF or CRLF, symbols normalised to NFC.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from unrolled._label_names import BLANKS
from unrolled.data.labels import DataError, describe, text_lines

_TOKEN_LINE = re.compile(r"(.+?)[ \t]+(\d+)[ \t]*")
# k2 appends #0, #1, ... for its graphs; no network emits them.
_DISAMBIGUATION = re.compile(r"#\d+")


@dataclass(frozen=True)
class ClassLabels:
    """The symbol of each class of emissions.

    Attributes
    ----------
    symbols : tuple of str
        By class, all different.
    source : str
        Where they come from, for messages.
    """

    symbols: tuple[str, ...]
    source: str = "labels"

    def __len__(self) -> int:
        """Count the classes."""
        return len(self.symbols)

    @property
    def blank(self) -> int | None:
        """Class of the blank by its name (``<blk>``, ``<pad>``, ...), if there is one."""
        return next((self.symbols.index(name) for name in BLANKS if name in self.symbols), None)

    def class_of(self, text: str) -> int:
        """Find a class by its number, negative counted from the end, or by its symbol.

        A whole number is a class even where a digit is a symbol.

        Raises
        ------
        DataError
            If there is no such class.

        Examples
        --------
        >>> labels = ClassLabels(("<pad>", "|", "a", "1"))
        >>> labels.class_of("<pad>"), labels.class_of("1"), labels.class_of("-1")
        (0, 1, 3)
        """
        if re.fullmatch(r"-?\d+", text, re.ASCII):
            if not -len(self) <= int(text) < len(self):
                raise DataError(
                    [f"{self.source}: no class {text}; it has {len(self)}, 0 to {len(self) - 1}"]
                )
            return int(text) % len(self)
        symbol = unicodedata.normalize("NFC", text)
        if symbol not in self.symbols:
            raise DataError([f"{self.source}: has no symbol {text!r}; give a symbol or its number"])
        return self.symbols.index(symbol)

    def require_width(self, classes: int, emissions: str) -> None:
        """Refuse emissions of another number of classes.

        Raises
        ------
        DataError
            With both numbers.
        """
        if classes == len(self):
            return
        remedy = "use the labels that the network was trained with"
        if classes == len(self) + 1 and self.blank is None:
            remedy = "where the file leaves out the blank, write it at its place, as <blank>"
        raise DataError(
            [f"{emissions} has {classes} classes, {self.source} {len(self)} symbols; {remedy}"]
        )


def read_class_labels(path: str | os.PathLike[str]) -> ClassLabels:
    """Read the symbols of the classes, in one of three formats, told apart by content.

    Parameters
    ----------
    path
        A ``.json`` file (Hugging Face's ``vocab.json``, symbol to number, or a list of symbols);
        else ``tokens.txt`` where every line is ``symbol number``, symbols ``#0``, ``#1``, ... after
        the last class left out; else one symbol a line in the order of the classes, every space
        counted.

    Returns
    -------
    ClassLabels

    Raises
    ------
    DataError
        With every fault and its line: a missing file, bytes that are not UTF-8, an empty line, a
        symbol or number given twice, a number left out.
    """
    path = Path(path)
    problems: list[str] = []
    lines = list(text_lines(path, problems))
    if not problems and not any(line for _, line in lines):
        problems.append(f"{path}: is empty; write one symbol a line, in the order of the classes")
    if problems:
        raise DataError(problems)
    while not lines[-1][1]:
        lines.pop()
    if path.suffix.lower() == ".json":
        symbols = _from_json("\n".join(line for _, line in lines), path, problems)
    elif _TOKEN_LINE.fullmatch(lines[0][1]):
        symbols = _from_token_lines(lines, path, problems)
    else:
        symbols = _from_lines(lines, problems)
    if problems:
        raise DataError(problems)
    return ClassLabels(tuple(symbols), str(path))


def _from_json(text: str, path: Path, problems: list[str]) -> list[str]:
    try:
        document = json.loads(text, object_pairs_hook=tuple)  # a name given twice is still there
    except (ValueError, RecursionError) as error:
        problems.append(f"{path}: not JSON ({error}); save it again, or write one symbol a line")
        return []
    if isinstance(document, list) and all(isinstance(symbol, str) for symbol in document):
        return _distinct([(f"{path}: item {i}", s) for i, s in enumerate(document)], problems)
    pairs = document if isinstance(document, tuple) else ()
    if pairs and all(type(number) is int for _, number in pairs):
        numbered = [(f"{path}: {symbol!r}", symbol, number) for symbol, number in pairs]
        return _in_order(numbered, path, problems)
    if pairs and all(isinstance(value, tuple) for _, value in pairs):
        names = ", ".join(name for name, _ in pairs[:5])
        problems.append(f"{path}: holds several vocabularies ({names}); save one of them alone")
    else:
        problems.append(f'{path}: must be {{"symbol": number, ...}} or a list of symbols')
    return []


def _from_token_lines(lines: list[tuple[str, str]], path: Path, problems: list[str]) -> list[str]:
    numbered = []
    for source, line in lines:
        match = _TOKEN_LINE.fullmatch(line)
        if match is None:
            problems.append(f"{source}: not 'symbol number' as the first line; write every line so")
            continue
        numbered.append((source, match[1], int(match[2])))
    numbered.sort(key=lambda entry: entry[2])
    while numbered and _DISAMBIGUATION.fullmatch(numbered[-1][1]):
        numbered.pop()
    return _in_order(numbered, path, problems)


def _in_order(numbered: list[tuple[str, str, int]], path: Path, problems: list[str]) -> list[str]:
    """Sort symbols by number; every number from 0 on must be there once."""
    by_number: dict[int, str] = {}
    for source, _, number in numbered:
        if number in by_number:
            problems.append(f"{source}: {number} again, first in {by_number[number]}")
        by_number.setdefault(number, source)
    missing = next((i for i in range(len(by_number)) if i not in by_number), None)
    if missing is not None:
        problems.append(
            f"{path}: no symbol has the number {missing}; number the classes from 0 without gaps"
        )
    ordered = sorted(numbered, key=lambda entry: entry[2])
    return _distinct([(source, symbol) for source, symbol, _ in ordered], problems)


def _from_lines(lines: list[tuple[str, str]], problems: list[str]) -> list[str]:
    for source, line in lines:
        if not line:
            problems.append(
                f"{source}: empty; write a symbol, for the blank <blank>, for a space <space>"
            )
    return _distinct([(source, line) for source, line in lines if line], problems)


def _distinct(entries: list[tuple[str, str]], problems: list[str]) -> list[str]:
    first: dict[str, str] = {}
    for source, symbol in entries:
        if symbol in first:
            name = describe(symbol) if len(symbol) == 1 else repr(symbol)
            problems.append(f"{source}: {name} again, first in {first[symbol]}; name it once")
        first.setdefault(symbol, source)
    return _normalised(list(first))


def _normalised(symbols: list[str]) -> list[str]:
    """Bring symbols to NFC, but keep apart what NFC makes equal (Chinese compatibility forms)."""
    taken = set(symbols)
    found = []
    for symbol in symbols:
        normal = unicodedata.normalize("NFC", symbol)
        found.append(symbol if normal in taken else normal)
        taken.add(normal)
    return found
