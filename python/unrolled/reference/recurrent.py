"""What recurrent layers share: the walk over directions, sequences and time, there and back.

The step itself is a cell, and stands in `rnn.py`, `gru.py` or `lstm.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
State = tuple[Array, ...]  # (h,), or (h, c) of an LSTM
Step = dict[str, Array]  # gates and states of one step, by name
Entry = Sequence[ArrayLike | None]  # weight_ih, weight_hh, bias_ih, bias_hh, ... of one direction
Parameters = tuple[Any, ...]  # the same as float64 arrays, or None


class Cell(Protocol):
    """One step of a recurrent layer. `seen` is h(t-1), masked, as the recurrent product sees it."""

    states: tuple[str, ...]  # names of what is carried from step to step; h comes first

    def sizes(self, weights: Parameters) -> dict[str, int]:
        """Return how many values a step makes of each gate and state."""

    def forward(self, x: Array, seen: Array, before: State, weights: Parameters) -> Step:
        """Go from the input x(t) and the state at t-1 to everything at t."""

    def backward(
        self, grad: State, x: Array, seen: Array, before: State, step: Step, weights: Parameters
    ) -> tuple[Array, Array, State, Sequence[Any]]:
        """Go back from the gradients of the state at t.

        Returns the gradients by x(t), by `seen`, by the state at t-1 where it enters outside the
        recurrent product, and by every weight.
        """


class Saved:
    """What a layer's backward pass needs of its forward pass."""

    def __init__(
        self,
        cell: Cell,
        x: Array,
        weights: Sequence[Entry],
        ends: list[int],
        hidden_mask: ArrayLike | None,
    ) -> None:
        self.cell, self.x, self.ends = cell, x, ends
        self.weights = [_parameters(entry) for entry in weights]
        self.sizes = cell.sizes(self.weights[0])
        directions, N = len(weights), len(x)
        self.mask = (
            np.ones((directions, N, self.sizes["h"]))
            if hidden_mask is None
            else np.asarray(hidden_mask, np.float64)
        )
        self.steps: dict[tuple[int, int, int], Step] = {}
        self.before: dict[tuple[int, int, int], State] = {}

    def states(self) -> dict[str, Array]:
        """Return every gate and state of every step: arrays (directions, N, T, H), 0 on padding."""
        lead = (len(self.weights), *self.x.shape[:2])
        arrays = {name: np.zeros((*lead, size)) for name, size in self.sizes.items()}
        for place, step in self.steps.items():
            for name, value in step.items():
                arrays[name][place] = value
        return arrays


def run(
    cell: Cell,
    x: ArrayLike,
    weights: Sequence[Entry],
    initial: Sequence[ArrayLike | None],
    lengths: ArrayLike | None,
    hidden_mask: ArrayLike | None,
) -> tuple[Array, State, Saved]:
    """Run one layer over a padded batch (N, T, D), in one or both directions.

    Returns the output (N, T, directions * H), 0 after each end, the states (directions, N, H)
    after each sequence's own last step, and what `run_backward` needs.
    """
    x = np.asarray(x, np.float64)
    N, T, _ = x.shape
    ends = [T] * N if lengths is None else [int(n) for n in np.asarray(lengths)]
    saved = Saved(cell, x, weights, ends, hidden_mask)
    directions, H = len(weights), saved.sizes["h"]
    output = np.zeros((N, T, directions * H))
    last = _states(saved, initial)
    for d, n in np.ndindex(directions, N):
        state = tuple(array[d, n].copy() for array in last)
        for t in times(d, ends[n]):
            seen = saved.mask[d, n] * state[0]
            step = cell.forward(x[n, t], seen, state, saved.weights[d])
            saved.before[d, n, t], saved.steps[d, n, t] = state, step
            state = tuple(step[name] for name in cell.states)
            output[n, t, d * H : (d + 1) * H] = state[0]
        for array, value in zip(last, state, strict=True):
            array[d, n] = value
    return output, last, saved


def run_backward(
    grad_output: ArrayLike,
    grad_last: Sequence[ArrayLike | None],
    saved: Saved,
    input_gradient: bool = True,
) -> tuple[Any, list[tuple[Any, ...]], State]:
    """Backpropagate through time: the steps of `run` in the opposite order.

    Returns the gradients by x (N, T, D), 0 after each end, or None where it is not wanted; by the
    weights of each direction; and by the initial states (directions, N, H).
    """
    grad_output, x, cell = np.asarray(grad_output, np.float64), saved.x, saved.cell
    H = saved.sizes["h"]
    grad_x, grad_weights = np.zeros_like(x), []
    grad_initial = _states(saved, grad_last)
    for d, weights in enumerate(saved.weights):
        totals = tuple(None if w is None else np.zeros_like(w) for w in weights)
        for n, end in enumerate(saved.ends):
            grad = tuple(array[d, n].copy() for array in grad_initial)
            for t in reversed(times(d, end)):
                before, step, mask = saved.before[d, n, t], saved.steps[d, n, t], saved.mask[d, n]
                grad = (grad[0] + grad_output[n, t, d * H : (d + 1) * H], *grad[1:])
                grad_x_t, grad_seen, grad, parts = cell.backward(
                    grad, x[n, t], mask * before[0], before, step, weights
                )
                grad = (grad[0] + mask * grad_seen, *grad[1:])
                grad_x[n, t] += grad_x_t
                for total, part in zip(totals, parts, strict=False):
                    if total is not None:
                        total += part
            for array, value in zip(grad_initial, grad, strict=True):
                array[d, n] = value
        grad_weights.append(totals)
    return grad_x if input_gradient else None, grad_weights, grad_initial


def times(direction: int, end: int) -> range:
    """Return the frames of a sequence in the order in which a direction walks them."""
    return range(end) if direction == 0 else range(end - 1, -1, -1)


def affine(weight: Array, x: Array, bias: Array | None) -> Array:
    """Return ``weight @ x + bias``, or the product alone."""
    return weight @ x if bias is None else weight @ x + bias


def _parameters(entry: Entry) -> Parameters:
    return tuple(None if part is None else np.asarray(part, np.float64) for part in entry)


def _states(saved: Saved, given: Sequence[ArrayLike | None]) -> State:
    """Return copies of the states (directions, N, H), zeros where none is given."""
    lead = (len(saved.weights), len(saved.x))
    return tuple(
        np.zeros((*lead, saved.sizes[name])) if value is None else np.array(value, np.float64)
        for name, value in zip(saved.cell.states, given, strict=True)
    )
