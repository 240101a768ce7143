"""From a text to the tokens of a network: longest labels first, and what to do where none fits."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unrolled._label_names import SEPARATORS, WORD_MARK, has_pieces
from unrolled.align.words import Kind, WordSlice

OutOfVocabulary = Literal["star", "interpolate", "raise"]

_SHOWN = 5
# Marks that are read out, although Unicode counts them as punctuation; all other is silent.
_SPOKEN = frozenset("#%&*@\\/§‰†‡")
_LOOKALIKES = {  # apostrophes, hyphens and quotes that books have and keyboards have not
    **dict.fromkeys("\u2019\u2018\u02bc\u2032", "'"),
    **dict.fromkeys("\u2010\u2011\u2013", "-"),
    **dict.fromkeys("\u201c\u201d\u201e", '"'),
}


@dataclass(frozen=True, eq=False)
class Spelling:
    """A text as tokens.

    Attributes
    ----------
    target : ndarray of int64 (L,)
        Classes, with separators between words where there is one.
    words : list of WordSlice
        One an input word, in order.
    separator : int or None
        Class between words.
    star : int or None
        Class of the wildcard, where `target` holds it.
    """

    target: NDArray[np.int64]
    words: list[WordSlice]
    separator: int | None
    star: int | None


def spell(
    text: str | Sequence[str],
    labels: Sequence[str] | Mapping[str, int],
    *,
    blank: int | None = 0,
    separator: int | str | None = None,
    star: int | None = None,
    oov: OutOfVocabulary = "star",
    star_unit: Literal["word", "character"] = "word",
    fold_case: bool = True,
    strip_accents: bool = True,
    word_prefix: str | None = None,
) -> Spelling:
    r"""Spell a text with the labels of a network.

    Each word is cut into labels from left to right, the longest that fits first. A character
    without a label is tried in other ways before it counts as unknown: other case, a plain
    apostrophe, quote or hyphen for a typographic one, its letter without accent. Punctuation
    without a label is silent and left out, but ``#%&*@\/`` are read out.

    Parameters
    ----------
    text : str, or sequence of str
        Words between white space, or the words themselves, which may then hold spaces. Taken in
        Unicode form NFC, as are labels.
    labels : sequence of str, or mapping from str to int
        Text of each class, or the class of each text as in Hugging Face's ``vocab.json``.
    blank : int, optional
        Class whose label never stands in a text; negative counts from the end.
    separator : int or str, optional
        Class or label between words. When not given, the first of ``"<wb>"``, ``" "``,
        ``"<space>"``, ``"|"`` and ``"▁"`` that is a label; none where there is no such, or words
        have a prefix. -1 for none at all.
    star : int, optional
        Class of the wildcard; one beyond the labels when not given.
    oov : {"star", "interpolate", "raise"}
        What becomes of a word that cannot be spelt: a wildcard stands for it; it has no token, and
        later the time between its neighbours; or it is an error.
    star_unit : {"word", "character"}
        Whether the wildcard stands for the whole word, or for each run of unknown characters in it.
    fold_case : bool
        Whether a label of the other case will do where there is none of the character's own.
    strip_accents : bool
        Whether a letter without its accent will do.
    word_prefix : str, optional
        Put before each word. When not given, ``"▁"`` if labels of several characters begin with it,
        as SentencePiece's do, and nothing otherwise.

    Returns
    -------
    Spelling

    Raises
    ------
    ValueError
        If `separator` is no label, an option is unknown, or with ``oov="raise"`` for words that
        cannot be spelt, which the message names.

    Examples
    --------
    >>> spelling = spell("Ahoi, 12 Ohio!", ["<pad>", "|", "a", "h", "i", "o", "oi"])
    >>> spelling.target.tolist()
    [2, 3, 6, 1, 7, 1, 5, 3, 4, 5]
    >>> [(word.text, word.first, word.last, word.kind) for word in spelling.words]
    [('Ahoi,', 0, 3, 'spelt'), ('12', 4, 5, 'star'), ('Ohio!', 6, 10, 'spelt')]
    """
    for name, value, allowed in (
        ("oov", oov, ("star", "interpolate", "raise")),
        ("star_unit", star_unit, ("word", "character")),
    ):
        if value not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    names = label_list(labels)
    blank = None if blank is None else blank % max(len(names), 1)
    prefix = find_prefix(names) if word_prefix is None else word_prefix
    between = None if prefix and separator is None else find_separator(separator, names)
    table = _Table(names, (blank, between), fold_case, strip_accents)
    wildcard = len(names) if star is None else star
    words = text.split() if isinstance(text, str) else list(text)
    writer = _Writer(table, between, wildcard, oov, star_unit == "character")
    for word in words:
        writer.add(word, prefix)
    if oov == "raise" and writer.unknown:
        raise ValueError(_refusal(writer.unknown))
    target = np.array(writer.tokens, np.int64)
    return Spelling(target, writer.words, between, wildcard if wildcard in writer.tokens else None)


def label_list(labels: Sequence[str] | Mapping[str, int]) -> list[str]:
    """Return the text of each class; classes that a mapping does not name get an empty one.

    Raises
    ------
    ValueError
        If a mapping names a negative class, or one class twice.
    """
    if not isinstance(labels, Mapping):
        return list(labels)
    names = [""] * (max(labels.values(), default=-1) + 1)
    for text, index in labels.items():
        if index < 0 or names[index]:
            raise ValueError(f"labels: class {index} of {text!r} is negative or named twice")
        names[index] = text
    return names


def find_separator(separator: int | str | None, labels: Sequence[str]) -> int | None:
    """Return the class between words: the one named, a usual one among the labels, or none."""
    if separator is None:
        found = [labels.index(name) for name in SEPARATORS if name in labels]
        return found[0] if found else None
    if isinstance(separator, str):
        if separator not in labels:
            raise ValueError(f"separator {separator!r} is not one of the {len(labels)} labels")
        return labels.index(separator)
    if separator >= len(labels):
        raise ValueError(f"separator must be one of the {len(labels)} classes, got {separator}")
    return None if separator < 0 else separator


def find_prefix(labels: Sequence[str]) -> str:
    """Return what labels have in front at the start of a word, if they have."""
    return WORD_MARK if has_pieces(labels, WORD_MARK) else ""


def _refusal(unknown: list[tuple[str, str]]) -> str:
    shown = ", ".join(f"{word!r} ({character!r})" for word, character in unknown[:_SHOWN])
    more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
    return (
        f"{len(unknown)} words have characters without a label: {shown}{more}; write them out, "
        'or pass oov="star" or "interpolate"'
    )


class _Table:
    """Labels by their text, and the ways to find one for a character that has none."""

    def __init__(
        self,
        labels: Sequence[str],
        omitted: tuple[int | None, ...],
        fold_case: bool,
        strip_accents: bool,
    ) -> None:
        self.exact: dict[str, int] = {}
        self.folded: dict[str, int] = {}
        self.strip_accents = strip_accents
        for index, label in enumerate(labels):
            if index in omitted or not label:
                continue
            text = unicodedata.normalize("NFC", label)
            self.exact.setdefault(text, index)
            if fold_case:
                self.folded.setdefault(text.casefold(), index)
        self.longest = max(map(len, self.exact), default=0)

    def match(self, text: str, start: int) -> tuple[int, int] | None:
        """Return the class of the longest label at `start`, and where it ends."""
        for end in range(min(start + self.longest, len(text)), start, -1):
            index = self._find(text[start:end])
            if index is not None:
                return index, end
        for variant in self._variants(text[start]):
            index = self._find(variant)
            if index is not None:
                return index, start + 1
        return None

    def _find(self, text: str) -> int | None:
        index = self.exact.get(text)
        return self.folded.get(text.casefold()) if index is None else index

    def _variants(self, character: str) -> list[str]:
        variants = [_LOOKALIKES[character]] if character in _LOOKALIKES else []
        if self.strip_accents:
            plain = unicodedata.normalize("NFD", character)
            variants.append("".join(c for c in plain if not unicodedata.combining(c)))
        return variants


class _Writer:
    """The tokens and words of a text, word by word."""

    def __init__(
        self,
        table: _Table,
        separator: int | None,
        star: int,
        oov: OutOfVocabulary,
        stars_within: bool,
    ) -> None:
        self.table, self.separator, self.star, self.oov = table, separator, star, oov
        self.stars_within = stars_within
        self.tokens: list[int] = []
        self.words: list[WordSlice] = []
        self.unknown: list[tuple[str, str]] = []

    def add(self, word: str, prefix: str) -> None:
        text = unicodedata.normalize("NFC", word)
        spelt, unknown = self._spell(prefix + (" " + prefix).join(text.split()))
        if prefix and not unknown and not self._spell(text)[0]:
            spelt = []  # nothing but the prefix
        kind: Kind = "spelt" if spelt else "silent"
        if unknown:
            self.unknown.append((word, unknown[0]))
            kind, spelt = self._stand_in(spelt)
        if spelt and self.tokens and self.separator is not None:
            self.tokens.append(self.separator)
        first = len(self.tokens)
        self.tokens += spelt
        self.words.append(WordSlice(word, first, len(self.tokens), kind))

    def _stand_in(self, spelt: list[int]) -> tuple[Kind, list[int]]:
        if self.oov != "star":
            return "interpolated", []
        if self.stars_within and spelt != [self.star]:
            return "spelt", spelt
        return "star", [self.star]

    def _spell(self, text: str) -> tuple[list[int], list[str]]:
        """Return tokens, with one wildcard for each run of unknown characters, and these."""
        tokens: list[int] = []
        unknown: list[str] = []
        start = 0
        while start < len(text):
            found = self.table.match(text, start)
            token, end = found or (None, start + 1)
            if token is None and text[start] == " ":
                token = self.separator
            elif token is None and not _is_silent(text[start]):
                unknown.append(text[start])
                token = None if tokens[-1:] == [self.star] else self.star
            if token is not None:
                tokens.append(token)
            start = end
        return tokens, unknown


def _is_silent(character: str) -> bool:
    """Whether a character has no sound: punctuation, controls, joiners, variation selectors."""
    if character in _SPOKEN:
        return False
    category = unicodedata.category(character)
    return category[0] == "P" or category in ("Cc", "Cf") or "\ufe00" <= character <= "\ufe0f"
