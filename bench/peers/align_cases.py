"""The forced alignments that are measured, with the ratios and limits asked of ours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class AlignCase:
    frames: int
    classes: int
    length: int
    goal: float | None = None  # time, against the peer on one thread
    megabytes: float | None = None  # above the emissions, at most
    seconds: float | None = None  # at most, one thread
    rounds: int | None = None  # at most, where a call of the peer takes seconds

    @property
    def name(self) -> str:
        return f"{self.frames},{self.classes},{self.length}"

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return log probabilities (T, C) in float32 and the target (L,), class 0 the blank."""
        return _arrays(self)


@lru_cache(maxsize=1)
def _arrays(case: AlignCase) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((case.frames, case.classes), dtype=np.float32)
    for start in range(0, case.frames, 4096):  # so that little memory is left behind
        rows = scores[start : start + 4096]
        rows -= np.log(np.exp(rows).sum(axis=1, keepdims=True))
    return scores, rng.integers(1, case.classes, case.length)


JUDGED = [
    AlignCase(1500, 32, 200, goal=15),
    AlignCase(10000, 32, 1200, goal=30),
    AlignCase(60000, 32, 8000, goal=40, megabytes=20, rounds=3),
]

HOUR = AlignCase(180000, 32, 54000, megabytes=100, seconds=2, rounds=5)

THREADS_GOAL = 1.6  # two threads against one, on one long item
