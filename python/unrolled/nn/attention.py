"""Attention: a query finds the positions of a memory that matter to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unrolled.autograd import Function, Tensor, as_tensor
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import one_of, positive
from unrolled.nn.init import uniform
from unrolled.nn.module import Module, Parameter
from unrolled.ops.attention import WEIGHTS, attention_backward
from unrolled.ops.attention import attention as attend


class _AttentionFunction(Function):
    """Attention on the tape."""

    gives_new_arrays = True

    def forward(
        self, query: Array, memory: Array, *weights: Array, score: str, **lengths: Any
    ) -> tuple[Array, Array]:
        context, attended, self.saved = attend(
            query, memory, score=score, weights=weights, **lengths
        )
        return context, attended

    def backward(self, grad_context: Array | None, grad_attended: Array | None) -> Any:
        if grad_context is None:
            s = self.saved
            shape = (*s.query.shape[:2], s.memory.shape[2])
            grad_context = np.zeros(shape, s.memory.dtype)
        grad_query, grad_memory, grads = attention_backward(grad_context, grad_attended, self.saved)
        return grad_query, grad_memory, *grads


def attention(
    query: Operand,
    memory: Operand,
    *,
    score: str = "dot",
    weights: Sequence[Tensor] = (),
    lengths: ArrayLike | None = None,
    query_lengths: ArrayLike | None = None,
) -> tuple[Tensor, Tensor]:
    """Weigh the positions of a memory for each query, and sum it with the weights.

    Parameters
    ----------
    query : Tensor or array-like (N, Q, H)
    memory : Tensor or array-like (N, S, M)
    score : {"dot", "general", "additive"}
        As for `Attention`.
    weights : sequence of Tensor
        The score's parameters: none, (weight,), or (weight_query, weight_memory, v).
    lengths, query_lengths : array-like of int (N), optional
        True positions of every memory, and true queries of every item.

    Returns
    -------
    context : Tensor (N, Q, M)
    attended : Tensor (N, Q, S)
        The weights of the positions, exactly 0 beyond the true ones.

    Raises
    ------
    ValueError
        If the shapes or lengths do not fit.
    """
    tensors = [value for value in (*weights, query, memory) if isinstance(value, Tensor)]
    dtype = tensors[0].dtype if tensors else None
    context, attended = _AttentionFunction.apply(
        as_tensor(query, dtype),
        as_tensor(memory, dtype),
        *weights,
        score=score,
        lengths=lengths,
        query_lengths=query_lengths,
    )
    return context, attended


class Attention(Module):
    """Weights over the positions of a memory, and the mean of the memory that they give.

    ``dot`` scores a position by ``q . m``, ``general`` by ``q . (weight m)``, ``additive`` by
    ``v . tanh(weight_query q + weight_memory m)``; the softmax over the true positions makes the
    weights, the context is the sum of the memory with them.

    Parameters
    ----------
    query_size, memory_size : int
        Features of a query, H, and of a position of the memory, M; equal with ``score="dot"``.
    score : {"dot", "general", "additive"}
    hidden_size : int, optional
        Features K of the additive score; those of a query where not given.

    Attributes
    ----------
    weight : Parameter
        (H, M), of the general score.
    weight_query, weight_memory, v : Parameter
        (K, H), (K, M), (K), of the additive score.

    Raises
    ------
    ValueError
        If a size is not an integer of at least 1, or they do not fit the score.

    References
    ----------
    Bahdanau, Cho, Bengio: Neural machine translation by jointly learning to align and translate
    (2015). Luong, Pham, Manning: Effective approaches to attention-based neural machine
    translation (2015).

    Examples
    --------
    >>> attention = Attention(3, 4, score="additive", hidden_size=5)
    >>> context, weights = attention(np.ones((2, 6, 3)), np.ones((2, 7, 4)), lengths=[7, 2])
    >>> context.shape, weights.shape, bool((weights.data[1, :, 2:] == 0).all())
    ((2, 6, 4), (2, 6, 7), True)
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        *,
        score: str = "general",
        hidden_size: int | None = None,
    ) -> None:
        positive(query_size=query_size, memory_size=memory_size)
        self.score = one_of("score", score, tuple(WEIGHTS))
        self.query_size, self.memory_size = query_size, memory_size
        if score != "additive" and hidden_size is not None:
            raise ValueError(f"hidden_size belongs to score='additive', not to score={score!r}")
        if score == "dot" and query_size != memory_size:
            raise ValueError(
                f"score='dot' needs query_size == memory_size, got {query_size} and {memory_size}: "
                "score='general' takes both"
            )
        if score == "general":
            self.weight = uniform((query_size, memory_size), memory_size)
        if score == "additive":
            hidden = query_size if hidden_size is None else hidden_size
            positive(hidden_size=hidden)
            self.weight_query = uniform((hidden, query_size), query_size)
            self.weight_memory = uniform((hidden, memory_size), memory_size)
            self.v = uniform((hidden,), hidden)

    def weights(self) -> tuple[Parameter, ...]:
        """Return the parameters, in the order in which `attention` takes them."""
        return tuple(getattr(self, name) for name in WEIGHTS[self.score])

    def forward(
        self,
        query: Operand,
        memory: Operand,
        lengths: ArrayLike | None = None,
        query_lengths: ArrayLike | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Attend to a memory.

        Parameters
        ----------
        query : Tensor or array-like (N, Q, H)
        memory : Tensor or array-like (N, S, M)
        lengths, query_lengths : array-like of int (N), optional
            True positions of every memory, and true queries of every item; what lies beyond is
            never read.

        Returns
        -------
        context : Tensor (N, Q, M)
            0 beyond the true queries, and where a memory has no positions.
        weights : Tensor (N, Q, S)
            Exactly 0 beyond the true positions and queries.

        Raises
        ------
        ValueError
            If the shapes or lengths do not fit.
        """
        return attention(
            query,
            memory,
            score=self.score,
            weights=self.weights(),
            lengths=lengths,
            query_lengths=query_lengths,
        )
