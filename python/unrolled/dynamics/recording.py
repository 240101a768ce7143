"""What goes into the recurrent layers of a model as it runs, and which gradients come back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import nn
from unrolled.autograd import Function
from unrolled.dynamics.stack import Stack, as_array, is_recurrent, stack_of

Array = NDArray[Any]

__all__ = ["Call", "record_calls", "recurrent_layers"]


@dataclass(eq=False)
class Call:
    """One call of a layer.

    Attributes
    ----------
    stack : Stack
        The layer, with copies of the weights that it had.
    x : array (N, T, D)
    lengths : array (N), optional
    state : as the layer takes it, or None
    grads : dict of array
        By what the layer returned, ``output``, ``h_n`` and ``c_n``: dLoss by it, once the loss
        has been propagated back.
    """

    stack: Stack
    x: Array
    lengths: Any
    state: Any
    grads: dict[str, Array] = field(default_factory=dict)


def recurrent_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Find the recurrent layers of a model by their names.

    Examples
    --------
    >>> from unrolled import nn
    >>> list(recurrent_layers(nn.Sequential(nn.Linear(2, 3), nn.LSTM(3, 4))))
    ['1']
    """
    return {name: module for name, module in model.named_modules() if is_recurrent(module)}


@contextlib.contextmanager
def record_calls(layers: Mapping[str, nn.Module]) -> Iterator[dict[str, list[Call]]]:
    """Keep what the layers are given while the block runs, and the gradients that come back.

    Parameters
    ----------
    layers : dict of recurrent layers by name

    Yields
    ------
    dict of list of Call
        By name; filled as the layers are called.

    Raises
    ------
    ValueError
        In the block, at the call of a layer that `stack_of` refuses.
    """
    calls: dict[str, list[Call]] = {name: [] for name in layers}
    try:
        for name, layer in layers.items():
            # The instance's attribute stands before the class's method.
            layer.forward = _recorder(layer, calls[name])  # type: ignore[method-assign]
        yield calls
    finally:
        for layer in layers.values():
            vars(layer).pop("forward", None)


class _Watched(Function):
    """Hands an array through, and keeps its gradient."""

    def forward(self, value: Array, *, grads: dict[str, Array], name: str) -> Array:
        self.grads, self.name = grads, name
        return value

    def backward(self, grad: Array | None, **_: Any) -> Array | None:
        if grad is not None:
            self.grads[self.name] = np.array(grad)
        return grad


def _recorder(layer: nn.Module, calls: list[Call]) -> Any:
    forward = layer.forward

    def recording(x: Any, state: Any = None, lengths: Any = None, **options: Any) -> Any:
        call = Call(stack_of(layer), np.array(as_array(x)), lengths, _arrays(state))
        calls.append(call)
        output, after, *more = forward(x, state, lengths, **options)
        output = _Watched.apply(output, grads=call.grads, name="output")
        parts = after if isinstance(after, (tuple, list)) else (after,)
        watched = tuple(
            _Watched.apply(part, grads=call.grads, name=name)
            for part, name in zip(parts, ("h_n", "c_n"), strict=False)
        )
        return (output, watched if isinstance(after, (tuple, list)) else watched[0], *more)

    return recording


def _arrays(state: Any) -> Any:
    if state is None:
        return None
    if isinstance(state, (tuple, list)):
        return tuple(np.array(as_array(part)) for part in state)
    return np.array(as_array(state))
