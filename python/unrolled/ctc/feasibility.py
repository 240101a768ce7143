"""Whether a target has an alignment at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import as_indices


def required_frames(target: Sequence[int] | NDArray[np.int64]) -> int:
    """Count the frames that `target` needs: its symbols, and a blank between equal neighbours.

    >>> required_frames([1, 1, 2])
    4
    """
    tokens = as_indices(target, "target", ndim=1)
    return int(tokens.size + np.count_nonzero(tokens[1:] == tokens[:-1]))
