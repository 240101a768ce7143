"""Hotwords: phrases that are favoured, and the rules by which they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from unrolled import _core
from unrolled.decode.labels import Labels
from unrolled.decode.letters import SPACE, LabelLetters, sequences_of, spellings_in

#: Most that a phrase may gain for each of its letters: with it a letter that is e^5 = 148 times
#: less probable than the best of its frame is as good as that one. More would do nothing but write
#: the phrase over letters that were heard clearly.
MOST_GAIN_PER_LETTER = 5.0


class Hotwords:
    """Phrases with their weights.

    The score of a text has the weight of each phrase once for each time that it occurs in the
    text; phrases that overlap, or lie within each other, all count. A prefix that ends amid a
    phrase has credit: the weight times the share of the phrase's letters that it has; where it may
    become one of several phrases, the largest such credit. When the phrase breaks off, the credit
    is taken back to the last bit; when it is complete, its weight is the prefix's for good.

    Gains are bounded: a phrase of n letters, spaces between its words counted, gains at most ``5
    n``, whatever its weight; prefixes that are dropped for being further than ``beam_prune_logp``
    below the best are compared with the best without credit. So no weight can crowd out what was
    heard clearly beside the phrase. Below 0 weights are not bounded, and give no credit.

    Parameters
    ----------
    phrases : mapping from str to float, or iterable of str
        Weights by phrase, as natural logarithms that are added to scores; or phrases alone.
    weight : float
        Weight of phrases without one of their own.
    whole_words : bool
        Whether "cat" must be a word of its own; otherwise it is found in "category" too. Where
        labels do not tell words from each other, phrases are found anywhere.
    fold_case : bool
        Whether letters are the same in either case.

    Attributes
    ----------
    weights : dict from str to float
        As given, in order.
    whole_words, fold_case : bool

    Raises
    ------
    TypeError
        A phrase is no text, or a weight no number.
    ValueError
        A phrase is empty, or a weight is not finite.

    Examples
    --------
    >>> list(Hotwords(["New York", "cat"]).weights.items())
    [('New York', 10.0), ('cat', 10.0)]
    """

    weights: dict[str, float]
    whole_words: bool
    fold_case: bool

    def __init__(
        self,
        phrases: Mapping[str, float] | Iterable[str],
        weight: float = 10.0,
        *,
        whole_words: bool = True,
        fold_case: bool = False,
    ) -> None:
        if isinstance(phrases, str):
            raise TypeError(f"hotwords must be a list of phrases, got the text {phrases!r}")
        if not isinstance(phrases, Mapping):
            phrases = dict.fromkeys(phrases, weight)
        for phrase, own in phrases.items():
            _require_phrase(phrase, own)
        self.weights = {phrase: float(own) for phrase, own in phrases.items()}
        self.whole_words = bool(whole_words)
        self.fold_case = bool(fold_case)

    def __len__(self) -> int:
        """Count the phrases."""
        return len(self.weights)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the phrases."""
        return iter(self.weights)

    def __repr__(self) -> str:
        return (
            f"Hotwords({self.weights!r}, whole_words={self.whole_words}, "
            f"fold_case={self.fold_case})"
        )

    def fuse(self, labels: Labels) -> _core.FusionSource:
        """Return what the search looks for.

        Raises
        ------
        ValueError
            The labels cannot write a phrase, or two phrases are the same in their letters.
        """
        letters = LabelLetters(labels, self.fold_case)
        spelt = list(spellings_in(self.weights, letters, "hotwords"))
        self._require_distinct(spelt)
        bounded = [
            min(weight, MOST_GAIN_PER_LETTER * len(phrase))
            for weight, phrase in zip(self.weights.values(), spelt, strict=True)
        ]
        if self.whole_words and letters.marks_words:
            spelt = [SPACE + phrase + SPACE for phrase in spelt]
        return _core.fuse_hotwords(sequences_of(letters.running), sequences_of(spelt), bounded)

    def _require_distinct(self, spelt: list[str]) -> None:
        first: dict[str, str] = {}
        for phrase, letters in zip(self.weights, spelt, strict=True):
            if letters in first:
                raise ValueError(
                    f"hotwords {first[letters]!r} and {phrase!r} are both {letters!r} in letters; "
                    "give one of them"
                )
            first[letters] = phrase


def as_hotwords(hotwords: Any, weight: float) -> Hotwords:
    """Return the argument `hotwords` of a decoder in its full form."""
    return hotwords if isinstance(hotwords, Hotwords) else Hotwords(hotwords, weight)


def _require_phrase(phrase: Any, weight: Any) -> None:
    if not isinstance(phrase, str):
        raise TypeError(f"hotwords must be texts, got {phrase!r}")
    if not phrase.strip():
        raise ValueError("hotwords: a phrase is empty; leave it out")
    if isinstance(weight, bool) or not isinstance(weight, (int, float)):
        raise TypeError(f"hotwords: the weight of {phrase!r} must be a number, got {weight!r}")
    if not math.isfinite(weight):
        raise ValueError(
            f"hotwords: the weight of {phrase!r} must be finite, got {weight}; phrases gain at "
            f"most {MOST_GAIN_PER_LETTER} a letter anyway"
        )
