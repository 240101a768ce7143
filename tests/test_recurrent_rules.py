"""Rules of RNN, GRU and LSTM: initial values, states, dropout, steps, configuration, refusals."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from oracles import assert_close, assert_same_bits
from recurrent_layers import KINDS, draw_state, is_pair, make, parts_of
from unrolled import nn
from unrolled.autograd import Tensor, no_grad
from unrolled.checkpoint import load_model, load_tensors, save_tensors
from unrolled.random import manual_seed

every_kind = pytest.mark.parametrize("kind", KINDS)


def blocks_of(layer, name="weight_hh_l0"):
    return np.split(getattr(layer, name).data, layer.gates)


# Initial values


@every_kind
def test_pytorchs_initial_values_are_even_within_its_bound(kind):
    manual_seed(1)
    bound = 1 / np.sqrt(100)
    for name, parameter in getattr(nn, kind)(7, 100).named_parameters():
        assert np.abs(parameter.data).max() <= bound * (1 + 1e-6), name
        assert np.abs(parameter.data).max() > 0.95 * bound, name
        assert parameter.data.std() == pytest.approx(bound / np.sqrt(3), rel=0.15), name


@every_kind
def test_orthogonal_recurrent_weights_are_so_block_by_block(kind):
    layer = getattr(nn, kind)(4, 9, num_layers=2, init="orthogonal")
    blocks = [*blocks_of(layer), *blocks_of(layer, "weight_hh_l1")]
    for block in blocks:
        assert_close(block.T @ block, np.eye(9), 1e-6)
    assert len({block.tobytes() for block in blocks}) == len(blocks)
    assert np.abs(layer.weight_ih_l0.data).max() <= 1 / 3


def test_orthogonal_matrices_are_evenly_distributed():
    """Without the signs of the other factor, the diagonal of a QR factor is never positive."""
    manual_seed(4)
    signs = [np.sign(nn.RNN(1, 3, init="orthogonal").weight_hh_l0.data) for _ in range(400)]
    assert np.abs(np.mean(signs, axis=0)).max() < 0.2


@every_kind
def test_identity_recurrent_weights_are_those_of_the_irnn(kind):
    manual_seed(1)
    layer = getattr(nn, kind)(50, 40, init="identity", num_layers=2)
    for block in blocks_of(layer):
        assert_same_bits(block, np.eye(40, dtype=np.float32))
    assert layer.weight_ih_l0.data.std() == pytest.approx(0.001, rel=0.05)
    assert not layer.bias_ih_l1.data.any()
    assert not layer.bias_hh_l1.data.any()


def test_an_irnn_holds_its_state_where_the_input_is_zero():
    layer = nn.RNN(2, 3, nonlinearity="relu", init="identity")
    state = np.array([[[0.5, 2.0, 0.0]]], np.float32)
    assert_same_bits(layer(np.zeros((1, 100, 2)), state)[1].data, state)


def test_projected_weights_are_orthonormal_in_their_shorter_direction():
    layer = nn.LSTM(4, 9, proj_size=3, init="orthogonal")
    for block in blocks_of(layer):
        assert block.shape == (9, 3)
        assert_close(block.T @ block, np.eye(3), 1e-6)


def test_default_layers_draw_as_before():
    """The same seed gives the same weights with and without options that draw nothing."""
    drawn = []
    for options in ({}, {"learn_initial_state": True}, {"recurrent_dropout": 0.5}):
        manual_seed(9)
        state = nn.LSTM(3, 4, 2, bidirectional=True, **options).state_dict()
        drawn.append([array for name, array in state.items() if name not in ("h0", "c0")])
    assert_same_bits(drawn[1], drawn[0])
    assert_same_bits(drawn[2], drawn[0])


# States


@every_kind
@pytest.mark.parametrize("learned", [False, True])
def test_the_initial_state_is_what_forward_starts_from(kind, learned, rng):
    layer = make(kind, 2, 3, {"learn_initial_state": learned, "num_layers": 2}, rng)
    x = rng.standard_normal((4, 5, 2)).astype(np.float32)
    start = layer.initial_state(4)
    assert all(part.shape == (2, 4, 3) for part in (start if is_pair(start) else (start,)))
    assert all(bool(part.any()) == learned for part in parts_of(start))
    plain, given = layer(x), layer(x, start)
    assert_same_bits(plain[0].data, given[0].data)
    assert_same_bits(parts_of(plain[1]), parts_of(given[1]))


@every_kind
def test_a_given_state_replaces_the_learned_one(kind, rng):
    layer = make(kind, 2, 3, {"learn_initial_state": True}, rng)
    x, state = rng.standard_normal((2, 5, 2)), draw_state(layer, 2, rng)
    before = layer(x, state)[0].data
    layer.h0.data += 1
    assert_same_bits(layer(x, state)[0].data, before)
    assert not np.array_equal(layer(x)[0].data, before)


@every_kind
def test_learned_states_work_for_one_sequence_and_for_steps(kind, rng):
    layer = make(kind, 2, 3, {"learn_initial_state": True}, rng)
    x = rng.standard_normal((5, 2)).astype(np.float32)
    output, _ = layer(x)
    assert_same_bits(layer(x[None])[0].data[0], output.data)
    first, _ = layer.step(x[0])
    assert_close(first.data, output.data[0], 1e-6)


@every_kind
def test_states_are_layer_major(kind, rng):
    layer = make(kind, 3, 4, {"num_layers": 2, "bidirectional": True}, rng)
    output, after = layer(rng.standard_normal((2, 6, 3)), lengths=[6, 3])
    states = layer.final_states(after[0] if is_pair(after) else after)
    assert states.shape == (2, 2, 2, 4)
    for item, length in enumerate((6, 3)):
        assert_same_bits(states.data[-1, 0, item], output.data[item, length - 1, :4])
        assert_same_bits(states.data[-1, 1, item], output.data[item, 0, 4:])


# Lengths


@every_kind
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_batch_equals_its_items_alone_bit_for_bit(kind, bidirectional, rng):
    options = {"num_layers": 2, "bidirectional": bidirectional}
    layer = make(kind, 3, 5, options, rng)
    lengths = [2, 7, 0, 1, 7, 4]
    x = rng.standard_normal((6, 7, 3)).astype(np.float32)
    for item, length in enumerate(lengths):
        x[item, length:] = np.nan
    output, state = layer(x, lengths=lengths)
    for item, length in enumerate(lengths):
        alone, alone_state = layer(x[item : item + 1, :length])
        assert_same_bits(output.data[item, :length], alone.data[0])
        assert not output.data[item, length:].any()
        for whole, single in zip(parts_of(state), parts_of(alone_state), strict=True):
            assert_same_bits(whole[:, item], single[:, 0])


@every_kind
def test_padding_gets_no_gradient_and_gives_none(kind, rng):
    layer = make(kind, 3, 4, {"bidirectional": True, "num_layers": 2}, rng)
    drawn = rng.standard_normal((2, 5, 3)).astype(np.float32)
    upstream = rng.standard_normal((2, 5, 8)).astype(np.float32)
    found = []
    for garbage in (0.0, np.nan):
        x, grad = Tensor(drawn.copy(), requires_grad=True), upstream.copy()
        x.data[0, 3:], grad[0, 3:] = garbage, garbage
        layer.zero_grad()
        layer(x, lengths=[3, 5])[0].backward(grad)
        assert not x.grad[0, 3:].any()
        assert x.grad[0, :3].all()
        found.append([x.grad, *(parameter.grad for parameter in layer.parameters())])
    assert_same_bits(found[1], found[0])


# Dropout


@every_kind
def test_outputs_between_layers_are_dropped_in_training_alone(kind, rng):
    x = rng.standard_normal((1, 9, 3))
    layer = getattr(nn, kind)(3, 8, num_layers=2, dropout=0.5)
    assert not np.array_equal(layer(x)[0].data, layer(x)[0].data)
    layer.eval()
    assert_same_bits(layer(x)[0].data, layer(x)[0].data)


@every_kind
def test_recurrent_dropout_acts_in_training_alone(kind, rng):
    x = rng.standard_normal((1, 9, 3))
    layer = getattr(nn, kind)(3, 8, recurrent_dropout=0.5)
    assert not np.array_equal(layer(x)[0].data, layer(x)[0].data)
    layer.eval()
    plain = getattr(nn, kind)(3, 8)
    plain.load_state_dict(layer.state_dict())
    assert_same_bits(layer(x)[0].data, plain(x)[0].data)


# Steps


@every_kind
@pytest.mark.parametrize("options", [{}, {"num_layers": 3}], ids=str)
def test_frame_by_frame_equals_all_at_once(kind, options, rng):
    layer = make(kind, 3, 4, options, rng)
    x = rng.standard_normal((2, 6, 3)).astype(np.float32)
    output, after = layer(x)
    state = None
    with no_grad():
        for t in range(6):
            y, state = layer.step(x[:, t], state)
            assert y.shape == (2, 4)
            assert_close(y.data, output.data[:, t], 1e-6)
    for ours, whole in zip(parts_of(state), parts_of(after), strict=True):
        assert_close(ours, whole, 1e-6)
    alone, _ = layer.step(x[0, 0])
    assert_same_bits(alone.data, layer.step(x[:1, 0])[0].data[0])


# States of every step


@every_kind
def test_all_states_stand_at_their_frames(kind, rng):
    options = {"num_layers": 2, "bidirectional": True}
    layer = make(kind, 3, 4, options, rng)
    x = rng.standard_normal((2, 6, 3)).astype(np.float32)
    output, after, states = layer(x, lengths=[6, 4], return_all_states=True)
    names = {"RNN": {"h"}, "GRU": {"r", "z", "n", "h"}, "LSTM": set("ifgoch")}[kind]
    assert set(states) == names
    assert all(array.shape == (2, 2, 2, 6, 4) for array in states.values())
    assert_same_bits(states["h"][1, 0], output.data[..., :4])
    assert_same_bits(states["h"][1, 1], output.data[..., 4:])
    assert not any(array[:, :, 1, 4:].any() for array in states.values())
    for part, last in zip(layer.parts, parts_of(after), strict=True):
        last = last.reshape(2, 2, 2, 4)
        assert_same_bits(states[part][:, 0, 1, 3], last[:, 0, 1])
        assert_same_bits(states[part][:, 1, :, 0], last[:, 1])
    alone = layer(x[0], return_all_states=True)[2]
    assert_same_bits(alone["h"], states["h"][:, :, 0])
    with no_grad():
        unrecorded = layer(x, lengths=[6, 4], return_all_states=True)[2]
    assert all(np.array_equal(unrecorded[name], states[name]) for name in names)


def test_gates_and_states_obey_their_equations(rng):
    x = rng.standard_normal((2, 5, 3))
    _, _, s = make("GRU", 3, 4, {}, rng, np.float64)(x, return_all_states=True)
    before = np.concatenate([np.zeros((1, 1, 2, 1, 4)), s["h"][..., :-1, :]], axis=-2)
    assert_close(s["h"], (1 - s["z"]) * s["n"] + s["z"] * before, 1e-13)
    _, _, s = make("LSTM", 3, 4, {}, rng, np.float64)(x, return_all_states=True)
    before = np.concatenate([np.zeros((1, 1, 2, 1, 4)), s["c"][..., :-1, :]], axis=-2)
    assert_close(s["c"], s["f"] * before + s["i"] * s["g"], 1e-13)
    assert_close(s["h"], s["o"] * np.tanh(s["c"]), 1e-13)


# Configuration

OPTIONS = [
    ("RNN", {"nonlinearity": "relu", "init": "identity", "recurrent_dropout": 0.1}),
    ("GRU", {"reset_after": False, "learn_initial_state": True, "bias": False}),
    (
        "LSTM",
        {
            "num_layers": 2,
            "dropout": 0.2,
            "bidirectional": True,
            "proj_size": 2,
            "forget_bias": 1.0,
            "peepholes": True,
            "layer_norm": True,
            "learn_initial_state": True,
            "recurrent_dropout": 0.3,
            "init": "orthogonal",
        },
    ),
]


@pytest.mark.parametrize(("kind", "options"), OPTIONS, ids=lambda value: str(value)[:20])
def test_saved_layers_come_back_with_their_options(kind, options, rng, tmp_path):
    layer = getattr(nn, kind)(3, 4, **options).eval()
    layer.save(tmp_path)
    x = rng.standard_normal((2, 5, 3))
    for again in (load_model(tmp_path), nn.build(layer.config()).eval(), copy.deepcopy(layer)):
        assert again.config() == layer.config()
        again.load_state_dict(layer.state_dict())
        assert_same_bits(again(x)[0].data, layer(x)[0].data)


def test_a_file_from_before_these_options_still_loads(rng, tmp_path):
    layer = nn.LSTM(3, 4, 2, bidirectional=True).eval()
    first = ("input_size", "hidden_size", "num_layers", "bias", "batch_first")
    names = (*first, "dropout", "bidirectional", "proj_size")
    config = layer.config()
    config["arguments"] = {name: config["arguments"][name] for name in names}
    file = tmp_path / "model.safetensors"
    save_tensors(file, layer.state_dict(), {"kind": "model", "config": config})
    assert set(load_tensors(file)[1]["config"]["arguments"]) == set(names)
    x = rng.standard_normal((2, 5, 3))
    assert_same_bits(load_model(tmp_path)(x)[0].data, layer(x)[0].data)


# Refusals

X = np.ones((2, 5, 3))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: nn.RNN(0, 4), "input_size"),
        (lambda: nn.GRU(3, 1.5), "hidden_size"),
        (lambda: nn.LSTM(3, 4, 0), "num_layers"),
        (lambda: nn.RNN(3, 4, nonlinearity="sin"), "nonlinearity.*'identity'.*'sin'"),
        (lambda: nn.GRU(3, 4, batch_first=False), "batch_first"),
        (lambda: nn.GRU(3, 4, 2, dropout=1.5), "dropout"),
        (lambda: nn.RNN(3, 4, recurrent_dropout=-0.5), "recurrent_dropout"),
        (lambda: nn.RNN(3, 4, init="xavier"), "init.*'orthogonal'"),
        (lambda: nn.LSTM(3, 4, proj_size=4), "proj_size is 4.*hidden_size=4"),
        (lambda: nn.LSTM(3, 4, proj_size=-1), "proj_size"),
        (lambda: nn.LSTM(3, 4, bias=False, forget_bias=1.0), "forget_bias needs bias=True"),
        (lambda: nn.GRU(3, 4, bidirectional=True).step(X[:, 0]), "bidirectional"),
        (lambda: nn.GRU(3, 4, recurrent_dropout=0.5).step(X[:, 0]), r"eval\(\)"),
        (lambda: nn.GRU(3, 4).step(X), r"x_t.*\(2, 5, 3\)"),
        (lambda: nn.RNN(3, 4)(X[0, 0]), r"x must.*\(3,\)"),
        (lambda: nn.RNN(4, 4)(X), r"\(2, 5, 3\).*D=3.*input_size=4"),
        (lambda: nn.RNN(3, 4)(X, lengths=[6, 1]), "lengths of item 0 is 6"),
        (lambda: nn.RNN(3, 4)(X, lengths=[1]), "lengths"),
        (lambda: nn.RNN(3, 4)(X, np.ones((1, 1, 4))), r"h has shape \(1, 1, 4\).*\(1, 2, 4\)"),
        (lambda: nn.RNN(3, 4)(X, np.ones((2, 4))), r"h has shape \(2, 4\).*\(1, 2, 4\)"),
        (
            lambda: nn.RNN(3, 4)(X[0], np.ones((1, 1, 4))),
            r"h has shape \(1, 1, 4\), needed is \(1, 4\): \(layers \* directions, H\)",
        ),
        (
            lambda: nn.LSTM(3, 4, proj_size=2)(X, (np.ones((1, 2, 4)),) * 2),
            r"h has shape \(1, 2, 4\), needed is \(1, 2, 2\)",
        ),
        (
            lambda: nn.LSTM(3, 4, proj_size=2)(X, (np.ones((1, 2, 2)),) * 2),
            r"c has shape \(1, 2, 2\), needed is \(1, 2, 4\)",
        ),
        (lambda: nn.functional.rnn(X, []), "weights"),
    ],
)
def test_bad_arguments_are_refused(act, message):
    with pytest.raises(ValueError, match=message):
        act()


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: nn.LSTM(3, 4)(X, np.ones((2, 2, 4))), r"pair.*\(h, c\)"),
        (lambda: nn.LSTM(3, 4)(X, (np.ones((1, 2, 4)),)), "not tuple of 1"),
        (lambda: nn.GRU(3, 4)(X, (np.ones((1, 2, 4)),) * 2), "one array, h, not a tuple of 2"),
        (lambda: nn.GRU(3, 4, proj_size=2), "proj_size"),
        (lambda: nn.RNN(3, 4, reset_after=True), "reset_after"),
    ],
)
def test_bad_kinds_are_refused(act, message):
    with pytest.raises(TypeError, match=message):
        act()


def test_arrays_in_double_precision_do_not_widen_a_float32_layer(rng):
    for kind in KINDS:
        layer = getattr(nn, kind)(3, 4)
        output, state = layer(rng.standard_normal((2, 5, 3)), draw_state(layer, 2, rng))
        assert output.dtype == np.float32
        assert all(part.dtype == np.float32 for part in parts_of(state))
