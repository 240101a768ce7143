"""Independent judges of the kernels: differences, brute force, and comparisons."""

from __future__ import annotations

import itertools
from functools import cache
from typing import NamedTuple

import numpy as np


def assert_close(actual, expected, tolerance, label="", scale=0.0):
    """Compare two arrays; the error is relative to the largest expected magnitude.

    `scale`, when larger, takes its place: the magnitude of what was added up to a small result.

    NaN and infinities must stand in the same places. A failure names the worst element.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"{label}: shape {actual.shape}, not {expected.shape}"
    wide, expected = actual.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(wide[~finite], expected[~finite], err_msg=label)
    if not finite.any():
        return
    scale = max(float(np.abs(expected[finite]).max()), scale, np.finfo(np.float64).tiny)
    with np.errstate(invalid="ignore"):
        error = np.where(finite, np.abs(wide - expected), 0.0) / scale
    worst = np.unravel_index(int(np.argmax(np.where(np.isnan(error), np.inf, error))), error.shape)
    assert error[worst] <= tolerance, (
        f"{label}: largest error {error[worst]:.3g} of the scale {scale:.3g}, allowed "
        f"{tolerance:.3g}, at {tuple(int(i) for i in worst)}: "
        f"{actual[worst]!r}, not {expected[worst]!r}"
    )


def assert_same_bits(actual, expected, label=""):
    """Compare arrays, or nested lists and tuples of them, byte for byte."""
    for k, (a, e) in enumerate(zip(arrays_in(actual), arrays_in(expected), strict=True)):
        assert (a.shape, a.dtype) == (e.shape, e.dtype), f"{label}[{k}]: {a.shape} {a.dtype}"
        if a.tobytes() != e.tobytes():
            different = int(np.sum(a != e))
            raise AssertionError(f"{label}[{k}]: {different} of {a.size} elements differ in bits")


def assert_same_bits_as_one_thread(function, threads):
    """Call `function` on one thread and on `threads`; every byte must agree."""
    import unrolled

    unrolled.set_num_threads(1)
    expected = function()
    unrolled.set_num_threads(threads)
    assert_same_bits(function(), expected, f"{threads} threads")


def arrays_in(value):
    """List the arrays (and numbers) in nested lists and tuples; None is left out."""
    if isinstance(value, (list, tuple)):
        return [array for item in value for array in arrays_in(item)]
    return [] if value is None else [np.asarray(value)]


def numeric_gradient(function, array, step=1e-5):
    """Return the gradient of a scalar function by central differences, in float64."""
    point = np.array(array, np.float64)
    gradient = np.zeros_like(point)
    for index in np.ndindex(point.shape):
        value = point[index]
        point[index] = value + step
        above = function(point)
        point[index] = value - step
        below = function(point)
        point[index] = value
        gradient[index] = (float(above) - float(below)) / (2 * step)
    return gradient


def collapse(path, blank):
    """Merge repeats, drop blanks; written apart from the reference on purpose."""
    tokens, last = [], None
    for token in path:
        if token not in (last, blank):
            tokens.append(token)
        last = token
    return tokens


class Alignments(NamedTuple):
    """Every alignment of one target to T frames, one a row."""

    states: np.ndarray  # (P, T): 2i + 1 for symbol i, even for blanks; i where there are no blanks
    classes: np.ndarray  # (P, T)


@cache
def every_path(frames, classes, blank):
    """Sort all C**T paths by what they say: {tokens: Alignments}."""
    found = {}
    for path in itertools.product(range(classes), repeat=frames):
        found.setdefault(tuple(collapse(path, blank)), []).append(path)
    return {
        tokens: Alignments(
            np.array([states_of(path, blank) for path in paths], np.int64),
            np.array(paths, np.int64),
        )
        for tokens, paths in found.items()
    }


def states_of(path, blank):
    """Count symbols along a path: an odd state is a symbol, an even one the blank behind it."""
    states, symbols, last = [], 0, None
    for token in path:
        symbols += token not in (last, blank)
        states.append(2 * symbols - (token != blank))
        last = token
    return states


def every_expansion(frames, target):
    """List the alignments without blanks: every token in its turn, for at least a frame."""
    length = len(target)
    later = itertools.combinations(range(1, frames), length - 1) if length else []
    states = np.array(
        [[sum(start <= t for start in starts) for t in range(frames)] for starts in later], np.int64
    ).reshape(-1, frames)
    return Alignments(states, np.asarray(target, np.int64)[states])


def alignments(frames, classes, target, blank):
    """Return every alignment; `blank` None where there are none."""
    if blank is None:
        return every_expansion(frames, target)
    nothing = np.zeros((0, frames), np.int64)
    return every_path(frames, classes, blank).get(tuple(target), Alignments(nothing, nothing))


class Enumerated(NamedTuple):
    """What the sum and the maximum over all alignments give, for each of N tables."""

    loss: np.ndarray  # (N,), inf without a path
    occupation: np.ndarray  # (N, T, C), 0 without a path, as are the posteriors
    posterior: np.ndarray  # (N, T, S)
    best_score: np.ndarray  # (N,), -inf without a path
    path_scores: np.ndarray  # (N, P) of `alignments`, in logarithms

    def best_states(self, n, paths, tolerance=1e-12):
        """Return the set of all best paths of one table."""
        best = self.path_scores[n] >= self.best_score[n] - tolerance
        return {tuple(states) for states in paths.states[best].tolist()}


def enumerate_alignments(log_probs, target, blank):
    """Add up every path of N tables (N, T, C) for one target, for tiny sizes."""
    log_probs = np.asarray(log_probs, np.float64)
    N, T, C = log_probs.shape
    paths = alignments(T, C, target, blank)
    S = len(target) if blank is None else 2 * len(target) + 1
    scores = log_probs[:, np.arange(T), paths.classes].sum(axis=2)
    best = scores.max(axis=1, initial=-np.inf)
    shares = np.exp(scores - np.where(best == -np.inf, 0.0, best)[:, None])
    total = shares.sum(axis=1)
    with np.errstate(divide="ignore"):
        loss = -(best + np.log(total))
    shares /= np.where(total == 0, 1.0, total)[:, None]
    occupation, posterior = np.zeros((N, T, C)), np.zeros((N, T, S))
    for t in range(T):
        for share, state, token in zip(
            shares.T, paths.states[:, t], paths.classes[:, t], strict=True
        ):
            posterior[:, t, state] += share
            occupation[:, t, token] += share
    return Enumerated(loss, occupation, posterior, best, scores)


def brute_force_ctc(log_probs, target, blank):
    """Sum over every path of (T, C): the loss and the occupation (T, C), for tiny sizes."""
    every = enumerate_alignments(np.asarray(log_probs)[None], target, blank)
    return every.loss[0], every.occupation[0]


class Text(NamedTuple):
    """A text as all its paths and a bonus judge it, in logarithms."""

    tokens: tuple
    score: float
    acoustic_score: float


def every_text(log_probs, blank, *, bonus=None, merge="sum"):
    """Judge every text that some path of (T, C) says, best first, for tiny sizes.

    `bonus` is called with a text's tokens; texts of minus infinity are left out.
    """
    log_probs = np.asarray(log_probs, np.float64)
    frames, classes = log_probs.shape
    texts, paths, starts = paths_by_text(frames, classes, blank)
    join = {"sum": np.logaddexp, "max": np.maximum}[merge]
    masses = join.reduceat(log_probs[np.arange(frames), paths].sum(axis=1), starts).tolist()
    found = [
        Text(tokens, mass if bonus is None else mass + bonus(tokens), mass)
        for tokens, mass in zip(texts, masses, strict=True)
        if mass > -np.inf
    ]
    return sorted((t for t in found if t.score > -np.inf), key=lambda text: -text.score)


@cache
def paths_by_text(frames, classes, blank):
    """Return all texts, all paths (P, T) one text after the other, and where each text's begin."""
    every = every_path(frames, classes, blank)
    starts = np.cumsum([0, *(len(found.classes) for found in every.values())])[:-1]
    return list(every), np.concatenate([found.classes for found in every.values()]), starts


