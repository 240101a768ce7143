"""Modules made of modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unrolled.nn.fusion import Plan
from unrolled.nn.module import Module, attributes_now


class Sequential(Module):
    """Modules run one after the other; parts are named ``0``, ``1``, ...

    Some neighbours are computed as one, with the same bits: a ReLU within the layer beside it, a
    convolution with its max pooling. `ReLU` and `MaxPool2d` themselves are then not called.

    Parameters
    ----------
    *modules : Module
        Each gets the output of the one before.

    Raises
    ------
    TypeError
        If an argument is not a module.

    Examples
    --------
    >>> from unrolled import nn
    >>> net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> net[0].weight.shape, len(net), net([[1.0, 2.0, 3.0]]).shape
    ((8, 3), 3, (1, 2))
    """

    _plan = Plan()  # how to run the modules, until an attribute of any module changes

    def __init__(self, *modules: Module) -> None:
        for position, module in enumerate(modules):
            if not isinstance(module, Module):
                raise TypeError(
                    f"module {position} of Sequential is a {type(module).__name__}, not a Module"
                )
            setattr(self, str(position), module)

    def forward(self, x: Any) -> Any:
        """Run the modules in their order; neighbours as one where that gives the same bits."""
        plan, now = self._plan, attributes_now()
        if plan.of is not now:
            plan = vars(self)["_plan"] = Plan(list(iter(self)), now)
        for step in plan.steps:
            x = step(x)
        return x

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Module]:
        return (part for part in vars(self).values() if isinstance(part, Module))

    def __getitem__(self, position: int) -> Module:
        return list(self)[position]
