"""Layers that take over the ReLU beside them: the same bits in fewer passes over memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from unrolled.nn.activation import ReLU
from unrolled.nn.conv import Conv1d, Conv2d
from unrolled.nn.linear import Linear
from unrolled.nn.module import Module
from unrolled.nn.pool import MaxPool1d, MaxPool2d

# Exactly these: what a subclass computes is its own affair.
_POOLS = (MaxPool1d, MaxPool2d)
_LAYERS = (Conv1d, Conv2d, Linear, *_POOLS)


def fused(modules: Sequence[Module]) -> list[Callable[[Any], Any]]:
    """Return what to call one after the other, each with the output of the one before."""
    steps: list[Callable[[Any], Any]] = []
    place = 0
    while place < len(modules):
        layer = _relu_taker(modules[place : place + 3])
        steps.append(modules[place] if layer is None else layer.with_relu)
        place += 1 if layer is None else 2
    return steps


def _relu_taker(modules: Sequence[Module]) -> Any:
    """Return which of the first two modules does the work of both, if the other is a ReLU."""
    if len(modules) < 2:
        return None
    first, second = modules[:2]
    if _is(first, (ReLU,)):
        return second if _pools_before_relu(second) else None
    if _is(first, _LAYERS) and _is(second, (ReLU,)):
        # A pooling that follows has fewer values to look at.
        return None if len(modules) > 2 and _pools_before_relu(modules[2]) else first
    return None


def _pools_before_relu(module: Any) -> bool:
    return _is(module, _POOLS) and bool(module.relu_commutes)


def _is(module: Module, kinds: tuple[type, ...]) -> bool:
    return type(module) in kinds and "forward" not in vars(module)
