"""What pyctcdecode makes of the labels of a network."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from unrolled._label_names import INNER_MARK, WORD_MARK
from unrolled.decode.labels import Labels

_UNKNOWN = "⁇"
_UNKNOWN_PIECE = "▁⁇▁"
_BLANK_NAME = re.compile(r"[<\[]pad[>\]]", re.IGNORECASE)
_UNKNOWN_NAME = re.compile(r"[<\[]unk[>\]]", re.IGNORECASE)
_SPECIAL_NAME = re.compile(r"[<\[].+[>\]]")


class Alphabet:
    """Labels in pyctcdecode's form: the blank ``""``, ``" "`` or ``"▁"`` where words begin.

    Parameters
    ----------
    labels : list of str
        Normalised already; `build_alphabet` normalises.
    is_bpe : bool
        Whether labels are pieces of words, of which those that begin a word start with ``"▁"``.
    """

    def __init__(self, labels: list[str], is_bpe: bool) -> None:
        self._labels = labels
        self._is_bpe = is_bpe

    @property
    def is_bpe(self) -> bool:
        """Whether labels are pieces of words."""
        return self._is_bpe

    @property
    def labels(self) -> list[str]:
        """A copy of the labels, by class."""
        return self._labels[:]

    @classmethod
    def build_alphabet(cls, labels: Sequence[str]) -> Alphabet:
        """Normalise the labels of a network.

        ``<pad>`` or ``[PAD]`` becomes the blank ``""``; of characters, ``"|"`` becomes a space
        where there is none, and ``"_"`` the blank; where there is no blank, it is added as the last
        class. ``<unk>`` becomes ``"⁇"``. Pieces in the style of ``##`` become those of ``▁``.

        Raises
        ------
        ValueError
            A label occurs twice, or pieces have a space in them.

        Examples
        --------
        >>> Alphabet.build_alphabet(["<pad>", "|", "a", "<unk>"]).labels
        ['', ' ', 'a', '⁇']
        >>> Alphabet.build_alphabet(["[UNK]", "play", "##ing"]).labels
        ['▁⁇▁', '▁play', 'ing', '']
        """
        texts = list(labels)
        is_bpe = any(text.startswith((INNER_MARK, WORD_MARK)) for text in texts)
        _require_distinct(texts)
        if is_bpe and any(" " in text for text in texts):
            raise ValueError("labels are pieces of words, by their ▁ or ##: none may have a space")
        if any(text.startswith(INNER_MARK) for text in texts):
            texts = [_as_sentencepiece(text) for text in texts]
        if not is_bpe and " " not in texts:
            texts = [" " if text == "|" else text for text in texts]
        texts = ["" if _BLANK_NAME.fullmatch(text) else text for text in texts]
        if not is_bpe and "" not in texts:
            texts = ["" if text == "_" else text for text in texts]
        if "" not in texts:
            texts.append("")
        unknown = _UNKNOWN_PIECE if is_bpe else _UNKNOWN
        return cls([unknown if _UNKNOWN_NAME.fullmatch(text) else text for text in texts], is_bpe)

    def to_labels(self) -> Labels:
        """Return them as `unrolled.decode.BeamSearchDecoder` takes them."""
        blank = self._labels.index("")
        return Labels(self._labels, blank, kind="sentencepiece" if self._is_bpe else "characters")

    def dumps(self) -> str:
        """Return it as JSON."""
        return json.dumps({"labels": self._labels, "is_bpe": self._is_bpe})

    @classmethod
    def loads(cls, text: str) -> Alphabet:
        """Make it from what `dumps` returned.

        Raises
        ------
        ValueError
            The text is something else.
        """
        document = json.loads(text)
        if not isinstance(document, dict) or document.keys() != {"labels", "is_bpe"}:
            raise ValueError('an alphabet is {"labels": [...], "is_bpe": true or false}')
        return cls(document["labels"], document["is_bpe"])


def _require_distinct(texts: list[str]) -> None:
    if len(set(texts)) < len(texts):
        twice = next(text for place, text in enumerate(texts) if text in texts[:place])
        raise ValueError(f"labels must differ, {twice!r} is there twice")


def _as_sentencepiece(text: str) -> str:
    if text.startswith(INNER_MARK):
        return text.removeprefix(INNER_MARK)
    if _SPECIAL_NAME.fullmatch(text) or text in ("", WORD_MARK, _UNKNOWN_PIECE):
        return text
    return WORD_MARK + text
