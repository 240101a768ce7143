"""Lexica: the only words that a decoder may write."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from unrolled import _core
from unrolled.decode.labels import Labels
from unrolled.decode.letters import (
    LabelLetters,
    core_labels,
    offsets_of,
    sequences_of,
    spellings_in,
)

Spelling = Sequence[str]


class Lexicon:
    """Words, and the labels that they are written with.

    Every word of a text must be one of these; texts without words are allowed, and so are
    delimiters before, between and behind words. Without a delimiter, characters are all one word.
    A word without spellings of its own is written by all sequences of labels whose letters are the
    word's; with spellings, by those alone.

    Parameters
    ----------
    words : iterable of str, or mapping from str to spellings, or path of a file
        Of a mapping, each value is a text of labels with spaces between, a sequence of labels, a
        list of either, or None. A file is UTF-8 text with a word, and perhaps labels of a spelling
        after it, a line; a word may have several lines.

    Attributes
    ----------
    spellings : dict from str to list of (sequence of labels, or None)

    Raises
    ------
    ValueError
        There are no words, a word is empty or has white space in it, or a spelling is empty.
    TypeError
        Words or labels are no texts.

    Examples
    --------
    >>> Lexicon({"to": None, "two": ["t w o", "t o o"]}).spellings
    {'to': [None], 'two': [('t', 'w', 'o'), ('t', 'o', 'o')]}
    """

    spellings: dict[str, list[Spelling | None]]

    def __init__(self, words: Iterable[str] | Mapping[str, Any] | str | os.PathLike[str]) -> None:
        self.spellings = {}
        for word, spelling in _entries(words):
            _require_word(word)
            self.spellings.setdefault(word, []).append(spelling)
        if not self.spellings:
            raise ValueError("lexicon has no words: every text but the empty one is forbidden")

    def __len__(self) -> int:
        """Count the words."""
        return len(self.spellings)

    def __contains__(self, word: object) -> bool:
        """Whether a word is known."""
        return word in self.spellings

    def __repr__(self) -> str:
        return f"Lexicon({len(self)} words)"

    def fuse(self, labels: Labels) -> _core.FusionSource:
        """Return what the search allows.

        Raises
        ------
        ValueError
            The labels cannot write a word, or a spelling has what is no label.
        """
        letters = LabelLetters(labels)
        free = (word for word, spellings in self.spellings.items() if None in spellings)
        words = list(spellings_in(free, letters, "lexicon"))
        return _core.fuse_lexicon(
            core_labels(letters),
            sequences_of(letters.inside),
            sequences_of(words),
            self._find_classes(labels),
        )

    def _find_classes(self, labels: Labels) -> _core.Sequences:
        """Return spellings as classes; delimiters at their ends are left out."""
        classes = {text: c for c, text in enumerate(labels.texts) if c != labels.blank}
        found = []
        for word, spellings in self.spellings.items():
            for spelling in spellings:
                if spelling is not None:
                    found.append(_spell(word, spelling, classes, labels.delimiter))
        values = np.fromiter(chain.from_iterable(found), np.int32)
        return _core.Sequences(values, offsets_of(map(len, found)))


def as_lexicon(lexicon: Any) -> Lexicon:
    """Return the argument `lexicon` of a decoder in its full form."""
    return lexicon if isinstance(lexicon, Lexicon) else Lexicon(lexicon)


def _entries(words: Any) -> Iterator[tuple[Any, Spelling | None]]:
    """List words with one spelling each, from whatever the user gave."""
    if isinstance(words, (str, os.PathLike)):
        yield from _read_file(Path(words))
    elif isinstance(words, Mapping):
        for word, value in words.items():
            yield from ((word, spelling) for spelling in _spellings_of(word, value))
    else:
        yield from ((word, None) for word in words)


def _read_file(path: Path) -> Iterator[tuple[str, Spelling | None]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"lexicon: there is no file {str(path)!r}; pass a list for words themselves"
        ) from None
    except UnicodeDecodeError as fault:
        raise ValueError(f"lexicon {str(path)!r} is not UTF-8: {fault}") from None
    for line in text.split("\n"):
        parts = line.split()
        if parts:
            yield parts[0], tuple(parts[1:]) or None


def _spellings_of(word: Any, value: Any) -> list[Spelling | None]:
    if value is None:
        return [None]
    if isinstance(value, str):
        return [_require_spelling(word, value.split())]
    items = list(value)
    if any(map(_is_spelling, items)):
        return [spelling for item in items for spelling in _spellings_of(word, item)]
    return [_require_spelling(word, items)]


def _is_spelling(item: Any) -> bool:
    """Whether an item of a list is a spelling of its own, and no label."""
    return len(item.split()) > 1 if isinstance(item, str) else not np.isscalar(item)


def _require_spelling(word: Any, labels: Sequence[Any]) -> Spelling:
    if not labels:
        raise ValueError(f"lexicon: a spelling of {word!r} is empty; None leaves it to the letters")
    wrong = next((label for label in labels if not isinstance(label, str)), None)
    if wrong is not None:
        raise TypeError(f"lexicon: labels that spell {word!r} must be texts, got {wrong!r}")
    return tuple(labels)


def _require_word(word: Any) -> None:
    if not isinstance(word, str):
        raise TypeError(f"lexicon: words must be texts, got {word!r}")
    if word.split() != [word]:
        raise ValueError(f"lexicon: {word!r} is not one word; give its words one by one")


def _spell(
    word: str, spelling: Spelling, classes: Mapping[str, int], delimiter: int | None
) -> list[int]:
    unknown = next((label for label in spelling if label not in classes), None)
    if unknown is not None:
        raise ValueError(
            f"lexicon: {word!r} is spelt with {unknown!r}, which is none of the "
            f"{len(classes)} labels"
        )
    found = [classes[label] for label in spelling]
    while delimiter in found[:1]:
        found = found[1:]
    while delimiter in found[-1:]:
        found = found[:-1]
    if not found or delimiter in found:
        raise ValueError(f"lexicon: {word!r} must be spelt without the delimiter in it")
    return found
