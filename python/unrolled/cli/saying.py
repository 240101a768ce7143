"""What a trained model says of words, whichever kind it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from unrolled.cli.errors import CommandError
from unrolled.cli.symbol_model import SymbolModel, generate, rank
from unrolled.data.labels import describe

if TYPE_CHECKING:
    from unrolled.lm.vocabulary import Vocabulary
    from unrolled.models import Seq2Seq, SequenceTranscriber

    G2P = Seq2Seq | SequenceTranscriber


class Said(NamedTuple):
    """One pronunciation of a word by a model.

    Attributes
    ----------
    symbols : tuple of str
    score : float
        What they are ordered by: `log_probability`, and the weighted score of a model of symbols.
    log_probability : float
        Natural logarithm of its probability by the network alone.
    weights : ndarray (symbols, letters), or None
        How much each letter had to do with each symbol.
    """

    symbols: tuple[str, ...]
    score: float
    log_probability: float
    weights: Any


def say(
    model: G2P,
    words: Sequence[str],
    *,
    beams: int,
    count: int = 1,
    symbols: SymbolModel | None = None,
) -> list[list[Said]]:
    """Pronounce words: the likeliest `count` of each, or as many as there are."""
    from unrolled.models import SequenceTranscriber

    symbols = symbols or SymbolModel()
    most = max(beams, count)
    if isinstance(model, SequenceTranscriber):
        listed = model.search(
            model.emissions(words), most, count, lm=symbols.lm, lm_weight=symbols.weight
        )
        return [
            [Said(tuple(t.tokens), t.score, t.log_probability, _spread(t, len(word))) for t in item]
            for word, item in zip(words, listed, strict=True)
        ]
    return [
        [
            Said(tuple(g.tokens), score, g.log_probability, _of_symbols(g))
            for g, score in rank(item, symbols)[:count]
        ]
        for item in generate(model, words, most)
    ]


def spelled(word: str, letters: Vocabulary) -> str:
    """Spell a word in the case that the model has learned.

    Raises
    ------
    CommandError
        If it is empty, or has a letter that the model has not learned.
    """
    if not word:
        raise CommandError("a word is empty; leave it out")
    for spelling in (word, word.upper(), word.lower()):
        if all(letter in letters for letter in spelling):
            return spelling
    unknown = next(c for c in word if not {c, c.upper(), c.lower()} & set(letters.tokens))
    known = "".join(token for token in letters.tokens if token not in letters.specials)
    raise CommandError(
        f"{word}: the model has not learned {describe(unknown)}, its letters are {known}; "
        "spell the word with those"
    )


def _of_symbols(generation: Any) -> Any:
    """Return the attention (symbols, letters), without that of the end mark."""
    weights = generation.attention
    return None if weights is None else weights[: len(generation.tokens)]


def _spread(transcription: Any, letters: int) -> Any:
    """Return the share (symbols, letters) that each letter has in the span of each symbol."""
    import numpy as np

    weights = np.zeros((len(transcription.spans), letters))
    for row, span in zip(weights, transcription.spans, strict=True):
        row[span.start : span.end] = 1 / (span.end - span.start)
    return weights
