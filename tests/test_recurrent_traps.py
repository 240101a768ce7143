"""Where users of other libraries have lost days: each trap of recurrent layers as a test."""

from __future__ import annotations

import time

import numpy as np
import pytest

from oracles import assert_close, assert_same_bits, assert_same_bits_as_one_thread
from recurrent_layers import KINDS, draw_state, make, parts_of
from streams import Recorder, Tagger, gradients, loss, make_batch
from unrolled import nn
from unrolled.autograd import Tensor
from unrolled.autograd.tape import Function
from unrolled.training import TBPTT

every_kind = pytest.mark.parametrize("kind", KINDS)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# Weights in the order of other libraries


def test_gates_of_the_lstm_stand_in_the_order_i_f_g_o():
    layer = nn.LSTM(1, 1).double()
    for parameter in layer.parameters():
        parameter.data[...] = 0
    layer.bias_ih_l0.data[...] = z = np.array([-1.0, 0.5, 2.0, 3.0])
    states = layer(np.zeros((1, 1)), return_all_states=True)[2]
    found = [states[name].item() for name in "ifgo"]
    assert_close(found, [sigmoid(z[0]), sigmoid(z[1]), np.tanh(z[2]), sigmoid(z[3])], 1e-15)


def test_gates_of_the_gru_stand_in_the_order_r_z_n():
    layer = nn.GRU(1, 1).double()
    for parameter in layer.parameters():
        parameter.data[...] = 0
    layer.bias_ih_l0.data[...] = z = np.array([-1.0, 0.5, 2.0])
    states = layer(np.zeros((1, 1)), return_all_states=True)[2]
    found = [states[name].item() for name in "rzn"]
    assert_close(found, [sigmoid(z[0]), sigmoid(z[1]), np.tanh(z[2])], 1e-15)


def reordered(weight, order):
    return np.concatenate([np.split(weight, len(order))[k] for k in order])


def test_an_lstm_of_keras_or_onnx_needs_its_blocks_moved(rng):
    """Keras has i, f, c, o, which is ours; ONNX has i, o, f, c. Three steps, one bias."""
    H, x = 3, rng.standard_normal((3, 2))
    kernel, recurrent = rng.standard_normal((12, 2)), rng.standard_normal((12, H))
    bias = rng.standard_normal(12)
    h = c = np.zeros(H)
    for x_t in x:  # ONNX: https://onnx.ai/onnx/operators/onnx__LSTM.html
        z_i, z_o, z_f, z_c = np.split(kernel @ x_t + recurrent @ h + bias, 4)
        c = sigmoid(z_f) * c + sigmoid(z_i) * np.tanh(z_c)
        h = sigmoid(z_o) * np.tanh(c)
    layer = nn.LSTM(2, H).double()
    order = [0, 2, 3, 1]  # i, f, c, o among ONNX's i, o, f, c
    layer.weight_ih_l0.data[...] = reordered(kernel, order)
    layer.weight_hh_l0.data[...] = reordered(recurrent, order)
    layer.bias_ih_l0.data[...] = reordered(bias, order)
    layer.bias_hh_l0.data[...] = 0
    _, (h_n, c_n) = layer(x)
    assert_close(h_n.data[0], h, 1e-14)
    assert_close(c_n.data[0], c, 1e-14)


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_gru_of_keras_needs_its_blocks_moved_and_its_way_to_reset(reset_after, rng):
    """Keras has z, r, h. One step cannot tell the two ways apart, for the first state is 0."""
    H, x = 3, rng.standard_normal((4, 2))
    kernel, recurrent = rng.standard_normal((9, 2)), rng.standard_normal((9, H))
    bias, recurrent_bias = rng.standard_normal((2, 9))
    h = np.zeros(H)
    for x_t in x:
        x_z, x_r, x_h = np.split(kernel @ x_t + bias, 3)
        u_z, u_r, u_h = np.split(recurrent @ h + recurrent_bias, 3)
        z, r = sigmoid(x_z + u_z), sigmoid(x_r + u_r)
        inside = recurrent[2 * H :] @ (r * h) + recurrent_bias[2 * H :]
        candidate = np.tanh(x_h + (r * u_h if reset_after else inside))
        h = z * h + (1 - z) * candidate
    order = [1, 0, 2]
    weights = [kernel, recurrent, bias, recurrent_bias]
    found = []
    for way in (reset_after, not reset_after):
        layer = nn.GRU(2, H, reset_after=way).double()
        for parameter, weight in zip(layer.parameters(), weights, strict=True):
            parameter.data[...] = reordered(weight, order)
        found.append(layer(x)[1].data[0])
    assert_close(found[0], h, 1e-14)
    assert np.abs(found[1] - h).max() > 1e-3


