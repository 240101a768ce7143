"""The reader of text lines: convolutions, two bidirectional LSTM layers, CTC over 80 classes."""

from __future__ import annotations

import numpy as np

from bench.peers.conv_sides import Passes

BATCH, HEIGHT, WIDTH = 32, 32, 256
FRAMES, ROWS, CLASSES, HIDDEN = 64, 4, 80, 128
LABELS = 20
CASE = f"32x256, batch {BATCH}: conv32-64-128, 2 BiLSTM-{HIDDEN}, CTC over {CLASSES}"
GOAL = 1.6


def _batch() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.standard_normal((BATCH, 1, HEIGHT, WIDTH)).astype(np.float32)
    return images, rng.integers(1, CLASSES, (BATCH, LABELS))


def _parts(nn) -> dict[str, object]:
    """Return the parts of the network, of PyTorch's `nn` or of ours: same names, same sizes."""
    layers = []
    for inputs, channels, pool in ((1, 32, 2), (32, 64, 2), (64, 128, (2, 1))):
        layers += [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(pool)]
    return {
        "features": nn.Sequential(*layers),
        "lstm": nn.LSTM(128 * ROWS, HIDDEN, num_layers=2, batch_first=True, bidirectional=True),
        "output": nn.Linear(2 * HIDDEN, CLASSES),
    }


def _torch_parts():
    import torch

    torch.manual_seed(0)
    return torch.nn.ModuleDict(_parts(torch.nn))


def ours() -> Passes:
    from unrolled import nn, optim

    parts = _parts(nn)
    start = _torch_parts()
    for name, part in parts.items():
        part.load_state_dict(
            {key: value.numpy() for key, value in start[name].state_dict().items()}
        )
    features, lstm, output = parts.values()
    criterion = nn.CTCLoss()
    optimizer = optim.Adam([p for part in parts.values() for p in part.parameters()], lr=1e-3)
    images, labels = _batch()

    def step() -> float:
        optimizer.zero_grad()
        columns = features(images).transpose(0, 3, 1, 2).reshape(BATCH, FRAMES, -1)
        loss = criterion(output(lstm(columns)[0]).log_softmax(), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return {"step": step}


def torch_side(channels_last: bool, fused: bool) -> Passes:
    import torch

    parts = _torch_parts()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    parts["features"].to(memory_format=layout)
    features, lstm, output = parts.values()
    lstm.batch_first = False  # as its kernels and its CTC loss have it: time first
    criterion = torch.nn.CTCLoss()
    optimizer = torch.optim.Adam(parts.parameters(), lr=1e-3, fused=fused)
    images, labels = map(torch.from_numpy, _batch())
    images = images.contiguous(memory_format=layout)
    frames, lengths = torch.full((BATCH,), FRAMES), torch.full((BATCH,), LABELS)

    def step() -> float:
        optimizer.zero_grad()
        columns = features(images).permute(3, 0, 1, 2).reshape(FRAMES, BATCH, -1)
        loss = criterion(output(lstm(columns)[0]).log_softmax(2), labels, frames, lengths)
        loss.backward()
        optimizer.step()
        return loss.item()

    return {"step": step}
