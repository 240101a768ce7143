"""Recurrent layers that attend to a memory at each step, forward and through time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray, as_lengths, as_reals, require_axes, require_shape
from unrolled.ops.attention import pack_weights, require_score, unpack_gradients
from unrolled.ops.recurrent import NAMES, gates_of

FEEDINGS = ("input", "context")
CELLS = ("lstm", "gru", "gru_reset_before", "tanh", "relu", "sigmoid", "identity")
STATES = ("h0", "c0", "output0")
State = tuple[RealArray | None, RealArray | None, RealArray | None]


@dataclass(frozen=True)
class Saved:
    """What the backward pass needs of the forward pass."""

    cell: str
    feeding: str
    x: RealArray
    memory: RealArray
    lengths: NDArray[np.int64]
    memory_lengths: NDArray[np.int64]
    layers: list[tuple[Any, ...]]
    attention: tuple[Any, ...]
    output_weights: tuple[RealArray, RealArray]
    state: State
    dropout_mask: RealArray | None
    output: RealArray
    attended: RealArray
    tape: RealArray
    tokens: tuple[NDArray[np.int64] | None, RealArray | None]


def attention_decoder(
    x: Any,
    memory: Any,
    layers: Sequence[Sequence[Any]],
    output_weights: tuple[Any, Any],
    *,
    cell: str,
    feeding: str,
    score: str = "dot",
    weights: Sequence[Any] = (),
    h0: Any = None,
    c0: Any = None,
    output0: Any = None,
    lengths: Any = None,
    memory_lengths: Any = None,
    dropout_mask: Any = None,
    tokens: tuple[Any, Any] | None = None,
) -> tuple[RealArray, RealArray, State, Saved]:
    """Run recurrent layers that attend to a memory at each step.

    With h_t the state of the top layer, c_t the context, and ``o_t = tanh(W [c_t; h_t] + b)``:
    with ``feeding="input"`` the layers read [x_t; o_{t-1}] and h_t asks for c_t, with
    ``feeding="context"`` h_{t-1} asks for c_t and the layers read [x_t; c_t].

    Parameters
    ----------
    x : array, shape (N, T, E)
    memory : array, shape (N, S, M)
    layers : sequence of (weight_ih, weight_hh (G H, H), bias_ih (G H,), bias_hh (G H,))
        From the lowest on, as `lstm`, `gru` and `rnn` have them; a bias may be None. The first
        weight_ih is (G H, E + H) with ``feeding="input"``, (G H, E + M) with "context", the others
        (G H, H).
    output_weights : pair of array, shapes (H, M + H) and (H,)
        W and b.
    cell : {"lstm", "gru", "gru_reset_before", "tanh", "relu", "sigmoid", "identity"}
    feeding : {"input", "context"}
    score, weights
        As for `attention`.
    h0, c0 : array, shape (layers, N, H), optional
        State before the first step; c0 of an LSTM alone. Zeros where not given.
    output0 : array, shape (N, H), optional
        The output before the first step, with ``feeding="input"``; zeros where not given.
    lengths, memory_lengths : array of int, shape (N,), optional
        True steps, 0 .. T, and true positions, 0 .. S; what lies beyond is never read.
    dropout_mask : array, shape (layers - 1, N, T, H), optional
        Multiplied onto what each layer but the last hands on.
    tokens : pair of array, optional
        Where inputs are tokens: their ids (N, T), and a table (V, G H) of what each gives the gates
        of the first layer. x has no features then, E = 0.

    Returns
    -------
    output : array, shape (N, T, H)
        o_t; 0 beyond an item's steps.
    attended : array, shape (N, T, S)
        Weights of the positions; exactly 0 beyond the true ones.
    state : tuple of three
        h_n and c_n (layers, N, H), and the last output (N, H), after each item's last step; None
        for what there is not.
    saved : Saved
        For `attention_decoder_backward`.

    Raises
    ------
    ValueError
        The shapes do not fit, or a length is out of its range.

    Notes
    -----
    Luong, Pham and Manning 2015, section 3.3 (input feeding); Bahdanau, Cho and Bengio 2015
    (context). The memory is multiplied with its weight once, x with its weight for all steps at
    once. An item gives the same bits alone and in any batch.

    Examples
    --------
    >>> import numpy as np
    >>> layer = (np.ones((6, 3 + 4)), np.ones((6, 2)), None, None)
    >>> output, attended, (h_n, _, _), saved = attention_decoder(
    ...     np.zeros((1, 5, 3)), np.ones((1, 7, 4)), [layer], (np.ones((2, 6)), np.zeros(2)),
    ...     cell="gru", feeding="context", score="general", weights=[np.ones((2, 4))])
    >>> output.shape, attended.shape, h_n.shape
    ((1, 5, 2), (1, 5, 7), (1, 1, 2))
    """
    if feeding not in FEEDINGS:
        raise ValueError(f"feeding must be 'input' or 'context', not {feeding!r}")
    if cell not in CELLS:
        raise ValueError(f"cell must be one of {', '.join(CELLS)}, not {cell!r}")
    names = require_score(score, weights)
    flat = {
        f"{name}[{i}]": weight
        for i, layer in enumerate(layers)
        for name, weight in zip(NAMES[:4], _four(layer, i), strict=True)
    }
    ids, table = (None, None) if tokens is None else tokens
    x, memory, table, h0, c0, output0, dropout_mask, W, b, *rest = as_reals(
        x=x, memory=memory, table=table, h0=h0, c0=c0, output0=output0, dropout_mask=dropout_mask,
        output_weight=output_weights[0], output_bias=output_weights[1],
        **dict(zip(names, weights, strict=True)), **flat,
    )  # fmt: skip
    own, rest = rest[: len(names)], rest[len(names) :]
    by_layer = [(*rest[i : i + 4], None, None) for i in range(0, len(rest), 4)]
    require_axes(x, "x", "N, T, E")
    require_axes(memory, "memory", "N, S, M")
    if len(x) != len(memory):
        raise ValueError(f"x and memory must have as many items, got {len(x)} and {len(memory)}")
    hidden = _check_layers(cell, feeding, by_layer, x.shape[2], memory.shape[2])
    looked_up = _check_tokens(ids, table, x.shape, gates_of(cell) * hidden)
    require_shape(W, "output_weight", (hidden, memory.shape[2] + hidden), "H, M + H")
    require_shape(b, "output_bias", (hidden,), "H")
    state = _check_state(cell, feeding, (h0, c0, output0), (len(by_layer), len(x), hidden))
    if dropout_mask is not None:
        masks = (len(by_layer) - 1, *x.shape[:2], hidden)
        require_shape(dropout_mask, "dropout_mask", masks, "layers - 1, N, T, H")
    packed = pack_weights(score, own, hidden, memory.shape[2])
    ends = as_lengths(lengths, "lengths", *x.shape[:2])
    memory_ends = as_lengths(memory_lengths, "memory_lengths", *memory.shape[:2])
    output, attended, after, tape = _core.attention_decoder(
        cell, feeding, x, memory, ends, memory_ends, by_layer, packed, (W, b), state,
        dropout_mask, *looked_up,
    )  # fmt: skip
    saved = Saved(
        cell, feeding, x, memory, ends, memory_ends, by_layer, packed, (W, b), state,
        dropout_mask, output, attended, tape, looked_up,
    )  # fmt: skip
    return output, attended, after, saved


@dataclass(frozen=True)
class Gradients:
    """Gradients of `attention_decoder`, in the shapes of its arguments.

    Attributes
    ----------
    x : array or None
        0 beyond an item's steps; None where it was not wanted.
    memory : array
        0 beyond the true positions.
    state : tuple of three
        Of h0, c0 and output0; None for what there is not.
    layers : list of tuple
        One entry a layer; the gradient of a bias that is None is None.
    weights : tuple of array
        Of the score.
    output_weights : pair of array
    table : array (V, G H) or None
        Of the table of tokens, where there is one.
    """

    x: RealArray | None
    memory: RealArray
    state: State
    layers: list[tuple[Any, ...]]
    weights: tuple[RealArray, ...]
    output_weights: tuple[RealArray, RealArray]
    table: RealArray | None


def attention_decoder_backward(
    grad_output: Any,
    grad_attended: Any,
    grad_state: tuple[Any, Any, Any],
    saved: Saved,
    *,
    input_gradient: bool = True,
) -> Gradients:
    """Backpropagation through time of `attention_decoder`.

    Parameters
    ----------
    grad_output : array, shape (N, T, H)
        What stands on padding is never read.
    grad_attended : array, shape (N, T, S), or None
    grad_state : tuple of three
        Of the states that `attention_decoder` returned; each may be None.
    saved : Saved
        From `attention_decoder`.
    input_gradient : bool
        False leaves the gradient of x out.

    Returns
    -------
    Gradients

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    s = saved
    given = as_reals(
        grad_output=grad_output,
        grad_attended=grad_attended,
        **{f"grad_{name}": part for name, part in zip(STATES, grad_state, strict=True)},
    )
    grad_output, grad_attended, *parts = (None if g is None else g.astype(s.x.dtype) for g in given)
    require_shape(grad_output, "grad_output", s.output.shape, "the shape of output")
    if grad_attended is not None:
        require_shape(grad_attended, "grad_attended", s.attended.shape, "the shape of attended")
    shape = (len(s.layers), *s.output.shape[::2])
    state = _check_state(s.cell, s.feeding, (parts[0], parts[1], parts[2]), shape, "grad_")
    grad_x, grad_memory, before, by_layer, of_score, of_output, table = (
        _core.attention_decoder_backward(
            s.cell, s.feeding, grad_output, grad_attended, state, s.x, s.memory, s.lengths,
            s.memory_lengths, s.layers, s.attention, s.output_weights, s.state, s.dropout_mask,
            s.output, s.attended, s.tape, input_gradient, *s.tokens,
        )
    )  # fmt: skip
    of_tokens = None if table is None else table[0]
    return Gradients(
        grad_x, grad_memory, before, by_layer, unpack_gradients(of_score), of_output, of_tokens
    )


