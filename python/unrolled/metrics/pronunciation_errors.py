"""Errors of pronunciations, where several are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from unrolled.metrics.corpus import Tokens, check_lines, distances


@dataclass(frozen=True)
class PronunciationErrors:
    """How far pronunciations are from the closest of their references.

    Attributes
    ----------
    words : int
        Words that were compared.
    wrong_words : int
        Those that are none of their references.
    symbols : int
        Of the closest references together.
    errors : int
        Substitutions, deletions and insertions against them.
    """

    words: int
    wrong_words: int
    symbols: int
    errors: int

    @property
    def word_error_rate(self) -> float:
        """Share of words that are wrong."""
        return self.wrong_words / self.words

    @property
    def symbol_error_rate(self) -> float:
        """Errors over the symbols of the closest references: the phoneme error rate."""
        return self.errors / max(1, self.symbols)


def pronunciation_errors(
    references: Sequence[Sequence[Tokens]], hypotheses: Sequence[Tokens]
) -> PronunciationErrors:
    """Compare each pronunciation with the closest of its references.

    Parameters
    ----------
    references
        For each word one reference or several, each a sequence of symbols.
    hypotheses
        One a word.

    Returns
    -------
    PronunciationErrors
        Of references that are equally close the first one counts.

    Raises
    ------
    TypeError
        If either is one string.
    ValueError
        If their numbers differ, there is no word, or a word has no reference.

    Examples
    --------
    >>> references = [["R IY D".split(), "R EH D".split()], ["K AE T".split()]]
    >>> errors = pronunciation_errors(references, ["R EH D".split(), "K AH T S".split()])
    >>> errors.word_error_rate, errors.symbol_error_rate
    (0.5, 0.3333333333333333)
    """
    check_lines(references, hypotheses)
    for number, variants in enumerate(references):
        if isinstance(variants, str) or not len(variants):
            raise ValueError(f"references[{number}] has no pronunciation; give a list of them")
    every = [variant for variants in references for variant in variants]
    counts = [len(variants) for variants in references]
    said = [h for h, n in zip(hypotheses, counts, strict=True) for _ in range(n)]
    away = distances(every, said)
    starts = [0, *accumulate(counts)]
    closest = [a + int(np.argmin(away[a:b])) for a, b in pairwise(starts)]
    return PronunciationErrors(
        words=len(closest),
        wrong_words=int(np.count_nonzero(away[closest])),
        symbols=sum(len(every[i]) for i in closest),
        errors=int(away[closest].sum()),
    )
