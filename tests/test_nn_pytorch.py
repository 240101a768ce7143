"""Layers against PyTorch's: state dicts load by name, outputs and gradients agree."""

from __future__ import annotations

import numpy as np
import pytest

from oracles import assert_close
from unrolled import nn
from unrolled.autograd import Tensor

TOLERANCE = 1e-5  # float32 on both sides, sums of up to a few hundred products


@pytest.fixture
def torch():
    module = pytest.importorskip("torch", reason="needs PyTorch")
    module.manual_seed(0)
    return module


LAYERS = {
    "linear": (nn.Linear(7, 5), lambda t: t.nn.Linear(7, 5), (4, 3, 7)),
    "linear without bias": (
        nn.Linear(7, 5, bias=False),
        lambda t: t.nn.Linear(7, 5, bias=False),
        (4, 7),
    ),
    "conv": (nn.Conv2d(3, 8, 3), lambda t: t.nn.Conv2d(3, 8, 3), (2, 3, 9, 11)),
    "conv with options": (
        nn.Conv2d(3, 8, (3, 2), stride=(2, 1), padding=(1, 2), bias=False),
        lambda t: t.nn.Conv2d(3, 8, (3, 2), stride=(2, 1), padding=(1, 2), bias=False),
        (2, 3, 9, 11),
    ),
    "pool": (
        nn.MaxPool2d((2, 3), stride=(2, 1), padding=(0, 1)),
        lambda t: t.nn.MaxPool2d((2, 3), stride=(2, 1), padding=(0, 1)),
        (2, 3, 9, 11),
    ),
    "batch norm": (nn.BatchNorm2d(3), lambda t: t.nn.BatchNorm2d(3), (4, 3, 5, 6)),
    "batch norm in eval": (
        nn.BatchNorm2d(3).eval(),
        lambda t: t.nn.BatchNorm2d(3).eval(),
        (4, 3, 5, 6),
    ),
    "sequential": (
        # a bias before batch normalisation has a gradient of 0, which rounding alone decides
        nn.Sequential(
            nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)
        ),
        lambda t: t.nn.Sequential(
            t.nn.Conv2d(1, 4, 3, bias=False), t.nn.BatchNorm2d(4), t.nn.ReLU(), t.nn.MaxPool2d(2)
        ),
        (2, 1, 10, 12),
    ),
}


def load(layer, peer):
    """Copy the weights by name; names, order and shapes must be PyTorch's own."""
    state = peer.state_dict()
    own = layer.state_dict()
    assert [(name, array.shape) for name, array in own.items()] == [
        (name, tuple(tensor.shape)) for name, tensor in state.items()
    ]
    layer.load_state_dict(state)


def compare_gradients(layer, peer, x, peer_x):
    pairs = [(x, peer_x), *zip(layer.parameters(), peer.parameters(), strict=True)]
    for position, (ours, theirs) in enumerate(pairs):
        assert_close(ours.grad, theirs.grad.numpy(), TOLERANCE, f"gradient {position}")


def both(torch, array):
    return Tensor(array, requires_grad=True), torch.from_numpy(array).requires_grad_()


@pytest.mark.parametrize("name", LAYERS)
def test_layers_agree(name, torch, rng):
    layer, make_peer, shape = LAYERS[name]
    peer = make_peer(torch)
    load(layer, peer)
    x, peer_x = both(torch, rng.standard_normal(shape).astype(np.float32))
    y, expected = layer(x), peer(peer_x)
    assert_close(y.data, expected.detach().numpy(), TOLERANCE, name)
    upstream = rng.standard_normal(y.shape).astype(np.float32)
    y.backward(upstream)
    expected.backward(torch.from_numpy(upstream))
    compare_gradients(layer, peer, x, peer_x)
    for buffer, peer_buffer in zip(layer.named_buffers(), peer.buffers(), strict=True):
        assert_close(buffer[1], peer_buffer.numpy(), TOLERANCE, buffer[0])