def ulp_error(actual, exact):
    """Return the distance of every value to an exact one (longdouble), in its own last place."""
    actual = np.asarray(actual)
    rounded = np.asarray(exact).astype(actual.dtype)
    spacing = np.spacing(np.abs(rounded)).astype(np.longdouble)
    return np.abs(actual.astype(np.longdouble) - exact) / spacing


def strided_bit_patterns(dtype, count):
    """Return about `count` finite numbers whose bit patterns are spread evenly over the type."""
    bits = np.dtype(f"u{np.dtype(dtype).itemsize}")
    stride = np.iinfo(bits).max // count | 1  # odd: the low bits vary too
    patterns = np.arange(count, dtype=np.uint64) * np.uint64(stride)
    values = patterns.astype(bits).view(dtype)
    return values[np.isfinite(values)]


def unusual_layouts(array):
    """Yield the same numbers in layouts that are not C order: (name, array)."""
    wide = np.zeros(tuple(2 * size for size in array.shape), array.dtype)
    every_other = tuple(slice(None, None, 2) for _ in array.shape)
    wide[every_other] = array
    yield "non-contiguous", wide[every_other]
    backwards = tuple(slice(None, None, -1) for _ in array.shape)
    yield "reversed", np.ascontiguousarray(array[backwards])[backwards]
    yield "Fortran order", np.asfortranarray(array)
    yield "big-endian", array.astype(array.dtype.newbyteorder(">"))
    read_only = array.copy()
    read_only.flags.writeable = False
    yield "read-only", read_only
