"""One frame through recurrent layers without a tape, for input that arrives frame by frame.

The kernel for a frame takes as long as reading the weights, some 30 microseconds for 256 units, so
Python's share is kept small: whatever is out of the ordinary is left to the general way, which
also says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unrolled.autograd import Tensor
from unrolled.autograd.tape import Array
from unrolled.ops.recurrent import NAMES, step_arrays

Names = tuple[str | None, ...]


def names_of_weights(module: Any, suffixes: Sequence[str]) -> list[Names]:
    """Return what the module calls the kernels' weights, layer by layer; None for what it lacks."""
    held = vars(module)
    return [
        tuple([name + end if held.get(name + end) is not None else None for name in NAMES])
        for end in suffixes
    ]


def weights_of(module: Any, names: Sequence[Names]) -> list[tuple[Any, ...]]:
    """Return the arrays of `names_of_weights`, layer by layer."""
    held = module.__dict__
    return [tuple([None if name is None else held[name].data for name in entry]) for entry in names]


def step_lone_layer(module: Any, cell: str, names: Names, x_t: Any, state: Any) -> Any:
    """Run one frame through the only layer, and check nothing that the kernel checks.

    Parameters
    ----------
    module : Module
        Owner of the weights.
    cell : str
        What the kernels call a layer.
    names : tuple
        The layer's entry of `names_of_weights`.
    x_t : array or Tensor (N, D)
    state : Tensor (1, N, H), a pair of them, or None

    Returns
    -------
    pair
        Output and state as a layer's ``step`` returns them, or None if anything is unusual.
    """
    held = module.__dict__
    weights = tuple([None if name is None else held[name].data for name in names])
    x: Any = x_t if type(x_t) is np.ndarray else getattr(x_t, "data", None)
    try:
        if state is None:
            h, c = step_arrays(cell, x, weights, None, None)
        elif type(state) is tuple:
            h, c = state
            h, c = step_arrays(cell, x, weights, _only(h), _only(c))
        else:
            h, c = step_arrays(cell, x, weights, _only(state), None)
    except (TypeError, ValueError):
        return None
    after = Tensor.untaped(h[None])
    output = Tensor.untaped(h.copy())
    return output, after if c is None else (after, Tensor.untaped(c[None]))


def _only(part: Any) -> Array:
    """Return (N, H) of a state of one layer."""
    if type(part) is not Tensor or len(part.data) != 1:
        raise TypeError
    array: Array = part.data[0]
    return array


def step_layers(
    module: Any, cell: str, names: Sequence[Names], x_t: Any, state: Any, sizes: tuple[int, ...]
) -> Any:
    """Run one frame of every sequence through all layers.

    Parameters
    ----------
    module, cell
        As for `step_lone_layer`.
    names : list of tuple
        From `names_of_weights`.
    x_t : Tensor or array-like (N, D), or (D) for one sequence
    state : Tensor or array-like (layers, N, H), or (layers, H), or a pair, or None
    sizes : tuple of int
        Features of each part of the state.

    Returns
    -------
    pair
        Output and state as a layer's ``step`` returns them, or None if a shape does not fit or a
        tensor has another dtype than the weights.
    """
    weights = weights_of(module, names)
    first = weights[0][0]
    x = _taken(x_t, first.dtype)
    parts = state if len(sizes) > 1 else (state,)
    parts = (None,) * len(sizes) if state is None else parts
    if x is None or x.ndim not in (1, 2) or x.shape[-1] != first.shape[1]:
        return None
    if not isinstance(parts, (tuple, list)) or len(parts) != len(sizes):
        return None
    before = []
    for part, size in zip(parts, sizes, strict=True):
        array = None if part is None else _taken(part, first.dtype)
        if part is not None and (array is None or array.shape != (len(names), *x.shape[:-1], size)):
            return None
        before.append(array if array is None or x.ndim == 2 else array[:, None])
    output, after = _run(cell, weights, x if x.ndim == 2 else x[None], before)
    if x.ndim == 1:
        output, after = output[0], [part[:, 0] for part in after]
    tensors = tuple([Tensor.untaped(part) for part in after])
    return Tensor.untaped(output), tensors if len(tensors) > 1 else tensors[0]


def step_cell(module: Any, cell: str, x_t: Any, state: Sequence[Any]) -> tuple[Tensor, ...] | None:
    """Run one step of a cell module, and check nothing that the kernel checks.

    Parameters
    ----------
    module, cell
        As for `step_lone_layer`; the weights have no suffix.
    x_t : Tensor or array-like (N, D) or (D)
    state : sequence of Tensor or array-like (N, H) or (H), or None
        One entry a part.

    Returns
    -------
    tuple of Tensor
        The parts of the next state, or None if anything is unusual.
    """
    held = module.__dict__
    parameters = [held.get(name) for name in NAMES]
    weights: tuple[Any, ...] = tuple([None if w is None else w.data for w in parameters])
    dtype = weights[0].dtype
    arrays: list[Any] = [None if part is None else _array(part, dtype) for part in (x_t, *state)]
    single = arrays[0].ndim == 1
    if single:
        arrays = [None if array is None else array[None] for array in arrays]
    try:
        results = step_arrays(cell, arrays[0], weights, *arrays[1:], *[None] * (2 - len(state)))
    except (TypeError, ValueError):
        return None
    after: list[Any] = list(results[: len(state)])
    return tuple([Tensor.untaped(part[0] if single else part) for part in after])


def _array(value: Any, dtype: np.dtype[Any]) -> Array:
    if type(value) is Tensor:
        return value.data
    return np.asarray(value, dtype, order="C")


def _taken(value: Any, dtype: np.dtype[Any]) -> Array | None:
    """Return an array in C order, None if it is a tensor of another dtype."""
    if isinstance(value, Tensor):
        value = value.data
        if value.dtype != dtype:
            return None
    return np.asarray(value, dtype, order="C")


def _run(
    cell: str, weights: list[tuple[Any, ...]], x: Array, before: list[Array | None]
) -> tuple[Array, list[Array]]:
    lacking = (None,) * (2 - len(before))
    after = []
    for layer, entry in enumerate(weights):
        state = [None if part is None else part[layer] for part in before]
        results = step_arrays(cell, x, entry, *state, *lacking)
        x = results[0]
        after.append(results[: len(before)])
    return x, [np.stack(parts) for parts in zip(*after, strict=True)]
