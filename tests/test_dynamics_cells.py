"""The derivatives of every cell against central differences, its steps against the layers."""

from __future__ import annotations

import numpy as np
import pytest

from dynamics_problems import CELLS, described, layer_weights, random_cell
from oracles import assert_close
from unrolled import nn
from unrolled.dynamics.lstm_cell import LSTMCell
from unrolled.dynamics.rnn_cell import RNNCell
from unrolled.dynamics.stack import is_recurrent, joined, stack_of

STEP = 1e-6


def differences(cell, x, state):
    """Return ds(t)/ds(t-1) and ds(t)/dx(t) by central differences."""

    def after(frame, before):
        return cell.run(frame, before).states[1]

    by_state = [
        (after(x, state + STEP * e) - after(x, state - STEP * e)) / (2 * STEP)
        for e in np.eye(len(state))
    ]
    by_input = [
        (after(x + STEP * e, state) - after(x - STEP * e, state)) / (2 * STEP)
        for e in np.eye(x.shape[1])
    ]
    return np.stack(by_state, axis=1), np.stack(by_input, axis=1)


@pytest.mark.parametrize("kind", CELLS)
def test_jacobians_are_central_differences(kind, rng, tolerance):
    for _ in range(200):
        cell = random_cell(kind, rng)
        x = rng.normal(size=(4, cell.weight_ih.shape[1]))
        run = cell.run(x, rng.normal(size=cell.state_size))
        t = int(rng.integers(4))
        if kind == "relu":  # no difference crosses the kink
            z = cell.weight_ih @ x[t] + cell.bias_ih + cell.weight_hh @ run.states[t] + cell.bias_hh
            if np.abs(z).min() < 1e-4:
                continue
        by_state, by_input = differences(cell, x[t : t + 1], run.states[t])
        allowed, label = tolerance("differences", np.float64), described(cell)
        assert_close(run.jacobian(t), by_state, allowed, label, scale=1.0)
        assert_close(run.input_jacobian(t), by_input, allowed, label, scale=1.0)


def test_a_fault_in_a_jacobian_would_be_seen(rng):
    """Without the path through the reset gate, for one, the difference is plain."""
    cell = random_cell("gru after", rng, size=4)
    run = cell.run(rng.normal(size=(1, cell.weight_ih.shape[1])), rng.normal(size=4))
    cell.weight_hh[:4] = 0  # r no longer depends on h, but the run was made when it did
    by_state, _ = differences(cell, np.zeros((1, cell.weight_ih.shape[1])), run.states[0])
    assert np.abs(run.jacobian(0) - by_state).max() > 1e-3


def test_the_constant_error_carousel():
    """With f = 1 and i = 0, c passes through a step unchanged, whatever the weights."""
    weight_hh, bias = np.zeros((8, 2)), np.repeat([-60.0, 60.0, 0.0, 0.0], 2)
    run = LSTMCell(np.zeros((8, 1)), weight_hh, bias).run(np.zeros((30, 1)), np.ones(4))
    product = np.linalg.multi_dot([run.jacobian(t) for t in range(30)])
    np.testing.assert_allclose(product[2:, 2:], np.eye(2), atol=1e-20)


def test_a_run_keeps_states_and_gates(rng):
    cell = random_cell("lstm", rng, features=2, size=3)
    run = cell.run(rng.normal(size=(5, 2)))
    assert len(run) == 5 and run.states.shape == (6, 6) and run.hidden.shape == (5, 3)
    assert {name: gate.shape for name, gate in run.gates.items()} == dict.fromkeys("ifgo", (5, 3))
    i, f, g, o = (run.gates[name] for name in "ifgo")
    np.testing.assert_allclose(run.states[1:, 3:], f * run.states[:-1, 3:] + i * g)
    np.testing.assert_allclose(run.hidden, o * np.tanh(run.states[1:, 3:]))
    assert list(cell.recurrent_weights()) == list("ifgo")
    np.testing.assert_array_equal(cell.recurrent_weights()["g"], cell.weight_hh[6:9])


# Stacks: the weights of layers


def test_a_stack_runs_as_the_layer_does(rng):
    for _ in range(30):
        size, count = int(rng.integers(1, 6)), int(rng.integers(1, 4))
        both = bool(rng.integers(2))
        layer = nn.LSTM(3, size, count, bias=bool(rng.integers(2)), bidirectional=both).double()
        x, rows = rng.normal(size=(7, 3)), count * (1 + both)
        state = [rng.normal(size=(rows, 1, size)) for _ in range(2)]
        stack = stack_of(layer)
        runs = stack.run(x, stack.initial_states(state, 1)[:, 0])
        output, (h_n, c_n) = layer(x[None], state)
        found = joined([run.hidden for run in runs[-1]])
        np.testing.assert_allclose(found, output.data[0], atol=1e-12)
        last = np.array([run.states[-1] for directions in runs for run in directions])
        np.testing.assert_allclose(last, np.concatenate([h_n.data, c_n.data], -1)[:, 0], atol=1e-12)


def test_what_a_stack_says_of_itself():
    stack = stack_of(nn.LSTM(3, 5, 2, bidirectional=True))
    assert stack.description == "LSTM, 3 to 5, 2 layers, both directions"
    assert list(stack.names()) == ["layer 0", "layer 0 reverse", "layer 1", "layer 1 reverse"]
    assert (stack.input_size, stack.hidden_size) == (3, 5)


def test_a_stack_has_copies_of_the_weights():
    layer = nn.LSTM(2, 3).double()
    stack = stack_of(layer)
    layer.weight_hh_l0.data[:] = 7
    assert not (stack.cells[0][0].weight_hh == 7).any()
    assert (layer_weights(layer, 0)[1].data == 7).all()


def test_what_is_no_recurrent_layer():
    assert is_recurrent(nn.LSTM(1, 1)) and not is_recurrent(nn.Linear(1, 1))
    with pytest.raises(TypeError, match=r"must be an nn\.RNN, nn\.LSTM or nn\.GRU, not Linear"):
        stack_of(nn.Linear(2, 2))


def test_states_of_another_shape():
    stack = stack_of(nn.LSTM(2, 3))
    with pytest.raises(ValueError, match="rows for 2 sequences"):
        stack.initial_states((np.zeros((1, 1, 3)), np.zeros((1, 1, 3))), 2)


def test_states_that_explode_are_told():
    stack = stack_of(nn.LSTM(1, 1))
    stack.cells[0][0] = RNNCell(np.ones((1, 1)), 2 * np.ones((1, 1)), nonlinearity="identity")
    with pytest.raises(ValueError, match="states of layer 0 exceed the largest float64"):
        stack.run(np.ones((1100, 1)), np.zeros((1, 1)))
