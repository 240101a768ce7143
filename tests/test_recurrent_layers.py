"""Modules RNN, GRU and LSTM against the reference and central differences."""

from __future__ import annotations

import numpy as np
import pytest

from layer_gradients import check_gradients
from oracles import assert_close
from recurrent_layers import KINDS, draw_options, draw_sizes, draw_state, expected, make, parts_of
from unrolled.autograd import Tensor
from unrolled.random import generator, manual_seed

CONFIGURATIONS = 200


def compare(layer, x, state, lengths, wanted, limit, label):
    output, after, states = layer(x, state, lengths, return_all_states=True)
    assert_close(output.data, wanted[0], limit, f"{label}: output")
    for name, ours, theirs in zip("hc", parts_of(after), wanted[1], strict=False):
        assert_close(ours, theirs, limit, f"{label}: {name}_n")
    assert set(states) == set(wanted[2])
    for name, array in states.items():
        assert array.dtype == layer.weight_ih_l0.dtype
        assert_close(array, wanted[2][name], limit, f"{label}: {name} of every step")


@pytest.mark.parametrize("kind", KINDS)
def test_random_configurations_agree_with_the_reference(kind, rng, tolerance):
    for number in range(CONFIGURATIONS):
        options, (N, T, D, H) = draw_options(kind, rng), draw_sizes(rng)
        dtype = (np.float64, np.float32)[number % 2]
        layer = make(kind, D, H, options, rng, dtype)
        x = rng.standard_normal((N, T, D)).astype(dtype)
        lengths = rng.integers(0, T + 1, N) if rng.random() < 0.6 else None
        state = draw_state(layer, N, rng) if rng.random() < 0.5 else None
        wanted = expected(layer, x, state, lengths)
        if lengths is not None:
            x[np.arange(T) >= lengths[:, None]] = np.nan
        label = f"{kind}({D}, {H}, **{options}), {dtype.__name__}, N={N}, T={T}, {lengths}"
        compare(layer, x, state, lengths, wanted, tolerance("lstm", dtype), label)


@pytest.mark.parametrize("kind", KINDS)
def test_recurrent_dropout_is_one_mask_a_sequence_and_direction(kind, rng, tolerance):
    options = {"num_layers": 2, "bidirectional": True, "recurrent_dropout": 0.4}
    if kind == "LSTM":
        options["proj_size"] = 3
    layer = make(kind, 3, 5, options, rng, np.float64)
    x = rng.standard_normal((3, 6, 3))
    layer_state = layer.initial_state(3)
    features = (layer_state[0] if kind == "LSTM" else layer_state).shape[-1]
    manual_seed(5)
    kept = [generator().random((2, 3, features), dtype=np.float32) >= 0.4 for _ in range(2)]
    masks = [mask / (1 - 0.4) for mask in kept]
    assert 0 < np.mean([mask > 0 for mask in masks]) < 1
    wanted = expected(layer, x, None, [6, 2, 4], masks)
    manual_seed(5)
    compare(layer, x, None, [6, 2, 4], wanted, tolerance("lstm", np.float64), kind)
    layer.eval()
    without = expected(layer, x, None, [6, 2, 4])
    compare(layer, x, None, [6, 2, 4], without, tolerance("lstm", np.float64), "eval")


GRADIENTS = {
    "RNN": ("RNN", {"num_layers": 2, "bidirectional": True}),
    "RNN identity": ("RNN", {"nonlinearity": "identity", "bias": False}),
    "RNN sigmoid": ("RNN", {"nonlinearity": "sigmoid", "num_layers": 2}),
    "GRU": ("GRU", {"num_layers": 2, "bidirectional": True}),
    "GRU reset before": ("GRU", {"reset_after": False, "bidirectional": True}),
    "GRU no bias": ("GRU", {"bias": False}),
    "LSTM": ("LSTM", {"num_layers": 2, "bidirectional": True}),
    "LSTM projected": ("LSTM", {"proj_size": 2, "num_layers": 2}),
    "LSTM peepholes": ("LSTM", {"peepholes": True, "bidirectional": True}),
    "LSTM all": ("LSTM", {"peepholes": True, "proj_size": 1, "bias": False}),
    "LSTM normalised": ("LSTM", {"layer_norm": True, "bidirectional": True}),
    "LSTM normalised all": ("LSTM", {"layer_norm": True, "peepholes": True, "proj_size": 2}),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_match_central_differences(name, rng, tolerance):
    kind, options = GRADIENTS[name]
    layer = make(kind, 2, 3, options, rng, np.float64)
    x = Tensor(rng.standard_normal((3, 4, 2)), requires_grad=True)
    drawn = draw_state(layer, 3, rng)
    parts = [Tensor(p, requires_grad=True) for p in parts_of(drawn)]
    state = tuple(parts) if kind == "LSTM" else parts[0]
    tensors = [x, *parts, *layer.parameters()]
    check_gradients(lambda: layer(x, state, lengths=[2, 4, 0]), tensors, rng, tolerance)
    assert not x.grad[0, 2:].any()
    assert not x.grad[2].any()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_learned_initial_states(kind, rng, tolerance):
    layer = make(kind, 2, 3, {"learn_initial_state": True, "num_layers": 2}, rng, np.float64)
    x = rng.standard_normal((2, 3, 2))
    names = [name for name, _ in layer.named_parameters()]
    assert names[-len(layer.parts) :] == [part + "0" for part in layer.parts]
    check_gradients(lambda: layer(x, lengths=[3, 0]), list(layer.parameters()), rng, tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_with_recurrent_dropout(kind, rng, tolerance):
    layer = make(kind, 2, 3, {"recurrent_dropout": 0.5, "bidirectional": True}, rng, np.float64)
    x = Tensor(rng.standard_normal((2, 4, 2)), requires_grad=True)

    def compute():
        manual_seed(2)  # the same mask at every call
        return layer(x)

    check_gradients(compute, [x, *layer.parameters()], rng, tolerance)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0, 1])
def test_gradients_of_final_states_alone(kind, part, rng, tolerance):
    layer = make(kind, 2, 3, {}, rng, np.float64)
    x = Tensor(rng.standard_normal((2, 3, 2)), requires_grad=True)
    chosen = part if kind == "LSTM" else slice(None)
    check_gradients(lambda: layer(x)[1][chosen], [x, *layer.parameters()], rng, tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_each_gradient_has_an_array_of_its_own(kind, rng):
    options = {"num_layers": 2, "bidirectional": True, "learn_initial_state": True}
    layer = make(kind, 3, 5, options, rng)
    x = Tensor(rng.standard_normal((2, 4, 3)).astype(np.float32), requires_grad=True)
    for times in (1, 2):  # the second pass adds to the first
        output, _ = layer(x)
        upstream = np.ones_like(output.data)
        output.backward(upstream)
        grads = [tensor.grad for tensor in (x, *layer.parameters())]
        arrays = [upstream, output.data, x.data, *grads, *(p.data for p in layer.parameters())]
        for place, array in enumerate(arrays):
            assert not any(np.shares_memory(array, other) for other in arrays[place + 1 :])
        if times == 1:
            first = [grad.copy() for grad in grads]
        for grad, once in zip(grads, first, strict=True):
            np.testing.assert_array_equal(grad, times * once)