def test_the_two_biases_merge_in_an_lstm_but_not_in_a_gru(rng):
    """In a GRU the recurrent bias of n is multiplied by r."""
    x = rng.standard_normal((2, 4, 3))
    for kind, merges in (("LSTM", True), ("RNN", True), ("GRU", False)):
        layer = make(kind, 3, 4, {}, rng, np.float64)
        before = layer(x)[0].data
        layer.bias_ih_l0.data += layer.bias_hh_l0.data
        layer.bias_hh_l0.data[...] = 0
        assert np.allclose(layer(x)[0].data, before, atol=1e-12) == merges


def test_gates_are_no_hard_sigmoid():
    """The straight line 0.2 z + 0.5 of old Keras models is 0 or 1 from 2.5 on."""
    z = np.array([-6.0, -3.0, -2.5, -1.0, 0.0, 1.0, 2.5, 3.0, 6.0])
    for kind, name in (("LSTM", "f"), ("GRU", "z")):
        layer = getattr(nn, kind)(1, 9).double()
        for parameter in layer.parameters():
            parameter.data[...] = 0
        layer.bias_hh_l0.data[9:18] = z
        gate = layer(np.zeros((1, 1)), return_all_states=True)[2][name].ravel()
        assert_close(gate, sigmoid(z), 1e-15)
        assert np.abs(gate - np.clip(0.2 * z + 0.5, 0, 1)).max() > 0.04


def test_the_forget_bias_counts_once():
    """Set in both biases, 1 becomes 2."""
    for options in ({}, {"num_layers": 2, "bidirectional": True}, {"init": "identity"}):
        layer = nn.LSTM(2, 5, forget_bias=1.0, **options)
        for suffix in ("_l0", "_l1_reverse") if "num_layers" in options else ("_l0",):
            both = [getattr(layer, name + suffix).data for name in ("bias_ih", "bias_hh")]
            assert_same_bits(sum(both)[5:10], np.ones(5, np.float32))
    layer = nn.LSTM(2, 5, forget_bias=0.0)
    assert layer.bias_ih_l0.data[:5].all() and layer.bias_hh_l0.data[10:].all()


# Ragged batches


@every_kind
def test_a_ragged_batch_equals_its_sequences_alone_forward_and_backward(kind, rng):
    layer = make(kind, 3, 4, {"bidirectional": True, "num_layers": 2}, rng)
    lengths = np.array([5, 0, 8, 1, 3, 8])
    x = rng.standard_normal((6, 8, 3)).astype(np.float32)
    upstream = rng.standard_normal((6, 8, 8)).astype(np.float32)
    start = draw_state(layer, 6, rng)
    parts = [part.astype(np.float32) for part in parts_of(start)]

    def run(order, longest):
        chosen = [Tensor(part[:, order], requires_grad=True) for part in parts]
        state = tuple(chosen) if kind == "LSTM" else chosen[0]
        given = Tensor(x[order, :longest].copy(), requires_grad=True)
        layer.zero_grad()
        output, after = layer(given, state, lengths=lengths[order])
        output.backward(upstream[order, :longest])
        weights = [parameter.grad for parameter in layer.parameters()]
        results = [output.data, given.grad]
        return results, [*parts_of(after), *(part.grad for part in chosen)], weights

    by_item, by_state, weights = run(np.arange(6), 8)
    total = [np.zeros(weight.shape) for weight in weights]
    for item, length in enumerate(lengths):
        alone, alone_state, share = run(np.array([item]), length)
        for whole, own in zip(by_item, alone, strict=True):
            assert_same_bits(whole[item, :length], own[0], f"item {item}")
            assert not whole[item, length:].any()
        for whole, own in zip(by_state, alone_state, strict=True):
            assert_same_bits(whole[:, item], own[:, 0], f"state of item {item}")
        total = [sums + own for sums, own in zip(total, share, strict=True)]
    for whole, sums in zip(weights, total, strict=True):
        assert_close(whole, sums, 1e-5)
    shuffled = rng.permutation(6)
    moved, moved_state, _ = run(shuffled, 8)
    assert_same_bits(moved, [whole[shuffled] for whole in by_item])
    assert_same_bits(moved_state, [whole[:, shuffled] for whole in by_state])


@every_kind
def test_lengths_may_be_as_long_as_the_batch(kind, rng):
    """One runtime demanded less than T."""
    layer = make(kind, 3, 4, {"bidirectional": True}, rng)
    x = rng.standard_normal((2, 5, 3)).astype(np.float32)
    plain = layer(x)
    for lengths in ([5, 5], (5, 5), np.array([5, 5], np.int32), np.array([5, 5], np.uint8)):
        output, after = layer(x, lengths=lengths)
        assert_same_bits(output.data, plain[0].data)
        assert_same_bits(parts_of(after), parts_of(plain[1]))


