"""What the labels write, letter by letter, and which texts they can write."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled.decode.labels import Labels

SPACE = " "


class LabelLetters:
    """The letters of each class, in Unicode form NFC.

    Parameters
    ----------
    labels : Labels
    fold_case : bool
        Whether letters are the same in either case.

    Attributes
    ----------
    inside : tuple of str
        What each class writes of a word; empty for the blank, the delimiter, and special classes.
    running : tuple of str
        The same in a running text: a space where a word starts or ends.
    marks_words : bool
        Whether the labels tell where words start or end.

    Examples
    --------
    >>> LabelLetters(Labels(["", "▁To", "be", "▁"])).running
    ('', ' To', 'be', ' ')
    """

    def __init__(self, labels: Labels, fold_case: bool = False) -> None:
        self.labels = labels
        self._fold_case = fold_case
        classes = range(len(labels))
        self.inside = tuple(self.fold(labels.text([c])) for c in classes)
        self.running = tuple(self._run(c) for c in classes)
        self.marks_words = labels.delimiter is not None or labels.kind != "characters"

    def fold(self, text: str) -> str:
        """Return a text as letters are compared."""
        return unicodedata.normalize("NFC", text.casefold() if self._fold_case else text)

    def spell(self, phrase: str) -> str:
        """Return a phrase in letters that the labels have, one space between its words.

        Raises
        ------
        ValueError
            They cannot write it: with the letter, or the place, where they fail.
        """
        faults = []
        for form in ("NFC", "NFD"):  # networks may have accents as labels of their own
            words = unicodedata.normalize(form, self.fold(phrase)).split()
            fault = self._find_fault(words)
            if fault is None:
                return SPACE.join(words)
            faults.append(fault)
        raise ValueError(faults[0])

    def can_spell(self, phrase: str) -> bool:
        """Whether the labels can write a phrase."""
        try:
            self.spell(phrase)
        except ValueError:
            return False
        return True

    def _run(self, token: int) -> str:
        labels, inside = self.labels, self.inside[token]
        before = SPACE if labels.starts_word[token] else ""
        after = SPACE if labels.ends_word[token] else ""
        return before + inside + after if inside else before or after

    def _find_fault(self, words: list[str]) -> str | None:
        if not words:
            return "it is empty"
        if len(words) > 1 and not self.marks_words:
            return "it has a space, and no label stands between words"
        return next((fault for word in words if (fault := self._find_word_fault(word))), None)

    def _find_word_fault(self, word: str) -> str | None:
        missing = next((letter for letter in word if letter not in self._alphabet), None)
        if missing is not None:
            return f"no label has {missing!r} (U+{ord(missing):04X})"
        reached = len(word) if self._writes_letters else self._reach(word)
        if reached == len(word):
            return None
        return f"no sequence of labels writes it beyond {word[:reached]!r}"

    def _reach(self, word: str) -> int:
        """Count the letters at the beginning of one word that labels can write."""
        heads, tails, whole = self._pieces
        if word in whole:
            return len(word)
        longest = max(map(len, heads | tails), default=0)
        reached = {end for end in range(longest + 1) if word[:end] in heads}
        for place in range(len(word)):
            if place in reached:
                ends = range(place + 1, min(place + longest, len(word)) + 1)
                reached.update(end for end in ends if word[place:end] in tails)
        return min(max(reached, default=0), len(word))

    @cached_property
    def _alphabet(self) -> frozenset[str]:
        return frozenset("".join(self.inside))

    @cached_property
    def _writes_letters(self) -> bool:
        """Whether any letters in any order make a word."""
        single = {text for text in self.inside if len(text) == 1}
        return self.labels.kind == "characters" and single >= self._alphabet

    @cached_property
    def _pieces(self) -> tuple[set[str], set[str], set[str]]:
        """Return texts that can begin a word, those that can go on, and those that are one."""
        heads, tails, whole = set(), set(), set()
        for c, text in enumerate(self.inside):
            starts, ends = self.labels.starts_word[c], self.labels.ends_word[c]
            if starts and ends:
                whole.add(text)
            elif starts:
                heads.add(text)
            elif text:
                tails.add(text)
        return tails if self.labels.kind == "characters" else heads, tails, whole


def sequences_of(texts: Iterable[str]) -> _core.Sequences:
    """Return texts as sequences of code points."""
    texts = list(texts)
    joined = "".join(texts).encode("utf-32-le", "surrogatepass")
    return _core.Sequences(np.frombuffer(joined, np.int32), offsets_of(map(len, texts)))


def offsets_of(lengths: Iterable[int]) -> NDArray[np.int64]:
    """Return where each of several sequences begins, and where the last ends."""
    return np.cumsum([0, *lengths], dtype=np.int64)


def core_labels(letters: LabelLetters) -> _core.FusionLabels:
    """Return what the core must know of labels to find words."""
    labels = letters.labels
    return _core.FusionLabels(list(letters.inside), labels.starts_word, labels.ends_word)


def spellings_in(words: Iterable[str], letters: LabelLetters, argument: str) -> Iterator[str]:
    """Spell words one by one; a message of what cannot be spelt names the argument and the word.

    Raises
    ------
    ValueError
        The labels cannot write a word.
    """
    for word in words:
        try:
            yield letters.spell(word)
        except ValueError as fault:
            raise ValueError(
                f"{argument}: {word!r} cannot be spelt with the {len(letters.labels)} labels: "
                f"{fault}; leave it out, or write it as the labels do"
            ) from None
