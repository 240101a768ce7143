"""Streaming through layers without a tape: the same numbers, nothing shared, the same refusals."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from oracles import assert_close, assert_same_bits
from recurrent_layers import KINDS, draw_state, make, parts_of
from unrolled import nn
from unrolled.autograd import Tensor, no_grad
from unrolled.nn import recurrent


def counting(function, calls, *arguments):
    result = function(*arguments)
    calls.append(result is not None)
    return result


OPTIONS = [{}, {"num_layers": 3}, {"learn_initial_state": True, "num_layers": 2}]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_stream_is_the_whole_sequence(kind, options, rng, monkeypatch):
    layer = make(kind, 3, 4, options, rng)
    x = rng.standard_normal((2, 6, 3))
    output, after = layer(x)
    calls = []
    for name in ("step_layers", "step_lone_layer"):
        counted = partial(counting, getattr(recurrent, name), calls)
        monkeypatch.setattr(recurrent, name, counted)
    state = alone = None
    with no_grad():
        for t in range(6):
            y, state = layer.step(x[:, t], state)
            single, alone = layer.step(x[1, t], alone)
            assert_close(y.data, output.data[:, t], 1e-6)
            assert_same_bits(single.data, y.data[1])
    for ours, whole, one in zip(*map(parts_of, (state, after, alone)), strict=True):
        assert_close(ours, whole, 1e-6)
        assert_same_bits(ours[:, 1], one)
        assert ours.dtype == np.float32
    assert sum(calls) == 12  # every step came through, by one way or the other


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_refuses_what_forward_refuses(kind, rng):
    layer = make(kind, 3, 4, {}, rng)
    wrong = np.ones((1, 2, 4)) if kind == "LSTM" else (np.ones((1, 2, 4)),) * 2
    with no_grad():
        with pytest.raises(ValueError, match="D=2"):
            layer.step(np.ones((2, 2)))
        with pytest.raises(ValueError, match=r"x_t must.*\(2, 2, 3\)"):
            layer.step(np.ones((2, 2, 3)))
        with pytest.raises(ValueError, match=r"h has shape \(1, 3, 4\), needed is \(1, 2, 4\)"):
            layer.step(np.ones((2, 3)), draw_state(layer, 3, rng))
        with pytest.raises(TypeError, match="state must be"):
            layer.step(np.ones((2, 3)), wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_takes_any_layout_and_shares_no_memory(kind, rng):
    layer = make(kind, 3, 4, {}, rng)
    drawn = rng.standard_normal((2, 3))
    with no_grad():
        assert layer.step(Tensor(drawn))[0].dtype == np.float64
        expected = layer.step(drawn)[0].data
        for frame in (
            np.asfortranarray(drawn),
            drawn[:, ::-1].copy()[:, ::-1],
            Tensor(drawn.astype("f4")),
        ):
            output, state = layer.step(frame)
            assert_same_bits(output.data, expected)
            output.data[...] = 7
            assert_same_bits(parts_of(state)[0][-1], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_of_more_layers_is_refused(kind, rng):
    """Its first layer alone would fit."""
    state = make(kind, 3, 4, {"num_layers": 2}, rng).initial_state(2)
    with no_grad(), pytest.raises(ValueError, match=r"\(2, 2, 4\), needed is \(1, 2, 4\)"):
        make(kind, 3, 4, {}, rng).step(np.ones((2, 3), np.float32), state)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_in_training_acts_without_a_tape_too(kind, rng):
    layer = make(kind, 3, 50, {"num_layers": 2, "dropout": 0.5}, rng)
    frame = np.ones((1, 3), np.float32)
    with no_grad():
        drawn = [layer.step(frame)[0].data for _ in range(2)]
        assert not np.array_equal(*drawn)
        layer.eval()
        assert_same_bits(layer.step(frame)[0].data, layer.step(frame)[0].data)
        recurrent = make(kind, 3, 4, {"recurrent_dropout": 0.5}, rng)
        with pytest.raises(ValueError, match=r"eval\(\)"):
            recurrent.step(frame)
        assert recurrent.eval().step(frame)[0].shape == (1, 4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", OPTIONS[:2], ids=str)
def test_steps_on_the_tape_have_the_gradients_of_the_sequence(kind, options, rng):
    layer = make(kind, 3, 4, options, rng, np.float64)
    x = Tensor(rng.standard_normal((2, 4, 3)), requires_grad=True)
    found = []
    for by_step in (True, False):
        layer.zero_grad()
        x.grad = state = None
        if by_step:
            for t in range(4):
                output, state = layer.step(x[:, t], state)
        else:
            whole, _ = layer(x)
            output = whole[:, -1]
        (output * output).sum().backward()
        found.append([x.grad, *(parameter.grad for parameter in layer.parameters())])
    for ours, expected in zip(*found, strict=True):
        assert_close(ours, expected, 1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [*OPTIONS, {"bias": False}], ids=str)
@pytest.mark.parametrize("given", [False, True])
def test_a_stream_object_keeps_the_state(kind, options, given, rng):
    layer = make(kind, 3, 4, options, rng)
    x = rng.standard_normal((2, 6, 3))
    start = draw_state(layer, 2, rng) if given else None
    output, after = layer(x, start)
    stream = layer.stream(start)
    one = tuple(p[:, 1] for p in start) if kind == "LSTM" and given else start
    alone = layer.stream(one[:, 1] if given and kind != "LSTM" else one)
    for t in range(6):
        y, single = stream.step(x[:, t]), alone.step(x[1, t].astype(np.float32))
        assert_close(y, output.data[:, t], 1e-6)
        assert_same_bits(single, y[1])
        assert y.dtype == np.float32
        y[...] = 7  # the caller's own: the state does not change with it
    for ours, whole, lone in zip(*map(parts_of, (stream.state, after, alone.state)), strict=True):
        assert_close(ours, whole, 1e-6)
        assert_same_bits(ours[:, 1:], lone)
    with no_grad():
        continued, _ = layer.step(x[:, 0], stream.state)
    assert_same_bits(continued.data, stream.step(x[:, 0]))
    assert stream.frames == 7


def test_a_stream_object_sees_weights_that_change_in_place(rng):
    layer = make("GRU", 3, 4, {}, rng)
    stream, frame = layer.stream(), np.ones(3, np.float32)
    before = stream.step(frame)
    for parameter in layer.parameters():
        parameter.data *= 0
    assert stream.state is not None
    assert_close(stream.step(frame), before / 2, 1e-6)  # z is 1/2, n is 0


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: nn.GRU(3, 4, bidirectional=True).stream(), ValueError, "bidirectional=False"),
        (lambda: nn.LSTM(3, 4, layer_norm=True).stream(), ValueError, r"layer_norm.*step\(\)"),
        (lambda: nn.RNN(3, 4, recurrent_dropout=0.5).stream(), ValueError, r"eval\(\)"),
        (lambda: nn.RNN(3, 4, 2, dropout=0.5).stream(), ValueError, r"eval\(\)"),
        (lambda: nn.RNN(3, 4).stream(np.ones((2, 1, 4))), ValueError, r"needed is \(1, 1, 4\)"),
        (lambda: nn.LSTM(3, 4).stream(np.ones((2, 1, 4))), TypeError, "pair"),
        (lambda: nn.RNN(3, 4).stream().step(np.ones((2, 4))), ValueError, r"\(N, 3\).*\(2, 4\)"),
        (lambda: nn.RNN(3, 4).stream().step(np.ones((1, 2, 3))), ValueError, r"\(1, 2, 3\)"),
        (
            lambda: nn.RNN(3, 4).stream(np.ones((1, 3, 4))).step(np.ones((2, 3))),
            ValueError,
            "frames of 2 sequences, the stream began with 3",
        ),
    ],
)
def test_a_stream_object_refuses_what_it_cannot_run(act, error, message):
    with pytest.raises(error, match=message):
        act()
