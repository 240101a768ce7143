"""Neighbours in a `Sequential` that are computed as one: the same bits, less traffic of memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from unrolled.nn.activation import ReLU
from unrolled.nn.conv import Conv1d, Conv2d
from unrolled.nn.conv_pool import ConvMaxPool, can_join
from unrolled.nn.linear import Linear
from unrolled.nn.module import Module
from unrolled.nn.pool import MaxPool1d, MaxPool2d

Step = Callable[[Any], Any]

# Exactly these: what a subclass computes is its own affair.
_POOLS = (MaxPool1d, MaxPool2d)
_TAKE_RELU = (Conv1d, Conv2d, Linear, *_POOLS)


class Plan:
    """What to call one after the other in place of modules, as they were at some time.

    Attributes
    ----------
    steps : list of callable
    of : object
        What `attributes_now` said then; a copy of a plan is empty and of no time.
    """

    __slots__ = ("of", "steps")

    def __init__(self, modules: Sequence[Module] = (), of: object = None) -> None:
        self.steps, self.of = fused(modules), of

    def __reduce__(self) -> tuple[type[Plan], tuple[()]]:
        return Plan, ()


def fused(modules: Sequence[Module]) -> list[Step]:
    """Return what to call one after the other, each with the output of the one before."""
    steps: list[Step] = []
    place = 0
    while place < len(modules):
        step, count = _first_step(modules[place:])
        steps.append(step)
        place += count
    return steps


def _first_step(modules: Sequence[Module]) -> tuple[Step, int]:
    """Return the first step and the number of modules it stands for."""
    layer: Any = modules[0]
    pool, relu, count = _pooling(modules[1:]) if _is(layer, (Conv2d,)) else (None, False, 0)
    if pool is not None and _is(pool, (MaxPool2d,)) and can_join(layer, pool):
        return ConvMaxPool(layer, pool, "relu" if relu else None), 1 + count
    pool, relu, count = _pooling(modules)
    if pool is not None:
        return (pool.with_relu if relu else pool), count
    relu = len(modules) > 1 and _is(layer, _TAKE_RELU) and _is(modules[1], (ReLU,))
    if relu and _pooling(modules[1:])[0] is None:  # which has fewer values to look at
        return layer.with_relu, 2
    return layer, 1


def _pooling(modules: Sequence[Module]) -> tuple[Any, bool, int]:
    """Return the max pooling that comes first, whether with a ReLU, and how many modules it is.

    A ReLU before it is one behind it, as long as no window lies in the border alone.
    """
    before = bool(modules) and _is(modules[0], (ReLU,))
    pool: Any = modules[before] if len(modules) > before else None
    if pool is None or not _is(pool, _POOLS) or (before and not pool.relu_commutes):
        return None, False, 0
    behind = len(modules) > before + 1 and _is(modules[before + 1], (ReLU,))
    return pool, before or behind, 1 + before + behind


def _is(module: Module, kinds: tuple[type, ...]) -> bool:
    return type(module) in kinds and "forward" not in vars(module)
