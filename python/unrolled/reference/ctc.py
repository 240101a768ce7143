"""Connectionist temporal classification (Graves et al. 2006), in natural logarithms.

The target is extended with blanks to ``S = 2L + 1`` states: blank, s_0, blank, s_1, ..., blank.
A path stays in its state, moves to the next, or skips a blank between two different symbols.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .softmax import log_softmax

Array = NDArray[Any]


def compress(path: Sequence[int], *, blank: int | None = None) -> list[int]:
    """Merge adjacent repeats of a path (T,), then drop its blanks."""
    return [int(token) for token, _ in groupby(path) if token != blank]


def expand(tokens: Sequence[int], durations: Sequence[int]) -> list[int]:
    """Repeat every token for its number of frames: the inverse of `compress`."""
    return [
        int(token) for token, frames in zip(tokens, durations, strict=True) for _ in range(frames)
    ]


def extend_with_blanks(target: Sequence[int], blank: int) -> tuple[list[int], list[bool]]:
    """Return the symbol of every state (S,) and whether the blank before it may be skipped (S,)."""
    symbols = [blank]
    for token in target:
        symbols += [int(token), blank]
    skips = [
        r >= 2 and symbol != blank and symbol != symbols[r - 2] for r, symbol in enumerate(symbols)
    ]
    return symbols, skips


def forward(log_probs: Array, symbols: Sequence[int], skips: Sequence[bool]) -> Array:
    """Sum over all paths from the start to each state.

    Parameters
    ----------
    log_probs : array (T, C)
    symbols, skips : as `extend_with_blanks` returns them

    Returns
    -------
    log_alpha (T, S): frames 0 to t are emitted and the path stands in state r at t.
    """
    T, S = len(log_probs), len(symbols)
    log_alpha = np.full((T, S), -np.inf)
    for t, r in np.ndindex(T, S):
        if t == 0:
            arrivals = [0.0] if r < 2 else []
        else:
            arrivals = [log_alpha[t - 1, r]]
            if r >= 1:
                arrivals.append(log_alpha[t - 1, r - 1])
            if skips[r]:
                arrivals.append(log_alpha[t - 1, r - 2])
        log_alpha[t, r] = _log_sum(arrivals) + log_probs[t, symbols[r]]
    return log_alpha


def backward(log_probs: Array, symbols: Sequence[int], skips: Sequence[bool]) -> Array:
    """Sum over all paths from each state to the end.

    Parameters
    ----------
    log_probs : array (T, C)
    symbols, skips : as `extend_with_blanks` returns them

    Returns
    -------
    log_beta (T, S): the path stands in state r at t and frames t + 1 to T - 1 are still emitted.
    """
    T, S = len(log_probs), len(symbols)
    log_beta = np.full((T, S), -np.inf)
    for t in reversed(range(T)):
        for r in range(S):
            if t == T - 1:
                log_beta[t, r] = 0.0 if r >= S - 2 else -np.inf
                continue
            successors = [r]
            if r + 1 < S:
                successors.append(r + 1)
            if r + 2 < S and skips[r + 2]:
                successors.append(r + 2)
            log_beta[t, r] = _log_sum(
                [log_beta[t + 1, q] + log_probs[t + 1, symbols[q]] for q in successors]
            )
    return log_beta


def posterior(log_alpha: Array, log_beta: Array) -> Array:
    """Return P(state r at frame t | target) as an array (T, S); rows sum to 1."""
    joint = log_alpha + log_beta
    total = np.array([_log_sum(row) for row in joint])
    return np.asarray(np.exp(joint - total[:, np.newaxis]))


def occupation(gamma: Array, symbols: Sequence[int], classes: int) -> Array:
    """Add the posterior (T, S) of all states with one symbol: an array (T, C)."""
    occupied = np.zeros((len(gamma), classes))
    for r, symbol in enumerate(symbols):
        occupied[:, symbol] += gamma[:, r]
    return occupied


def sequence_loss(log_probs: Array, target: Sequence[int], blank: int) -> tuple[float, Array]:
    """Return the loss of one sequence (T, C) and the occupation (T, C) of its classes.

    The loss is infinite, and the occupation 0, when no path fits.
    """
    T, C = log_probs.shape
    symbols, skips = extend_with_blanks(target, blank)
    if T == 0:
        return (np.inf if target else 0.0), np.zeros((0, C))
    log_alpha = forward(log_probs, symbols, skips)
    log_p = _log_sum(log_alpha[-1, -2:])
    if log_p == -np.inf:
        return np.inf, np.zeros((T, C))
    gamma = posterior(log_alpha, backward(log_probs, symbols, skips))
    return -log_p, occupation(gamma, symbols, C)


def loss(
    log_probs: ArrayLike,
    targets: Sequence[Sequence[int]],
    input_lengths: Sequence[int] | None = None,
    target_lengths: Sequence[int] | None = None,
    *,
    blank: int = 0,
    reduction: str = "mean",
    infeasible: str = "raise",
) -> Any:
    """Return the CTC loss of a padded batch; see `loss_and_grad`."""
    return loss_and_grad(
        log_probs,
        targets,
        input_lengths,
        target_lengths,
        blank=blank,
        reduction=reduction,
        infeasible=infeasible,
    )[0]


def loss_and_grad(
    log_probs: ArrayLike,
    targets: Sequence[Sequence[int]],
    input_lengths: Sequence[int] | None = None,
    target_lengths: Sequence[int] | None = None,
    *,
    blank: int = 0,
    reduction: str = "mean",
    infeasible: str = "raise",
    wrt: str = "log_probs",
) -> tuple[Any, Array]:
    """Return the CTC loss of a padded batch and its gradient.

    Parameters
    ----------
    log_probs : array (N, T, C)
    targets : padded array (N, L) with `target_lengths`, or a list of lists
    input_lengths, target_lengths : (N,), optional
    blank : int
        Negative numbers count from the last class.
    reduction : "none", "sum", "mean", "batch_mean" or "frame_mean"
        "mean" divides each loss by its target's length (at least 1), then by N.
    infeasible : "raise", "inf" or "zero"
        What a target without any path gives; its gradient is 0.
    wrt : "log_probs" or "logits"
        Gradient by the logarithms as they are (minus the posterior), or by the values before a
        log-softmax that is applied here (softmax minus the posterior).

    Returns
    -------
    loss, a float or an array (N,) with "none"; gradient (N, T, C), 0 after each end; float64.

    Raises
    ------
    ValueError
        When a target has no path and `infeasible` is "raise".
    """
    padded = np.asarray(log_probs, np.float64)
    N, T, C = padded.shape
    ends = [T] * N if input_lengths is None else [int(n) for n in input_lengths]
    rows = [[int(token) for token in row] for row in targets]
    if target_lengths is not None:
        rows = [row[: int(n)] for row, n in zip(rows, target_lengths, strict=True)]
    losses, grad = np.zeros(N), np.zeros((N, T, C))
    for n, (end, target) in enumerate(zip(ends, rows, strict=True)):
        frames = padded[n, :end] if wrt == "log_probs" else log_softmax(padded[n, :end])
        losses[n], occupied = sequence_loss(frames, target, blank % C)
        if losses[n] != np.inf:
            grad[n, :end] = (0.0 if wrt == "log_probs" else np.exp(frames)) - occupied
        elif infeasible == "raise":
            raise ValueError(f"targets[{n}]: no path of {end} frames gives {len(target)} tokens")
        elif infeasible == "zero":
            losses[n] = 0.0
    shares = _shares(reduction, ends, rows)
    grad *= shares[:, np.newaxis, np.newaxis]
    return (losses if reduction == "none" else float(np.sum(losses * shares))), grad


def greedy(
    log_probs: Array, *, blank: int | None = 0
) -> tuple[list[int], list[tuple[int, int, int]], float]:
    """Read the best class of every frame (T, C), merge repeats, drop blanks if there are any.

    Returns the tokens, one ``(token, start, end)`` each in frames, and the path's score.
    """
    log_probs = np.asarray(log_probs, np.float64)
    path = [int(np.argmax(frame)) for frame in log_probs]
    spans, start = [], 0
    for token, frames in groupby(path):
        end = start + len(list(frames))
        if blank is None or token != blank % log_probs.shape[1]:
            spans.append((token, start, end))
        start = end
    score = float(sum(frame[token] for frame, token in zip(log_probs, path, strict=True)))
    return [token for token, _, _ in spans], spans, score


def _shares(reduction: str, ends: list[int], rows: list[list[int]]) -> Array:
    """Return the factor by which each loss enters the reduced value."""
    N = len(rows)
    if reduction == "mean":
        return np.array([1.0 / (N * max(len(row), 1)) for row in rows])
    if reduction == "batch_mean":
        return np.full(N, 1.0 / max(N, 1))
    if reduction == "frame_mean":
        return np.full(N, 1.0 / max(sum(ends), 1))
    if reduction in ("none", "sum"):
        return np.ones(N)
    raise ValueError(f"reduction: {reduction!r} is not known")


def _log_sum(values: Sequence[float] | Array) -> float:
    """Return ``log(sum(exp(values)))``: minus infinity when nothing arrives, NaN for a NaN."""
    largest = np.max(values, initial=-np.inf)
    if largest == -np.inf:
        return -np.inf
    return float(largest + np.log(np.sum(np.exp(np.asarray(values) - largest))))
