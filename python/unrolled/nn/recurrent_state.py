"""States of recurrent layers: what they consist of, and whether they fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from unrolled.autograd import Tensor, as_tensor
from unrolled.nn.recurrent_function import States

Initial = tuple[Tensor | None, ...]


def parts_of(
    state: Any, shapes: dict[str, tuple[int, ...]], dtype: np.dtype[Any]
) -> tuple[Tensor, ...]:
    """Return the parts of a state: h alone, or h and c of a pair.

    Parameters
    ----------
    state : Tensor or array-like, or a pair of them
    shapes : dict
        The needed shape of each part, by name.
    dtype : dtype
        Of arrays that are no tensors.

    Raises
    ------
    TypeError
        If the state does not consist of these parts.
    ValueError
        If a shape is another one.
    """
    several = isinstance(state, (tuple, list))
    if len(shapes) == 1 and isinstance(state, tuple):
        raise TypeError(f"state must be one array, h, not a tuple of {len(state)}")
    if len(shapes) == 2 and not (several and len(state) == 2):
        found = f"{type(state).__name__} of {len(state)}" if several else "one array"
        raise TypeError(f"state must be a pair of arrays (h, c), not {found}")
    given = (state,) if len(shapes) == 1 else state
    parts = tuple([as_tensor(part, dtype) for part in given])
    for (name, needed), part in zip(shapes.items(), parts, strict=True):
        if part.shape != needed:
            axes = "layers * directions, N, H" if len(needed) == 3 else "layers * directions, H"
            raise ValueError(f"state: {name} has shape {part.shape}, needed is {needed}: ({axes})")
    return parts


def stacked(record: list[States], single: bool) -> States:
    """Join the layers' states to arrays with an axis for them in front."""
    joined = {name: np.stack([layer[name] for layer in record]) for name in record[0]}
    return {name: array[:, :, 0] for name, array in joined.items()} if single else joined
