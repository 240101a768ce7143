"""What the classes of emissions stand for, and how tokens become texts and words."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unrolled._label_names import (
    BLANKS,
    INNER_MARK,
    SEPARATORS,
    SPECIALS,
    WORD_MARK,
    has_pieces,
)
from unrolled.align.spelling import label_list
from unrolled.ctc.batch import as_class

Kind = Literal["characters", "sentencepiece", "wordpiece", "words"]

_KINDS = ("characters", "sentencepiece", "wordpiece", "words")
_SPACE = " "


class Labels:
    """The text of each class of emissions, and what follows from it.

    Parameters
    ----------
    labels : sequence of str, or mapping from str to int
        Text of each class, or the class of each text as in Hugging Face's ``vocab.json``; classes
        that a mapping leaves out have no text. All texts differ, but for the blank's own.
    blank : int or str
        Class of the blank, negative counted from the end, or its label.
    word_delimiter : str or None
        Label between words. Where ``" "`` is no label, the first of ``"<wb>"``, ``"<space>"``,
        ``"|"`` and ``"▁"`` that is one. None where nothing stands between words.
    kind : {"characters", "sentencepiece", "wordpiece", "words"}, optional
        What a label is; told by the labels when not given: pieces of which some begin with ``"▁"``
        or ``"##"``; words, where nothing separates and most labels have several letters (phonemes
        count as words: their texts have spaces between); else characters.

    Attributes
    ----------
    texts : tuple of str
        By class, as given.
    blank : int
    delimiter : int or None
        Class between words.
    kind : str
    specials : frozenset of int
        Classes, beside the blank, that are never part of a text: ``<s>``, ``</s>``, ``<unk>`` and
        the like, and classes without a text.
    starts_word, ends_word : ndarray of bool (C,)
        Whether a word begins with the token; whether the word that it stands in, or the one before
        it, is complete with it: the delimiter ends words and belongs to none.

    Raises
    ------
    ValueError
        A text is the label of two classes, there is no such blank or delimiter, or the blank looks
        like an ordinary label while another one is called a blank.
    TypeError
        Labels are no texts, or `blank` is neither a class nor a label.

    Examples
    --------
    >>> labels = Labels({"<pad>": 0, "|": 1, "a": 2, "b": 3})
    >>> labels.text([1, 2, 3, 1, 1, 2]), labels.words([1, 2, 3, 1, 1, 2])
    ('ab  a', [('ab', 1, 3), ('a', 5, 6)])
    >>> pieces = Labels(["▁to", "be", "▁", "<blk>"], blank="<blk>")
    >>> pieces.kind, pieces.text([0, 1, 0]), pieces.words([0, 1, 0])
    ('sentencepiece', 'tobe to', [('tobe', 0, 2), ('to', 2, 3)])
    """

    texts: tuple[str, ...]
    blank: int
    delimiter: int | None
    kind: Kind
    specials: frozenset[int]
    starts_word: NDArray[np.bool_]
    ends_word: NDArray[np.bool_]

    def __init__(
        self,
        labels: Sequence[str] | Mapping[str, int],
        blank: int | str = 0,
        word_delimiter: str | None = _SPACE,
        kind: Kind | None = None,
    ) -> None:
        texts = _read_texts(labels)
        silent = _find_blank(texts, blank)
        _require_distinct(texts, silent, isinstance(labels, Mapping))
        specials = frozenset(
            i for i, text in enumerate(texts) if i != silent and (not text or text in SPECIALS)
        )
        spoken = {t: i for i, t in enumerate(texts) if i != silent and i not in specials}
        delimiter = _find_delimiter(word_delimiter, spoken)
        kind = kind or _tell_kind(list(spoken), delimiter)
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {', '.join(_KINDS)}, got {kind!r}")
        if kind != "characters":
            delimiter = None
        self.__dict__.update(
            texts=texts, blank=silent, delimiter=delimiter, kind=kind, specials=specials
        )
        starts, ends = self._find_edges()
        self.__dict__.update(starts_word=starts, ends_word=ends)
        self.__dict__["_written"] = self._write_labels()
        self.__dict__["_edges"] = [frozenset(np.flatnonzero(e).tolist()) for e in (starts, ends)]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"Labels do not change: make others with another {name}")

    def __len__(self) -> int:
        """Count the classes."""
        return len(self.texts)

    def __repr__(self) -> str:
        return f"Labels({len(self)} {self.kind}, blank={self.blank}, delimiter={self.delimiter})"

    def require_width(self, classes: int, what: str = "log_probs") -> None:
        """Refuse emissions of another number of classes.

        Raises
        ------
        ValueError
            With both numbers.
        """
        if classes == len(self):
            return
        remedy = "pass the labels that the network was trained with, in its order"
        if classes == len(self) + 1:
            remedy = 'the blank needs a label of its own at its place, such as ""'
        raise ValueError(
            f"{what} has {classes} classes, and there are {len(self)} labels; {remedy}"
        )

    def text(self, tokens: Iterable[int]) -> str:
        """Return what tokens stand for: words with spaces between, none at either end.

        Examples
        --------
        >>> Labels(["", " ", "h", "i"]).text([2, 3, 1, 1, 2, 3, 1])
        'hi  hi'
        """
        written = self.__dict__["_written"]
        return "".join([written[token] for token in _as_list(tokens)]).strip(_SPACE)

    def words(self, tokens: Iterable[int]) -> list[tuple[str, int, int]]:
        """Return words with the tokens [first, end) that they consist of.

        Characters without a delimiter are all one word. Words without a text are left out.

        Examples
        --------
        >>> Labels(["[PAD]", "play", "##ing", "card"]).words([1, 2, 3])
        [('playing', 0, 2), ('card', 2, 3)]
        """
        written = self.__dict__["_written"]
        return [
            (word, first, end)
            for first, end, token_ids in self._runs(_as_list(tokens))
            if (word := "".join([written[token] for token in token_ids]).strip(_SPACE))
        ]

    def _runs(self, tokens: list[int]) -> list[tuple[int, int, list[int]]]:
        """Cut where words start and end; delimiters fall out."""
        starts, ends = self.__dict__["_edges"]
        runs = []
        first = 0
        for place, token in enumerate(tokens):
            if token in starts:
                runs.append((first, place, tokens[first:place]))
                first = place
            if token in ends:
                end = place + (token != self.delimiter)
                runs.append((first, end, tokens[first:end]))
                first = place + 1
        return [*runs, (first, len(tokens), tokens[first:])]

    def _find_edges(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        starts, ends = np.zeros((2, len(self)), bool)
        for token, text in enumerate(self.texts):
            if token == self.blank or token in self.specials:
                continue
            if self.kind == "characters":
                ends[token] = token == self.delimiter
            elif self.kind == "sentencepiece":
                starts[token] = text.startswith(WORD_MARK)
                ends[token] = len(text) > 1 and text.endswith(WORD_MARK)
            elif self.kind == "wordpiece":
                starts[token] = not text.startswith(INNER_MARK)
            else:
                starts[token] = ends[token] = True
        for edges in (starts, ends):
            edges.setflags(write=False)
        return starts, ends

    def _write_labels(self) -> list[str]:
        """Return what each class adds to a text; a space before or after it where words meet."""
        written = []
        for token, text in enumerate(self.texts):
            if token == self.blank or token in self.specials:
                written.append("")
            elif self.kind == "sentencepiece":
                written.append(text.replace(WORD_MARK, _SPACE))
            elif self.kind == "characters":
                written.append(_SPACE if token == self.delimiter else text)
            else:
                bare = text.removeprefix(INNER_MARK) if self.kind == "wordpiece" else text
                written.append(_SPACE + bare if self.starts_word[token] else bare)
        return written


def _as_list(tokens: Iterable[int]) -> list[int]:
    return tokens.tolist() if isinstance(tokens, np.ndarray) else list(tokens)


def _read_texts(labels: Any) -> tuple[str, ...]:
    if isinstance(labels, Mapping):
        odd = next((c for c in labels.values() if not isinstance(c, (int, np.integer))), None)
        if odd is not None:
            raise TypeError(f"labels: the class of a text must be a whole number, got {odd!r}")
    elif not hasattr(labels, "__iter__"):
        raise TypeError(f"labels must be a sequence of texts, or a mapping, got {labels!r}")
    texts = tuple(label_list(labels))
    wrong = next((i for i, text in enumerate(texts) if not isinstance(text, str)), None)
    if wrong is not None:
        raise TypeError(f"labels must be texts; that of class {wrong} is {texts[wrong]!r}")
    if not texts:
        raise ValueError("labels must name every class of the emissions, got none")
    return texts


def _find_blank(texts: tuple[str, ...], blank: Any) -> int:
    if isinstance(blank, str):
        places = [i for i, text in enumerate(texts) if text == blank]
        if len(places) != 1:
            found = f"of {len(places)} classes" if places else f"none of the {len(texts)} labels"
            raise ValueError(f"blank {blank!r} is {found}; pass its class instead")
        return places[0]
    if blank is None:
        raise TypeError("blank must be a class or its label, got None: CTC paths have blanks")
    silent = as_class(blank, len(texts))
    named = [i for i, text in enumerate(texts) if text in BLANKS[:-1] or not text]
    label = texts[silent]
    if len(named) == 1 and silent not in named and label and label not in SPECIALS | {BLANKS[-1]}:
        raise ValueError(
            f"blank={blank} is the label {label!r}, and class {named[0]} is called "
            f"{texts[named[0]]!r}: pass blank={named[0]}, or blank={label!r} if that is meant"
        )
    return silent


def _require_distinct(texts: tuple[str, ...], blank: int, has_holes: bool) -> None:
    first: dict[str, int] = {}
    for token, text in enumerate(texts):
        if token == blank or (has_holes and not text):
            continue
        if text in first:
            raise ValueError(
                f"labels: classes {first[text]} and {token} are both {text!r}; a text must stand "
                "for one class"
            )
        first[text] = token


def _find_delimiter(delimiter: str | None, spoken: dict[str, int]) -> int | None:
    if delimiter is None:
        return None
    candidates = (delimiter, *SEPARATORS) if delimiter == _SPACE else (delimiter,)
    found = next((spoken[name] for name in candidates if name in spoken), None)
    if found is None and delimiter != _SPACE:
        raise ValueError(
            f"word_delimiter {delimiter!r} is not one of the labels of a text; pass such a label, "
            "or None where nothing stands between words"
        )
    return found


def _tell_kind(spoken: list[str], delimiter: int | None) -> Kind:
    if has_pieces(spoken, WORD_MARK):
        return "sentencepiece"
    if has_pieces(spoken, INNER_MARK):
        return "wordpiece"
    several = sum(_letters(text) > 1 for text in spoken)
    return "words" if delimiter is None and 2 * several > len(spoken) else "characters"


def _letters(text: str) -> int:
    """Count characters without the marks that combine with them."""
    return sum(unicodedata.category(character)[0] != "M" for character in text)
