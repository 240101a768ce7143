"""Counting the n-grams of sentences, from memory or from files of any size."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from unrolled import _core
from unrolled.lm.sentences import UNITS, TextLines, split_sentence

#: A text that is cut into units, or the units of one.
Sentence = str | Sequence[str]

# Sentences that go to the core at a time: between two of these, Ctrl-C is heard.
_BATCH = 2000
SPECIAL = ("<unk>", "<s>", "</s>")


def count_ngrams(
    sentences: Iterable[Sentence] | os.PathLike[str],
    order: int,
    unit: str,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> _core.NGramCounter:
    """Count the n-grams of sentences; see `unrolled.lm.training.estimate` for the arguments.

    Raises
    ------
    TypeError, ValueError
        If `order` or `unit` are none, something is no sentence, a token is empty, has white space
        in it or is ``<s>`` or ``</s>``, or there is nothing to count.
    """
    if isinstance(order, bool) or not isinstance(order, (int, np.integer)) or not 1 <= order <= 10:
        raise ValueError(f"order must be a whole number of 1 to 10, got {order!r}")
    if unit not in UNITS:
        raise ValueError(f"unit must be 'word' or 'char', got {unit!r}")
    if isinstance(sentences, str):
        raise TypeError(
            "sentences must be an iterable of sentences, got one text: give a list of its "
            "lines, or pathlib.Path(...) if it is the name of a file"
        )
    source = TextLines(sentences) if isinstance(sentences, os.PathLike) else sentences
    counter = _core.NGramCounter(int(order))
    for batch in _batches(source if progress is None else progress(source)):
        try:
            _add(counter, batch, unit)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{_place(source, counter.sentences)}: {error}") from error
    if counter.word_counts().sum() == counter.sentences:  # nothing but </s>
        raise ValueError("sentences hold no token; give text to learn from")
    return counter


def levels_of(
    counter: _core.NGramCounter, min_count: int, vocabulary: int | Collection[str] | None
) -> tuple[list[str], _core.NGramLevels]:
    """Choose the words of the model, and return them with the counts of all orders.

    The words that are not chosen become ``<unk>``, together.
    """
    words = counter.words()
    chosen = _chosen(words, counter.word_counts(), min_count, vocabulary)
    kept = [*SPECIAL, *(word for word in words[len(SPECIAL) :] if word in chosen)]
    known = set(kept)
    kept += [word for word in chosen if word not in known]  # told of, but never seen
    numbers = {word: number for number, word in enumerate(kept)}
    ids = np.array([numbers.get(word, 0) for word in words], np.uint32)
    return kept, counter.levels(ids, len(kept))


def _chosen(
    words: list[str], counts: Any, min_count: int, vocabulary: int | Collection[str] | None
) -> dict[str, None]:
    """Return the words of the model but for the special ones, as an ordered set."""
    frequencies = {
        word: int(count)
        for word, count in zip(words, counts, strict=True)
        if word not in SPECIAL and count >= min_count
    }
    if vocabulary is None:
        return dict.fromkeys(frequencies)
    if isinstance(vocabulary, str):
        raise TypeError("vocabulary must be a number of words or a list of them, got one text")
    if isinstance(vocabulary, (int, np.integer)):
        if vocabulary < 1:
            raise ValueError(f"vocabulary must keep at least 1 word, got {vocabulary}")
        return dict.fromkeys(word for word, _ in Counter(frequencies).most_common(vocabulary))
    return dict.fromkeys(_listed(vocabulary))


def _listed(vocabulary: Iterable[str]) -> Iterator[str]:
    for word in vocabulary:
        if not isinstance(word, str) or word.split() != [word]:
            raise ValueError(f"vocabulary must hold words without white space, got {word!r}")
        if word not in SPECIAL:
            yield word


def _batches(sentences: Iterable[Sentence]) -> Iterator[list[Sentence]]:
    stream = iter(sentences)
    while batch := list(itertools.islice(stream, _BATCH)):
        yield batch


def _add(counter: _core.NGramCounter, batch: list[Sentence], unit: str) -> None:
    if unit == "char" and all(isinstance(sentence, str) for sentence in batch):
        counter.add_characters(batch)
        return
    counter.add_words([_tokens(sentence, unit) for sentence in batch])


def _tokens(sentence: Sentence, unit: str) -> Sequence[str]:
    if isinstance(sentence, str):
        return split_sentence(sentence, unit)
    if unit == "char":
        return [token for text in sentence for token in _spelt(text)]
    return sentence


def _spelt(token: str) -> list[str]:
    """Keep a character, or what is written for one, in a sequence of them."""
    return split_sentence(token, "char") if isinstance(token, str) and len(token) == 1 else [token]


def _place(sentences: Any, index: int) -> str:
    return sentences.place(index) if isinstance(sentences, TextLines) else f"sentence {index + 1:,}"
