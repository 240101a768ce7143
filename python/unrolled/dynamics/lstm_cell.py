"""Long short-term memory, with its derivatives.

    z = W_ih x(t) + b_ih + W_hh h(t-1) + b_hh           blocks of rows in the order i, f, g, o
    i = sigmoid(z_i + p_i c(t-1))   f = sigmoid(z_f + p_f c(t-1))   g = tanh(z_g)
    c(t) = f c(t-1) + i g
    o = sigmoid(z_o + p_o c(t))     h(t) = W_hr (o tanh(c(t)))

Peepholes p (Gers, Schraudolph and Schmidhuber 2002) and the projection W_hr (Sak, Senior and
Beaufays 2014) are optional.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from unrolled.dynamics.cell import Array, Cell, Gates, Run
from unrolled.dynamics.nonlinearity import sigmoid


class LSTMCell(Cell):
    """An LSTM cell; its state is h, then c.

    Parameters
    ----------
    *weights
        As `Cell` takes them.
    weight_hr : array (P, H), optional
        The projection.
    peephole : array (3, H), optional
        p_i, p_f and p_o.
    """

    gates = ("i", "f", "g", "o")
    squashing = MappingProxyType({"i": "sigmoid", "f": "sigmoid", "g": "tanh", "o": "sigmoid"})

    def __init__(
        self, *weights: Any, weight_hr: Array | None = None, peephole: Array | None = None
    ) -> None:
        super().__init__(*weights)
        size = len(self.weight_hh) // 4
        self.state_size = self.hidden_size + size
        self.weight_hr = None if weight_hr is None else np.asarray(weight_hr, np.float64)
        self.peephole = np.zeros((3, size))
        if peephole is not None:
            self.peephole = np.asarray(peephole, np.float64).reshape(3, size)

    def step(self, z_x: Array, state: Array) -> tuple[Array, Gates]:
        """Go from s(t-1) to s(t)."""
        h, c = state[: self.hidden_size], state[self.hidden_size :]
        z_i, z_f, z_g, z_o = np.split(z_x + self.weight_hh @ h + self.bias_hh, 4)
        p_i, p_f, p_o = self.peephole
        i, f, g = sigmoid(z_i + p_i * c), sigmoid(z_f + p_f * c), np.tanh(z_g)
        c = f * c + i * g
        o = sigmoid(z_o + p_o * c)
        h = o * np.tanh(c)
        if self.weight_hr is not None:
            h = self.weight_hr @ h
        return np.concatenate([h, c]), {"i": i, "f": f, "g": g, "o": o}

    def pull(self, run: Run, t: int, grads: Array) -> tuple[Array, Array]:
        """Carry gradients by h(t) and c(t) back to h(t-1), c(t-1) and to z."""
        i, f, g, o = (run.gates[name][t] for name in self.gates)
        before, after = run.states[t, self.hidden_size :], run.states[t + 1, self.hidden_size :]
        p_i, p_f, p_o = self.peephole
        m = np.tanh(after)
        by_h, by_c = grads[:, : self.hidden_size], grads[:, self.hidden_size :]
        if self.weight_hr is not None:
            by_h = by_h @ self.weight_hr
        z_o = by_h * m * o * (1 - o)
        by_c = by_c + by_h * o * (1 - m * m) + z_o * p_o
        z_i, z_f, z_g = by_c * g * i * (1 - i), by_c * before * f * (1 - f), by_c * i * (1 - g * g)
        grads_z = np.concatenate([z_i, z_f, z_g, z_o], axis=1)
        by_c_before = by_c * f + z_i * p_i + z_f * p_f
        return np.concatenate([grads_z @ self.weight_hh, by_c_before], axis=1), grads_z
