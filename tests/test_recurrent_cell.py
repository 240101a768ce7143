"""Cells: one step of one layer."""

from __future__ import annotations

import numpy as np
import pytest

from layer_gradients import check_gradients
from oracles import assert_close, assert_same_bits
from recurrent_layers import parts_of
from unrolled import nn
from unrolled.autograd import Tensor, no_grad
from unrolled.checkpoint import load_model

CELLS = {
    "RNN": (nn.RNNCell, nn.RNN, {}),
    "RNN sigmoid": (nn.RNNCell, nn.RNN, {"nonlinearity": "sigmoid"}),
    "GRU": (nn.GRUCell, nn.GRU, {}),
    "GRU reset before": (nn.GRUCell, nn.GRU, {"reset_after": False}),
    "LSTM": (nn.LSTMCell, nn.LSTM, {}),
}
every_cell = pytest.mark.parametrize("name", CELLS)


def made(name):
    cell_class, layer_class, options = CELLS[name]
    return cell_class(3, 4, **options), layer_class(3, 4, **options)


def hidden(state):
    return state[0] if isinstance(state, tuple) else state


@every_cell
def test_cell_after_cell_is_a_layer(name, rng):
    cell, layer = made(name)
    layer.load_state_dict({key + "_l0": array for key, array in cell.state_dict().items()})
    x = rng.standard_normal((2, 5, 3)).astype(np.float32)
    output, after = layer(x)
    state = None
    for t in range(5):
        state = cell(x[:, t], state)
        assert_close(hidden(state).data, output.data[:, t], 1e-6)
    if name == "LSTM":
        assert_close(state[1].data, after[1].data[0], 1e-6)


@every_cell
def test_without_a_tape_the_same_numbers_come_out(name, rng):
    cell = made(name)[0]
    x = rng.standard_normal((2, 5, 3))
    state = single = taped = None
    for t in range(5):
        taped = cell(x[:, t], taped)
        with no_grad():
            state, single = cell(x[:, t], state), cell(x[1, t], single)
        parts = zip(*map(parts_of, (state, taped, single)), strict=True)
        for ours, expected, alone in parts:
            assert_close(ours, expected, 1e-6)
            assert_same_bits(ours[1], alone)
            assert ours.dtype == np.float32
    with no_grad():
        assert hidden(cell(Tensor(x[:, 0]))).dtype == np.float64
        strided = hidden(cell(np.asfortranarray(x[:, 0])))
        assert_same_bits(strided.data, hidden(cell(x[:, 0])).data)
        with pytest.raises(ValueError, match="needed is"):
            wrong = np.ones((3, 4))
            cell(x[:, 0], (wrong, wrong) if name == "LSTM" else wrong)


@every_cell
@pytest.mark.parametrize("shape", [(2, 3), (3,)], ids=str)
def test_gradients_match_central_differences(name, shape, rng, tolerance):
    cell = made(name)[0].double()
    x = Tensor(rng.standard_normal(shape), requires_grad=True)
    parts = [
        Tensor(rng.standard_normal((*shape[:-1], 4)), requires_grad=True)
        for _ in range(2 if name == "LSTM" else 1)
    ]
    state = tuple(parts) if name == "LSTM" else parts[0]
    tensors = [x, *parts, *cell.parameters()]

    def compute():
        after = cell(x, state)
        return cell(x, after)  # two steps: the gradient goes through the first

    check_gradients(compute, tensors, rng, tolerance)


@every_cell
def test_a_saved_cell_comes_back(name, rng, tmp_path):
    cell = made(name)[0]
    cell.save(tmp_path)
    x = rng.standard_normal((2, 3))
    again = load_model(tmp_path)
    assert again.config() == cell.config()
    assert_close(hidden(again(x)).data, hidden(cell(x)).data, 0)


def test_no_items_make_no_states():
    assert nn.GRUCell(3, 4)(np.zeros((0, 3))).shape == (0, 4)


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: nn.RNNCell(0, 4), ValueError, "input_size"),
        (lambda: nn.RNNCell(3, 4, nonlinearity="step"), ValueError, "nonlinearity"),
        (lambda: nn.GRUCell(3, 4)(np.ones((2, 4))), ValueError, r"\(N, 3\).*\(2, 4\)"),
        (lambda: nn.GRUCell(3, 4)(np.ones((2, 5, 3))), ValueError, r"\(2, 5, 3\)"),
        (
            lambda: nn.GRUCell(3, 4)(np.ones((2, 3)), np.ones((1, 4))),
            ValueError,
            r"h has shape \(1, 4\), needed is \(2, 4\)",
        ),
        (
            lambda: nn.LSTMCell(3, 4)(np.ones(3), (np.ones(4), np.ones(3))),
            ValueError,
            r"c has shape \(3,\), needed is \(4,\)",
        ),
        (lambda: nn.LSTMCell(3, 4)(np.ones((2, 3)), np.ones((2, 4, 4))), TypeError, "pair"),
    ],
)
def test_bad_arguments_are_refused(act, error, message):
    with pytest.raises(error, match=message):
        act()
