"""Recurrent layers that attend to a memory at each step.

With h_t the state of the top layer, c_t the context and o_t = tanh(W [c_t; h_t] + b):

    input      the layers read [x_t; o_(t-1)], and h_t asks for c_t      (Luong et al. 2015, 3.3)
    context    h_(t-1) asks for c_t, and the layers read [x_t; c_t]      (Bahdanau et al. 2015)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .attention import Parameters, attend, attend_backward, ends_of
from .gru import GruCell
from .lstm import LstmCell
from .recurrent import Cell, State, Step
from .rnn import RnnCell

Array = NDArray[Any]
Layers = Sequence[Sequence[Any]]


class _Step(NamedTuple):
    """What one step of one item read and made, layer by layer."""

    read: list[Array]
    before: list[State]
    made: list[Step]
    query: Array
    attended: Array
    joined: Array
    output: Array


class Saved(NamedTuple):
    """What `attention_decoder_backward` needs."""

    cell: Cell
    feeding: str
    x: Array
    memory: Array
    ends: list[int]
    memory_ends: list[int]
    layers: list[Parameters]
    output_weights: Parameters
    score: str
    weights: Parameters
    mask: Array
    steps: dict[tuple[int, int], _Step]


def attention_decoder(
    x: ArrayLike,
    memory: ArrayLike,
    layers: Layers,
    output_weights: Sequence[ArrayLike],
    *,
    cell: str,
    feeding: str,
    score: str = "dot",
    weights: Sequence[ArrayLike] = (),
    h0: ArrayLike | None = None,
    c0: ArrayLike | None = None,
    output0: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    memory_lengths: ArrayLike | None = None,
    dropout_mask: ArrayLike | None = None,
) -> tuple[Array, Array, tuple[Any, Any, Any], Saved]:
    """Decode a padded batch, item by item and step by step.

    Parameters
    ----------
    x : array (N, T, E)
    memory : array (N, S, M)
    layers : one (weight_ih, weight_hh, bias_ih or None, bias_hh or None) a layer
        The first reads E + H ("input") or E + M ("context") features, the others H.
    output_weights : W (H, M + H), b (H,)
    cell : {"lstm", "gru", "gru_reset_before", "tanh", "relu", "sigmoid", "identity"}
    feeding : {"input", "context"}
    score, weights : as for `attention`
    h0, c0 : array (layers, N, H), optional
    output0 : array (N, H), optional
    lengths, memory_lengths : array (N,), optional
    dropout_mask : array (layers - 1, N, T, H), optional

    Returns
    -------
    output (N, T, H) and attended (N, T, S), 0 on padding; the states (h_n, c_n, last output), None
    for what there is not; and what `attention_decoder_backward` needs. float64.
    """
    x, memory = np.asarray(x, np.float64), np.asarray(memory, np.float64)
    own = [_parameters(layer) for layer in layers]
    (N, T, _), S, H = x.shape, memory.shape[1], own[0][1].shape[1]
    shape = (len(own), N, H)
    mask = np.ones((len(own) - 1, N, T, H)) if dropout_mask is None else np.asarray(dropout_mask)
    saved = Saved(
        _cell(cell), feeding, x, memory, ends_of(lengths, N, T), ends_of(memory_lengths, N, S),
        own, _parameters(output_weights), score, _parameters(weights), mask, {},
    )  # fmt: skip
    parts = [h0, c0][: len(saved.cell.states)]
    last = [_copy(part, shape) for part in parts]
    outputs = _copy(output0, shape[1:])
    output, attended = np.zeros((N, T, H)), np.zeros((N, T, S))
    for n, end in enumerate(saved.ends):
        states = [tuple(part[i, n].copy() for part in last) for i in range(len(own))]
        for t in range(end):
            step = _forward(saved, n, t, states, outputs[n])
            states = [tuple(made[name] for name in saved.cell.states) for made in step.made]
            saved.steps[n, t] = step
            output[n, t] = outputs[n] = step.output
            attended[n, t, : saved.memory_ends[n]] = step.attended
        for i, state in enumerate(states):
            for part, value in zip(last, state, strict=True):
                part[i, n] = value
    h_n, c_n = (*last, None)[:2]
    return output, attended, (h_n, c_n, outputs if feeding == "input" else None), saved


def _forward(saved: Saved, n: int, t: int, states: list[State], before: Array) -> _Step:
    """One step of one item: layers, attention and output, in the order of `feeding`."""
    memory, query = saved.memory[n, : saved.memory_ends[n]], states[-1][0]
    if saved.feeding == "context":
        a, context = attend(query, memory, saved.score, saved.weights)
        fed = context
    else:
        fed = before.copy()
    read, made, below = [], [], np.concatenate([saved.x[n, t], fed])
    for i, (state, weights) in enumerate(zip(states, saved.layers, strict=True)):
        read.append(below)
        made.append(saved.cell.forward(below, state[0], state, weights))
        below = made[-1]["h"] * (saved.mask[i, n, t] if i < len(saved.mask) else 1)
    h = made[-1]["h"]
    if saved.feeding == "input":
        query = h
        a, context = attend(query, memory, saved.score, saved.weights)
    W, b = saved.output_weights
    joined = np.concatenate([context, h])
    return _Step(read, list(states), made, query, a, joined, np.tanh(W @ joined + b))


class Gradients(NamedTuple):
    """Of every argument, in its shape."""

    x: Array
    memory: Array
    state: tuple[Any, Any, Any]
    layers: list[tuple[Any, ...]]
    weights: Parameters
    output_weights: Parameters


def attention_decoder_backward(
    grad_output: ArrayLike,
    grad_attended: ArrayLike | None,
    grad_state: tuple[Any, Any, Any],
    saved: Saved,
) -> Gradients:
    """Backpropagate through time: the steps of `attention_decoder` in the opposite order.

    Parameters
    ----------
    grad_output : array (N, T, H)
    grad_attended : array (N, T, S) or None
    grad_state : of h_n, c_n and the last output; each may be None
    saved : what `attention_decoder` returned last

    Returns
    -------
    Gradients, float64.
    """
    (N, T, _), S, H = saved.x.shape, saved.memory.shape[1], saved.layers[0][1].shape[1]
    shape = (len(saved.layers), N, H)
    walk = _Walk(saved)
    by_a = np.zeros((N, T, S)) if grad_attended is None else np.asarray(grad_attended, np.float64)
    grad_output = np.asarray(grad_output, np.float64)
    last = [_copy(part, shape) for part in grad_state[: len(saved.cell.states)]]
    fed = _copy(grad_state[2], shape[1:])
    for n, end in enumerate(saved.ends):
        grads = [tuple(part[i, n].copy() for part in last) for i in range(len(saved.layers))]
        for t in reversed(range(end)):
            a_end = saved.memory_ends[n]
            grads, fed[n] = walk.step(n, t, grads, fed[n], grad_output[n, t], by_a[n, t, :a_end])
        for i, grad in enumerate(grads):
            for part, value in zip(last, grad, strict=True):
                part[i, n] = value
    grad_h0, grad_c0 = (*last, None)[:2]
    state = (grad_h0, grad_c0, fed if saved.feeding == "input" else None)
    return Gradients(walk.x, walk.memory, state, walk.layers, walk.weights, walk.output_weights)


class _Walk:
    """Sums of gradients, and one step back at a time."""

    def __init__(self, saved: Saved) -> None:
        self.saved = saved
        self.x, self.memory = np.zeros_like(saved.x), np.zeros_like(saved.memory)
        self.layers = [_zeros(layer) for layer in saved.layers]
        self.weights, self.output_weights = _zeros(saved.weights), _zeros(saved.output_weights)

    def step(
        self, n: int, t: int, grads: list[State], grad_fed: Array, grad_o: Array, grad_a: Array
    ) -> tuple[list[State], Array]:
        """Return the gradients by the states and the output before the step."""
        saved, step = self.saved, self.saved.steps[n, t]
        M, E = saved.memory.shape[2], saved.x.shape[2]
        after = saved.feeding == "input"
        dz = (grad_o + (grad_fed if after else 0)) * (1 - step.output**2)
        _add(self.output_weights, (np.outer(dz, step.joined), dz))
        joined = saved.output_weights[0].T @ dz
        grad_context, grad_h = joined[:M], joined[M:]
        if after:
            grad_h = grad_h + self._attend(n, step, grad_context, grad_a)
        grads = [*grads[:-1], (grads[-1][0] + grad_h, *grads[-1][1:])]
        grads, grad_read = self._layers(n, t, step, grads)
        self.x[n, t], grad_fed = grad_read[:E], grad_read[E:]
        if not after:
            grad_query = self._attend(n, step, grad_context + grad_fed, grad_a)
            grads[-1] = (grads[-1][0] + grad_query, *grads[-1][1:])
        return grads, grad_fed if after else np.zeros_like(grad_o)

    def _attend(self, n: int, step: _Step, grad_context: Array, grad_a: Array) -> Array:
        saved, end = self.saved, self.saved.memory_ends[n]
        grad_query, grad_memory, parts = attend_backward(
            grad_context, grad_a, step.query, saved.memory[n, :end], step.attended, saved.score,
            saved.weights,
        )  # fmt: skip
        self.memory[n, :end] += grad_memory
        _add(self.weights, parts)
        return grad_query

    def _layers(self, n: int, t: int, step: _Step, grads: list[State]) -> tuple[list[State], Array]:
        """Go down through the layers; return what reaches the states before, and the input."""
        saved, back = self.saved, list(grads)
        for i in reversed(range(len(grads))):
            state = step.before[i]
            grad_read, grad_seen, grad, parts = saved.cell.backward(
                back[i], step.read[i], state[0], state, step.made[i], saved.layers[i]
            )
            back[i] = (grad[0] + grad_seen, *grad[1:])
            _add(self.layers[i], parts[:4])
            if i > 0:
                below = grad_read * saved.mask[i - 1, n, t]
                back[i - 1] = (back[i - 1][0] + below, *back[i - 1][1:])
        return back, grad_read


def _cell(name: str) -> Cell:
    if name == "lstm":
        return LstmCell()
    if name in ("gru", "gru_reset_before"):
        return GruCell(reset_after=name == "gru")
    return RnnCell(name)


def _parameters(entry: Sequence[Any]) -> Parameters:
    return tuple(None if part is None else np.asarray(part, np.float64) for part in entry)  # type: ignore[misc]


def _zeros(entry: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(None if part is None else np.zeros_like(part) for part in entry)


def _add(totals: Sequence[Any], parts: Sequence[Any]) -> None:
    for total, part in zip(totals, parts, strict=True):
        if total is not None:
            total += part


def _copy(given: Any, shape: tuple[int, ...]) -> Array:
    return np.zeros(shape) if given is None else np.array(given, np.float64)
