"""The recurrent layers that are measured, with the ratios asked of ours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GATES = {"rnn": 1, "lstm": 4, "gru": 3}


@dataclass(frozen=True)
class RecurrentCase:
    cell: str  # rnn (tanh), lstm, gru
    batch: int
    frames: int
    inputs: int
    hidden: int
    layers: int = 1
    directions: int = 1
    shortest: int | None = None  # lengths from here to `frames`; None: all of them
    goal: float | None = None  # forward + backward, against PyTorch on the same frames
    padded_goal: float | None = None  # against PyTorch on the padded batch

    @property
    def name(self) -> str:
        form = f"{self.layers} layers " * (self.layers > 1) + "both ways " * (self.directions > 1)
        ragged = "" if self.shortest is None else f" lengths {self.shortest}..{self.frames}"
        sizes = f"{self.batch},{self.frames},{self.inputs},{self.hidden}"
        return f"{self.cell} {form}{sizes}{ragged}"

    def lengths(self) -> np.ndarray:
        shortest = self.frames if self.shortest is None else self.shortest
        spread = np.linspace(shortest, self.frames, self.batch).round().astype(np.int64)
        return np.random.default_rng(1).permutation(spread)

    def flops(self, pass_name: str) -> float:
        """Of the matrix products on frames that are not padding."""
        total = 0
        for layer in range(self.layers):
            inputs = self.inputs if layer == 0 else self.directions * self.hidden
            total += self.directions * GATES[self.cell] * self.hidden * (inputs + self.hidden)
        forward = 2.0 * total * int(self.lengths().sum())
        return forward if pass_name == "forward" else 3 * forward

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return x and the gradient of the output."""
        rng = np.random.default_rng(0)
        frames = (self.batch, self.frames)
        shapes = ((*frames, self.inputs), (*frames, self.directions * self.hidden))
        x, grad = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
        return x, grad


_GOALS = {  # batch 1, 16, 32
    "rnn": (12, 1.8, 1.3),
    "lstm": (1.6, 1.05, 0.97),
    "gru": (12, 1.9, 1.5),
}
_SIZES = ((1, 100, 64, 128), (16, 100, 80, 256), (32, 200, 256, 512))

LAYERS = [
    *(
        RecurrentCase(cell, *sizes, goal=goal)
        for cell, goals in _GOALS.items()
        for sizes, goal in zip(_SIZES, goals, strict=True)
    ),
    *(RecurrentCase(cell, 64, 50, 128, 128) for cell in _GOALS),
    RecurrentCase("lstm", 16, 200, 80, 256, layers=2, directions=2),
    RecurrentCase(
        "lstm", 16, 200, 80, 256, layers=2, directions=2, shortest=60, goal=4, padded_goal=1.4
    ),
]

STEP = RecurrentCase("lstm", 1, 1, 256, 256, goal=3)