@every_kind
def test_an_initial_state_belongs_to_its_item_whatever_the_lengths(kind, rng):
    """Sorting by length for packing has made users permute the state too, or forget to."""
    layer = make(kind, 3, 4, {}, rng)
    x, state = np.zeros((3, 4, 3)), draw_state(layer, 3, rng)
    _, after = layer(x, state, lengths=[0, 4, 0])
    for given, last in zip(parts_of(state), parts_of(after), strict=True):
        assert_close(last[:, [0, 2]], given[:, [0, 2]], 1e-7)


@every_kind
def test_padding_does_not_reach_the_backward_direction(kind, rng):
    """Without lengths the backward direction begins with padding, and nobody is told."""
    layer = make(kind, 3, 4, {"bidirectional": True}, rng)
    x = rng.standard_normal((1, 9, 3)).astype(np.float32)
    x[0, 5:] = 0
    alone = layer(x[:, :5])[0].data[0]
    assert_same_bits(layer(x, lengths=[5])[0].data[0, :5], alone)
    assert np.abs(layer(x)[0].data[0, :5, 4:] - alone[:, 4:]).max() > 1e-3


@every_kind
def test_the_backward_direction_stands_at_its_own_frames(kind, rng):
    """Frame t of the output has the state at t, not the t-th that was computed."""
    layer = make(kind, 3, 4, {"bidirectional": True}, rng)
    x = rng.standard_normal((1, 6, 3)).astype(np.float32)
    changed = x.copy()
    changed[0, 2] += 1
    differs = (layer(x)[0].data != layer(changed)[0].data).any(axis=-1)[0]
    backward = (layer(x)[0].data != layer(changed)[0].data)[0, :, 4:].any(axis=-1)
    assert backward.tolist() == [True, True, True, False, False, False]
    assert differs.tolist() == [True] * 6


# Layout of states


@every_kind
def test_the_last_layers_two_directions_are_the_last_two_states(kind, rng):
    """Layers first, then directions: h_n[-2:], and never h_n[-1] alone, are the top layer."""
    layer = make(kind, 3, 4, {"bidirectional": True, "num_layers": 3}, rng)
    output, after = layer(rng.standard_normal((2, 5, 3)).astype(np.float32))
    h_n = parts_of(after)[0]
    assert h_n.shape == (6, 2, 4)
    assert_same_bits(h_n[-2], output.data[:, -1, :4])
    assert_same_bits(h_n[-1], output.data[:, 0, 4:])
    assert_same_bits(layer.final_states(Tensor(h_n)).data, h_n.reshape(3, 2, 2, 4))


@every_kind
def test_batch_first_leaves_the_batch_second_in_the_states(kind, rng):
    layer = make(kind, 3, 4, {}, rng)
    x, state = rng.standard_normal((5, 2, 3)), draw_state(layer, 5, rng)
    assert all(part.shape == (1, 5, 4) for part in parts_of(layer(x)[1]))
    assert layer(x, state)[0].shape == (5, 2, 4)
    moved = [part.swapaxes(0, 1) for part in parts_of(state)]
    with pytest.raises(ValueError, match=r"\(5, 1, 4\), needed is \(1, 5, 4\)"):
        layer(x, tuple(moved) if kind == "LSTM" else moved[0])


def test_a_projection_shortens_h_and_leaves_c():
    layer = nn.LSTM(3, 8, num_layers=2, bidirectional=True, proj_size=2)
    output, (h_n, c_n) = layer(np.zeros((5, 4, 3)))
    assert (output.shape, h_n.shape, c_n.shape) == ((5, 4, 4), (4, 5, 2), (4, 5, 8))
    assert layer.weight_ih_l1.shape == (32, 4)
    assert layer.weight_hh_l0.shape == (32, 2)


# Dropout


@every_kind
def test_dropout_acts_between_layers_and_says_when_there_is_nothing_between(kind, rng):
    with pytest.warns(UserWarning, match="num_layers=1 it does nothing"):
        layer = getattr(nn, kind)(3, 50, dropout=0.9)
    x = rng.standard_normal((1, 4, 3))
    assert_same_bits(layer(x)[0].data, layer(x)[0].data)
    deep = getattr(nn, kind)(3, 50, 2, dropout=0.9)
    assert deep(x)[0].data.all()  # the last layer's output is not dropped


# Training through time


