"""Small problems of attention, alone and inside of a decoder, for kernels and reference alike."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from unrolled import reference
from unrolled.ops.attention import attention, attention_backward
from unrolled.ops.attention_decoder import attention_decoder, attention_decoder_backward

SCORES = ("dot", "general", "additive")
FEEDINGS = ("input", "context")
CELLS = ("lstm", "gru", "gru_reset_before", "tanh", "relu")
GATES = {"lstm": 4, "gru": 3, "gru_reset_before": 3}
KERNEL = (
    (attention, attention_backward),
    (attention_decoder, attention_decoder_backward),
)
REFERENCE = (
    (reference.attention.attention, reference.attention.attention_backward),
    (
        reference.attention_decoder.attention_decoder,
        reference.attention_decoder.attention_decoder_backward,
    ),
)


def draw_weights(score, rng, H, M, K):
    shapes = {"dot": [], "general": [(H, M)], "additive": [(K, H), (K, M), (K,)]}[score]
    return [rng.standard_normal(shape) * (0.7 if len(shape) == 1 else 0.5) for shape in shapes]


def filled(array, lengths, value):
    """Return the array with `value` on the padding of its second axis."""
    if lengths is None:
        return array
    array = array.copy()
    array[np.arange(array.shape[1]) >= np.asarray(lengths)[:, None]] = value
    return array


class Attending(NamedTuple):
    """Queries that ask a memory."""

    score: str = "additive"
    Q: int = 3
    S: int = 4
    H: int = 3
    M: int = 3
    K: int = 2
    lengths: tuple[int, ...] | None = (4, 1, 3)
    query_lengths: tuple[int, ...] | None = (2, 3, 0)

    @property
    def N(self):
        return 2 if self.lengths is None else len(self.lengths)

    def inputs(self, rng):
        """Draw query, memory and weights."""
        query = rng.standard_normal((self.N, self.Q, self.H))
        memory = rng.standard_normal((self.N, self.S, self.M))
        return [query, memory, draw_weights(self.score, rng, self.H, self.M, self.K)]

    def padded(self, inputs, value):
        query, memory, weights = inputs
        return [
            filled(query, self.query_lengths, value),
            filled(memory, self.lengths, value),
            weights,
        ]

    def run(self, inputs, passes=KERNEL):
        """Return [context, attended] and what the backward pass needs."""
        query, memory, weights = inputs
        *results, saved = passes[0][0](
            query, memory, score=self.score, weights=weights, lengths=self.lengths,
            query_lengths=self.query_lengths,
        )  # fmt: skip
        return results, saved

    def backward(self, upstream, saved, passes=KERNEL):
        """Return the gradients in the nesting of the inputs."""
        grad_query, grad_memory, grads = passes[0][1](*upstream, saved)
        return [grad_query, grad_memory, list(grads)]


class Decoding(NamedTuple):
    """A decoder over a memory."""

    cell: str = "gru"
    feeding: str = "context"
    score: str = "additive"
    layers: int = 1
    T: int = 3
    S: int = 4
    E: int = 2
    H: int = 3
    M: int = 3
    K: int = 2
    lengths: tuple[int, ...] | None = (3, 0, 2)
    memory_lengths: tuple[int, ...] | None = (2, 4, 3)
    biases: tuple[bool, bool] = (True, True)
    mask: bool = False
    state: bool = True

    @property
    def N(self):
        return 2 if self.lengths is None else len(self.lengths)

    def inputs(self, rng):
        """Draw x, memory, layers, output weights, weights of the score, state and mask."""
        rows = GATES.get(self.cell, 1) * self.H
        layers = []
        for i in range(self.layers):
            fed = self.E + (self.H if self.feeding == "input" else self.M)
            shapes = [(rows, self.H if i else fed), (rows, self.H), (rows,), (rows,)]
            wanted = (True, True, *self.biases)
            layers.append(
                [
                    rng.standard_normal(s) * 0.5 if w else None
                    for s, w in zip(shapes, wanted, strict=True)
                ]
            )
        output = [rng.standard_normal((self.H, self.M + self.H)) * 0.5, rng.standard_normal(self.H)]
        shape = (self.layers, self.N, self.H)
        has = (True, self.cell == "lstm", self.feeding == "input")
        shapes = (shape, shape, shape[1:])
        state: list[Any] = [
            rng.standard_normal(s) if own and self.state else None
            for s, own in zip(shapes, has, strict=True)
        ]
        mask = None
        if self.mask:
            mask = rng.integers(0, 2, (self.layers - 1, self.N, self.T, self.H)) / 0.5
        return [
            rng.standard_normal((self.N, self.T, self.E)),
            rng.standard_normal((self.N, self.S, self.M)),
            layers,
            output,
            draw_weights(self.score, rng, self.H, self.M, self.K),
            state,
            mask,
        ]

    def padded(self, inputs, value):
        x, memory, *others = inputs
        return [filled(x, self.lengths, value), filled(memory, self.memory_lengths, value), *others]

    def run(self, inputs, passes=KERNEL):
        """Return [output, attended, states] and what the backward pass needs."""
        x, memory, layers, output, weights, (h0, c0, output0), mask = inputs
        *results, saved = passes[1][0](
            x, memory, layers, output, cell=self.cell, feeding=self.feeding, score=self.score,
            weights=weights, h0=h0, c0=c0, output0=output0, lengths=self.lengths,
            memory_lengths=self.memory_lengths, dropout_mask=mask,
        )  # fmt: skip
        return results, saved

    def backward(self, upstream, saved, passes=KERNEL):
        """Return the gradients in the nesting of the inputs."""
        grad_output, grad_attended, *grad_state = upstream
        parts = iter(grad_state)
        has = (True, self.cell == "lstm", self.feeding == "input")
        g = passes[1][1](
            grad_output, grad_attended, tuple(next(parts) if own else None for own in has), saved
        )
        layers = [list(layer)[:4] for layer in g.layers]
        return [g.x, g.memory, layers, list(g.output_weights), list(g.weights), list(g.state)]


def _lengths(rng, N, longest):
    if rng.integers(3) == 0:
        return None
    return tuple(int(n) for n in rng.integers(0, longest + 1, N))


def random_attending(rng):
    """Draw a configuration; sizes cross a vector's length now and then."""
    Q, S, N = (int(n) for n in rng.integers([0, 0, 1], [6, 9, 5]))
    H, M, K = (int(n) for n in rng.integers(1, 20, 3))
    score = str(rng.choice(SCORES))
    lengths = _lengths(rng, N, S)
    query_lengths = None if lengths is None else _lengths(rng, N, Q)
    return Attending(score, Q, S, M if score == "dot" else H, M, K, lengths, query_lengths)


def random_decoding(rng):
    """Draw a configuration of a decoder."""
    T, S, N = (int(n) for n in rng.integers([1, 0, 1], [5, 6, 5]))
    E, H, M, K = (int(n) for n in rng.integers(1, 19, 4))
    score, layers = str(rng.choice(SCORES)), int(rng.integers(1, 4))
    lengths = _lengths(rng, N, T)
    return Decoding(
        str(rng.choice(CELLS)), str(rng.choice(FEEDINGS)), score, layers, T, S, E, H,
        H if score == "dot" else M, K, lengths, None if lengths is None else _lengths(rng, N, S),
        (bool(rng.integers(2)), bool(rng.integers(2))), layers > 1 and bool(rng.integers(2)),
        bool(rng.integers(4)),
    )  # fmt: skip
