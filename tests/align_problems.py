"""Problems of forced alignment, and the tie rule written out in NumPy."""

from __future__ import annotations

import numpy as np

from unrolled import _core


def quantised(rng, frames, classes, steps=40, masked=0.0):
    """Log probabilities in eighths: sums are exact, ties are frequent."""
    log_probs = -rng.integers(0, steps, (frames, classes)) / 8
    if masked:
        log_probs[rng.random(log_probs.shape) < masked] = -np.inf
    return log_probs


def normal_log_probs(rng, frames, classes, scale=1.0, dtype=np.float32):
    scores = (scale * rng.standard_normal((frames, classes))).astype(dtype)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def random_target(rng, length, classes, blank):
    return rng.choice([c for c in range(classes) if c != blank], length).astype(np.int64)


def best_path(log_probs, target, blank=0, skip_penalty=np.inf):
    """States and score of the best path: all states of a frame at once, in float64.

    A label is entered by a skip if that is strictly the best, else by a step if it is better than
    to stay. The path ends in the last label unless the last blank is strictly better.
    """
    log_probs, target = np.asarray(log_probs, np.float64), np.asarray(target, np.int64)
    frames, length = len(log_probs), len(target)
    symbols = target
    may_skip = np.full(length, -np.inf)
    if blank is not None:
        symbols = np.full(2 * length + 1, blank)
        symbols[1::2] = target
        may_skip = np.full(2 * length + 1, -float(skip_penalty))
        may_skip[3::2] = np.where(target[1:] != target[:-1], 0, -np.inf)
    states = np.full(frames, -1, np.int32)
    if symbols.size == 0 or frames == 0:
        return states, 0.0 if frames == 0 and length == 0 else -np.inf
    ends = (
        [symbols.size - 1] if blank is None or length == 0 else [symbols.size - 2, symbols.size - 1]
    )
    value = np.full(symbols.size, -np.inf)
    value[: 1 if blank is None else 2] = 0
    moves = np.zeros((frames, symbols.size), np.int32)
    value += log_probs[0, symbols]
    for t in range(1, frames):
        before = np.concatenate([[-np.inf, -np.inf], value])
        step, skip = before[1:-1], before[:-2] + may_skip
        moves[t] = step > value
        best = np.where(step > value, step, value)
        moves[t][skip > best] = 2
        value = np.where(skip > best, skip, best) + log_probs[t, symbols]
    end = ends[0] if len(ends) == 1 or not value[ends[1]] > value[ends[0]] else ends[1]
    score = float(value[end])
    if score == -np.inf:
        return states, score
    for t in range(frames - 1, -1, -1):
        states[t] = end
        end -= moves[t, end]
    return states, score


def core_align(log_probs, target, blank=0, skip_penalty=np.inf, memory=0, band=0):
    """States and score of one item, straight from the core."""
    states, totals = _core.align(
        np.ascontiguousarray(log_probs)[np.newaxis],
        np.asarray(target, np.int64),
        np.array([0, len(target)]),
        np.array([len(log_probs)]),
        -1 if blank is None else blank,
        float(skip_penalty),
        memory,
        band,
    )
    return states[0], float(totals[0])


def assert_same_path(actual, expected, label=""):
    """Same states and score, to the bit."""
    (states, score), (wanted, wanted_score) = actual, expected
    assert score == wanted_score, f"{label}: score {score}, expected {wanted_score}"
    different = np.flatnonzero(states != wanted)
    assert different.size == 0, f"{label}: states differ from frame {different[0]} on"
