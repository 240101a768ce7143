"""A small recurrent model, streams to train it on, and truncation written out without TBPTT."""

from __future__ import annotations

import numpy as np

from unrolled import nn, optim
from unrolled.autograd import no_grad

N, T, D = 3, 7, 2


class Tagger(nn.Module):
    """A number a frame from the states so far."""

    def __init__(self, kind="GRU", hidden=3, learned=False):
        self.layer = getattr(nn, kind)(D, hidden, 2, learn_initial_state=learned)
        self.output = nn.Linear(hidden, 1)

    def forward(self, x, state=None, lengths=None):
        states, state = self.layer(x, state, lengths)
        return self.output(states), state

    def initial_state(self, batch_size):
        return self.layer.initial_state(batch_size)


def loss(model, window, state):
    """Sum of squares over all frames that are not padding."""
    lengths = window.get("lengths")
    y, state = model(window["x"], state, lengths)
    error = y[..., 0] - window["y"]
    if lengths is not None:
        frames = np.arange(error.shape[1])
        error = error.where(frames < np.asarray(lengths)[:, None], 0.0)
    return (error * error).sum(), state


def make_batch(rng, frames=T, items=N, **more):
    x = rng.standard_normal((items, frames, D))
    return {"x": x, "y": rng.standard_normal((items, frames)), **more}


def part_of(batch, start, end):
    """Cut frames by hand."""
    cut = {"x": batch["x"][:, start:end], "y": batch["y"][:, start:end]}
    if "lengths" in batch:
        cut["lengths"] = [int(min(max(n - start, 0), end - start)) for n in batch["lengths"]]
    return cut


def gradient_of(parameter):
    return np.zeros(parameter.shape) if parameter.grad is None else parameter.grad.copy()


class Recorder(optim.SGD):
    """An optimizer that keeps the gradients of every step, and takes it with its learning rate."""

    def __init__(self, model, lr=0.0):
        super().__init__(model.parameters(), lr=lr)
        self.taken = []

    def step(self):
        self.taken.append([gradient_of(parameter) for parameter in self.params])
        super().step()


def gradients(model, compute):
    """Return the gradients of a loss by all parameters."""
    model.zero_grad()
    compute().backward()
    return [gradient_of(parameter) for parameter in model.parameters()]


def truncated(model, batch, end, k1, k2):
    """Return the gradients of the window that ends before `end`, from its definition alone."""
    window = (end - 1) // k1 * k1 if end % k1 else end - k1
    reach, first = max(end - k2, 0), max(window, end - k2)
    state = None
    with no_grad():
        if reach:
            _, state = loss(model, part_of(batch, 0, reach), None)

    def compute():
        before = state
        if first > reach:
            _, before = loss(model, part_of(batch, reach, first), before)
        return loss(model, part_of(batch, first, end), before)[0]

    return gradients(model, compute)
