"""Small recurrent layers for the tests of the reference, and differences by all their arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oracles import arrays_in, assert_close
from unrolled.reference.gru import gru, gru_backward
from unrolled.reference.lstm import lstm, lstm_backward
from unrolled.reference.rnn import rnn, rnn_backward

EXACT = 1e-12  # float64 on both sides
DIFFERENCES = 5e-8  # relative to the largest element of a gradient
PASSES = {"rnn": (rnn, rnn_backward), "gru": (gru, gru_backward), "lstm": (lstm, lstm_backward)}
ROWS = {"rnn": 1, "gru": 3, "lstm": 4}


class Layer(NamedTuple):
    """A layer and a batch for it; `options` are the keywords of its function."""

    kind: str
    options: tuple[tuple[str, object], ...] = ()
    lengths: tuple[int, ...] | None = (3, 0, 2, 1)
    T: int = 4
    D: int = 2
    H: int = 2
    directions: int = 2
    biases: tuple[bool, bool] = (True, True)
    P: int = 0
    peephole: bool = False
    mask: bool = False

    def __str__(self):
        extras = [f"{value}" for _, value in self.options]
        extras += [name for name in ("peephole", "mask") if getattr(self, name)]
        extras += [f"P{self.P}"] if self.P else []
        sizes = f"T{self.T}D{self.D}H{self.H}x{self.directions}"
        biases = "" if all(self.biases) else f"bias{self.biases[0]:d}{self.biases[1]:d}"
        lengths = "full" if self.lengths is None else "-".join(map(str, self.lengths))
        return " ".join(filter(None, [self.kind, *extras, sizes, biases, f"[{lengths}]"]))

    @property
    def N(self):
        return 3 if self.lengths is None else len(self.lengths)

    @property
    def step(self):
        """Return a step for `differences`: short for relu, whose kink must not be near."""
        return 1e-6 if ("nonlinearity", "relu") in self.options else 3e-4

    def weights(self, rng, features=None):
        """Draw one entry a direction, of six weights for an LSTM that asks for them."""
        rows, seen = ROWS[self.kind] * self.H, self.P or self.H
        shapes = [(rows, features or self.D), (rows, seen), (rows,), (rows,)]
        wanted = [True, True, *self.biases]
        if self.P or self.peephole:
            shapes += [(self.P, self.H), (3, self.H)]
            wanted += [bool(self.P), self.peephole]

        def draw(shape):
            return rng.standard_normal(shape) * (shape[1] ** -0.5 if len(shape) == 2 else 0.7)

        return [
            tuple(draw(s) if w else None for s, w in zip(shapes, wanted, strict=True))
            for _ in range(self.directions)
        ]

    def inputs(self, rng):
        """Draw x, the weights, the initial states, and the mask where one is wanted."""
        state = (self.directions, self.N, self.P or self.H)
        x, states = rng.standard_normal((self.N, self.T, self.D)), [rng.standard_normal(state)]
        if self.kind == "lstm":
            states.append(rng.standard_normal((*state[:2], self.H)))
        mask = rng.integers(0, 2, state) / 0.5 if self.mask else None
        return x, self.weights(rng), states, mask

    def run(self, x, weights, states, mask=None, passes=PASSES):
        """Return [output, h_n, ...] and what the backward pass needs."""
        names = ("h0", "c0")[: len(states)]
        given = dict(zip(names, states, strict=True))
        *results, saved = passes[self.kind][0](
            x, weights, lengths=self.lengths, hidden_mask=mask, **given, **dict(self.options)
        )
        return results, saved

    def backward(self, upstream, saved, passes=PASSES):
        """Return the gradients in the order and nesting of x, weights, states."""
        grad_x, grad_weights, *grad_states = passes[self.kind][1](*upstream, saved)
        return grad_x, grad_weights, grad_states


def differences(function, value, step=3e-4):
    """Differentiate a scalar function of nested lists and tuples of arrays by every array.

    Central differences of fourth order: the error is 1e-10 of the function's value.
    """
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        return [differences(function, item, step) for item in value]
    gradient = np.zeros_like(value)
    for index in np.ndindex(value.shape):
        kept, total = value[index], 0.0
        for steps, factor in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
            value[index] = kept + steps * step
            total += factor * float(function())
        value[index] = kept
        gradient[index] = total / (12 * step)
    return gradient


def assert_all_close(actual, expected, limit, label=""):
    """Compare nested lists and tuples of arrays, which must have None in the same places."""
    if isinstance(expected, (list, tuple)):
        assert len(actual) == len(expected), label
        for k, (a, e) in enumerate(zip(actual, expected, strict=True)):
            assert_all_close(a, e, limit, f"{label}[{k}]")
    elif expected is None:
        assert actual is None, label
    else:
        assert_close(actual, expected, limit, label)


def draws_like(rng, value):
    """Draw upstream gradients for nested arrays."""
    return [rng.standard_normal(array.shape) for array in arrays_in(value)]


def contract(upstream, results):
    """Make one number of all results, each element weighted by its upstream gradient."""
    pairs = zip(upstream, arrays_in(results), strict=True)
    return sum(float(np.sum(grad * value)) for grad, value in pairs)