def _four(layer: Sequence[Any], position: int) -> Sequence[Any]:
    if len(layer) != 4:
        raise ValueError(
            f"layers[{position}] must be (weight_ih, weight_hh, bias_ih, bias_hh), "
            f"got {len(layer)} entries"
        )
    return layer


def _check_layers(
    cell: str, feeding: str, layers: list[tuple[Any, ...]], inputs: int, memory: int
) -> int:
    if not layers:
        raise ValueError("layers must have at least one entry")
    gates, recurrent = gates_of(cell), layers[0][1]
    if recurrent is None or recurrent.ndim != 2 or len(recurrent) != gates * recurrent.shape[1]:
        found = None if recurrent is None else recurrent.shape
        raise ValueError(f"weight_hh[0] must have the axes ({gates}H, H), got shape {found}")
    hidden: int = recurrent.shape[1]
    rows = gates * hidden
    for i, (weight_ih, weight_hh, *biases) in enumerate(layers):
        fed = hidden if feeding == "input" else memory
        features, axes = (inputs + fed, "E + H" if feeding == "input" else "E + M")
        if i > 0:
            features, axes = hidden, "H"
        for name, weight, shape, of in (
            ("weight_ih", weight_ih, (rows, features), axes),
            ("weight_hh", weight_hh, (rows, hidden), "H"),
        ):
            if weight is None:
                raise ValueError(f"{name}[{i}] is None: it must be an array of shape {shape}")
            require_shape(weight, f"{name}[{i}]", shape, f"{gates}H, {of}")
        for name, bias in zip(("bias_ih", "bias_hh"), biases, strict=False):
            if bias is not None:
                require_shape(bias, f"{name}[{i}]", (rows,), f"{gates}H")
    return hidden


