"""Random cells and layers, and recurrences on the tape whose every state can be asked for."""

from __future__ import annotations

import numpy as np

from unrolled.autograd import Tensor, concatenate
from unrolled.dynamics.gru_cell import GRUCell
from unrolled.dynamics.lstm_cell import LSTMCell
from unrolled.dynamics.rnn_cell import RNNCell

CELLS = ("tanh", "relu", "sigmoid", "identity", "gru after", "gru before", "lstm", "lstm more")


def random_cell(kind, rng, features=None, size=None):
    """Make a cell with biases or without; "lstm more" has peepholes, a projection or both."""
    features, size = features or int(rng.integers(1, 5)), size or int(rng.integers(1, 6))
    gates = {"gru": 3, "lstm": 4}.get(kind.split()[0], 1)
    extras = {}
    hidden = size
    if kind == "lstm more":
        which = rng.integers(1, 4)
        if which & 1:
            extras["peephole"] = rng.normal(size=(3, size))
        if which & 2:
            hidden = int(rng.integers(1, size + 1))
            extras["weight_hr"] = rng.normal(size=(hidden, size))
    weights = [rng.normal(size=(gates * size, n)) for n in (features, hidden)]
    weights += [None if rng.random() < 0.2 else rng.normal(size=gates * size) for _ in range(2)]
    if kind.startswith("lstm"):
        return LSTMCell(*weights, **extras)
    if kind.startswith("gru"):
        return GRUCell(*weights, reset_after=kind == "gru after")
    return RNNCell(*weights, nonlinearity=kind)


def described(cell):
    return f"{type(cell).__name__} {vars(cell)}"


def tape_lstm(x, weights, leaves):
    """One LSTM layer over Tensor frames (T, D); adds leaves (T, 2H) of 0 to h and c of each step.

    The gradient of a leaf is dLoss/dh(t) and dLoss/dc(t).
    """
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    size = weight_hh.shape[1]
    h, c = Tensor(np.zeros(size)), Tensor(np.zeros(size))
    outputs = []
    for t in range(len(x)):
        z = weight_ih @ x[t] + bias_ih + weight_hh @ h + bias_hh
        i, f = z[:size].sigmoid(), z[size : 2 * size].sigmoid()
        g, o = z[2 * size : 3 * size].tanh(), z[3 * size :].sigmoid()
        c = f * c + i * g + leaves[t][size:]
        # The leaf of c must not reach h(t): h(t) and c(t) are two parts of one state.
        h = o * (c - leaves[t][size:]).tanh() + leaves[t][:size]
        outputs.append(h.unsqueeze(0))
    return concatenate(outputs), h, c


def make_leaves(frames, size):
    return [Tensor(np.zeros(2 * size), requires_grad=True) for _ in range(frames)]


def gradients_of(leaves):
    return np.array([np.zeros(leaf.shape) if leaf.grad is None else leaf.grad for leaf in leaves])


def layer_weights(layer, k, direction=""):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [getattr(layer, f"{name}_l{k}{direction}") for name in names]
