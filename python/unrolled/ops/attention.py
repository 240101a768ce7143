"""Attention of queries to a memory, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray, as_lengths, as_reals, require_axes, require_shape

# What a score is made of: dot nothing, general (weight (H, M),), additive (weight_query (K, H),
# weight_memory (K, M), v (K,)).
WEIGHTS = {"dot": (), "general": ("weight",), "additive": ("weight_query", "weight_memory", "v")}


@dataclass(frozen=True)
class Saved:
    """What the backward pass needs of the forward pass."""

    query: RealArray
    memory: RealArray
    query_lengths: NDArray[np.int64]
    lengths: NDArray[np.int64]
    packed: tuple[Any, ...]
    attended: RealArray
    tape: RealArray


def attention(
    query: Any,
    memory: Any,
    *,
    score: str = "dot",
    weights: Sequence[Any] = (),
    lengths: Any = None,
    query_lengths: Any = None,
) -> tuple[RealArray, RealArray, Saved]:
    """Weigh the positions of a memory by how well they fit each query, and sum it with them.

    Parameters
    ----------
    query : array, shape (N, Q, H)
    memory : array, shape (N, S, M)
    score : {"dot", "general", "additive"}
        Of a query q and a position m: ``q . m``, ``q . (weight m)``, or
        ``v . tanh(weight_query q + weight_memory m)``.
    weights : sequence of array
        Nothing for "dot", which needs H = M; ``(weight (H, M),)`` for "general";
        ``(weight_query (K, H), weight_memory (K, M), v (K,))`` for "additive".
    lengths, query_lengths : array of int, shape (N,), optional
        True positions of each memory, 0 .. S, and true queries of each item, 0 .. Q; what lies
        beyond is never read.

    Returns
    -------
    context : array, shape (N, Q, M)
        0 beyond the true queries, and where a memory has no positions.
    attended : array, shape (N, Q, S)
        The softmax of the scores over the true positions; exactly 0 beyond them.
    saved : Saved
        For `attention_backward`.

    Raises
    ------
    ValueError
        The shapes do not fit, or a length is out of its range.

    Notes
    -----
    Bahdanau, Cho and Bengio 2015 (additive); Luong, Pham and Manning 2015 (dot, general). An item
    gives the same bits alone and in any batch.

    Examples
    --------
    >>> import numpy as np
    >>> memory = np.eye(3)[None]
    >>> context, attended, _ = attention(np.array([[[9.0, 0.0, 0.0]]]), memory, lengths=[2])
    >>> attended.round(3)
    array([[[1., 0., 0.]]])
    """
    names = require_score(score, weights)
    query, memory, *rest = as_reals(
        query=query, memory=memory, **dict(zip(names, weights, strict=True))
    )
    require_axes(query, "query", "N, Q, H")
    require_axes(memory, "memory", "N, S, M")
    if len(query) != len(memory):
        raise ValueError(
            f"query and memory must have the same number of items, got {len(query)} "
            f"and {len(memory)}"
        )
    packed = pack_weights(score, rest, query.shape[2], memory.shape[2])
    ends = as_lengths(lengths, "lengths", *memory.shape[:2])
    query_ends = as_lengths(query_lengths, "query_lengths", *query.shape[:2])
    context, attended, tape = _core.attention(query, memory, query_ends, ends, packed)
    return context, attended, Saved(query, memory, query_ends, ends, packed, attended, tape)


def attention_backward(
    grad_context: Any, grad_attended: Any, saved: Saved
) -> tuple[RealArray, RealArray, tuple[RealArray, ...]]:
    """Gradients of `attention`.

    Parameters
    ----------
    grad_context : array, shape (N, Q, M)
    grad_attended : array, shape (N, Q, S), or None
    saved : Saved
        From `attention`.

    Returns
    -------
    grad_query : array, shape (N, Q, H)
        0 beyond the true queries.
    grad_memory : array, shape (N, S, M)
        0 beyond the true positions.
    grads : tuple of array
        Of the weights, in their order.

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    s = saved
    shape = (*s.query.shape[:2], s.memory.shape[2])
    grads = as_reals(grad_context=grad_context, grad_attended=grad_attended)
    grad_context, grad_attended = (None if g is None else g.astype(s.query.dtype) for g in grads)
    require_shape(grad_context, "grad_context", shape, "the shape of context")
    if grad_attended is not None:
        require_shape(grad_attended, "grad_attended", s.attended.shape, "the shape of attended")
    grad_query, grad_memory, of_weights = _core.attention_backward(
        grad_context, grad_attended, s.query, s.memory, s.query_lengths, s.lengths, s.packed,
        s.attended, s.tape,
    )  # fmt: skip
    return grad_query, grad_memory, unpack_gradients(of_weights)


def require_score(score: str, weights: Sequence[Any]) -> tuple[str, ...]:
    """Return the names of a score's weights, or raise ValueError if `weights` are not they."""
    if score not in WEIGHTS:
        raise ValueError(f"score must be one of {', '.join(map(repr, WEIGHTS))}, not {score!r}")
    names: tuple[str, ...] = WEIGHTS[score]
    if len(weights) != len(names) or any(weight is None for weight in weights):
        needed = f"({', '.join(names)})" if names else "none"
        raise ValueError(f"score={score!r} needs the weights {needed}, got {len(weights)} of them")
    return names


def pack_weights(score: str, weights: Sequence[Any], H: int, M: int) -> tuple[Any, ...]:
    """Check the shapes of a score's weights and return them as the core takes them."""
    if score == "dot":
        if H != M:
            raise ValueError(
                f"score='dot' needs queries as wide as the memory, got {H} and {M} features: "
                "score='general' takes both"
            )
        return (score, None, None, None)
    if score == "general":
        require_shape(weights[0], "weight", (H, M), "H, M")
        return (score, None, weights[0], None)
    query, memory, v = weights
    require_axes(v, "v", "K")
    require_shape(query, "weight_query", (len(v), H), "K, H")
    require_shape(memory, "weight_memory", (len(v), M), "K, M")
    return (score, query, memory, v)


def unpack_gradients(of_weights: tuple[Any, ...]) -> tuple[RealArray, ...]:
    """Return the gradients that a score has, in the order of its weights."""
    return tuple(grad for grad in of_weights if grad is not None)
