"""Attention: how well a query fits each position of a memory, and the mean that this weights.

For a query q and the positions m_1 .. m_S of a memory:

    e_s = q . m_s                                            dot
    e_s = q . (weight m_s)                                   general (Luong et al. 2015)
    e_s = v . tanh(weight_query q + weight_memory m_s)       additive (Bahdanau et al. 2015)
    a_s = exp(e_s) / sum over k of exp(e_k)
    c = sum over s of a_s m_s
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .softmax import softmax, softmax_backward

Array = NDArray[Any]
Parameters = tuple[Array, ...]


class Saved(NamedTuple):
    """What `attention_backward` needs."""

    query: Array
    memory: Array
    score: str
    weights: Parameters
    ends: list[int]
    query_ends: list[int]
    attended: Array


def score_of(query: Array, position: Array, score: str, weights: Parameters) -> float:
    """Return e of one query (H,) and one position (M,)."""
    if score == "dot":
        return float(query @ position)
    if score == "general":
        return float(query @ (weights[0] @ position))
    weight_query, weight_memory, v = weights
    return float(v @ np.tanh(weight_query @ query + weight_memory @ position))


def score_backward(
    grad: float, query: Array, position: Array, score: str, weights: Parameters
) -> tuple[Array, Array, Parameters]:
    """Return the gradients of `score_of` by the query, the position and the weights."""
    if score == "dot":
        return grad * position, grad * query, ()
    if score == "general":
        (weight,) = weights
        parts = (grad * np.outer(query, position),)
        return grad * (weight @ position), grad * (query @ weight), parts
    weight_query, weight_memory, v = weights
    t = np.tanh(weight_query @ query + weight_memory @ position)
    dz = grad * v * (1 - t**2)
    of_weights = (np.outer(dz, query), np.outer(dz, position), grad * t)
    return dz @ weight_query, dz @ weight_memory, of_weights


def attend(query: Array, memory: Array, score: str, weights: Parameters) -> tuple[Array, Array]:
    """Return the weights a (S,) of one query (H,) over one memory (S, M), and the context (M,)."""
    if len(memory) == 0:
        return np.zeros(0), np.zeros(memory.shape[1])
    a = softmax([score_of(query, position, score, weights) for position in memory])
    return a, a @ memory


def attend_backward(
    grad_context: Array,
    grad_a: Array,
    query: Array,
    memory: Array,
    a: Array,
    score: str,
    weights: Parameters,
) -> tuple[Array, Array, Parameters]:
    """Return the gradients of `attend` by the query, the memory and the weights."""
    grad_query, grad_memory = np.zeros_like(query), np.outer(a, grad_context)
    totals = tuple(np.zeros_like(weight) for weight in weights)
    grad_e = softmax_backward(grad_a + memory @ grad_context, a) if len(a) else a
    for s, position in enumerate(memory):
        dq, dm, parts = score_backward(grad_e[s], query, position, score, weights)
        grad_query += dq
        grad_memory[s] += dm
        for total, part in zip(totals, parts, strict=True):
            total += part
    return grad_query, grad_memory, totals


def attention(
    query: ArrayLike,
    memory: ArrayLike,
    *,
    score: str = "dot",
    weights: Sequence[ArrayLike] = (),
    lengths: ArrayLike | None = None,
    query_lengths: ArrayLike | None = None,
) -> tuple[Array, Array, Saved]:
    """Attend with each query of a padded batch to its memory.

    Parameters
    ----------
    query : array (N, Q, H)
    memory : array (N, S, M)
    score : {"dot", "general", "additive"}
    weights : sequence of array
        None; (weight (H, M),); or (weight_query (K, H), weight_memory (K, M), v (K,)).
    lengths, query_lengths : array (N,), optional
        True positions of each memory and true queries; what lies beyond is never read.

    Returns
    -------
    context (N, Q, M) and attended (N, Q, S), 0 on padding; and what `attention_backward` needs.
    float64.

    Examples
    --------
    >>> context, attended, _ = attention([[[0.0]]], [[[1.0], [3.0]]])
    >>> float(context[0, 0, 0]), attended.tolist()
    (2.0, [[[0.5, 0.5]]])
    """
    query, memory = np.asarray(query, np.float64), np.asarray(memory, np.float64)
    own = tuple(np.asarray(weight, np.float64) for weight in weights)
    (N, Q, _), (_, S, M) = query.shape, memory.shape
    ends, query_ends = ends_of(lengths, N, S), ends_of(query_lengths, N, Q)
    context, attended = np.zeros((N, Q, M)), np.zeros((N, Q, S))
    for n in range(N):
        for t in range(query_ends[n]):
            a, c = attend(query[n, t], memory[n, : ends[n]], score, own)
            attended[n, t, : ends[n]], context[n, t] = a, c
    return context, attended, Saved(query, memory, score, own, ends, query_ends, attended)


def attention_backward(
    grad_context: ArrayLike, grad_attended: ArrayLike | None, saved: Saved
) -> tuple[Array, Array, Parameters]:
    """Return the gradients of `attention` by the query, the memory and the weights.

    Parameters
    ----------
    grad_context : array (N, Q, M)
    grad_attended : array (N, Q, S) or None
    saved : what `attention` returned last

    Returns
    -------
    grad_query (N, Q, H), grad_memory (N, S, M), 0 on padding, and one gradient for each weight;
    float64.
    """
    query, memory, score, weights, ends, query_ends, attended = saved
    grad_context = np.asarray(grad_context, np.float64)
    by_a = np.zeros_like(attended) if grad_attended is None else np.asarray(grad_attended)
    grad_query, grad_memory = np.zeros_like(query), np.zeros_like(memory)
    totals = tuple(np.zeros_like(weight) for weight in weights)
    for n, end in enumerate(ends):
        for t in range(query_ends[n]):
            dq, dm, parts = attend_backward(
                grad_context[n, t], by_a[n, t, :end], query[n, t], memory[n, :end],
                attended[n, t, :end], score, weights,
            )  # fmt: skip
            grad_query[n, t] = dq
            grad_memory[n, :end] += dm
            for total, part in zip(totals, parts, strict=True):
                total += part
    return grad_query, grad_memory, totals


def ends_of(lengths: ArrayLike | None, count: int, longest: int) -> list[int]:
    """Return the length of each of `count` items; all `longest` when not given."""
    return [longest] * count if lengths is None else [int(n) for n in np.asarray(lengths)]
