"""Setting items aside to validate with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def split_by_class(
    labels: NDArray[Any],
    fraction: float,
    seed: int = 0,
    classes: Sequence[str] | None = None,
    item: str = "image",
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose a share of the items of every class at random, at least one of each.

    Parameters
    ----------
    labels : ndarray of int (N)
    fraction : float
        Share between 0 and 1.
    seed : int
    classes : sequence of str, optional
        Names for the message.
    item : str
        What the message calls an item.

    Returns
    -------
    (ndarray of int64, ndarray of int64)
        Positions of the other items and of the chosen ones, each rising.

    Raises
    ------
    ValueError
        If the fraction is not between 0 and 1, or all items of a class would be chosen.

    Examples
    --------
    >>> rest, chosen = split_by_class(np.array([0, 0, 0, 0, 1, 1]), 0.25)
    >>> len(rest), len(chosen)
    (4, 2)
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction is {fraction}; it must be between 0 and 1")
    rng = np.random.Generator(np.random.PCG64(seed))
    chosen = []
    for label in np.unique(labels).tolist():
        places = np.flatnonzero(labels == label)
        count = max(1, round(fraction * len(places)))
        if count >= len(places):
            name = label if classes is None else classes[label]
            raise ValueError(
                f"class {name} has {len(places)} {item}(s), too few to set a share of "
                f"{fraction:g} aside; add {item}s or take a smaller share"
            )
        chosen.append(rng.permutation(places)[:count])
    held = np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)
    rest = np.setdiff1d(np.arange(len(labels)), held)
    return rest.astype(np.int64), held.astype(np.int64)
