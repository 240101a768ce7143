"""Recurrent layers against PyTorch, forward and backward, with and without padding."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.ops.gru import gru, gru_backward
from unrolled.ops.lstm import lstm, lstm_backward
from unrolled.ops.rnn import rnn, rnn_backward

# N, T, D, H, directions
CASES = [(1, 100, 64, 128, 1), (16, 100, 80, 256, 1), (32, 64, 128, 128, 2)]
FUNCTIONS = {
    "RNN": (rnn, rnn_backward, 1),
    "GRU": (gru, gru_backward, 3),
    "LSTM": (lstm, lambda grad, h_n, saved: lstm_backward(grad, h_n, None, saved), 4),
}


def _name(case):
    n, t, d, h, directions = case
    return f"N{n}-T{t}-D{d}-H{h}{'-both' if directions == 2 else ''}"


@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("case", CASES, ids=_name)
@pytest.mark.parametrize("cell", FUNCTIONS)
def bench_recurrent_forward_backward(side_by_side, cell, case, ragged):
    import torch
    from torch.nn.utils import rnn as packing

    n, t, d, h, directions = case
    forward, backward, gates = FUNCTIONS[cell]
    rng = np.random.default_rng(0)
    layer = getattr(torch.nn, cell)(d, h, batch_first=True, bidirectional=directions == 2)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    weights = [
        tuple(getattr(layer, f"{name}_l0{suffix}").detach().numpy() for name in names)
        for suffix in ("", "_reverse")[:directions]
    ]
    x = rng.standard_normal((n, t, d)).astype(np.float32)
    lengths = rng.integers(t // 3, t + 1, n) if ragged else np.full(n, t)
    grad_output = np.ones((n, t, directions * h), np.float32)
    tensor, grad = torch.from_numpy(x).requires_grad_(), torch.from_numpy(grad_output)
    inputs = [tensor, *layer.parameters()]

    def ours():
        backward(grad_output, None, forward(x, weights, lengths=lengths)[-1])

    def theirs():
        if ragged:
            packed = packing.pack_padded_sequence(
                tensor, torch.from_numpy(lengths), batch_first=True, enforce_sorted=False
            )
            output = packing.pad_packed_sequence(layer(packed)[0], True, total_length=t)[0]
        else:
            output = layer(tensor)[0]
        torch.autograd.grad(output, inputs, grad)

    work = 3 * int(lengths.sum()) * directions * gates * h * (d + h)
    side_by_side(ours, theirs, work=work)
