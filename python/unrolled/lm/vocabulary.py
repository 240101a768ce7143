"""The tokens of a model and their numbers: words, characters, or symbols of any kind."""

from __future__ import annotations

import json
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled._arrays import as_indices
from unrolled._files import write_atomically
from unrolled.lm.unknown import UnknownTokens, count_unknown

#: What a text is cut into.
UNITS = ("word", "char", "token")
FORMAT = "unrolled vocabulary"

# A text, or what it was cut into.
Text = str | Iterable[str]


class Vocabulary:
    r"""Tokens and their numbers (ids), with symbols for padding, unknown tokens, start and end.

    Special symbols that are not among `tokens` come before them, in the order pad, unk, sos, eos;
    those that are keep their place. Texts and tokens are normalised to NFC, so that two spellings
    of a letter are one.

    Parameters
    ----------
    tokens : iterable of str
        In the order of their ids, each once.
    unit : {"word", "char", "token"}
        What a text is cut into: what stands between white space, its characters, or, where it
        comes as a sequence of tokens already, nothing.
    pad, unk, sos, eos : str or None
        How padding, unknown tokens, start and end are written; None where there is no such symbol.

    Attributes
    ----------
    tokens : tuple of str
        By id.
    unit : str
    pad, unk, sos, eos : str or None
    pad_id, unk_id, sos_id, eos_id : int or None
        Ids of the special symbols.

    Raises
    ------
    ValueError
        If a token comes twice or is empty, two special symbols are the same, or `unit` is unknown.
    TypeError
        If tokens are no strings.

    Examples
    --------
    >>> from unrolled import lm
    >>> words = lm.Vocabulary.build(["the cat sat", "the dog sat"], min_count=2)
    >>> words.tokens
    ('<pad>', '<unk>', '<sos>', '<eos>', 'sat', 'the')
    >>> ids = words.encode("the cat sat", eos=True)
    >>> ids, words.decode(ids)
    (array([5, 1, 4, 3]), ['the', '<unk>', 'sat'])
    """

    def __init__(
        self,
        tokens: Iterable[str],
        *,
        unit: str = "word",
        pad: str | None = "<pad>",
        unk: str | None = "<unk>",
        sos: str | None = "<sos>",
        eos: str | None = "<eos>",
    ) -> None:
        if unit not in UNITS:
            raise ValueError(f"unit must be one of {', '.join(map(repr, UNITS))}, not {unit!r}")
        self.unit = unit
        self.pad, self.unk, self.sos, self.eos = (_special(s) for s in (pad, unk, sos, eos))
        self.tokens = _in_order(_normal_tokens(tokens), self.specials)
        self._index = {token: number for number, token in enumerate(self.tokens)}
        self.pad_id, self.unk_id = self._id_or_none(self.pad), self._id_or_none(self.unk)
        self.sos_id, self.eos_id = self._id_or_none(self.sos), self._id_or_none(self.eos)

    @classmethod
    def build(
        cls,
        texts: Text | Iterable[Text],
        *,
        unit: str = "word",
        min_count: int = 1,
        max_size: int | None = None,
        pad: str | None = "<pad>",
        unk: str | None = "<unk>",
        sos: str | None = "<sos>",
        eos: str | None = "<eos>",
    ) -> Vocabulary:
        """Make a vocabulary of the tokens in texts, the most frequent first, ties by spelling.

        Parameters
        ----------
        texts : str, or iterable of str or of sequences of tokens
            One text or many; with ``unit="token"``, sequences of tokens.
        unit : {"word", "char", "token"}
        min_count : int
            Tokens that occur less often are left out.
        max_size : int, optional
            The most tokens to have, special symbols counted; the most frequent stay.
        pad, unk, sos, eos : str or None

        Returns
        -------
        Vocabulary

        Raises
        ------
        ValueError
            If `min_count` is below 1, `max_size` has no room for the special symbols, or there
            is no `unk` although tokens were left out.
        TypeError
            If a text is neither a string nor a sequence of tokens.
        """
        empty = cls([], unit=unit, pad=pad, unk=unk, sos=sos, eos=eos)
        if min_count < 1:
            raise ValueError(f"min_count must be at least 1, not {min_count}")
        if max_size is not None and max_size < len(empty):
            raise ValueError(
                f"max_size={max_size} has no room for the {len(empty)} special symbols"
            )
        counts: Counter[str] = Counter()
        for text in empty._texts(texts):
            counts.update(empty.split(text))
        for special in empty.specials:
            counts.pop(special, None)
        kept = [token for token, count in counts.items() if count >= min_count]
        kept.sort(key=lambda token: (-counts[token], token))
        kept = kept if max_size is None else kept[: max_size - len(empty)]
        if unk is None and len(kept) < len(counts):
            raise ValueError(
                f"{len(counts) - len(kept)} tokens would be left out, and without `unk` there is "
                "no symbol for them: give one, or leave min_count and max_size as they are"
            )
        return cls(kept, unit=unit, pad=pad, unk=unk, sos=sos, eos=eos)

    @property
    def specials(self) -> tuple[str, ...]:
        """The special symbols there are, in the order pad, unk, sos, eos."""
        return tuple(s for s in (self.pad, self.unk, self.sos, self.eos) if s is not None)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return isinstance(token, str) and _normal(token) in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(self.tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.arguments() == other.arguments()

    def __hash__(self) -> int:
        return hash((self.tokens, self.unit))

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens, unit={self.unit!r})"

    # Texts to ids

    def index(self, token: str) -> int:
        """Return the id of a token, that of `unk` for an unknown one (ValueError without it)."""
        return int(self._ids([_normal(token)])[0])

    def split(self, text: Text) -> list[str]:
        """Cut a text into tokens; a sequence of tokens stays as it is.

        Raises
        ------
        TypeError
            If `text` is a string though ``unit="token"``, or neither a string nor tokens.
        """
        if not isinstance(text, str):
            return _normal_tokens(text)
        if self.unit == "token":
            raise TypeError(
                f"texts must be sequences of tokens (unit='token'), not the string {text[:40]!r}: "
                "split it, or choose unit='word' or 'char'"
            )
        text = _normal(text)
        return text.split() if self.unit == "word" else list(text)

    def encode(self, text: Text, *, sos: bool = False, eos: bool = False) -> NDArray[np.int64]:
        """Return the ids of a text, int64.

        Parameters
        ----------
        text : str or iterable of str
            A text to cut by `unit`, or tokens.
        sos, eos : bool
            Whether to put the symbols of start and end around it.

        Raises
        ------
        ValueError
            If a token is unknown and there is no `unk`, or a symbol is asked for that is not there.
        """
        ids = self._ids(self.split(text))
        start = [self._required("sos")] if sos else []
        end = [self._required("eos")] if eos else []
        return np.array([*start, *ids, *end], dtype=np.int64)

    def _ids(self, tokens: list[str]) -> list[int]:
        if self.unk_id is not None:
            return list(map(self._index.get, tokens, repeat(self.unk_id)))
        try:
            return [self._index[token] for token in tokens]
        except KeyError:
            place = next(i for i, token in enumerate(tokens) if token not in self._index)
            raise ValueError(
                f"token {tokens[place]!r} (number {place} of the text, counted from 0) is not "
                f"among the {len(self)} of the vocabulary, which has no symbol for unknown ones: "
                "add it, or make the vocabulary with `unk`"
            ) from None

    def unknown(self, texts: Text | Iterable[Text], most: int = 10) -> UnknownTokens:
        """Count the tokens of texts that the vocabulary lacks.

        Parameters
        ----------
        texts : as for `build`
        most : int
            How many of the most frequent to name.

        Returns
        -------
        UnknownTokens
            ``count``, ``total``, ``share`` and ``most_frequent``; prints as a sentence.

        Examples
        --------
        >>> from unrolled import lm
        >>> print(lm.Vocabulary(["the", "sat"]).unknown(["the cat sat", "the cat ran"]))
        3 of 6 tokens are unknown (50.00 %), the most frequent: 'cat' (2), 'ran' (1)
        """
        known = self._index.keys() - {self.unk}
        return count_unknown(map(self.split, self._texts(texts)), known, most)

    def one_hot(self, ids: ArrayLike, dtype: Any = np.float32) -> NDArray[Any]:
        """Return rows of zeros with a 1 at the id: ids (...) to (..., len(vocabulary)).

        Raises
        ------
        ValueError
            If a number is no id.
        """
        ids = self._checked(ids)
        rows = np.zeros((*ids.shape, len(self)), dtype)
        np.put_along_axis(rows, ids[..., None], 1, axis=-1)
        return rows

    # Ids to texts

    def decode(self, ids: ArrayLike, *, specials: bool = False) -> list[str]:
        """Return the tokens of ids (T).

        Padding, start and end are left out unless `specials` is set. What stands for an unknown
        token stays, as there was one.

        Raises
        ------
        ValueError
            If a number is no id, or `ids` has not one axis.
        """
        silent = set() if specials else {self.pad_id, self.sos_id, self.eos_id}
        numbers = self._checked(ids, ndim=1).tolist()
        return [self.tokens[number] for number in numbers if number not in silent]

    def text(self, ids: ArrayLike) -> str:
        """Return the text of ids (T): tokens with spaces between, or characters without."""
        return ("" if self.unit == "char" else " ").join(self.decode(ids))

    # Files and configurations

    def arguments(self) -> dict[str, Any]:
        """Return the constructor's arguments, ready for JSON: ``Vocabulary(**arguments)``."""
        names = ("unit", "pad", "unk", "sos", "eos")
        return {"tokens": list(self.tokens), **{name: getattr(self, name) for name in names}}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the vocabulary to a file of JSON that `load` reads; the old file stays if it fails.

        Raises
        ------
        OSError
            If the disk is full or refuses.
        """
        document = {"format": FORMAT, "version": 1, **self.arguments()}
        text = json.dumps(document, ensure_ascii=False, indent=0)
        write_atomically(path, text.encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Vocabulary:
        """Read what `save` wrote.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it holds no vocabulary.
        """
        name = os.fspath(path)
        try:
            document = json.loads(Path(path).read_bytes())
            if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
                raise ValueError(f"it has no format {FORMAT!r}")
            if document.pop("version", None) != 1:
                raise ValueError("its version is not 1; update unrolled")
            return cls(**document)
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(
                f"{name} holds no vocabulary ({error}); name a file that Vocabulary.save wrote"
            ) from None

    # Inside

    def _texts(self, texts: Text | Iterable[Text]) -> Iterable[Text]:
        """Return many texts for one or many."""
        return [texts] if isinstance(texts, str) else texts

    def _checked(self, ids: ArrayLike, ndim: int | None = None) -> NDArray[np.int64]:
        array = as_indices(ids, "ids", ndim)
        wrong = (array < 0) | (array >= len(self))
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise ValueError(
                f"ids{list(place)} is {array[place]}, it must lie in 0 .. {len(self) - 1}"
            )
        return array

    def _id_or_none(self, special: str | None) -> int | None:
        return None if special is None else self._index[special]

    def _required(self, name: str) -> int:
        number: int | None = getattr(self, f"{name}_id")
        if number is None:
            raise ValueError(f"{name}=True needs a vocabulary that was made with `{name}`")
        return number


def _normal(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _normal_tokens(tokens: Iterable[str]) -> list[str]:
    if isinstance(tokens, str):
        raise TypeError(f"tokens must be a sequence of strings, not the string {tokens[:40]!r}")
    listed = list(tokens)
    try:
        return [_normal(token) for token in listed]
    except (AttributeError, TypeError):
        wrong = next(i for i, token in enumerate(listed) if not isinstance(token, str))
        raise TypeError(f"token {wrong} must be a string, not {listed[wrong]!r}") from None


def _special(symbol: str | None) -> str | None:
    if symbol is not None and not (isinstance(symbol, str) and symbol):
        raise ValueError(f"a special symbol must be a string or None, not {symbol!r}")
    return None if symbol is None else _normal(symbol)


def _in_order(tokens: list[str], specials: Sequence[str]) -> tuple[str, ...]:
    """Put the special symbols that are not among the tokens before them; all must differ."""
    if len(set(specials)) < len(specials):
        raise ValueError(f"special symbols must differ: {', '.join(map(repr, specials))}")
    present = set(tokens)
    if "" in present:
        raise ValueError(f"token {tokens.index('')} is empty")
    if len(present) < len(tokens):
        twice = next(token for token, count in Counter(tokens).items() if count > 1)
        raise ValueError(f"token {twice!r} comes twice")
    return (*(special for special in specials if special not in present), *tokens)
