"""The four non-linearities of a simple recurrence, with their slopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Nonlinearity(NamedTuple):
    """A function of one number, applied to each element."""

    function: Callable[[Array], Array]
    slope: Callable[[Array], Array]  # by the function's value, which for these four is enough
    bounded: bool


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)); by tanh, which overflows nowhere."""
    return 0.5 + 0.5 * np.tanh(0.5 * np.asarray(z))


NONLINEARITIES = {
    "identity": Nonlinearity(lambda z: z, np.ones_like, bounded=False),
    "relu": Nonlinearity(lambda z: np.maximum(z, 0.0), lambda h: (h > 0) * 1.0, bounded=False),
    "sigmoid": Nonlinearity(sigmoid, lambda h: h * (1.0 - h), bounded=True),
    "tanh": Nonlinearity(np.tanh, lambda h: 1.0 - h * h, bounded=True),
}


def nonlinearity_of(name: str) -> Nonlinearity:
    """Look a non-linearity up.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    if name not in NONLINEARITIES:
        raise ValueError(f"nonlinearity is {name!r}; there are {', '.join(NONLINEARITIES)}")
    return NONLINEARITIES[name]
