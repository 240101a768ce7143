"""The simple recurrence h(t) = f(W_ih x(t) + b_ih + W_hh h(t-1) + b_hh) and its derivatives."""

from __future__ import annotations

from typing import Any

from unrolled.dynamics.cell import Array, Cell, Gates, Run
from unrolled.dynamics.nonlinearity import nonlinearity_of


class RNNCell(Cell):
    """A simple cell.

    Parameters
    ----------
    *weights
        As `Cell` takes them.
    nonlinearity : {"identity", "relu", "sigmoid", "tanh"}
    """

    gates = ("h",)

    def __init__(self, *weights: Any, nonlinearity: str = "tanh") -> None:
        super().__init__(*weights)
        self.squashing = {"h": nonlinearity}
        self._f = nonlinearity_of(nonlinearity)

    def step(self, z_x: Array, state: Array) -> tuple[Array, Gates]:
        """Go from s(t-1) to s(t)."""
        h = self._f.function(z_x + self.weight_hh @ state + self.bias_hh)
        return h, {"h": h}

    def pull(self, run: Run, t: int, grads: Array) -> tuple[Array, Array]:
        """Carry gradients by h(t) back to h(t-1) and to z."""
        grads_z = grads * self._f.slope(run.states[t + 1])
        return grads_z @ self.weight_hh, grads_z
