"""Greedy and beam search over a recurrent decoder, against the same loop in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled import nn
from unrolled.generate import Settings, generate
from unrolled.generate.step_models import recurrent_step_model

SYMBOLS, EMBEDDING, HIDDEN, MOST = 74, 256, 256, 20
NAMES = ["<sos>", "<eos>", *(str(k) for k in range(2, SYMBOLS))]
# Words at a time, and beams; nothing ends, so that both do the same steps.
CASES = pytest.mark.parametrize("case", [(1, 1), (256, 1), (1, 5), (64, 5)], ids=str)


@CASES
def bench_search(side_by_side, case):
    import torch

    items, beams = case
    embedding, layer = nn.Embedding(SYMBOLS, EMBEDDING), nn.GRU(EMBEDDING, HIDDEN)
    output = nn.Linear(HIDDEN, SYMBOLS)
    start = np.random.default_rng(0).standard_normal((1, items, HIDDEN)).astype(np.float32)
    settings = Settings(num_beams=beams, max_new_tokens=MOST, min_new_tokens=MOST)
    peer = torch_loop(torch, embedding, layer, output)
    with torch.no_grad():
        side_by_side(
            lambda: generate(
                recurrent_step_model(layer, embedding, output, start), NAMES, settings
            ),
            lambda: peer(torch.from_numpy(start[0]), beams),
        )


def torch_loop(torch, embedding, layer, output):
    """Return a batched search with states that are picked and ordered by index."""
    table = torch.from_numpy(embedding.weight.data)
    cell = torch.nn.GRUCell(EMBEDDING, HIDDEN)
    cell.load_state_dict(
        {name: torch.from_numpy(getattr(layer, f"{name}_l0").data) for name in cell.state_dict()}
    )
    weight, bias = torch.from_numpy(output.weight.data), torch.from_numpy(output.bias.data)

    @torch.no_grad()
    def search(states, beams):
        items = len(states)
        states = states.repeat_interleave(beams, 0)
        tokens = torch.zeros(items * beams, dtype=torch.long)
        totals = torch.full((items, beams), -1e9)
        totals[:, 0] = 0
        first = torch.arange(items)[:, None] * beams
        written = torch.zeros((items * beams, 0), dtype=torch.long)
        for _ in range(MOST):
            states = cell(table[tokens], states)
            scores = torch.log_softmax(states @ weight.T + bias, -1)
            scores[:, :2] = -torch.inf
            sums = (totals[:, :, None] + scores.view(items, beams, -1)).view(items, -1)
            totals, best = sums.topk(beams)
            rows = (first + best // SYMBOLS).flatten()
            tokens = (best % SYMBOLS).flatten()
            states, written = states[rows], torch.cat([written[rows], tokens[:, None]], 1)
        return written.tolist()

    return search
