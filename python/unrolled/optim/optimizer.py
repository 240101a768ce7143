"""What all optimizers share: the parameters, the learning rate, state that can be saved."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.autograd import RowGradient, Tensor
from unrolled.nn.module import Parameter

Array = NDArray[Any]


class Optimizer:
    """Base class of optimizers; a subclass defines ``_update`` for a parameter, or for all.

    Parameters
    ----------
    params : iterable of Tensor
        What to train, as ``module.parameters()`` gives it. A module's parameters that are
        frozen (``requires_grad`` is False) stay as they are.
    lr : float
        The learning rate; may be set at any time.

    Raises
    ------
    ValueError
        If `params` is empty or names a tensor twice, or a number is out of its range.
    TypeError
        If something in `params` is not a tensor that requires a gradient.
    """

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        self.params = list(params)
        self.lr = non_negative("lr", lr)
        self._steps = [0] * len(self.params)
        self._arrays: dict[str, Array] = {}
        if not self.params:
            raise ValueError("params is empty: there is nothing to train")
        for position, tensor in enumerate(self.params):
            frozen = isinstance(tensor, Parameter) and not tensor.requires_grad
            if not (isinstance(tensor, Tensor) and (tensor.requires_grad or frozen)):
                raise TypeError(f"params[{position}] must be a tensor with requires_grad=True")
        if not any(tensor.requires_grad for tensor in self.params):
            raise ValueError("params are all frozen: there is nothing to train")
        if len({id(tensor) for tensor in self.params}) < len(self.params):
            raise ValueError("params names a tensor twice")

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        indices = [i for i, parameter in enumerate(self.params) if parameter.grad is not None]
        for index in indices:
            self._steps[index] += 1
        self._update_all(indices)

    def _update_all(self, indices: list[int]) -> None:
        """Update these parameters; a subclass defines this or ``_update`` for one of them."""
        for index in indices:
            parameter = self.params[index]
            self._update(index, parameter.data, parameter.grad)

    def _update(self, index: int, param: Array, grad: Array | RowGradient) -> None:
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Forget all gradients: every parameter's ``grad`` becomes None."""
        for parameter in self.params:
            parameter.grad = None

    def _state(self, name: str, index: int) -> Array:
        """Return the array `name` of a parameter, zeros at first."""
        key = f"{name}/{index}"
        if key not in self._arrays:
            self._arrays[key] = np.zeros_like(self.params[index].data)
        return self._arrays[key]

    def _as_state(self, key: str, array: Array) -> Array:
        """Return a copy of a saved array in the form of the parameter that its key names."""
        index = key.rpartition("/")[2]
        if not (index.isdecimal() and int(index) < len(self.params)):
            raise ValueError(f"{key}: there is no such parameter among {len(self.params)}")
        data = self.params[int(index)].data
        if array.shape != data.shape:
            raise ValueError(f"{key} has shape {array.shape}, its parameter has {data.shape}")
        return np.array(array, dtype=data.dtype, order="C")

    def state_arrays(self) -> dict[str, Array]:
        """Return copies of the running arrays, named ``<name>/<position in params>``."""
        return {key: array.copy() for key, array in self._arrays.items()}

    def state_scalars(self) -> dict[str, Any]:
        """Return the rest of the state as JSON holds it: class, learning rate, steps taken."""
        return {"optimizer": type(self).__name__, "lr": self.lr, "steps": list(self._steps)}

    def load_state(self, arrays: Mapping[str, Array], scalars: Mapping[str, Any]) -> None:
        """Go on from what ``state_arrays()`` and ``state_scalars()`` returned.

        Raises
        ------
        ValueError
            If the state is another optimizer's or belongs to other parameters; nothing has been
            changed then.
        """
        if scalars.get("optimizer") != type(self).__name__:
            raise ValueError(
                f"the state is of {scalars.get('optimizer')}, this optimizer is "
                f"{type(self).__name__}: make the one that was saved, or start without its state"
            )
        steps = [int(count) for count in scalars.get("steps", [])]
        if len(steps) != len(self.params):
            raise ValueError(
                f"the state is for {len(steps)} parameters, here are {len(self.params)}"
            )
        own = {key: self._as_state(key, array) for key, array in arrays.items()}
        self.lr = non_negative("lr", scalars.get("lr", math.nan))
        self._steps, self._arrays = steps, own

    def state_dict(self) -> dict[str, Any]:
        """Return ``state_arrays()`` and ``state_scalars()`` in one dict."""
        return {**self.state_arrays(), **self.state_scalars()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict()`` returned; raises as ``load_state`` does."""
        arrays = {key: value for key, value in state.items() if isinstance(value, np.ndarray)}
        scalars = {key: value for key, value in state.items() if key not in arrays}
        self.load_state(arrays, scalars)


def non_negative(name: str, value: float) -> float:
    """Return `value` if it is a finite number of at least 0, else raise ValueError."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be a finite number of at least 0, not {value}")
    return float(value)
