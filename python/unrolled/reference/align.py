# ruff: noqa: E741 (l is the notes' name for a row)
"""The most likely alignment: Viterbi's algorithm with back-pointers, and the loss on its path.

The best path to a node extends the best path to one of its parents, so that for each node its best
parent BP and the score Bscr of the best path through it are enough. `viterbi_chapter` is the
pseudocode of the textbook, for a graph without blanks and in probabilities; `viterbi` is the same
for any graph, and `log_viterbi` the same in logarithms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .trellis import Graph, arrange, make_graph

Array = NDArray[Any]


def viterbi_chapter(y: Array, S: Sequence[int]) -> tuple[list[int], Array, Array]:
    """Find the best path of a target without blanks, as the textbook writes it.

    Parameters
    ----------
    y : array (T, C)
        Probability of each symbol at each frame.
    S : sequence of int (K,)
        The target, S(0) to S(K-1).

    Returns
    -------
    s : list of int (T,)
        The row of the best path at each frame.
    Bscr : array (T, K)
        Score of the best path to each node. 0 stands where the textbook has minus infinity, which
        times a probability of 0 would be no number.
    BP : array (T, K) of int
        The row of each node's best parent; -1 where there is none.
    """
    T, K = len(y), len(S)
    BP = np.full((T, K), -1)
    Bscr = np.zeros((T, K))
    Bscr[0, 0] = y[0, S[0]]
    for t in range(1, T):
        BP[t, 0] = 0
        Bscr[t, 0] = Bscr[t - 1, 0] * y[t, S[0]]
        for l in range(1, K):
            BP[t, l] = l - 1 if Bscr[t - 1, l - 1] > Bscr[t - 1, l] else l
            Bscr[t, l] = Bscr[t - 1, BP[t, l]] * y[t, S[l]]
    s = [0] * T
    s[T - 1] = K - 1
    for t in range(T - 1, 0, -1):
        s[t - 1] = int(BP[t, s[t]])
    return s, Bscr, BP


def viterbi(y: Array, graph: Graph) -> tuple[Array, Array]:
    """Score the best path to every node, in probabilities.

    Parameters
    ----------
    y : array (T, S)
        The arranged table of probabilities.
    graph : Graph

    Returns
    -------
    Bscr (T, S), BP (T, S) of int: -1 where there is no parent.
    """
    T, S = y.shape
    Bscr, BP = np.zeros((T, S)), np.full((T, S), -1)
    for r in graph.starts if T else []:
        Bscr[0, r] = y[0, r]
    for t in range(1, T):
        for r in range(S):
            arrivals = [(q, Bscr[t - 1, q] * np.exp(edge)) for q, edge in graph.predecessors[r]]
            BP[t, r], best = best_of(arrivals)
            Bscr[t, r] = best * y[t, r]
    return Bscr, BP


def log_viterbi(log_y: Array, graph: Graph) -> tuple[Array, Array]:
    """Score the best path to every node, in logarithms: products become sums.

    Parameters
    ----------
    log_y : array (T, S)
        The arranged table of log probabilities.
    graph : Graph

    Returns
    -------
    Bscr (T, S), minus infinity where no path comes; BP (T, S) of int, -1 where there is no parent.
    """
    T, S = log_y.shape
    Bscr, BP = np.full((T, S), -np.inf), np.full((T, S), -1)
    for r in graph.starts if T else []:
        Bscr[0, r] = log_y[0, r]
    for t in range(1, T):
        for r in range(S):
            arrivals = [(q, Bscr[t - 1, q] + edge) for q, edge in graph.predecessors[r]]
            BP[t, r], best = best_of(arrivals)
            Bscr[t, r] = best + log_y[t, r]
    return Bscr, BP


def best_of(arrivals: Sequence[tuple[int, float]]) -> tuple[int, float]:
    """Choose among rows with their scores, in the order stay, step, skip.

    Of equals the earlier is kept: a path stays rather than steps, and skips only where that alone
    is best.
    """
    best, score = arrivals[0]
    for q, other in arrivals[1:]:
        if other > score:
            best, score = q, other
    return best, score


def backtrace(
    Bscr: Array, BP: Array, graph: Graph, *, logarithms: bool = True
) -> tuple[list[int], float]:
    """Follow the back-pointers from the best end to the first frame.

    Returns the row of each frame (T,) and the score. A last blank is the end only where it is
    better than the last symbol. Where every path has probability 0, all rows are -1.
    """
    T = len(Bscr)
    end, score = best_of([(r, float(Bscr[T - 1, r])) for r in graph.ends])
    if score == (-np.inf if logarithms else 0.0):
        return [-1] * T, score
    path = [end]
    for t in range(T - 1, 0, -1):
        path.append(int(BP[t, path[-1]]))
    return path[::-1], score


def align(
    log_probs: ArrayLike,
    target: Sequence[int],
    *,
    blank: int | None = 0,
    skip_penalty: float | None = None,
) -> tuple[list[int], float]:
    """Find the best alignment of one target.

    Parameters
    ----------
    log_probs : array (T, C)
    target : sequence of int (L,)
    blank : int, optional
        Negative numbers count from the last class; None for a graph without blanks.
    skip_penalty : float, optional
        See `trellis.make_graph`.

    Returns
    -------
    path : list of int (T,)
        The state of each frame: with blanks state 2i + 1 is symbol i and even ones are blanks,
        without blanks state i is symbol i. All -1 where there is no path.
    score : float
        Its log probability; minus infinity where there is no path.
    """
    table = np.asarray(log_probs, np.float64)
    T, C = table.shape
    blank = None if blank is None else blank % C
    graph = make_graph(target, blank=blank, skip_penalty=skip_penalty)
    if T == 0:
        return [], 0.0 if len(target) == 0 else -np.inf
    if not graph.symbols:
        return [-1] * T, -np.inf
    return backtrace(*log_viterbi(arrange(table, graph.symbols), graph), graph)


def viterbi_loss(log_probs: Array, symbols: Sequence[int]) -> tuple[float, Array]:
    """Return the divergence on a path, DIV = -sum log Y(t, symbol of t), and its gradient.

    The gradient by the log probabilities, (T, C), is -1 at the path's symbol and 0 elsewhere; by
    the probabilities, see `viterbi_gradient`.
    """
    gradient = np.zeros(log_probs.shape)
    divergence = 0.0
    for t, symbol in enumerate(symbols):
        divergence -= float(log_probs[t, symbol])
        gradient[t, symbol] = -1.0
    return divergence, gradient


def viterbi_gradient(y: Array, symbols: Sequence[int]) -> Array:
    """Return the gradient of the same divergence by the probabilities y (T, C): -1 / Y on the path.

    The textbook's vector [0, ..., -1 / Y(t, symbol of t), ..., 0] is a row.
    """
    gradient = np.zeros(y.shape)
    for t, symbol in enumerate(symbols):
        gradient[t, symbol] = -1.0 / y[t, symbol]
    return gradient
