"""What the recurrent layers share: whole sequences through a cell, and back through time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray, as_lengths, as_reals, require_axes, require_shape

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr", "peephole")
GATES = {"lstm": "ifgo", "gru": "rzn", "gru_reset_before": "rzn"}
Weights = Sequence[Any]  # one direction's, in the order of NAMES, the last two if the cell has them


@dataclass(frozen=True)
class Saved:
    """What the backward pass needs of the forward pass.

    Its tape holds, for every frame that is not padding, the gates, the state before and, of an
    LSTM, the cell: 6 numbers a unit for an LSTM, 5 for a GRU, 2 for a simple network, each rounded
    up to whole vectors.
    """

    cell: str
    x: RealArray
    lengths: NDArray[np.int64]
    weights: list[tuple[Any, ...]]
    h0: RealArray | None
    c0: RealArray | None
    hidden_mask: RealArray | None
    tape: RealArray
    output: RealArray
    given: int  # entries of a direction's weights that the caller gave
    ids: NDArray[np.int64] | None = None
    table: RealArray | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the tape."""
        return self.tape.nbytes

    def states(self) -> dict[str, RealArray]:
        """Gates and states of every frame by letter, (directions, N, T, H); 0 on padding."""
        gates, cells = _core.recurrent_states(
            self.cell, self.x, self.lengths, self.weights, self.tape
        )
        letters = GATES.get(self.cell, "")
        states = {letter: gates[:, :, :, g] for g, letter in enumerate(letters)}
        if cells is not None:
            states["c"] = cells
        count, (items, frames, width) = len(self.weights), self.output.shape
        by_direction = self.output.reshape(items, frames, count, width // count)
        return {**states, "h": np.moveaxis(by_direction, 2, 0)}


def run(
    cell: str,
    x: Any,
    weights: Sequence[Weights],
    h0: Any = None,
    c0: Any = None,
    lengths: Any = None,
    hidden_mask: Any = None,
    ids: Any = None,
    table: Any = None,
) -> tuple[RealArray, RealArray, RealArray | None, Saved]:
    """Check and convert the arguments, then run all frames: output, h_n, c_n, saved.

    Where tokens are read, ids (N, T) of them, x and the weights of the input have no features, and
    table (directions, V, G H) has what each token gives the gates.
    """
    given = _given(cell, weights)
    flat = {
        f"{name}[{d}]": weight
        for d, of_direction in enumerate(weights)
        for name, weight in zip(NAMES, of_direction, strict=False)
    }
    x, h0, c0, hidden_mask, table, *rest = as_reals(
        x=x, h0=h0, c0=c0, hidden_mask=hidden_mask, table=table, **flat
    )
    none = (None,) * (len(NAMES) - given)
    directions = [(*rest[i : i + given], *none) for i in range(0, len(rest), given)]
    require_axes(x, "x", "N, T, D")
    hidden, features = _check_weights(cell, directions, x.shape[2])
    states = (len(directions), x.shape[0])
    for name, state, size, axes in (
        ("h0", h0, features, "directions, N, H"),
        ("c0", c0, hidden, "directions, N, H"),
        ("hidden_mask", hidden_mask, features, "directions, N, H"),
    ):
        if state is not None:
            require_shape(state, name, (*states, size), axes)
    lengths = as_lengths(lengths, "lengths", x.shape[0], x.shape[1])
    output, h_n, c_n, tape = _core.recurrent(
        cell, x, lengths, directions, h0, c0, hidden_mask, ids, table
    )
    saved = Saved(
        cell, x, lengths, directions, h0, c0, hidden_mask, tape, output, given, ids, table
    )
    return output, h_n, c_n, saved


def run_backward(
    grad_output: Any, grad_h_n: Any, grad_c_n: Any, saved: Saved, input_gradient: bool = True
) -> tuple[RealArray | None, list[tuple[Any, ...]], RealArray, RealArray | None]:
    """Check the gradients' shapes, then go back through time: grad_x, grads, grad_h0, grad_c0.

    Where tokens were read, the first is the gradient of the table.
    """
    s = saved
    grads = as_reals(grad_output=grad_output, grad_h_n=grad_h_n, grad_c_n=grad_c_n)
    grad_output, grad_h_n, grad_c_n = (None if g is None else g.astype(s.x.dtype) for g in grads)
    require_shape(grad_output, "grad_output", s.output.shape, "the shape of output")
    states = (len(s.weights), s.x.shape[0])
    features = s.weights[0][1].shape[1]
    hidden = len(s.weights[0][1]) // gates_of(s.cell)
    for name, grad, size in (("grad_h_n", grad_h_n, features), ("grad_c_n", grad_c_n, hidden)):
        if grad is not None:
            require_shape(grad, name, (*states, size), "directions, N, H")
    grad_x, by_direction, grad_h0, grad_c0, grad_table = _core.recurrent_backward(
        s.cell, grad_output, grad_h_n, grad_c_n, s.x, s.lengths, s.weights, s.h0, s.c0,
        s.hidden_mask, s.tape, input_gradient, s.ids, s.table,
    )  # fmt: skip
    return (
        grad_x if s.table is None else grad_table,
        [grads[: s.given] for grads in by_direction],
        grad_h0,
        grad_c0,
    )


def run_step(
    cell: str, x_t: Any, weights: Weights, h: Any = None, c: Any = None
) -> tuple[RealArray, RealArray | None]:
    """Check and convert the arguments, then run one frame (N, D): the next h and c."""
    given = _given(cell, [weights])
    named = dict(zip(NAMES, weights, strict=False))
    x_t, h, c, *rest = as_reals(x_t=x_t, h=h, c=c, **named)
    require_axes(x_t, "x_t", "N, D")
    direction = (*rest, *(None,) * (len(NAMES) - given))
    hidden, features = _check_weights(cell, [direction], x_t.shape[1])
    for name, state, size in (("h", h, features), ("c", c, hidden)):
        if state is not None:
            require_shape(state, name, (len(x_t), size), "N, H")
    return step_arrays(cell, x_t, direction, h, c)


def step_arrays(
    cell: str, x_t: RealArray, weights: tuple[Any, ...], h: Any, c: Any
) -> tuple[RealArray, RealArray | None]:
    """One frame of arrays that are known to fit, six weights: as layers keep theirs."""
    return _core.recurrent_step(cell, x_t, weights, h, c)


def gates_of(cell: str) -> int:
    """How many gates a unit of this cell has."""
    return len(GATES.get(cell, "h"))


def _given(cell: str, weights: Sequence[Weights]) -> int:
    if len(weights) not in (1, 2):
        raise ValueError(f"weights must have one or two directions, got {len(weights)}")
    counts = (4, 5, 6) if cell == "lstm" else (4,)
    given = {len(of_direction) for of_direction in weights}
    if len(given) > 1 or not given <= set(counts):
        raise ValueError(
            f"weights must have {' or '.join(map(str, counts))} entries a direction "
            f"({', '.join(NAMES[: counts[-1]])}), got {sorted(given)}"
        )
    return given.pop()


def _check_weights(cell: str, directions: list[tuple[Any, ...]], inputs: int) -> tuple[int, int]:
    gates = gates_of(cell)
    letter = "" if gates == 1 else gates
    recurrent, projection = directions[0][1], directions[0][4]
    if recurrent is None or recurrent.ndim != 2 or len(recurrent) % gates:
        shape = None if recurrent is None else recurrent.shape
        raise ValueError(f"weight_hh[0] must have the axes ({letter}H, H), got shape {shape}")
    hidden = len(recurrent) // gates
    features = recurrent.shape[1] if projection is not None else hidden
    shapes = {
        "weight_ih": ((gates * hidden, inputs), f"{letter}H, D"),
        "weight_hh": ((gates * hidden, features), f"{letter}H, H"),
        "bias_ih": ((gates * hidden,), f"{letter}H"),
        "bias_hh": ((gates * hidden,), f"{letter}H"),
        "weight_hr": ((features, hidden), "P, H"),
        "peephole": ((3, hidden), "3, H: of i, f and o"),
    }
    for d, of_direction in enumerate(directions):
        for (name, (shape, axes)), weight in zip(shapes.items(), of_direction, strict=True):
            if weight is not None:
                require_shape(weight, f"{name}[{d}]", shape, axes)
            elif name in ("weight_ih", "weight_hh"):
                raise ValueError(f"{name}[{d}] is None: it must be an array of shape {shape}")
        if (of_direction[4] is None) != (projection is None):
            raise ValueError("weight_hr must be given for both directions or for none")
    return hidden, features
