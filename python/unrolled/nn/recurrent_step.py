"""One frame through recurrent layers without a tape, for input that arrives frame by frame.

The kernel for a frame takes as long as reading the weights, some 40 microseconds for 256 units, so
Python's share is kept small here: what is out of the ordinary is left to the general way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unrolled.autograd import Tensor
from unrolled.autograd.tape import Array
from unrolled.ops.recurrent import NAMES, step_arrays

Names = list[tuple[str | None, ...]]


def names_of_weights(module: Any, suffixes: Sequence[str]) -> Names:
    """Return what the module calls the kernels' weights, layer by layer; None for what it lacks."""
    return [
        tuple(
            [
                name + end if getattr(module, name + end, None) is not None else None
                for name in NAMES
            ]
        )
        for end in suffixes
    ]


def stream(
    module: Any,
    cell: str,
    names: Names,
    x_t: Any,
    state: Sequence[Any],
    sizes: tuple[int, ...],
) -> tuple[Array, list[Array]] | None:
    """Run one frame of every sequence through all layers.

    Parameters
    ----------
    module : Module
        Owner of the weights.
    cell : str
        What the kernels call a layer.
    names : list of tuple
        From `names_of_weights`.
    x_t : Tensor or array-like (N, D), or (D) for one sequence
    state : sequence of Tensor, array-like or None
        The parts of the state before the frame, (layers, N, H), or (layers, H).
    sizes : tuple of int
        Features of each part.

    Returns
    -------
    output : array (N, H), or (H)
        Of the last layer.
    state : list of array (layers, N, H), or (layers, H)
        Its parts after the frame.
    None
        Instead of both, if a shape does not fit or a tensor has another dtype than the weights.
    """
    weights: list[tuple[Any, ...]] = [
        tuple([None if name is None else getattr(module, name).data for name in of_layer])
        for of_layer in names
    ]
    own = weights[0][0]
    x = _taken(x_t, own.dtype)
    if x is None or x.ndim not in (1, 2) or x.shape[-1] != own.shape[1]:
        return None
    before = []
    for part, size in zip(state, sizes, strict=True):
        array = None if part is None else _taken(part, own.dtype)
        if part is not None and (array is None or array.shape != (len(names), *x.shape[:-1], size)):
            return None
        before.append(array)
    if x.ndim == 2:
        return _run(cell, weights, x, before)
    batch = [None if part is None else part[:, None] for part in before]
    output, after = _run(cell, weights, x[None], batch)
    return output[0], [part[:, 0] for part in after]


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
    for layer, of_layer in enumerate(weights):
        state = [None if part is None else part[layer] for part in before]
        results = step_arrays(cell, x, of_layer, *state, *lacking)
        x = results[0]
        after.append(results[: len(before)])
    if len(after) == 1:
        return x.copy(), [part[None] for part in after[0]]  # type: ignore[index]
    return x, [np.stack(parts) for parts in zip(*after, strict=True)]
