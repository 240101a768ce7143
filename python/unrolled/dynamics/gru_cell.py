"""The gated recurrent unit (Cho et al. 2014), with its derivatives.

r = sigmoid(a_r + b_r)   z = sigmoid(a_z + b_z)   with a = W_ih x(t) + b_ih, blocks r, z, n
n = tanh(a_n + r (W_hn h(t-1) + b_hn))            reset after the product, or
n = tanh(a_n + W_hn (r h(t-1)) + b_hn)            before it
h(t) = (1 - z) n + z h(t-1)                       b = W_hh h(t-1) + b_hh
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from unrolled.dynamics.cell import Array, Cell, Gates, Run
from unrolled.dynamics.nonlinearity import sigmoid


class GRUCell(Cell):
    """A GRU cell.

    Parameters
    ----------
    *weights
        As `Cell` takes them.
    reset_after : bool
        Whether r is multiplied onto W_hn h(t-1) + b_hn (as in PyTorch) or onto h(t-1).
    """

    gates = ("r", "z", "n")
    squashing = MappingProxyType({"r": "sigmoid", "z": "sigmoid", "n": "tanh"})

    def __init__(self, *weights: Any, reset_after: bool = True) -> None:
        super().__init__(*weights)
        self.reset_after = reset_after

    def step(self, z_x: Array, state: Array) -> tuple[Array, Gates]:
        """Go from s(t-1) to s(t)."""
        a_r, a_z, a_n = np.split(z_x, 3)
        w_r, w_z, w_n = np.split(self.weight_hh, 3)
        b_r, b_z, b_n = np.split(self.bias_hh, 3)
        r = sigmoid(a_r + w_r @ state + b_r)
        z = sigmoid(a_z + w_z @ state + b_z)
        inner = r * (w_n @ state + b_n) if self.reset_after else w_n @ (r * state) + b_n
        n = np.tanh(a_n + inner)
        return (1 - z) * n + z * state, {"r": r, "z": z, "n": n}

    def pull(self, run: Run, t: int, grads: Array) -> tuple[Array, Array]:
        """Carry gradients by h(t) back to h(t-1) and to what x(t) adds to each gate."""
        r, z, n = (run.gates[name][t] for name in self.gates)
        h = run.states[t]
        w_r, w_z, w_n = np.split(self.weight_hh, 3)
        by_n = grads * (1 - z) * (1 - n * n)
        by_z = grads * (h - n) * z * (1 - z)
        if self.reset_after:
            by_r = by_n * (w_n @ h + np.split(self.bias_hh, 3)[2]) * r * (1 - r)
            through_n = (by_n * r) @ w_n
        else:
            by_reset = by_n @ w_n
            by_r = by_reset * h * r * (1 - r)
            through_n = by_reset * r
        before = grads * z + by_r @ w_r + by_z @ w_z + through_n
        return before, np.concatenate([by_r, by_z, by_n], axis=1)