@every_kind
def test_truncation_as_long_as_the_sequence_is_none(kind, rng):
    batch, model = make_batch(rng), Tagger(kind).double()
    recorder = Recorder(model)
    _, carried = TBPTT(7, 7).train_batch(model, loss, recorder, batch)
    expected = gradients(model, lambda: loss(model, batch, None)[0])
    assert_same_bits(recorder.taken[0], expected)
    for part in carried.state if kind == "LSTM" else (carried.state,):
        assert not part.requires_grad and part.grad is None


def test_a_carried_state_needs_no_detaching_and_no_second_backward(rng):
    """Elsewhere the second window fails: the tape of the first has been used up."""
    model = Tagger("LSTM").double()
    carried = None
    for _ in range(3):
        batch = {**make_batch(rng), "reset": np.zeros(3, bool)}
        _, carried = TBPTT(2, 5).train_batch(model, loss, Recorder(model), batch, carried)
    assert carried.items == 3


def test_the_gradient_of_every_frame_can_be_seen(rng):
    """A linear recurrence's gradients are powers of its matrix: known, so they can be checked."""
    layer = nn.RNN(3, 3, nonlinearity="identity").double()
    x = Tensor(rng.standard_normal((1, 6, 3)), requires_grad=True)
    upstream = rng.standard_normal(3)
    (layer(x)[1][0, 0] * upstream).sum().backward()
    for t in range(6):
        expected = upstream @ np.linalg.matrix_power(layer.weight_hh_l0.data, 5 - t)
        assert_close(x.grad[0, t], expected @ layer.weight_ih_l0.data, 1e-12, f"frame {t}")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("RNN", {"recurrent_dropout": 0.5}),
        ("GRU", {"reset_after": False, "recurrent_dropout": 0.5}),
        ("LSTM", {"peepholes": True, "proj_size": 2, "recurrent_dropout": 0.5}),
    ],
    ids=KINDS,
)
def test_variants_of_cells_cost_no_python_a_step(kind, options, rng, monkeypatch):
    """A layer is the same few calls however long the sequence is, all states included."""
    layer = getattr(nn, kind)(3, 5, **options)
    calls = []
    apply = Function.apply.__func__
    monkeypatch.setattr(
        Function,
        "apply",
        classmethod(lambda cls, *a, **k: calls.append(cls) or apply(cls, *a, **k)),
    )
    counts = []
    for T in (2, 200):
        calls.clear()
        layer(rng.standard_normal((1, T, 3)), return_all_states=True)
        counts.append(len(calls))
    assert counts[0] == counts[1] <= 4


# Speed


def seconds(layer, x, state, upstream):
    """Return the processor time of a pass forward and back, the least of a few."""
    best = np.inf
    for _ in range(5):
        start = time.thread_time()
        layer(x, state)[0].backward(upstream)
        best = min(best, time.thread_time() - start)
    return best


@every_kind
def test_denormal_states_are_as_quick_as_others(kind):
    """A state that stays near 1e-40 for 2000 frames, and gradients that do.

    Some processors are as quick with them as with others: there the zeros tell that none is left.
    """
    T, H = 2000, 32
    layer = nn.RNN(2, H, nonlinearity="identity") if kind == "RNN" else getattr(nn, kind)(2, H)
    for parameter in layer.parameters():
        parameter.data[...] = 0
    layer.weight_hh_l0.data[...] = np.tile(np.eye(H), (layer.gates, 1))
    if kind != "RNN":  # the gate that keeps is open: f of i, f, g, o; z of r, z, n
        layer.bias_ih_l0.data[H : 2 * H] = 50
        layer.weight_hh_l0.data *= 1e-3

    def measured(scale):
        part = np.full((1, 1, H), scale, np.float32)
        state = (part, part) if kind == "LSTM" else part
        x = Tensor(np.zeros((1, T, 2), np.float32), requires_grad=True)
        took = seconds(layer, x, state, np.full((1, T, H), scale, np.float32))
        return took, [layer(x, state)[0].data, x.grad]

    ordinary, _ = measured(1e-3)
    denormal, results = measured(1e-40)
    assert not any(array.any() for array in results)
    assert denormal < 2 * ordinary, f"{denormal:.4f} s, ordinary numbers {ordinary:.4f} s"


@every_kind
def test_threads_change_speed_and_no_bit(kind, threads, rng):
    layer = make(kind, 12, 33, {"bidirectional": True, "num_layers": 2}, rng)
    x = rng.standard_normal((5, 40, 12)).astype(np.float32)

    def run():
        layer.zero_grad()
        given = Tensor(x, requires_grad=True)
        output, after = layer(given, lengths=[40, 0, 3, 39, 17])
        output.backward(np.ones(output.shape, np.float32))
        grads = [parameter.grad for parameter in layer.parameters()]
        return [output.data, *parts_of(after), given.grad, *grads]

    assert_same_bits_as_one_thread(run, threads)
