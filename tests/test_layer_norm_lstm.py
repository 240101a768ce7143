"""The LSTM with layer normalisation against its equations, and its rules for lengths."""

from __future__ import annotations

import numpy as np
import pytest

from oracles import assert_close, assert_same_bits
from recurrent_layers import draw_state, make, parts_of
from unrolled import nn
from unrolled.autograd import Tensor


def normalised(z, gain, shift=None):
    z = (z - z.mean()) / np.sqrt(z.var() + 1e-5)
    return gain * z if shift is None else gain * z + shift


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def walk(layer, x, h, c, level, suffix, frames, mask):
    """Run one direction of one layer over one sequence, step by step."""

    def weight(name):
        parameter = getattr(layer, f"{name}_l{level}{suffix}", None)
        return None if parameter is None else parameter.data

    def plus(bias):
        return 0.0 if bias is None else bias

    peephole = np.zeros((3, len(c))) if weight("peephole") is None else weight("peephole")
    outputs = np.zeros((len(x), len(h)))
    for t in frames:
        z = normalised(weight("weight_ih") @ x[t], weight("norm_ih")) + plus(weight("bias_ih"))
        z += normalised(weight("weight_hh") @ (mask * h), weight("norm_hh"))
        z_i, z_f, z_g, z_o = np.split(z + plus(weight("bias_hh")), 4)
        i, f = sigmoid(z_i + peephole[0] * c), sigmoid(z_f + peephole[1] * c)
        c = f * c + i * np.tanh(z_g)
        o = sigmoid(z_o + peephole[2] * c)
        h = o * np.tanh(normalised(c, weight("norm_c"), weight("norm_c_bias")))
        if weight("weight_hr") is not None:
            h = weight("weight_hr") @ h
        outputs[t] = h
    return outputs, h, c


def expected(layer, x, h, c, end):
    """Run all layers over one sequence of `end` frames."""
    h, c, places = h.copy(), c.copy(), range(len(layer.directions))
    for level in range(layer.num_layers):
        joined = []
        for d in places:
            row = level * len(places) + d
            frames = range(end) if d == 0 else range(end - 1, -1, -1)
            suffix = layer.directions[d]
            output, h[row], c[row] = walk(layer, x, h[row], c[row], level, suffix, frames, 1.0)
            joined.append(output)
        x = np.concatenate(joined, axis=-1)
    return x, h, c


@pytest.mark.parametrize("proj_size", [0, 2])
@pytest.mark.parametrize("peepholes", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_it_obeys_its_equations(proj_size, peepholes, bias, rng):
    options = {"proj_size": proj_size, "peepholes": peepholes, "bias": bias, "layer_norm": True}
    layer = make("LSTM", 3, 4, {**options, "num_layers": 2, "bidirectional": True}, rng, np.float64)
    lengths = [5, 0, 1, 3]
    x = rng.standard_normal((4, 5, 3))
    h, c = draw_state(layer, 4, rng)
    output, (h_n, c_n) = layer(x, (h, c), lengths)
    for item, end in enumerate(lengths):
        wanted = expected(layer, x[item], h[:, item], c[:, item], end)
        assert_close(output.data[item, :end], wanted[0][:end], 1e-12, f"item {item}")
        assert_close(h_n.data[:, item], wanted[1], 1e-12, f"h of item {item}")
        assert_close(c_n.data[:, item], wanted[2], 1e-12, f"c of item {item}")


def test_gains_of_one_leave_scaled_weights_without_effect(rng):
    """What normalisation is for: the scale of a matrix does not matter."""
    layer = nn.LSTM(3, 8, layer_norm=True).double()
    x = rng.standard_normal((2, 5, 3))
    before = layer(x)[0].data
    layer.weight_ih_l0.data *= 1000
    layer.weight_hh_l0.data *= 1000
    assert_close(layer(x)[0].data, before, 0.05)


def test_recurrent_dropout_masks_the_state_of_the_recurrent_product_alone(rng):
    layer = make("LSTM", 3, 4, {"layer_norm": True}, rng, np.float64)
    x, mask = rng.standard_normal((1, 5, 3)), np.array([2.0, 0.0, 0.0, 2.0])
    weights, norms = layer._weights(0), layer._norms(0)
    output, _, _ = nn.functional.layer_norm_lstm(x, weights, norms, hidden_mask=mask[None, None])
    zeros = np.zeros(4)
    assert_close(output.data[0], walk(layer, x[0], zeros, zeros, 0, "", range(5), mask)[0], 1e-12)


def test_an_item_has_the_same_bits_alone_and_padding_changes_nothing(rng):
    layer = make("LSTM", 3, 5, {"layer_norm": True, "bidirectional": True}, rng)
    lengths = [2, 7, 0, 1, 5]
    x = rng.standard_normal((5, 7, 3)).astype(np.float32)
    for item, end in enumerate(lengths):
        x[item, end:] = np.nan
    x = Tensor(x, requires_grad=True)
    output, state = layer(x, lengths=lengths)
    for item, end in enumerate(lengths):
        alone, alone_state = layer(x.data[item : item + 1, :end])
        assert_same_bits(output.data[item, :end], alone.data[0])
        assert not output.data[item, end:].any()
        for whole, single in zip(parts_of(state), parts_of(alone_state), strict=True):
            assert_same_bits(whole[:, item], single[:, 0])
    output.backward(np.ones(output.shape))
    assert not any(x.grad[item, end:].any() for item, end in enumerate(lengths))
    assert all(np.isfinite(parameter.grad).all() for parameter in layer.parameters())


def test_all_states_stand_at_their_frames(rng):
    layer = make("LSTM", 3, 5, {"layer_norm": True, "bidirectional": True}, rng, np.float64)
    x = rng.standard_normal((2, 4, 3))
    output, (_, c_n), states = layer(x, lengths=[4, 2], return_all_states=True)
    assert set(states) == set("ifgoch")
    assert_same_bits(states["h"][0, 0], output.data[..., :5])
    assert_same_bits(states["h"][0, 1], output.data[..., 5:])
    assert_same_bits(states["c"][0, 1, :, 0], c_n.data[1])
    assert_same_bits(states["c"][0, 0, 1, 1], c_n.data[0, 1])
    before = np.concatenate([np.zeros((2, 1, 5)), states["c"][0, 0, :, :-1]], axis=1)
    memory = states["f"][0, 0] * before + states["i"][0, 0] * states["g"][0, 0]
    assert_close(states["c"][0, 0], memory, 1e-13)
    assert layer(x[0], return_all_states=True)[2]["h"].shape == (1, 2, 4, 5)


def test_frame_by_frame_equals_all_at_once(rng):
    layer = make("LSTM", 3, 4, {"layer_norm": True, "num_layers": 2}, rng)
    x = rng.standard_normal((2, 6, 3)).astype(np.float32)
    output, _ = layer(x)
    state = None
    for t in range(6):
        y, state = layer.step(x[:, t], state)
        assert_close(y.data, output.data[:, t], 1e-6)


def test_no_items_or_no_frames():
    layer = nn.LSTM(3, 4, layer_norm=True, bidirectional=True)
    for shape in ((0, 5, 3), (2, 0, 3)):
        output, (h_n, c_n), states = layer(np.zeros(shape), return_all_states=True)
        assert output.shape == (*shape[:2], 8)
        assert h_n.shape == c_n.shape == (2, shape[0], 4)
        assert states["g"].shape == (1, 2, *shape[:2], 4)