def _check_tokens(
    ids: Any, table: RealArray | None, shape: tuple[int, ...], rows: int
) -> tuple[NDArray[np.int64] | None, RealArray | None]:
    """Return ids and table as the core takes them."""
    if table is None:
        return None, None
    if shape[2]:
        raise ValueError(f"x has {shape[2]} features; where tokens are read it has none")
    found = np.ascontiguousarray(ids)
    if found.dtype.kind not in "iu":
        raise TypeError(f"ids must be integers, got {found.dtype}")
    require_shape(found, "ids", shape[:2], "N, T")
    require_axes(table, "table", "V, G H")
    require_shape(table, "table", (len(table), rows), "V, G H")
    if found.size and not 0 <= found.min() <= found.max() < len(table):
        raise ValueError(f"ids must lie in 0 .. {len(table) - 1}, the rows of the table")
    return found.astype(np.int64), np.ascontiguousarray(table)[None]


def _check_state(
    cell: str, feeding: str, state: State, shape: tuple[int, ...], prefix: str = ""
) -> State:
    needed = (shape, shape, shape[1:])
    has = (True, cell == "lstm", feeding == "input")
    for name, part, own, there in zip(STATES, state, needed, has, strict=True):
        if part is None:
            continue
        if not there:
            raise ValueError(
                f"{prefix}{name} was given, which cell={cell!r} with feeding={feeding!r} has not"
            )
        require_shape(part, prefix + name, own, "layers, N, H" if len(own) == 3 else "N, H")
    return state
