"""The network on 28x28 images: cross-entropy over 10 classes."""

from __future__ import annotations

import numpy as np

from bench.peers.conv_sides import Passes

BATCH = 32
CASE = f"28x28, batch {BATCH}: conv32-pool-conv64-pool-fc128-fc10"
GOAL = 2.5


def _batch() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.standard_normal((BATCH, 1, 28, 28)).astype(np.float32)
    return images, rng.integers(0, 10, BATCH)


def ours() -> Passes:
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


def torch_side(channels_last: bool, fused: bool) -> Passes:
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
