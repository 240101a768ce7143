"""What is made of weights once, and again when they have changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from unrolled import _core
from unrolled.autograd import Tensor
from unrolled.autograd.tape import Array
from unrolled.nn.linear import Linear

Made = TypeVar("Made")


class Packed(Generic[Made]):
    """Keeps for each module what was made of its weights.

    Whether they are still the same is seen by their bytes, which takes as long as reading them: an
    optimizer, a checkpoint or a caller may write to an array in place.

    Parameters
    ----------
    make : callable
        Makes it of what a call is given.
    """

    def __init__(self, make: Callable[..., Made]) -> None:
        self._make = make
        self._kept: WeakKeyDictionary[Any, dict[Any, tuple[Any, Made]]] = WeakKeyDictionary()

    def of(self, module: Any, key: Any, weights: Sequence[Array], *arguments: Any) -> Made:
        """Return what was made of these weights, or make it of `arguments`.

        Parameters
        ----------
        module : Module
            The owner: with it goes what was made.
        key : hashable
            What else it depends on.
        weights : sequence of ndarray
        *arguments
            Of `make`.
        """
        state = (tuple([w.shape for w in weights]), _core.fingerprint(weights), _core.isa())
        of_module = self._kept.setdefault(module, {})
        kept = of_module.get(key)
        if kept is None or kept[0] != state:
            kept = state, self._make(*arguments)
            of_module[key] = kept
        return kept[1]


def as_weight(value: Any) -> Array:
    """Return a parameter as float32 in C order, the array itself where it is that."""
    array = value.data if isinstance(value, Tensor) else value
    return np.ascontiguousarray(array, np.float32)


def linear_weights(output: Any) -> list[tuple[Array, Array | None]]:
    """Return weights and biases of linear layers, given as modules or as such pairs."""
    return [_pair(one) for one in (output if isinstance(output, list) else [output])]


def _pair(linear: Any) -> tuple[Array, Array | None]:
    weight, bias = (linear.weight, linear.bias) if isinstance(linear, Linear) else linear
    return as_weight(weight), None if bias is None else as_weight(bias)
