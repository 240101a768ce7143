"""Connectionist temporal classification: the sum over all alignments.

Instead of one alignment the loss takes all of them (Graves et al. 2006). alpha adds up the paths
that lead to a node of the graph of `trellis`, beta those that lead from it to the end; their
product over the probability of the target is the posterior of the node, which is all that the
gradient needs. Each recursion stands here in probabilities and in logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .softmax import log_softmax
from .trellis import Graph, arrange, make_graph

Array = NDArray[Any]


def forward(y: Array, graph: Graph) -> Array:
    """Add up all paths from the start to each node, in probabilities.

    Parameters
    ----------
    y : array (T, S)
        The arranged table: probability of each row's symbol at each frame.
    graph : Graph

    Returns
    -------
    alpha (T, S): frames 0 to t are emitted, and the path stands in row r at t.
    """
    T, S = y.shape
    alpha = np.zeros((T, S))
    for r in graph.starts:
        alpha[0, r] = y[0, r]
    for t in range(1, T):
        for r in range(S):
            arriving = [alpha[t - 1, q] * math.exp(edge) for q, edge in graph.predecessors[r]]
            alpha[t, r] = sum(arriving) * y[t, r]
    return alpha


def backward(y: Array, graph: Graph) -> tuple[Array, Array]:
    """Add up all paths from each node to the end, in probabilities.

    Parameters
    ----------
    y : array (T, S)
    graph : Graph

    Returns
    -------
    beta_hat (T, S)
        With the node itself: frames t to T - 1 are emitted from row r on.
    beta (T, S)
        Without it, as the posterior needs it: beta_hat / y, or the sum over the successors, which
        is the same and has a value where y is 0 too.
    """
    T, S = y.shape
    beta_hat, beta = np.zeros((T, S)), np.zeros((T, S))
    successors = graph.successors()
    for t in range(T - 1, -1, -1):
        for r in range(S - 1, -1, -1):
            if t == T - 1:
                beta[t, r] = 1.0 if r in graph.ends else 0.0
            else:
                leaving = [beta_hat[t + 1, q] * math.exp(edge) for q, edge in successors[r]]
                beta[t, r] = sum(leaving)
            beta_hat[t, r] = y[t, r] * beta[t, r]
    return beta_hat, beta


def posterior(alpha: Array, beta: Array) -> Array:
    """Return P(row r at frame t | target), alpha beta over its sum in each frame: (T, S)."""
    joint = alpha * beta
    total = joint.sum(axis=1)
    return np.asarray(joint / total[:, np.newaxis])


def log_forward(log_y: Array, graph: Graph) -> Array:
    """Do `forward` in logarithms, which do not run out of range: log alpha (T, S)."""
    T, S = log_y.shape
    log_alpha = np.full((T, S), -np.inf)
    for r in graph.starts:
        log_alpha[0, r] = log_y[0, r]
    for t in range(1, T):
        for r in range(S):
            arriving = [log_alpha[t - 1, q] + edge for q, edge in graph.predecessors[r]]
            log_alpha[t, r] = log_sum(arriving) + log_y[t, r]
    return log_alpha


def log_backward(log_y: Array, graph: Graph) -> tuple[Array, Array]:
    """Do `backward` in logarithms: log beta_hat (T, S) and log beta (T, S)."""
    T, S = log_y.shape
    log_beta_hat, log_beta = np.full((T, S), -np.inf), np.full((T, S), -np.inf)
    successors = graph.successors()
    for t in range(T - 1, -1, -1):
        for r in range(S - 1, -1, -1):
            if t == T - 1:
                log_beta[t, r] = 0.0 if r in graph.ends else -np.inf
            else:
                leaving = [log_beta_hat[t + 1, q] + edge for q, edge in successors[r]]
                log_beta[t, r] = log_sum(leaving)
            log_beta_hat[t, r] = log_y[t, r] + log_beta[t, r]
    return log_beta_hat, log_beta


def log_posterior(log_alpha: Array, log_beta: Array) -> Array:
    """Return the logarithm of `posterior`, (T, S)."""
    joint = log_alpha + log_beta
    total = np.array([log_sum(row) for row in joint])
    return np.asarray(joint - total[:, np.newaxis])


def probability(alpha: Array, graph: Graph) -> float:
    """Return P(target): all paths that lead to an end in the last frame."""
    return float(sum(alpha[-1, r] for r in graph.ends))


def log_probability(log_alpha: Array, graph: Graph) -> float:
    """Return log P(target), of which the loss is the negative."""
    return log_sum([float(log_alpha[-1, r]) for r in graph.ends])


def log_sum(values: Sequence[float] | Array) -> float:
    """Return ``log(sum(exp(values)))``: minus infinity when nothing arrives, NaN for a NaN."""
    if all(value == -np.inf for value in values):
        return -np.inf
    largest = max(values)
    return float(largest + math.log(math.fsum(math.exp(value - largest) for value in values)))


def occupation(gamma: Array, symbols: Sequence[int], classes: int) -> Array:
    """Add the posterior (T, S) of all rows with one symbol: an array (T, C)."""
    occupied = np.zeros((len(gamma), classes))
    for r, symbol in enumerate(symbols):
        occupied[:, symbol] += gamma[:, r]
    return occupied


def expected_divergence(gamma: Array, log_y: Array) -> float:
    """Return DIV, the expectation of -sum log Y(t, s_t) over alignments.

    It weights the cross-entropy of every node by the node's posterior:
    ``-sum_t sum_r gamma(t, r) log y(t, r)``. It is not the loss ``-log P(target)`` but exceeds it
    by the entropy of the distribution over alignments; with the posteriors held constant both have
    the same gradient.
    """
    total = 0.0
    for t, r in np.ndindex(gamma.shape):
        if gamma[t, r] > 0:
            total -= float(gamma[t, r] * log_y[t, r])
    return total


def gradient(gamma: Array, y: Array, symbols: Sequence[int], classes: int) -> Array:
    """Return the gradient of the loss by the probabilities, (T, C): -posterior / y.

    y (T, S) is the arranged table. By the log probabilities the gradient is minus `occupation`.
    """
    by_y = np.zeros((len(y), classes))
    for t, r in np.ndindex(y.shape):
        if gamma[t, r] > 0:
            by_y[t, symbols[r]] -= gamma[t, r] / y[t, r]
    return by_y


def sequence_loss(
    log_probs: Array, target: Sequence[int], blank: int | None
) -> tuple[float, Array]:
    """Return the loss of one sequence (T, C), -log P(target), and the occupation (T, C).

    The loss is infinite, and the occupation 0, when no path fits.
    """
    T, C = log_probs.shape
    graph = make_graph(target, blank=blank)
    if T == 0:
        return (np.inf if target else 0.0), np.zeros((0, C))
    log_y = arrange(log_probs, graph.symbols)
    log_alpha = log_forward(log_y, graph)
    log_p = log_probability(log_alpha, graph)
    if log_p == -np.inf:
        return np.inf, np.zeros((T, C))
    _, log_beta = log_backward(log_y, graph)
    gamma = np.exp(log_posterior(log_alpha, log_beta))
    return -log_p, occupation(gamma, graph.symbols, C)


def loss(
    log_probs: ArrayLike,
    targets: Sequence[Sequence[int]],
    input_lengths: Sequence[int] | None = None,
    target_lengths: Sequence[int] | None = None,
    *,
    blank: int | None = 0,
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
    blank: int | None = 0,
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
    blank : int, optional
        Negative numbers count from the last class; None for paths that stay or advance.
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
    blank = None if blank is None else blank % C
    losses, grad = np.zeros(N), np.zeros((N, T, C))
    for n, (end, target) in enumerate(zip(ends, rows, strict=True)):
        frames = padded[n, :end] if wrt == "log_probs" else log_softmax(padded[n, :end])
        losses[n], occupied = sequence_loss(frames, target, blank)
        if losses[n] != np.inf:
            grad[n, :end] = (0.0 if wrt == "log_probs" else np.exp(frames)) - occupied
        elif infeasible == "raise":
            raise ValueError(f"targets[{n}]: no path of {end} frames gives {len(target)} tokens")
        elif infeasible == "zero":
            losses[n] = 0.0
    shares = _shares(reduction, ends, rows)
    grad *= shares[:, np.newaxis, np.newaxis]
    return (losses if reduction == "none" else float(np.sum(losses * shares))), grad


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
