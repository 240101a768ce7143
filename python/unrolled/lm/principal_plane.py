"""The plane on which vectors differ most."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def principal_plane(vectors: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the first two principal components of rows (n, D): places (n, 2), shares (2)."""
    centred = np.asarray(vectors, np.float64)
    centred = centred - centred.mean(0)
    u, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    places, shares = np.zeros((len(centred), 2)), np.zeros(2)
    kept = min(2, len(sizes))
    places[:, :kept] = u[:, :kept] * sizes[:kept]
    shares[:kept] = sizes[:kept] ** 2 / max((sizes**2).sum(), np.finfo(np.float64).tiny)
    largest = places[np.abs(places).argmax(0), [0, 1]]
    return places * np.where(largest < 0, -1.0, 1.0), shares
