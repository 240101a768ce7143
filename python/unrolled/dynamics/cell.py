"""What all recurrent cells share: running over a sequence, and where the derivatives come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Gates = dict[str, Array]


class Cell(ABC):
    """A recurrent cell with its weights in float64.

    The state s is h, and for an LSTM c after it: all that a step hands to the next.

    Parameters
    ----------
    weight_ih, weight_hh : array (G * H, D), (G * H, P)
        Blocks of H rows, one a gate in the order of ``gates``.
    bias_ih, bias_hh : array (G * H,), optional

    Attributes
    ----------
    gates : tuple of str
        Names of the blocks.
    hidden_size, state_size : int
        Features of h, P, and of s.
    squashing : mapping of str to str
        The non-linearity of every gate.
    """

    gates: ClassVar[tuple[str, ...]]
    squashing: Mapping[str, str]

    def __init__(
        self,
        weight_ih: Array,
        weight_hh: Array,
        bias_ih: Array | None = None,
        bias_hh: Array | None = None,
    ) -> None:
        rows = len(weight_hh)
        self.weight_ih = np.asarray(weight_ih, np.float64)
        self.weight_hh = np.asarray(weight_hh, np.float64)
        self.bias_ih = np.zeros(rows) if bias_ih is None else np.asarray(bias_ih, np.float64)
        self.bias_hh = np.zeros(rows) if bias_hh is None else np.asarray(bias_hh, np.float64)
        self.hidden_size = self.state_size = self.weight_hh.shape[1]

    @abstractmethod
    def step(self, z_x: Array, state: Array) -> tuple[Array, Gates]:
        """Go from s(t-1) to s(t), with ``z_x = weight_ih x(t) + bias_ih``."""

    @abstractmethod
    def pull(self, run: Run, t: int, grads: Array) -> tuple[Array, Array]:
        """Carry gradients back over frame `t` of a run.

        Parameters
        ----------
        run : Run
        t : int
        grads : array (R, S)
            Each row the gradient of something by s(t).

        Returns
        -------
        grads_before : ndarray (R, S)
            By s(t-1).
        grads_z : ndarray (R, G * H)
            By what enters the gates from x(t).
        """

    def run(self, x: Array, state: Array | None = None) -> Run:
        """Run over the frames of one sequence (T, D) from a state (S,), 0 when not given."""
        states = np.empty((len(x) + 1, self.state_size))
        states[0] = 0.0 if state is None else state
        steps = []
        for t, z_x in enumerate(x @ self.weight_ih.T + self.bias_ih):
            states[t + 1], gates = self.step(z_x, states[t])
            steps.append(gates)
        names = steps[0] if steps else {}
        return Run(self, states, {name: np.stack([s[name] for s in steps]) for name in names})

    def recurrent_weights(self) -> dict[str, Array]:
        """Return the block (H, P) of the recurrent weights of every gate."""
        blocks = np.split(self.weight_hh, len(self.gates))
        return dict(zip(self.gates, blocks, strict=True))


@dataclass(frozen=True, eq=False)
class Run:
    """A cell over the frames of one sequence, in the order in which it reads them.

    Attributes
    ----------
    cell : Cell
    states : ndarray of float64 (T + 1, S)
        s before the first frame, then after each.
    gates : dict of ndarray of float64 (T, H)
        By name.
    """

    cell: Cell
    states: Array
    gates: Gates

    def __len__(self) -> int:
        return len(self.states) - 1

    @property
    def hidden(self) -> Array:
        """h(t) after every frame, (T, P)."""
        return self.states[1:, : self.cell.hidden_size]

    def pull(self, t: int, grads: Array) -> tuple[Array, Array]:
        """Carry gradients (R, S) by s(t) back over frame `t`; see `Cell.pull`."""
        return self.cell.pull(self, t, grads)

    def jacobian(self, t: int) -> Array:
        """Return ds(t)/ds(t-1), (S, S)."""
        return self.pull(t, np.eye(self.cell.state_size))[0]

    def input_jacobian(self, t: int) -> Array:
        """Return ds(t)/dx(t), (S, D)."""
        by_input: Array = self.pull(t, np.eye(self.cell.state_size))[1] @ self.cell.weight_ih
        return by_input
