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

from unrolled.dynamics.cell import Array, Cell, Gates, Run, scaled
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

    def jacobian(self, run: Run, t: int) -> Array:
        """Return ds(t)/ds(t-1), (S, S)."""
        by_i, by_f, _, of_c = self._slopes(run, t)
        p_i, p_f, _ = self.peephole
        c_by_c = np.diag(run.gates["f"][t] + by_i * p_i + by_f * p_f)
        h_by_h, c_by_h = self._through(self.weight_hh, run, t)
        h_by_c = self._projected(scaled(of_c, c_by_c))
        return np.block([[h_by_h, h_by_c], [c_by_h, c_by_c]])

    def input_jacobian(self, run: Run, t: int) -> Array:
        """Return ds(t)/dx(t), (S, D)."""
        return np.concatenate(self._through(self.weight_ih, run, t))

    def _slopes(self, run: Run, t: int) -> tuple[Array, Array, Array, Array]:
        """Return the derivatives of c(t) by z_i, z_f, z_g, and of o tanh(c(t)) by c(t)."""
        i, f, g, o = (run.gates[name][t] for name in self.gates)
        before, after = run.states[t, self.hidden_size :], run.states[t + 1, self.hidden_size :]
        m = np.tanh(after)
        of_c = o * (1 - m * m) + m * o * (1 - o) * self.peephole[2]
        return g * i * (1 - i), before * f * (1 - f), i * (1 - g * g), of_c

    def _through(self, weight: Array, run: Run, t: int) -> tuple[Array, Array]:
        """Return the derivatives of h(t) and c(t) by what enters through `weight`."""
        by_i, by_f, by_g, of_c = self._slopes(run, t)
        w_i, w_f, w_g, w_o = np.split(weight, 4)
        c_by = scaled(by_i, w_i) + scaled(by_f, w_f) + scaled(by_g, w_g)
        o, m = run.gates["o"][t], np.tanh(run.states[t + 1, self.hidden_size :])
        return self._projected(scaled(m * o * (1 - o), w_o) + scaled(of_c, c_by)), c_by

    def _projected(self, matrix: Array) -> Array:
        return matrix if self.weight_hr is None else self.weight_hr @ matrix
