"""Learning rates as pure functions of the step, so that resumed training needs no state.

A schedule is called with the number of steps taken so far, 0 for the first, and returns the
learning rate of the next; past its last step it keeps the final value.

Examples
--------
>>> schedule = Cosine(lr=0.1, total_steps=100, warmup_steps=10)
>>> [round(schedule(step), 3) for step in (0, 9, 10, 55, 100, 1000)]
[0.01, 0.1, 0.1, 0.05, 0.0, 0.0]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Schedule = Callable[[int], float]


@dataclass(frozen=True)
class Constant:
    """The same learning rate at every step.

    Parameters
    ----------
    lr : float
        The learning rate.
    """

    lr: float

    def __call__(self, step: int) -> float:
        """Return the learning rate of step number `step`, counted from 0."""
        return self.lr


@dataclass(frozen=True)
class StepDecay:
    """The learning rate times `gamma` after every `step_size` steps.

    Parameters
    ----------
    lr : float
        The learning rate of the first steps.
    step_size : int
        Steps between two changes.
    gamma : float
        Factor of a change.
    """

    lr: float
    step_size: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        _require_steps("step_size", self.step_size)

    def __call__(self, step: int) -> float:
        """Return the learning rate of step number `step`, counted from 0."""
        return self.lr * self.gamma ** (step // self.step_size)


@dataclass(frozen=True)
class Warmup:
    """Another schedule whose first steps rise evenly to its own value.

    Parameters
    ----------
    schedule : callable
        The schedule to follow, called with the same step.
    warmup_steps : int
        Step ``warmup_steps - 1`` is the first with the full learning rate.
    """

    schedule: Schedule
    warmup_steps: int

    def __post_init__(self) -> None:
        _require_steps("warmup_steps", self.warmup_steps)

    def __call__(self, step: int) -> float:
        """Return the learning rate of step number `step`, counted from 0."""
        return self.schedule(step) * min(1.0, (step + 1) / self.warmup_steps)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from `lr` down to `final_lr`, after an even rise.

    Parameters
    ----------
    lr : float
        The highest learning rate.
    total_steps : int
        The step at which `final_lr` is reached.
    warmup_steps : int
        Steps of the rise to `lr`.
    final_lr : float
        Where it ends.

    References
    ----------
    Loshchilov, Hutter: SGDR: stochastic gradient descent with warm restarts (2017), equation 5.
    """

    lr: float
    total_steps: int
    warmup_steps: int = 0
    final_lr: float = 0.0

    def __post_init__(self) -> None:
        _require_steps("total_steps", self.total_steps)
        if not 0 <= self.warmup_steps < self.total_steps:
            raise ValueError(
                f"warmup_steps must lie in [0, total_steps={self.total_steps}), "
                f"not {self.warmup_steps}"
            )

    def __call__(self, step: int) -> float:
        """Return the learning rate of step number `step`, counted from 0."""
        if step < self.warmup_steps:
            return self.lr * (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / (self.total_steps - self.warmup_steps)
        return _cosine(self.lr, self.final_lr, done)


@dataclass(frozen=True)
class OneCycle:
    """Half a cosine up from ``max_lr / div_factor``, then one down to almost nothing.

    Parameters
    ----------
    max_lr : float
        The highest learning rate.
    total_steps : int
        Number of steps of the cycle; the last is step ``total_steps - 1``.
    pct_start : float
        Part of the cycle that rises, above 0 and below 1.
    div_factor : float
        `max_lr` over the first learning rate.
    final_div_factor : float
        First learning rate over the last.

    References
    ----------
    Smith, Topin: Super-convergence: very fast training of neural networks using large learning
    rates (2018). Defaults and corners as in PyTorch's OneCycleLR.
    """

    max_lr: float
    total_steps: int
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def __post_init__(self) -> None:
        _require_steps("total_steps", self.total_steps)
        if not 0 < self.pct_start < 1:
            raise ValueError(f"pct_start must lie between 0 and 1, not {self.pct_start}")

    def __call__(self, step: int) -> float:
        """Return the learning rate of step number `step`, counted from 0."""
        first = self.max_lr / self.div_factor
        peak = self.pct_start * self.total_steps - 1
        if step < peak:
            return _cosine(first, self.max_lr, step / peak)
        done = (step - peak) / (self.total_steps - 1 - peak)
        return _cosine(self.max_lr, first / self.final_div_factor, done)


def _cosine(start: float, end: float, done: float) -> float:
    """Return the point on half a cosine from `start` (done = 0) to `end` (done = 1 or later)."""
    return end + (start - end) * (1 + math.cos(math.pi * min(done, 1.0))) / 2


def _require_steps(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}")