@pytest.mark.parametrize("lengths", [None, [7, 3, 5]], ids=["full", "ragged"])
@pytest.mark.parametrize("with_state", [False, True], ids=["zeros", "state"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False},
        {"num_layers": 2, "bidirectional": True},
        {"num_layers": 3},
    ],
    ids=lambda options: "+".join(options) or "plain",
)
def test_lstm_agrees(options, with_state, lengths, torch, rng):
    layer = nn.LSTM(4, 6, **options)
    peer = torch.nn.LSTM(4, 6, batch_first=True, **options)
    load(layer, peer)
    x, peer_x = both(torch, rng.standard_normal((3, 7, 4)).astype(np.float32))
    state, peer_state = None, None
    if with_state:
        directions = options.get("num_layers", 1) * (2 if "bidirectional" in options else 1)
        drawn = [rng.standard_normal((directions, 3, 6)).astype(np.float32) for _ in "hc"]
        parts = [both(torch, array) for array in drawn]
        state, peer_state = zip(*parts, strict=True)

    output, after = layer(x, state, lengths)
    peer_input = peer_x
    if lengths is not None:
        peer_input = torch.nn.utils.rnn.pack_padded_sequence(
            peer_x, lengths, batch_first=True, enforce_sorted=False
        )
    peer_output, peer_after = peer(peer_input, peer_state)
    if lengths is not None:
        peer_output, _ = torch.nn.utils.rnn.pad_packed_sequence(peer_output, batch_first=True)

    results = [output, *after]
    expected = [peer_output, *peer_after]
    upstream = [rng.standard_normal(part.shape).astype(np.float32) for part in results]
    sum(((part * g).sum() for part, g in zip(results, upstream, strict=True)), 0).backward()
    sum((p * torch.from_numpy(g)).sum() for p, g in zip(expected, upstream, strict=True)).backward()
    for part, peer_part in zip(results, expected, strict=True):
        assert_close(part.data, peer_part.detach().numpy(), TOLERANCE)
    compare_gradients(layer, peer, x, peer_x)
    if with_state:
        for ours, theirs in parts:
            assert_close(ours.grad, theirs.grad.numpy(), TOLERANCE, "gradient of the state")


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ctc_loss_agrees(reduction, torch, rng):
    lengths, target_lengths = [10, 6, 8], [3, 2, 0]
    targets = rng.integers(1, 5, (3, 4))
    x, peer_x = both(torch, rng.standard_normal((3, 10, 5)).astype(np.float32))
    loss = nn.CTCLoss(reduction=reduction)(x.log_softmax(), targets, lengths, target_lengths)
    expected = torch.nn.CTCLoss(reduction=reduction)(
        peer_x.log_softmax(-1).transpose(0, 1),
        torch.from_numpy(targets),
        torch.tensor(lengths),
        torch.tensor(target_lengths),
    )
    assert_close(loss.data, expected.detach().numpy(), TOLERANCE)
    upstream = rng.uniform(0.5, 2, loss.shape).astype(np.float32)
    loss.backward(upstream)
    expected.backward(torch.tensor(upstream))
    assert_close(x.grad, peer_x.grad.numpy(), TOLERANCE)


def test_a_small_network_learns_the_same_numbers_for_ten_steps(torch, rng):
    from unrolled.optim import Adam

    net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    peer = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
    load(net, peer)
    optimizer = Adam(net.parameters(), lr=0.01)
    peer_optimizer = torch.optim.Adam(peer.parameters(), lr=0.01)
    x = rng.standard_normal((20, 6)).astype(np.float32)
    labels = rng.integers(0, 3, 20)
    for _ in range(10):
        optimizer.zero_grad()
        loss = -net(x).log_softmax()[np.arange(20), labels].mean()
        loss.backward()
        optimizer.step()
        peer_optimizer.zero_grad()
        expected = torch.nn.functional.cross_entropy(
            peer(torch.from_numpy(x)), torch.from_numpy(labels)
        )
        expected.backward()
        peer_optimizer.step()
        assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for name, tensor in peer.state_dict().items():
        assert_close(net.state_dict()[name], tensor.numpy(), 1e-4, name)
