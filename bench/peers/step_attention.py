"""An encoder-decoder with additive attention (Bahdanau et al. 2015), GRU on both sides."""

from __future__ import annotations

import numpy as np

from bench.peers.conv_sides import Passes

BATCH, LENGTH, SYMBOLS, EMBEDDING, HIDDEN = 64, 20, 96, 64, 256
CASE = (
    f"encoder-decoder, GRU {HIDDEN}, additive attention, {LENGTH} in, {LENGTH} out, batch {BATCH}"
)
GOAL = 2.0


def _batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    sources, targets = rng.integers(0, SYMBOLS, (2, BATCH, LENGTH))
    return sources, np.roll(targets, 1, axis=1), targets


def _torch_modules():
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.ModuleDict(
        {
            "source": nn.Embedding(SYMBOLS, EMBEDDING),
            "target": nn.Embedding(SYMBOLS, EMBEDDING),
            "encoder": nn.GRU(EMBEDDING, HIDDEN, batch_first=True),
            "memory": nn.Linear(HIDDEN, HIDDEN, bias=False),
            "query": nn.Linear(HIDDEN, HIDDEN, bias=False),
            "score": nn.Linear(HIDDEN, 1, bias=False),
            "cell": nn.GRUCell(EMBEDDING + HIDDEN, HIDDEN),
            "joined": nn.Linear(2 * HIDDEN, HIDDEN),
            "output": nn.Linear(HIDDEN, SYMBOLS),
        }
    )


def ours() -> Passes:
    from unrolled import nn, optim
    from unrolled.nn.functional import cross_entropy, run_tokens

    source, target = nn.Embedding(SYMBOLS, EMBEDDING), nn.Embedding(SYMBOLS, EMBEDDING)
    encoder = nn.GRU(EMBEDDING, HIDDEN)
    decoder = nn.AttentionDecoder(
        "gru", EMBEDDING, HIDDEN, HIDDEN, score="additive", feeding="context"
    )
    output = nn.Linear(HIDDEN, SYMBOLS)
    modules = (source, target, encoder, decoder, output)
    _load(_torch_modules(), *modules)
    optimizer = optim.Adam([p for module in modules for p in module.parameters()], lr=1e-3)
    sources, inputs, targets = _batch()
    targets = targets.reshape(-1)

    def step() -> float:
        optimizer.zero_grad()
        memory, state = run_tokens(encoder, sources, source)
        outputs, _, _ = decoder.run_tokens(inputs, target, memory, state)
        loss = cross_entropy(output(outputs).reshape(-1, SYMBOLS), targets)
        loss.backward()
        optimizer.step()
        return loss.item()

    return {"step": step}


def _load(start, source, target, encoder, decoder, output) -> None:
    """Copy PyTorch's first weights into ours."""
    arrays = {name: value.numpy() for name, value in start.state_dict().items()}
    renamed = {
        **{f"recurrent.{name}_l0": arrays[f"cell.{name}"] for name in dict(_cell_names(start))},
        "attention.weight_query": arrays["query.weight"],
        "attention.weight_memory": arrays["memory.weight"],
        "attention.v": arrays["score.weight"][0],
        "output.weight": arrays["joined.weight"],
        "output.bias": arrays["joined.bias"],
    }
    decoder.load_state_dict(renamed)
    for name, module in (
        ("source", source), ("target", target), ("encoder", encoder), ("output", output),
    ):  # fmt: skip
        own = {key: arrays[f"{name}.{key}"] for key in module.state_dict()}
        module.load_state_dict(own)


def _cell_names(start):
    return start["cell"].named_parameters()


def torch_side(channels_last: bool, fused: bool) -> Passes:
    """PyTorch as one writes it by hand; `channels_last` has no meaning here."""
    import torch

    m = _torch_modules()
    optimizer = torch.optim.Adam(m.parameters(), lr=1e-3, fused=fused)
    sources, inputs, targets = map(torch.from_numpy, _batch())

    def decode(memory, h):
        embedded, keys, outputs = m["target"](inputs), m["memory"](memory), []
        for t in range(LENGTH):
            scores = m["score"](torch.tanh(m["query"](h).unsqueeze(1) + keys)).squeeze(2)
            context = torch.bmm(scores.softmax(1).unsqueeze(1), memory).squeeze(1)
            h = m["cell"](torch.cat([embedded[:, t], context], 1), h)
            outputs.append(torch.cat([context, h], 1))
        return m["output"](torch.tanh(m["joined"](torch.stack(outputs, 1))))

    def step() -> float:
        optimizer.zero_grad()
        memory, state = m["encoder"](m["source"](sources))
        scores = decode(memory, state[0])
        loss = torch.nn.functional.cross_entropy(scores.reshape(-1, SYMBOLS), targets.reshape(-1))
        loss.backward()
        optimizer.step()
        return loss.item()

    return {"step": step}
