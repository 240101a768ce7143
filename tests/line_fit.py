"""The smallest training run: a line through the origin, whose one weight is known at every step."""

from __future__ import annotations

import numpy as np

from unrolled import nn, optim
from unrolled.data import Loader
from unrolled.training import Trainer

DATA = [(x, 2.0 * x) for x in (0.5, -1.0, 1.5, 2.0, -0.5)]


class Line(nn.Module):
    def __init__(self, weight=0.0):
        self.weight = nn.Parameter(np.array([weight], np.float64))

    def forward(self, x):
        return self.weight * x


def squared_error(model, batch):
    x, y = batch
    return ((model(x) - y) ** 2).mean()


def fit_line(epochs=1, valid=None, weight=0.0, lr=0.1, loss=squared_error, **options):
    """Train a line through the origin; returns trainer and history."""
    model = Line(weight)
    trainer = Trainer(model, loss, optim.SGD(model.parameters(), lr), progress=False, **options)
    return trainer, trainer.fit(Loader(DATA, 2), valid, epochs)
