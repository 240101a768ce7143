"""Hidden Markov models whose best parameters for given paths are known, and items to train them."""

from __future__ import annotations

import numpy as np

from unrolled import nn, optim
from unrolled.autograd import Function, Tensor

OBSERVATIONS = 6


class Categorical(nn.Module):
    """Log probability of each observation in each class: scores to align by, not posteriors."""

    def __init__(self, classes, seed):
        rng = np.random.default_rng(seed)
        self.table = nn.Parameter(np.log(rng.dirichlet(np.ones(OBSERVATIONS), classes)))

    def forward(self, observations):
        return Pick.apply(self.table, observations=observations)


class Pick(Function):
    def forward(self, table, *, observations):
        self.shape, self.observations = table.shape, observations
        return np.moveaxis(table[:, observations], 0, -1).copy()

    def backward(self, grad):
        table = np.zeros(self.shape[::-1])
        np.add.at(table, self.observations, grad)
        return table.T


class Counting(optim.SGD):
    """Sets the table to the relative counts, the maximum likelihood of the paths.

    The gradient by a log probability is minus its share of all frames. A class without frames has
    no such estimate, and keeps what it has.
    """

    def step(self):
        (table,) = self.params
        counts = -table.grad
        seen = counts.sum(axis=1) > 0
        with np.errstate(divide="ignore"):
            found = np.log(counts[seen] / counts[seen].sum(axis=1, keepdims=True))
        table.data[seen] = np.maximum(found, -50.0)  # a checkpoint holds finite numbers


class Gaussian(nn.Module):
    """Unit variance around a mean for each class."""

    def __init__(self, classes, seed):
        self.means = nn.Parameter(np.random.default_rng(seed).standard_normal(classes))

    def forward(self, x):
        return (self.means - Tensor(x[..., None])) ** 2 * -0.5


def categorical_items(rng, count, classes, blank):
    symbols = [c for c in range(classes) if c != blank]
    items = []
    for _ in range(count):
        length = int(rng.integers(1, 5))
        frames = int(rng.integers(2 * length, 12))
        items.append((rng.integers(0, OBSERVATIONS, frames), rng.choice(symbols, length).tolist()))
    return items


def collate(items):
    lengths = [len(x) for x, _ in items]
    x = np.zeros((len(items), max(lengths)), items[0][0].dtype)
    for row, (item, _) in zip(x, items, strict=True):
        row[: len(item)] = item
    return x, [target for _, target in items], lengths


def emissions(model, batch):
    x, targets, lengths = batch
    return model(x), targets, lengths


def likelihoods(history):
    """Return the log likelihood after each half of each round, in their order."""
    rows = history.rows
    return [row[f"{half}_log_likelihood"] for row in rows for half in ("path", "best")]
