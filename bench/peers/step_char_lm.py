"""The character language model: embedding, LSTM, cross entropy over all symbols at each step."""

from __future__ import annotations

import numpy as np

from bench.peers.conv_sides import Passes

BATCH, FRAMES, SYMBOLS, EMBEDDING, HIDDEN = 32, 100, 96, 64, 256
CASE = f"character LM, {BATCH} x {FRAMES}: embedding {EMBEDDING}, LSTM {HIDDEN}, {SYMBOLS} symbols"
GOAL = 1.2


def _batch() -> tuple[np.ndarray, np.ndarray]:
    """Symbols as unevenly frequent as letters, and those that follow them."""
    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1, SYMBOLS + 1)
    text = rng.choice(SYMBOLS, (BATCH, FRAMES + 1), p=shares / shares.sum())
    return text[:, :-1], text[:, 1:]


def _torch_parts():
    import torch

    torch.manual_seed(0)
    return torch.nn.ModuleDict(
        {
            "embedding": torch.nn.Embedding(SYMBOLS, EMBEDDING),
            "lstm": torch.nn.LSTM(EMBEDDING, HIDDEN, batch_first=True),
            "output": torch.nn.Linear(HIDDEN, SYMBOLS),
        }
    )


def ours() -> Passes:
    from unrolled import nn, optim
    from unrolled.nn.functional import cross_entropy, run_tokens

    embedding, lstm = nn.Embedding(SYMBOLS, EMBEDDING), nn.LSTM(EMBEDDING, HIDDEN)
    output = nn.Linear(HIDDEN, SYMBOLS)
    for part, start in zip((embedding, lstm, output), _torch_parts().values(), strict=True):
        part.load_state_dict({key: value.numpy() for key, value in start.state_dict().items()})
    parameters = [p for part in (embedding, lstm, output) for p in part.parameters()]
    optimizer = optim.Adam(parameters, lr=1e-3)
    ids, targets = _batch()
    flat = targets.reshape(-1)

    def step() -> float:
        optimizer.zero_grad()
        frames, _ = run_tokens(lstm, ids, embedding)
        loss = cross_entropy(output(frames).reshape(-1, SYMBOLS), flat)
        loss.backward()
        optimizer.step()
        return loss.item()

    return {"step": step}


def torch_side(channels_last: bool, fused: bool) -> Passes:
    import torch

    embedding, lstm, output = (parts := _torch_parts()).values()
    optimizer = torch.optim.Adam(parts.parameters(), lr=1e-3, fused=fused)
    ids, targets = map(torch.from_numpy, _batch())
    flat = targets.reshape(-1)

    def step() -> float:
        optimizer.zero_grad()
        frames, _ = lstm(embedding(ids))
        loss = torch.nn.functional.cross_entropy(output(frames).reshape(-1, SYMBOLS), flat)
        loss.backward()
        optimizer.step()
        return loss.item()

    return {"step": step}
