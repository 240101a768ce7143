"""Pronunciation dictionaries: a word and its symbols a line, as CMUdict, WikiPron and others have.

UTF-8 with or without BOM, lines ending in LF or CRLF, texts normalised to NFC. Every fault is
reported with its line; a file is read to its end before any error is raised.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from unrolled.data.labels import DataError, describe, text_lines

Symbols = tuple[str, ...]

_VARIANT = re.compile(r"(.+)\(\d+\)")  # CMUdict's READ(2)
_COMMENTS = (";;;", "##")  # of CMUdict, old and new
_STRESS = re.compile(r"(?<=[A-Z])[0-2]$")  # ARPAbet's AH0, AH1, AH2


class Pronunciations:
    """Words, each with one pronunciation or several.

    Parameters
    ----------
    words : mapping from str to an iterable of pronunciations
        A pronunciation is a sequence of symbols; one that a word has twice counts once.

    Raises
    ------
    ValueError
        If a word is empty or has no pronunciation, or a pronunciation no symbol.

    Examples
    --------
    >>> words = Pronunciations({"READ": ["R IY D".split(), "R EH D".split()], "A": [["AH"]]})
    >>> len(words), words["READ"]
    (2, (('R', 'IY', 'D'), ('R', 'EH', 'D')))
    >>> words.entries()[-1]
    ('A', ('AH',))
    >>> words.without({"A"}).symbols
    ('D', 'EH', 'IY', 'R')
    """

    def __init__(self, words: Mapping[str, Iterable[Iterable[str]]]) -> None:
        self._words: dict[str, tuple[Symbols, ...]] = {}
        for word, given in words.items():
            variants = tuple(dict.fromkeys(tuple(symbols) for symbols in given))
            if not word or not variants or not all(variants):
                raise ValueError(f"{word!r} and {variants}: needed are a word and its symbols")
            self._words[word] = variants

    def __len__(self) -> int:
        """Count the words."""
        return len(self._words)

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    def __contains__(self, word: object) -> bool:
        return word in self._words

    def __getitem__(self, word: str) -> tuple[Symbols, ...]:
        return self._words[word]

    def get(self, word: str) -> tuple[Symbols, ...]:
        """Return the pronunciations of a word, none where it is not known."""
        return self._words.get(word, ())

    @property
    def letters(self) -> tuple[str, ...]:
        """All characters of the words, sorted."""
        return tuple(sorted({letter for word in self._words for letter in word}))

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols of the pronunciations, sorted."""
        return tuple(sorted({s for variants in self._words.values() for v in variants for s in v}))

    def entries(self) -> list[tuple[str, Symbols]]:
        """Return (word, pronunciation), one for every pronunciation, word by word."""
        return [(word, symbols) for word, variants in self._words.items() for symbols in variants]

    def without(self, words: Container[str]) -> Pronunciations:
        """Leave words out."""
        return Pronunciations({w: v for w, v in self._words.items() if w not in words})

    def split(self, share: float, seed: int) -> tuple[Pronunciations, Pronunciations]:
        """Part the words, each with all its pronunciations: most of them, and a share.

        Parameters
        ----------
        share : float
            Above 0 and below 1, of the words.
        seed : int
            Of the draw.

        Raises
        ------
        ValueError
            If one of the parts would have no word.
        """
        count = round(share * len(self))
        if not 0 < count < len(self):
            raise ValueError(
                f"a share of {share:g} of {len(self)} word(s) leaves one part empty: give more "
                "words, or another share"
            )
        names = list(self._words)
        rng = np.random.Generator(np.random.PCG64(seed))
        chosen = {names[i] for i in rng.permutation(len(names))[:count]}
        return self.without(chosen), Pronunciations({w: self[w] for w in names if w in chosen})


def read_pronunciations(path: str | os.PathLike[str]) -> Pronunciations:
    """Read lines of a word and its symbols.

    Parameters
    ----------
    path
        Lines of ``word<TAB>symbols`` or ``word symbols``, symbols separated by spaces; a word that
        has a space needs the tab. Several lines of one word are its pronunciations, with or
        without CMUdict's ``(2)`` after it. Blank lines and CMUdict's comments (lines that begin
        with ``;;;`` or ``##``, and what follows ``' #'`` at the end of a line) are skipped.

    Returns
    -------
    Pronunciations
        In the order of the file.

    Raises
    ------
    DataError
        For a missing file, bytes that are not UTF-8, a word without symbols, a control character,
        no line.
    """
    problems: list[str] = []
    words: dict[str, list[Symbols]] = {}
    for source, line in text_lines(Path(path), problems):
        if not line.strip() or line.startswith(_COMMENTS):
            continue
        word, symbols = _cut(line)
        fault = _fault(word, symbols)
        if fault is None:
            words.setdefault(word, []).append(symbols)
        else:
            problems.append(f"{source}: {fault}")
    if not words and not problems:
        problems.append(f"{path}: has no line; write word<TAB>symbols, symbols with spaces between")
    if problems:
        raise DataError(problems)
    return Pronunciations(words)


def without_stress(symbols: Iterable[str]) -> Symbols:
    """Return symbols without ARPAbet's marks of stress.

    Examples
    --------
    >>> without_stress(["HH", "AH0", "L", "OW1"])
    ('HH', 'AH', 'L', 'OW')
    """
    return tuple(_STRESS.sub("", symbol) for symbol in symbols)


def _cut(line: str) -> tuple[str, Symbols]:
    """Return the word and the symbols of a line."""
    text = unicodedata.normalize("NFC", line)
    word, tab, rest = text.partition("\t")
    if not tab or not word.strip():
        word, *pieces = text.split(maxsplit=1)
        rest = "".join(pieces)
    rest = f" {rest} ".partition(" # ")[0]
    variant = _VARIANT.fullmatch(word.strip())
    return variant[1] if variant else word.strip(), tuple(rest.split())


def _fault(word: str, symbols: Symbols) -> str | None:
    if not symbols:
        return f"{word} has no symbol; write word<TAB>symbols, symbols with spaces between"
    for character in "".join((word, *symbols)):
        if unicodedata.category(character) in ("Cc", "Zl", "Zp"):
            return f"control character {describe(character)}; remove it"
    return None
