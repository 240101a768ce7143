"""What a trained model says of words, whichever kind it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from unrolled.cli.errors import CommandError
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
        Natural logarithm of its probability.
    weights : ndarray (symbols, letters), or None
        How much each letter had to do with each symbol.
    """

    symbols: tuple[str, ...]
    score: float
    weights: Any


def say(model: G2P, words: Sequence[str], *, beams: int, count: int = 1) -> list[list[Said]]:
    """Pronounce words: the likeliest `count` of each, or as many as there are."""
    from unrolled.models import SequenceTranscriber

    options: dict[str, Any] = {"num_beams": max(beams, count), "num_return_sequences": count}
    if isinstance(model, SequenceTranscriber):
        found = model.transcribe(words, **options)
        return [
            [Said(tuple(t.tokens), t.score, _spread(t, len(word))) for t in _listed(item, count)]
            for word, item in zip(words, found, strict=True)
        ]
    found = model.generate(words, length_penalty=0.0, **options)
    return [
        [Said(tuple(g.tokens), g.score, _of_symbols(g)) for g in _listed(item, count)]
        for item in found
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


def _listed(item: Any, count: int) -> list[Any]:
    return item if count > 1 else [item]


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
