"""The kernels of all recurrent layers against the reference, on random configurations."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from oracles import arrays_in
from recurrent_reference import Layer, assert_all_close, draws_like
from unrolled.ops.gru import gru, gru_backward
from unrolled.ops.lstm import lstm, lstm_backward
from unrolled.ops.rnn import rnn, rnn_backward

CONFIGURATIONS = 200  # of each kind
KERNELS = {"rnn": (rnn, rnn_backward), "gru": (gru, gru_backward), "lstm": (lstm, lstm_backward)}
RESET_AFTER = (True, False)
SEEDS = {"rnn": 1, "gru": 2, "lstm": 3}


def random_layer(kind, rng):
    def coin():
        return bool(rng.integers(2))

    H, T, N = (int(n) for n in rng.integers([1, 1, 1], [20, 7, 6]))
    f = str(rng.choice(["tanh", "relu", "sigmoid", "identity"]))
    reset_after = bool(rng.choice(RESET_AFTER))
    options = {"rnn": (("nonlinearity", f),), "gru": (("reset_after", reset_after),), "lstm": ()}
    lengths = tuple(int(n) for n in rng.integers(0, T + 1, N)) if rng.integers(3) else None
    return Layer(
        kind,
        options[kind],
        lengths,
        T,
        D=int(rng.integers(1, 9)),
        H=H,
        directions=int(rng.integers(1, 3)),
        biases=(coin(), coin()),
        P=int(rng.integers(1, H + 1)) if kind == "lstm" and coin() else 0,
        peephole=kind == "lstm" and coin(),
        mask=coin(),
    )


def converted(value, dtype):
    if isinstance(value, (list, tuple)):
        return type(value)(converted(item, dtype) for item in value)
    return None if value is None else value.astype(dtype)


@cache
def problems(kind):
    """Draw the layers with their data, in float32 numbers, and what the reference makes of it."""
    rng, found = np.random.default_rng(SEEDS[kind]), []
    for _ in range(CONFIGURATIONS):
        layer = random_layer(kind, rng)
        x, *others = converted(converted(list(layer.inputs(rng)), np.float32), np.float64)
        if layer.lengths is not None:
            x[np.arange(layer.T)[None, :] >= np.array(layer.lengths)[:, None]] = np.nan
        results, saved = layer.run(x, *others)
        upstream = converted(converted(draws_like(rng, results), np.float32), np.float64)
        gradients = layer.backward(upstream, saved)
        found.append((layer, [x, *others], upstream, results, gradients, saved.states()))
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KERNELS)
def test_random_configurations_agree_with_the_reference(isa, kind, dtype, tolerance):
    limit = 1e-10 if dtype == np.float64 else tolerance("lstm", dtype)
    for layer, inputs, upstream, results, gradients, states in problems(kind):
        found, saved = layer.run(*converted(inputs, dtype), passes=KERNELS)
        assert_all_close(found, results, limit, f"{layer}: results")
        back = layer.backward(converted(upstream, dtype), saved, passes=KERNELS)
        assert_all_close(back, gradients, limit, f"{layer}: gradients")
        assert {array.dtype for array in arrays_in([found, list(back)])} == {np.dtype(dtype)}
        kept = saved.states()
        assert set(kept) == set(states), str(layer)
        for name, array in states.items():
            assert_all_close(kept[name], array, limit, f"{layer}: state {name}")


def test_the_configurations_have_every_option():
    """The draw itself: nothing that the layers can do is left out."""
    layers = [layer for kind in KERNELS for layer, *_ in problems(kind)]
    for wanted in (
        lambda layer: layer.lengths is None,
        lambda layer: layer.lengths is not None and 0 in layer.lengths,
        lambda layer: layer.mask and layer.directions == 2,
        lambda layer: layer.P and layer.peephole,
        lambda layer: layer.biases == (False, True),
        *(lambda layer, a=a: ("reset_after", a) in layer.options for a in RESET_AFTER),
        lambda layer: ("nonlinearity", "relu") in layer.options,
    ):
        assert sum(bool(wanted(layer)) for layer in layers) >= 10
