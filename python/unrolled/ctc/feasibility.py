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


def require_room_for_target(
    item: int, frames: int, needed: int, length: int, *, has_blanks: bool, remedy: str
) -> None:
    """Raise if a target cannot be laid over its frames; `remedy` is what else could be passed.

    Raises
    ------
    ValueError
    """
    if not has_blanks and length == 0 and frames > 0:
        raise ValueError(
            f"item {item}: its target is empty, and without a blank nothing can take its {frames} "
            f"frames; give it a target, or pass {remedy}"
        )
    if frames >= needed:
        return
    blanks = f" and {needed - length} blanks between repeats" if needed > length else ""
    raise ValueError(
        f"item {item}: {frames} frames are too few for its target, which needs {needed} "
        f"({length} symbols{blanks}); give it more frames or a shorter target, or pass {remedy}"
    )
