"""PyTorch's initial values, drawn from `unrolled.random`."""

from __future__ import annotations

import math

import numpy as np

from unrolled.nn.module import Parameter
from unrolled.random import generator


def uniform(shape: tuple[int, ...], fan: int) -> Parameter:
    """Draw a float32 parameter evenly from ±1/sqrt(fan)."""
    bound = 1 / math.sqrt(fan) if fan > 0 else 0.0
    return Parameter(generator().uniform(-bound, bound, shape).astype(np.float32))
