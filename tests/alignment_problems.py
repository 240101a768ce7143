"""Alignments that the tests share: random ones, and words at given times."""

from __future__ import annotations

import numpy as np

from unrolled.align import Alignment, WordSlice

LABELS = ["", "|", *"abcdefghijklmnopqrstuvwxyz"]


def random_alignment(rng, **options):
    """Return a random path over a random target: repeats, omitted tokens, any blank or none."""
    classes = int(rng.integers(3, 8))
    blank = [None, 0, classes - 1][rng.integers(3)]
    symbols = [c for c in range(classes) if c != blank]
    length, frames = int(rng.integers(0, 7)), int(rng.integers(1, 30))
    target = rng.choice(symbols, length).astype(np.int64)
    count = max(length, 1) if blank is None else 2 * length + 1
    if length == 0 and blank is None:
        frames = 0
    states = np.sort(rng.integers(0, count, frames)).astype(np.int32)
    log_probs = np.log(rng.dirichlet(np.ones(classes), frames))
    scores = log_probs.sum() if frames else 0.0
    return Alignment(states, float(scores), target, blank, log_probs, **options), log_probs


def words_at(*words, seconds_per_frame=0.001, frames=None, **options):
    """Return an alignment with words (text, first frame, frame beyond the last), a token each."""
    tokens = [min(2 + index, 27) for index in range(len(words))]
    length = frames or max((end for _, _, end in words), default=0)
    states = np.zeros(length, np.int32)
    for index, (_, start, end) in enumerate(words):
        states[start:] = 2 * index + 2
        states[start:end] = 2 * index + 1
    slices = [WordSlice(text, index, index + 1) for index, (text, _, _) in enumerate(words)]
    return Alignment(
        states,
        -float(length),
        np.array(tokens, np.int64),
        0,
        np.full(length, -1.0),
        labels=LABELS,
        seconds_per_frame=seconds_per_frame,
        word_slices=slices,
        **options,
    )
