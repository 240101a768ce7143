"""Ragged batches and weights that the tests of the LSTM share."""

from __future__ import annotations

import zlib
from functools import cache
from typing import NamedTuple

import numpy as np

DTYPES = ["float32", "float64"]


class Problem(NamedTuple):
    lengths: tuple[int, ...] | None
    T: int
    D: int
    H: int
    directions: int
    bias: bool = True
    N: int = 0

    @property
    def items(self):
        return len(self.lengths) if self.lengths is not None else self.N

    def __str__(self):
        bias = "" if self.bias else "-nobias"
        lengths = f"N{self.N}" if self.lengths is None else "-".join(map(str, self.lengths))
        return f"T{self.T}D{self.D}H{self.H}x{self.directions}{bias}[{lengths}]"


@cache
def data(problem):
    """Return x, weights, h0, c0 and the three upstream gradients, as float32 numbers."""
    rng = np.random.default_rng(zlib.crc32(str(problem).encode()))
    N, T, D, H, directions = problem.items, problem.T, problem.D, problem.H, problem.directions

    def draw(*shape, scale=1.0):
        return (scale * rng.standard_normal(shape)).astype(np.float32)

    weights = [
        (
            draw(4 * H, D, scale=D**-0.5),
            draw(4 * H, H, scale=H**-0.5),
            draw(4 * H) if problem.bias else None,
            draw(4 * H) if problem.bias else None,
        )
        for _ in range(directions)
    ]
    state = (directions, N, H)
    return (
        draw(N, T, D),
        weights,
        draw(*state),
        draw(*state),
        (draw(N, T, directions * H), draw(*state), draw(*state)),
    )


def typed(value, dtype):
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        return type(value)(typed(item, dtype) for item in value)
    return value.astype(dtype)


def run(function, problem, dtype):
    x, weights, h0, c0, _ = typed(data(problem), dtype)
    return function(x, weights, h0=h0, c0=c0, lengths=problem.lengths)


RAGGED = Problem((7, 0, 19, 1, 13, 19, 2), 21, 10, 17, 2)
