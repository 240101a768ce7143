"""Recurrent modules and cells against PyTorch: state dicts by name, outputs and gradients."""

from __future__ import annotations

import numpy as np
import pytest

from oracles import assert_close
from recurrent_layers import KINDS, draw_options, draw_sizes, draw_state, is_pair
from unrolled import nn
from unrolled.autograd import Tensor

TOLERANCE = 1e-5  # float32 on both sides
SCALE = 0.1  # of the terms that are added up; a sum of few may come out much smaller
CONFIGURATIONS = 200


@pytest.fixture
def torch():
    module = pytest.importorskip("torch", reason="needs PyTorch")
    module.manual_seed(0)
    return module


def load(layer, peer):
    """Copy the weights by name; names, order and shapes must be PyTorch's own."""
    state = peer.state_dict()
    assert [(name, array.shape) for name, array in layer.state_dict().items()] == [
        (name, tuple(tensor.shape)) for name, tensor in state.items()
    ]
    layer.load_state_dict(state)


def both(torch, array):
    return Tensor(array, requires_grad=True), torch.from_numpy(array).requires_grad_()


def run_peer(torch, peer, x, state, lengths):
    if lengths is None:
        return peer(x, state)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        x, torch.as_tensor(lengths), batch_first=True, enforce_sorted=False
    )
    output, after = peer(packed, state)
    return torch.nn.utils.rnn.pad_packed_sequence(
        output, batch_first=True, total_length=x.shape[1]
    )[0], after


def listed(state):
    return list(state) if is_pair(state) else [state]


def compare(torch, layer, peer, pairs, results, expected, rng, label):
    """Compare outputs, then the gradients of a random combination of them."""
    upstream = [rng.standard_normal(part.shape).astype(np.float32) for part in results]
    for part, peer_part in zip(results, expected, strict=True):
        assert_close(part.data, peer_part.detach().numpy(), TOLERANCE, label, SCALE)
    sum(((part * g).sum() for part, g in zip(results, upstream, strict=True)), 0).backward()
    sum((p * torch.from_numpy(g)).sum() for p, g in zip(expected, upstream, strict=True)).backward()
    pairs = [*pairs, *zip(layer.parameters(), peer.parameters(), strict=True)]
    for position, (ours, theirs) in enumerate(pairs):
        place = f"{label}: gradient {position}"
        assert_close(ours.grad, theirs.grad.numpy(), TOLERANCE, place, SCALE)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("kind", KINDS)
def test_random_configurations_agree(kind, torch, rng):
    for _ in range(CONFIGURATIONS):
        options, (N, T, D, H) = draw_options(kind, rng, torch=True), draw_sizes(rng)
        layer = getattr(nn, kind)(D, H, **options)
        peer = getattr(torch.nn, kind)(D, H, batch_first=True, **options)
        load(layer, peer)
        lengths = rng.integers(1, T + 1, N) if rng.random() < 0.5 else None
        pairs = [both(torch, rng.standard_normal((N, T, D)).astype(np.float32))]
        state = peer_state = None
        if rng.random() < 0.5:
            drawn = [p.astype(np.float32) for p in listed(draw_state(layer, N, rng))]
            pairs += [both(torch, array) for array in drawn]
            ours, theirs = zip(*pairs[1:], strict=True)
            state, peer_state = (ours, theirs) if kind == "LSTM" else (ours[0], theirs[0])
        output, after = layer(pairs[0][0], state, lengths)
        peer_output, peer_after = run_peer(torch, peer, pairs[0][1], peer_state, lengths)
        results = [output, *listed(after)]
        expected = [peer_output, *listed(peer_after)]
        label = f"{kind}({D}, {H}, **{options}), N={N}, T={T}, lengths {lengths}"
        compare(torch, layer, peer, pairs, results, expected, rng, label)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("kind", KINDS)
def test_arguments_stand_in_pytorchs_order(kind, torch, rng):
    middle = ("relu",) if kind == "RNN" else ()
    positional = (3, 5, 2, *middle, False, True, 0.0, True, *((2,) if kind == "LSTM" else ()))
    layer, peer = getattr(nn, kind)(*positional), getattr(torch.nn, kind)(*positional)
    load(layer, peer)
    x = rng.standard_normal((2, 4, 3)).astype(np.float32)
    assert_close(layer(x)[0].data, peer(torch.from_numpy(x))[0].detach().numpy(), TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_one_sequence_without_the_batch_axis(kind, torch, rng):
    layer = getattr(nn, kind)(3, 5, num_layers=2, bidirectional=True)
    peer = getattr(torch.nn, kind)(3, 5, num_layers=2, bidirectional=True, batch_first=True)
    load(layer, peer)
    x = rng.standard_normal((6, 3)).astype(np.float32)
    output, after = layer(x)
    peer_output, peer_after = peer(torch.from_numpy(x))
    assert_close(output.data, peer_output.detach().numpy(), TOLERANCE)
    for ours, theirs in zip(listed(after), listed(peer_after), strict=True):
        assert_close(ours.data, theirs.detach().numpy(), TOLERANCE)


CELLS = [
    ("RNNCell", {}),
    ("RNNCell", {"nonlinearity": "relu", "bias": False}),
    ("LSTMCell", {}),
    ("LSTMCell", {"bias": False}),
    ("GRUCell", {}),
    ("GRUCell", {"bias": False}),
]


@pytest.mark.parametrize("shape", [(4,), (3, 4), (1, 4)], ids=str)
@pytest.mark.parametrize("with_state", [False, True], ids=["zeros", "state"])
@pytest.mark.parametrize(("name", "options"), CELLS, ids=str)
def test_cells_agree(name, options, with_state, shape, torch, rng):
    cell, peer = getattr(nn, name)(4, 6, **options), getattr(torch.nn, name)(4, 6, **options)
    load(cell, peer)
    pairs = [both(torch, rng.standard_normal(shape).astype(np.float32))]
    state = peer_state = None
    if with_state:
        for _ in range(2 if name == "LSTMCell" else 1):
            drawn = rng.standard_normal((*shape[:-1], 6)).astype(np.float32)
            pairs.append(both(torch, drawn))
        ours, theirs = zip(*pairs[1:], strict=True)
        state, peer_state = (ours, theirs) if name == "LSTMCell" else (ours[0], theirs[0])
    results = listed(cell(pairs[0][0], state))
    expected = listed(peer(pairs[0][1], peer_state))
    compare(torch, cell, peer, pairs, results, expected, rng, name)
