"""A training run small enough to be killed often; as a program, the one that tests kill.

``python tiny_training.py DIRECTORY SECONDS`` trains with a pause of so many seconds at every item,
prints ``started`` at the first step and at the end the digest of what came out.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time

import numpy as np

from unrolled import nn, optim, random
from unrolled.data import Loader
from unrolled.optim.lr_schedule import Cosine
from unrolled.training import Trainer

EPOCHS = 3
SCHEDULE = Cosine(lr=0.02, total_steps=EPOCHS * 6, warmup_steps=5)


class TinyNet(nn.Module):
    """Convolution, running statistics, dropout: everything whose state must survive."""

    def __init__(self, channels):
        self.features = nn.Sequential(
            nn.Conv2d(1, channels, 3), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(4 * channels, 2)

    def forward(self, images):
        features = self.features(images)
        return self.output(self.dropout(features.reshape(len(images), -1))).log_softmax()


def loss(model, batch):
    images, labels = batch
    return -model(images)[np.arange(len(labels)), labels].mean()


def make_items(count, seed):
    """Images of 6 x 6 whose left or right half is brighter."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    images = rng.normal(size=(count, 1, 6, 6)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        image[0, :, 3 * label : 3 * label + 3] += 1.0
    return list(zip(images, labels, strict=True))


def make_loaders(pause=0.0):
    def transform(item, rng):
        if pause:
            time.sleep(pause)
        image, label = item
        return image + 0.1 * rng.normal(size=image.shape).astype(np.float32), label

    train = Loader(make_items(22, seed=1), 4, shuffle=True, seed=5, transform=transform)
    return train, Loader(make_items(9, seed=2), 4)


def make_trainer(directory=None, **options):
    random.manual_seed(3)
    model = TinyNet(channels=2)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    settings = {
        "schedule": SCHEDULE,
        "clip_norm": 1.0,
        "directory": directory,
        "mode": "max",  # the first epoch is best: its weights must outlive those that follow
        "progress": False,
        **options,
    }
    return Trainer(model, loss, optimizer, **settings)


def digest(trainer, history):
    """Hash weights, optimizer, random numbers and all of the history but the seconds."""
    arrays = {**trainer.model.state_dict(), **trainer.optimizer.state_arrays()}
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in history.rows]
    rest = [rows, trainer.optimizer.state_scalars(), random.get_state(), sorted(arrays)]
    found = hashlib.sha256(json.dumps(rest).encode())
    for name in sorted(arrays):
        found.update(arrays[name].tobytes())
    return found.hexdigest()


class Announced:
    """A schedule that tells when the first step begins."""

    def __init__(self, schedule):
        self.schedule, self.told = schedule, False

    def __repr__(self):
        return repr(self.schedule)  # to a checkpoint it is that schedule

    def __call__(self, step):
        if not self.told:
            print("started", flush=True)
            self.told = True
        return self.schedule(step)


if __name__ == "__main__":
    directory, pause = sys.argv[1], float(sys.argv[2])
    trainer = make_trainer(directory, checkpoint_every=1, schedule=Announced(SCHEDULE))
    history = trainer.fit(*make_loaders(pause), epochs=EPOCHS, resume=True)
    print(digest(trainer, history))
