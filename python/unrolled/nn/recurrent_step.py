"""One frame through recurrent layers without a tape, for input that arrives frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unrolled.autograd import Tensor
from unrolled.autograd.tape import Array
from unrolled.ops.recurrent import NAMES, step_arrays


def step_layers(
    cell: str,
    x: Array,
    weights: Sequence[Sequence[Tensor | None]],
    starts: Sequence[Array | None],
) -> tuple[Array, list[Array]]:
    """Run one frame of every sequence through all layers.

    Parameters
    ----------
    cell : str
        What the kernels call a layer.
    x : array (N, D)
    weights : list of tuple of Tensor or None
        One entry a layer.
    starts : list of array (layers, N, H) or None
        The parts of the state before the frame; all arrays in one dtype.

    Returns
    -------
    output : array (N, H)
        Of the last layer.
    after : list of array (layers, N, H)
        The parts of the state after the frame.
    """
    before = [None if start is None else np.ascontiguousarray(start) for start in starts]
    x, after = np.ascontiguousarray(x), []
    for layer, own in enumerate(weights):
        arrays: list[Any] = [None if weight is None else weight.data for weight in own]
        arrays += [None] * (len(NAMES) - len(arrays))
        state = [None if part is None else part[layer] for part in before]
        results = step_arrays(cell, x, tuple(arrays), *state, *[None] * (2 - len(state)))
        x = results[0]
        after.append(results[: len(state)])
    return x, [np.stack(parts) for parts in zip(*after, strict=True)]
