"""One frame at a time against whole sequences."""

from __future__ import annotations

import numpy as np
import pytest

from oracles import assert_same_bits
from unrolled import manual_seed, nn, no_grad
from unrolled.ops.gru import gru, gru_step
from unrolled.ops.lstm import lstm, lstm_step
from unrolled.ops.rnn import NONLINEARITIES, rnn, rnn_step

SIZES = [(1, 3, 2), (2, 5, 17), (3, 40, 16), (1, 1, 1), (2, 33, 37), (0, 4, 3)]
FRAMES = 4


def weights(rng, gates, inputs, hidden, dtype, projected=None, peephole=False):
    features = projected or hidden
    shapes = [(gates * hidden, inputs), (gates * hidden, features)] + 2 * [(gates * hidden,)]
    shapes += [(projected, hidden)] if projected else [None]
    shapes += [(3, hidden)] if peephole else [None]
    made = [None if s is None else rng.standard_normal(s).astype(dtype) / s[-1] for s in shapes]
    return tuple(made if gates == 4 else made[:4])


def compare(limit, dtype, sizes, whole, step, of_direction):
    batch, inputs, _ = sizes
    x = np.random.default_rng(1).standard_normal((batch, FRAMES, inputs)).astype(dtype)
    output = whole(x, [of_direction])
    state = ()
    for t in range(FRAMES):
        state = step(x[:, t], of_direction, *state)
        assert state[0].dtype == dtype
        # States are near 1 or below: sums that nearly cancel count by what was summed.
        np.testing.assert_allclose(state[0], output[:, t], rtol=limit, atol=limit)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("form", ["plain", "peephole", "projection"])
def test_lstm_steps_give_what_the_sequence_gives(isa, rng, tolerance, dtype, sizes, form):
    _, inputs, hidden = sizes
    projected = max(1, hidden // 2) if form == "projection" else None
    of_direction = weights(rng, 4, inputs, hidden, dtype, projected, form == "peephole")
    compare(
        tolerance("lstm", dtype),
        dtype,
        sizes,
        lambda x, w: lstm(x, w)[0],
        lambda x_t, w, h=None, c=None: lstm_step(x_t, w, h=h, c=c),
        of_direction,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("reset_after", [True, False])
def test_gru_steps_give_what_the_sequence_gives(isa, rng, tolerance, dtype, sizes, reset_after):
    compare(
        tolerance("lstm", dtype),
        dtype,
        sizes,
        lambda x, w: gru(x, w, reset_after=reset_after)[0],
        lambda x_t, w, h=None: (gru_step(x_t, w, h=h, reset_after=reset_after),),
        weights(rng, 3, *sizes[1:], dtype),
    )


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_rnn_steps_give_what_the_sequence_gives(isa, rng, tolerance, sizes, nonlinearity):
    compare(
        tolerance("lstm", "float32"),
        "float32",
        sizes,
        lambda x, w: rnn(x, w, nonlinearity=nonlinearity)[0],
        lambda x_t, w, h=None: (rnn_step(x_t, w, h=h, nonlinearity=nonlinearity),),
        weights(rng, 1, *sizes[1:], "float32"),
    )


def test_an_item_steps_to_the_same_bits_alone(isa, rng, threads):
    of_direction = weights(rng, 4, 130, 200, "float32")
    x, h, c = (rng.standard_normal((3, n)).astype(np.float32) for n in (130, 200, 200))
    together = lstm_step(x, of_direction, h=h, c=c)
    for n in range(3):
        own = slice(n, n + 1)
        alone = lstm_step(x[own], of_direction, h=h[own], c=c[own])
        assert_same_bits([part[own] for part in together], alone)


@pytest.mark.parametrize("reset_after", [True, False])
def test_an_item_of_a_gru_steps_to_the_same_bits_alone(isa, rng, threads, reset_after):
    of_direction = weights(rng, 3, 130, 200, "float32")
    x, h = (rng.standard_normal((3, n)).astype(np.float32) for n in (130, 200))
    together = gru_step(x, of_direction, h=h, reset_after=reset_after)
    for n in range(3):
        own = slice(n, n + 1)
        alone = gru_step(x[own], of_direction, h=h[own], reset_after=reset_after)
        assert_same_bits(together[own], alone)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda w: lstm_step(np.ones((1, 2, 3)), w), "x_t"),
        (lambda w: lstm_step(np.ones((2, 4)), w), "weight_ih"),
        (lambda w: lstm_step(np.ones((2, 3)), w, h=np.ones((1, 2))), "h must"),
        (lambda w: lstm_step(np.ones((2, 3)), w, c=np.ones((2, 3))), "c must"),
        (lambda w: lstm_step(np.ones((2, 3)), w[:3]), "entries"),
        (lambda w: rnn_step(np.ones((2, 3)), w[:4], nonlinearity="exp"), "nonlinearity"),
    ],
)
def test_what_does_not_fit_is_named(rng, call, named):
    with pytest.raises(ValueError, match=named):
        call(weights(rng, 4, 3, 2, "float32"))


LAYERS = [
    lambda: nn.RNN(5, 17, 2, nonlinearity="relu"),
    lambda: nn.GRU(5, 17, learn_initial_state=True),
    lambda: nn.GRU(5, 17, 2, bias=False),
    lambda: nn.LSTM(5, 17, 3, proj_size=7, peepholes=True),
    lambda: nn.LSTM(5, 17, layer_norm=True),
]


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("single", [False, True], ids=["batch", "one"])
def test_layers_stream_without_a_tape(rng, make, single):
    manual_seed(1)
    layer = make()
    for part in ("h0", "c0"):
        if hasattr(layer, part):
            getattr(layer, part).data[...] = rng.standard_normal(getattr(layer, part).shape)
    x = rng.standard_normal((4, 5) if single else (3, 4, 5)).astype(np.float32)
    output, after = layer(x)
    state, frames = None, []
    for t in range(4):
        recorded = layer.step(x[..., t, :], state)
        with no_grad():
            frame, state = layer.step(x[..., t, :], state)
        assert not frame.requires_grad
        assert recorded[0].requires_grad
        np.testing.assert_allclose(frame.data, recorded[0].data, atol=1e-6)
        frames.append(frame.data)
    np.testing.assert_allclose(np.stack(frames, -2), output.data, atol=1e-6)
    for ours, whole in zip(_parts(state), _parts(after), strict=True):
        assert ours.shape == whole.shape
        np.testing.assert_allclose(ours.data, whole.data, atol=1e-6)


def test_dropout_between_layers_is_not_forgotten_without_a_tape(rng):
    layer = nn.GRU(4, 9, 2, dropout=0.999999)
    x, other = rng.standard_normal((2, 1, 4)).astype(np.float32)
    with no_grad():
        manual_seed(1)
        one = layer.step(x)[0].data
        manual_seed(1)
        same = layer.step(other)[0].data
    assert_same_bits([one], [same])  # the second layer got nothing


def _parts(state):
    return state if isinstance(state, tuple) else (state,)
