"""Attention: a query finds the positions of a memory that matter to it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unrolled._arrays import as_lengths
from unrolled.autograd import Tensor, as_tensor, where
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import one_of, positive
from unrolled.nn.init import uniform
from unrolled.nn.linear import linear
from unrolled.nn.module import Module

SCORES = ("dot", "general", "additive")


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
        self.score = one_of("score", score, SCORES)
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

    def forward(
        self, query: Operand, memory: Operand, lengths: ArrayLike | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend to a memory.

        Parameters
        ----------
        query : Tensor or array-like (N, Q, H)
        memory : Tensor or array-like (N, S, M)
        lengths : array-like of int (N), optional
            True positions of every memory; what lies beyond is never read.

        Returns
        -------
        context : Tensor (N, Q, M)
        weights : Tensor (N, Q, S)
            Exactly 0 beyond the true positions.

        Raises
        ------
        ValueError
            If the shapes or lengths do not fit.
        """
        dtype = None if self.score == "dot" else self._dtype()
        query, memory = as_tensor(query, dtype), as_tensor(memory, dtype)
        ends = as_lengths(lengths, "lengths", memory.shape[0], memory.shape[1])
        inside = np.arange(memory.shape[1]) < ends[:, None]
        memory = where(inside[..., None], memory, 0.0)
        scores = where(inside[:, None], self._scores(query, memory), -np.inf)
        weights = where(inside[:, None], scores.softmax(), 0.0)
        return weights @ memory, weights

    def _dtype(self) -> Any:
        return (self.v if self.score == "additive" else self.weight).dtype

    def _scores(self, query: Tensor, memory: Tensor) -> Tensor:
        if self.score == "additive":
            keys = linear(memory, self.weight_memory)
            hidden = linear(query, self.weight_query).unsqueeze(2) + keys.unsqueeze(1)
            return hidden.tanh() @ self.v
        keys = memory if self.score == "dot" else linear(memory, self.weight)
        return query @ keys.transpose(0, 2, 1)
