"""A model of a million n-grams, and sentences to score, from seeds."""

from __future__ import annotations

import numpy as np

from unrolled.lm import NGram

WORDS = 20_000
TOKENS = 700_000
SENTENCE = 20


def sentences_of(count: int, seed: int) -> np.ndarray:
    """Word numbers, (count, SENTENCE): some words are frequent, and some follow others often."""
    rng = np.random.default_rng(seed)
    rank = np.exp(rng.random((count, SENTENCE)) * np.log(WORDS)).astype(np.int64)
    follows = rng.random((count, SENTENCE)) < 0.5
    words = rank.copy()
    for i in range(1, SENTENCE):
        step = (words[:, i - 1] * 7919 + rank[:, i] % 3) % WORDS
        words[:, i] = np.where(follows[:, i], step, rank[:, i])
    return words + 3  # after <unk>, <s>, </s>


def large_model() -> NGram:
    """Return a 3-gram model of about a million n-grams with random weights."""
    text = sentences_of(TOKENS // SENTENCE, 0)
    begin, end = (np.full((len(text), 1), number) for number in (1, 2))
    text = np.concatenate([begin, text, end], axis=1)
    words = ["<unk>", "<s>", "</s>", *(f"word{i}" for i in range(WORDS))]
    rng = np.random.default_rng(1)
    tables = []
    for order in (1, 2, 3):
        windows = np.lib.stride_tricks.sliding_window_view(text, order, axis=1).reshape(-1, order)
        ids = np.unique(windows, axis=0) if order > 1 else np.arange(len(words))[:, None]
        weights = rng.random((2, len(ids)))
        tables.append((ids, -4 * weights[0] - 0.1, -weights[1]))
    return NGram.from_tables(words, tables, unit="word")


def texts(model: NGram, count: int) -> list[str]:
    """Sentences of the same kind that the model has not seen."""
    words = model.vocabulary
    return [" ".join(words[i] for i in row) for row in sentences_of(count, 2)]
