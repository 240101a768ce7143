"""The cells of a recurrent layer of `unrolled.nn`, run over one sequence in float64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import nn
from unrolled.dynamics.cell import Cell, Run
from unrolled.dynamics.gru_cell import GRUCell
from unrolled.dynamics.lstm_cell import LSTMCell
from unrolled.dynamics.rnn_cell import RNNCell

Array = NDArray[Any]
Runs = list[list[Run]]  # by layer, then direction

KINDS = (nn.RNN, nn.LSTM, nn.GRU)


@dataclass(frozen=True, eq=False)
class Stack:
    """All cells of a layer.

    Attributes
    ----------
    kind : {"RNN", "LSTM", "GRU"}
    cells : list of list of Cell
        By layer, then direction.
    learned : array (layers * directions, S), optional
        The state before the first frame where none is given.
    """

    kind: str
    cells: list[list[Cell]]
    learned: Array | None = None

    @property
    def input_size(self) -> int:
        """Features of a frame."""
        return self.cells[0][0].weight_ih.shape[1]

    @property
    def hidden_size(self) -> int:
        """Features of h."""
        return self.cells[0][0].hidden_size

    @property
    def description(self) -> str:
        """The layer in words."""
        text = f"{self.kind}, {self.input_size} to {self.hidden_size}"
        if len(self.cells) > 1:
            text += f", {len(self.cells)} layers"
        if len(self.cells[0]) == 2:
            text += ", both directions"
        return text

    def names(self) -> Iterator[str]:
        """Name all directions of all layers, in the order of ``h_n``."""
        for layer, directions in enumerate(self.cells):
            for place in range(len(directions)):
                yield f"layer {layer}" + (" reverse" if place else "")

    def run(self, x: Array, states: Array) -> Runs:
        """Run over one sequence.

        Parameters
        ----------
        x : array (T, D)
        states : array (layers * directions, S)
            s before the first frame.

        Raises
        ------
        ValueError
            If a state exceeds the largest float64.
        """
        runs: Runs = []
        initial, values = iter(states), np.asarray(x, np.float64)
        for cells in self.cells:
            with np.errstate(over="ignore", invalid="ignore"):
                runs.append(
                    [
                        cell.run(values[::-1] if reverse else values, next(initial))
                        for reverse, cell in enumerate(cells)
                    ]
                )
            if not all(np.isfinite(run.states).all() for run in runs[-1]):
                raise ValueError(
                    f"the states of layer {len(runs) - 1} exceed the largest float64: they "
                    "explode; take a shorter sequence"
                )
            values = joined([run.hidden for run in runs[-1]])
        return runs

    def initial_states(self, state: Any, batch: int) -> Array:
        """Bring initial states, as the layer takes them, to (layers * directions, N, S).

        Raises
        ------
        ValueError
            If shapes do not fit.
        """
        rows, size = len(list(self.names())), self.cells[0][0].state_size
        if state is None:
            learned = np.zeros((rows, size)) if self.learned is None else self.learned
            return np.repeat(learned[:, None], batch, axis=1)
        parts = state if isinstance(state, (tuple, list)) else (state,)
        arrays = [np.asarray(as_array(part), np.float64) for part in parts]
        arrays = [array[:, None] if array.ndim == 2 else array for array in arrays]
        joined_parts = np.concatenate(arrays, axis=-1)
        if joined_parts.shape != (rows, batch, size):
            shapes = ", ".join(str(array.shape) for array in arrays)
            raise ValueError(
                f"state has shape {shapes}, needed are (layers * directions, N, H) with {rows} "
                f"rows for {batch} sequences"
            )
        return joined_parts


def joined(directions: list[Array]) -> Array:
    """Join what the directions of a layer made, each in its own order of frames."""
    return np.concatenate([array[:: -1 if k else 1] for k, array in enumerate(directions)], axis=1)


def as_array(value: Any) -> Array:
    """Return the array of a Tensor, or what NumPy makes of anything else."""
    return np.asarray(getattr(value, "data", value) if not isinstance(value, np.ndarray) else value)


def is_recurrent(module: Any) -> bool:
    """Whether a module is a recurrent layer that reads whole sequences."""
    return _kind(module) is not None


def stack_of(layer: Any) -> Stack:
    """Take the weights of a recurrent layer.

    Raises
    ------
    TypeError
        If it is none.
    ValueError
        If it has an option whose derivatives are not known here.
    """
    kind = _kind(layer)
    if kind is None:
        raise TypeError(
            f"layer must be an nn.RNN, nn.LSTM or nn.GRU, not {type(layer).__name__}; of a model, "
            "take its recurrent layers (dynamics.recurrent_layers)"
        )
    if getattr(layer, "layer_norm", False):
        raise ValueError(f"{kind} with layer_norm is not analysed: its Jacobians are not written")
    cells = [
        [_cell(kind, layer, f"_l{k}{direction}") for direction in layer.directions]
        for k in range(layer.num_layers)
    ]
    learned = None
    if layer.learn_initial_state:
        parts = [getattr(layer, part + "0").data for part in layer.parts]
        learned = np.concatenate(parts, axis=-1).astype(np.float64)
    return Stack(kind, cells, learned)


def _kind(module: Any) -> str | None:
    return next((kind.__name__ for kind in KINDS if isinstance(module, kind)), None)


def _cell(kind: str, layer: Any, suffix: str) -> Cell:
    def weight(name: str) -> Array | None:
        parameter = getattr(layer, name + suffix, None)
        return None if parameter is None else np.array(parameter.data, np.float64)

    weights = [weight(name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    if kind == "RNN":
        return RNNCell(*weights, nonlinearity=layer.nonlinearity)
    if kind == "GRU":
        return GRUCell(*weights, reset_after=layer.reset_after)
    return LSTMCell(*weights, weight_hr=weight("weight_hr"), peephole=weight("peephole"))
