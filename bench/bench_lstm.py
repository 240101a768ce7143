"""LSTM against PyTorch, forward and backward, with and without padding."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.ops.lstm import lstm, lstm_backward

# N, T, D, H, directions
CASES = [(1, 100, 64, 128, 1), (16, 100, 80, 256, 1), (32, 64, 128, 128, 2)]


def _name(case):
    n, t, d, h, directions = case
    return f"N{n}-T{t}-D{d}-H{h}{'-both' if directions == 2 else ''}"


@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("case", CASES, ids=_name)
def bench_lstm_forward_backward(side_by_side, case, ragged):
    import torch
    from torch.nn.utils import rnn

    n, t, d, h, directions = case
    rng = np.random.default_rng(0)
    layer = torch.nn.LSTM(d, h, batch_first=True, bidirectional=directions == 2)
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
        saved = lstm(x, weights, lengths=lengths)[3]
        lstm_backward(grad_output, None, None, saved)

    def theirs():
        if ragged:
            packed = rnn.pack_padded_sequence(
                tensor, torch.from_numpy(lengths), batch_first=True, enforce_sorted=False
            )
            output = rnn.pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=t)[0]
        else:
            output = layer(tensor)[0]
        torch.autograd.grad(output, inputs, grad)

    work = 3 * int(lengths.sum()) * directions * 4 * h * (d + h)
    side_by_side(ours, theirs, work=work)
