"""The CTC losses that are measured, with the ratios asked of ours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class CtcCase:
    frames: int
    batch: int
    classes: int
    length: int
    goal: float  # loss and gradient, against PyTorch
    gradient_gate: float = 1e-5  # absolute, against float64
    scale: float | None = None  # logits of +-scale instead of normal ones
    rounds: int | None = None  # at most, where a call of PyTorch takes seconds

    @property
    def name(self) -> str:
        sizes = f"{self.frames},{self.batch},{self.classes},{self.length}"
        return sizes if self.scale is None else f"exact {sizes}, logits +-{self.scale:g}"

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return log probabilities (N, T, C) in float32 and targets (N, L), class 0 the blank."""
        return _arrays(self)


@lru_cache(maxsize=1)
def _arrays(case: CtcCase) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    shape = (case.batch, case.frames, case.classes)
    if case.scale is None:
        scores = rng.standard_normal(shape, dtype=np.float32)
    else:
        scores = rng.choice(np.float32([-case.scale, case.scale]), shape)
    scores -= scores.max(axis=2, keepdims=True)
    scores -= np.log(np.exp(scores).sum(axis=2, keepdims=True))
    return scores, rng.integers(1, case.classes, (case.batch, case.length))


CASES = [
    CtcCase(150, 16, 29, 20, goal=20),
    CtcCase(500, 32, 32, 60, goal=55),
    CtcCase(1000, 8, 5000, 100, goal=10),
    CtcCase(200, 64, 80, 30, goal=28),
    CtcCase(20000, 1, 32, 2000, goal=40, gradient_gate=2e-5, rounds=3),
    # Half of the classes are out of reach at each frame: sums without a logarithm run out of range.
    CtcCase(500, 32, 32, 60, goal=10, scale=50),
]

LOSS_GATE = 1e-6  # relative
