"""Batch normalisation, dropout of channels, flattening and softmax as layers, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from oracles import assert_close, assert_same_bits
from unrolled import nn
from unrolled.autograd import Tensor
from unrolled.random import manual_seed


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="needs PyTorch")


def batch_norm_configuration(rng):
    name = ["BatchNorm1d", "BatchNorm2d"][int(rng.integers(2))]
    C = int(rng.integers(1, 9))
    axes = int(rng.integers(0, 2)) if name == "BatchNorm1d" else 2
    behind = tuple(int(n) for n in rng.integers(1, 7, axes))
    options = {
        "eps": float(rng.choice([1e-5, 1e-3])),
        "momentum": [None, 0.1, 0.5, 1.0, 0.0][int(rng.integers(5))],
        "affine": bool(rng.random() < 0.6),
        "track_running_stats": bool(rng.random() < 0.7),
    }
    return name, C, behind, options


def test_200_random_batch_norms_agree_with_pytorchs(torch, rng):
    for number in range(200):
        name, C, behind, options = batch_norm_configuration(rng)
        label = f"{number}: {name}({C}, {options}) {behind}"
        layer, peer = getattr(nn, name)(C, **options), getattr(torch.nn, name)(C, **options)
        state = {
            key: np.asarray(tensor) + rng.uniform(0.1, 1, tensor.shape).astype(np.float32)
            for key, tensor in peer.state_dict().items()
            if key != "num_batches_tracked"
        }
        peer.load_state_dict({k: torch.tensor(v) for k, v in state.items()}, strict=False)
        layer.load_state_dict(state, strict=False)
        assert list(layer.state_dict()) == list(peer.state_dict()), label
        for training in (True, True, False):
            layer.train(training)
            peer.train(training)
            shape = (int(rng.integers(6, 12)), C, *behind)
            array = (2 * rng.standard_normal(shape) + 1).astype(np.float32)
            x, peer_x = Tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
            y, expected = layer(x), peer(peer_x)
            upstream = rng.standard_normal(shape).astype(np.float32)
            y.backward(upstream)
            expected.backward(torch.tensor(upstream))
            assert_close(y.data, expected.detach().numpy(), 2e-5, label, scale=1.0)
            assert_close(x.grad, peer_x.grad.numpy(), 2e-5, f"gradient of {label}", scale=1.0)
        for ours, theirs in zip(layer.parameters(), peer.parameters(), strict=True):
            assert_close(ours.grad, theirs.grad.numpy(), 2e-5, f"gradient of {label}", scale=1.0)
        for key, tensor in peer.state_dict().items():
            assert_close(layer.state_dict()[key], tensor.numpy(), 1e-5, f"{key} of {label}")
        again = nn.build(layer.config())
        again.load_state_dict(layer.state_dict())
        assert_same_bits(again.eval()(array).data, layer(array).data, label)


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(3), nn.BatchNorm1d(3, affine=False)], ids=repr)
def test_a_batch_norm_in_float64_stays_in_float64(layer, rng):
    x = rng.standard_normal((5, 3))
    assert layer.double()(x).dtype == np.float64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.BatchNorm1d(3)(np.ones((2, 3, 4, 5))), r"\(N, C\) or \(N, C, L\)"),
        (lambda: nn.BatchNorm1d(3)(np.ones(3)), r"\(N, C\) or \(N, C, L\)"),
        (lambda: nn.BatchNorm2d(3)(np.ones((2, 3))), r"\(N, C, H, W\)"),
        (lambda: nn.BatchNorm1d(3)(np.ones((1, 3))), "one element a channel"),
        (lambda: nn.BatchNorm1d(3, track_running_stats=False).eval()(np.ones((1, 3))), "element"),
        (lambda: nn.BatchNorm1d(3)(np.ones((2, 4))), "channels"),
        (lambda: nn.BatchNorm1d(0), "num_features"),
        (lambda: nn.Dropout1d(2), "p must"),
        (lambda: nn.Dropout2d(-0.1), "p must"),
        (lambda: nn.Dropout1d()(np.ones((2, 3, 4, 5))), r"\(N, C, L\)"),
        (lambda: nn.Dropout2d()(np.ones((2, 3))), r"\(N, C, H, W\)"),
        (lambda: nn.Flatten(1, 0)(np.ones((2, 3))), "comes after"),
        (lambda: nn.Flatten(0, 5)(np.ones((2, 3))), "end_dim"),
        (lambda: nn.Flatten()(np.ones(3)), "start_dim"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("layer", "shape", "channels"),
    [
        (nn.Dropout1d(0.3), (200, 30, 4), (200, 30)),
        (nn.Dropout1d(0.3), (6000, 4), (6000,)),
        (nn.Dropout2d(0.3), (200, 30, 2, 3), (200, 30)),
        (nn.Dropout2d(0.3), (200, 30, 4), (200, 30)),
    ],
    ids=str,
)
def test_whole_channels_are_dropped(layer, shape, channels, rng):
    layer.train()
    x = Tensor(rng.uniform(1, 2, shape), requires_grad=True)
    manual_seed(3)
    y = layer(x)
    mask = (y.data / x.data).round(12).reshape(*channels, -1)
    assert (mask == mask[..., :1]).all()
    dropped = (mask[..., 0] == 0).mean()
    assert abs(dropped - 0.3) < 0.025  # four standard deviations of 6,000 draws
    np.testing.assert_allclose(mask[mask != 0], 1 / 0.7, rtol=1e-6)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.reshape(mask.shape), mask, rtol=1e-6)
    manual_seed(3)
    assert_same_bits(layer(x).data, y.data)
    assert_same_bits(layer.eval()(x).data, x.data)
    assert_same_bits(nn.build(layer.config()).eval()(x).data, x.data)


def test_200_random_flattenings_agree_with_pytorchs(torch, rng):
    for number in range(200):
        shape = tuple(int(n) for n in rng.integers(0, 4, rng.integers(0, 6)))
        axes = max(len(shape), 1)
        first, last = sorted(int(n) for n in rng.integers(0, axes, 2))
        first, last = (n - axes if rng.random() < 0.5 else n for n in (first, last))
        array = rng.standard_normal(shape)
        expected = torch.flatten(torch.tensor(array), first, last)
        x = Tensor(array, requires_grad=True)
        y = nn.Flatten(first, last)(x)
        label = f"{number}: {shape} {first} {last}"
        assert_same_bits(y.data, expected.numpy(), label)
        y.backward(y.data)
        assert_same_bits(x.grad, array, label)


def test_200_random_softmaxes_agree_with_pytorchs(torch, rng):
    for number in range(200):
        name = ["Softmax", "LogSoftmax"][number % 2]
        shape = tuple(int(n) for n in rng.integers(1, 12, rng.integers(1, 5)))
        dim = int(rng.integers(-len(shape), len(shape)))
        array = (5 * rng.standard_normal(shape)).astype(["float32", "float64"][number // 2 % 2])
        x, peer_x = Tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
        y, expected = getattr(nn, name)(dim)(x), getattr(torch.nn, name)(dim)(peer_x)
        upstream = rng.standard_normal(shape).astype(array.dtype)
        y.backward(upstream)
        expected.backward(torch.tensor(upstream))
        limit = 5e-6 if array.dtype == np.float32 else 1e-14
        label = f"{number}: {name}({dim}) {shape} {array.dtype}"
        assert_close(y.data, expected.detach().numpy(), limit, label)
        assert_close(x.grad, peer_x.grad.numpy(), limit, f"gradient of {label}", scale=1.0)


def test_identity_takes_anything_and_changes_nothing():
    layer = nn.Identity(54, unused=0.1)
    x = Tensor([1.0], requires_grad=True)
    assert layer(x) is x
    assert nn.build(layer.config())(x) is x
    assert nn.Sequential(nn.Identity(), nn.ReLU())([-1.0]).data == 0
