"""How much each step of a sequence counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.models.recurrent import is_frame

StepWeights = str | Sequence[float]

#: By name; any others are given as a list w_0, w_1, ...
NAMES = ("last", "equal", "rising")


def check_step_weights(weights: StepWeights) -> StepWeights:
    """Return weights as a model keeps them.

    Raises
    ------
    TypeError, ValueError
        If they are neither a name nor a list of finite numbers of at least 0.
    """
    if isinstance(weights, str):
        if weights not in NAMES:
            known = ", ".join(map(repr, NAMES))
            raise ValueError(f"step_weights must be {known} or a list, not {weights!r}")
        return weights
    numbers = [float(weight) for weight in weights]
    if not numbers or not all(0 <= number < np.inf for number in numbers):
        raise ValueError(f"step_weights must be numbers of at least 0, not {list(weights)}")
    return numbers


def weigh_steps(
    weights: StepWeights, lengths: NDArray[np.int64], frames: int, dtype: Any = np.float32
) -> NDArray[Any]:
    """Return the weight of each step, (N, T): they sum to 1 over a sequence, 0 on padding.

    Parameters
    ----------
    weights : {"last", "equal", "rising"} or list of float
        Only the last step counts, all count alike, later ones more in proportion to their
        place, or step t counts ``weights[t]``.
    lengths : ndarray of int64 (N)
    frames : int
        T.
    dtype
        Of the result.

    Raises
    ------
    ValueError
        If a sequence is longer than the list, or its weights are all 0.

    Examples
    --------
    >>> weigh_steps("rising", np.array([2, 3]), 3, np.float64).round(2).tolist()
    [[0.33, 0.67, 0.0], [0.17, 0.33, 0.5]]
    """
    steps = np.arange(frames)
    if isinstance(weights, str):
        if weights == "last":
            return (steps == lengths[:, None] - 1).astype(dtype)
        values = np.ones(frames) if weights == "equal" else steps + 1.0
    else:
        values = _listed(weights, lengths, frames)
    each = np.where(is_frame(lengths, frames), values, 0)
    sums = each.cumsum(axis=1)[:, -1:]  # in the order of steps: padding changes no bit
    if not sums.all():
        item = int(np.argmin(sums))
        raise ValueError(f"step_weights of item {item}, {lengths[item]} frame(s), are all 0")
    return (each / sums).astype(dtype)


def _listed(
    weights: Sequence[float], lengths: NDArray[np.int64], frames: int
) -> NDArray[np.float64]:
    longest = int(lengths.max(initial=0))
    if longest > len(weights):
        raise ValueError(
            f"step_weights has {len(weights)} weight(s), but a sequence has {longest} frames: "
            "give one for each step"
        )
    return np.array([*weights, *[0.0] * frames][:frames])
