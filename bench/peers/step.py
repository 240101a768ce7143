"""One training step of a network on 28x28 images: forward, cross-entropy, backward, Adam."""

from __future__ import annotations

import argparse

import numpy as np

from bench.peers.conv_sides import Passes
from bench.peers.sides import OURS, Settings, Sides, result, set_threads
from bench.peers.tables import rows_table

BATCH = 32
CASE = f"28x28, batch {BATCH}: conv32-pool-conv64-pool-fc128-fc10"
NAMES = (OURS, "torch", "torch last", "torch last fused")
GOAL = 2.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(settings: Settings, options: argparse.Namespace) -> dict[str, list]:
    rows = []
    for threads in settings.threads:
        set_threads(threads)
        sides = Sides()
        sides.add(OURS, _ours)
        sides.add("torch", lambda: _torch(channels_last=False, fused=False))
        sides.add("torch last", lambda: _torch(channels_last=True, fused=False))
        sides.add("torch last fused", lambda: _torch(channels_last=True, fused=True))
        row = result(CASE, "step", threads, sides, settings.time(sides.calls("step")))
        if "ratio" in row:
            row["goal"] = GOAL
        rows.append(row)
    title = "one training step; last: channels_last, fused: Adam in one kernel"
    for threads in settings.threads:
        own = [row for row in rows if row["threads"] == threads]
        for line in rows_table(f"{title}; threads: {threads}", NAMES, own):
            print(line, flush=True)
    return {"rows": rows}


def _batch() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.standard_normal((BATCH, 1, 28, 28)).astype(np.float32)
    return images, rng.integers(0, 10, BATCH)


def _ours() -> Passes:
    from unrolled import nn, optim

    features = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
    head = nn.Sequential(nn.Linear(64 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10))
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam([*features.parameters(), *head.parameters()], lr=1e-3)
    images, labels = _batch()

    def step() -> float:
        optimizer.zero_grad()
        loss = criterion(head(features(images).reshape(BATCH, -1)), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return {"step": step}


def _torch(channels_last: bool, fused: bool) -> Passes:
    import torch
    from torch import nn

    model = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = model.to(memory_format=layout)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)
    images, labels = map(torch.from_numpy, _batch())
    images = images.contiguous(memory_format=layout)

    def step() -> float:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return {"step": step}
