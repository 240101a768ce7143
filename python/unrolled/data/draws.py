"""Random numbers for whole batches, in which every item has its own, wherever it stands."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio


class Draws:
    """Random numbers that are a pure function of (seed, epoch, index), drawn for many indices.

    A NumPy generator for each item costs more than what is done with its numbers; here they are
    computed for a whole batch at once, from counters, so that an item gets the same numbers
    alone, in any batch and in any order.

    Parameters
    ----------
    seed, epoch : int
        At least 0.
    indices : array-like of int (n)
        The items, at least 0.

    Notes
    -----
    The generator is SplitMix64 with one stream an item (G. Steele, D. Lea, C. Flood: Fast
    splittable pseudorandom number generators, 2014).

    Examples
    --------
    >>> together = Draws(0, 3, [7, 8, 9]).uniform(0, 1)
    >>> bool(together[1] == Draws(0, 3, [8]).uniform(0, 1)[0])
    True
    """

    def __init__(self, seed: int, epoch: int, indices: ArrayLike) -> None:
        # The spawn key sets this stream apart from the loader's own (0) and those of its items.
        sequence = np.random.SeedSequence([seed, epoch], spawn_key=(1,))
        start = sequence.generate_state(1, np.uint64)
        self._keys = _mixed(start ^ _mixed(np.asarray(indices).astype(np.uint64) * _GOLDEN))
        self._drawn = 0

    def __len__(self) -> int:
        """Count the items."""
        return len(self._keys)

    def uniform(self, low: float, high: float, *shape: int) -> NDArray[np.float64]:
        """Draw numbers (n, *shape), evenly from [low, high)."""
        # The highest 53 bits as a fraction: every float64 of that spacing is equally likely.
        fractions = (self._bits(shape) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return low + (high - low) * fractions

    def integers(self, low: int, high: int, *shape: int) -> NDArray[np.int64]:
        """Draw integers (n, *shape), evenly from low to high, both included."""
        places: NDArray[Any] = np.floor(self.uniform(0, high - low + 1, *shape))
        return low + places.astype(np.int64)

    def normal(self, deviation: float, *shape: int) -> NDArray[np.float64]:
        """Draw numbers (n, *shape) from a normal distribution around 0 (Box and Muller 1958)."""
        radius = np.sqrt(-2 * np.log1p(-self.uniform(0, 1, *shape)))
        angle = self.uniform(0, 2 * np.pi, *shape)
        numbers: NDArray[np.float64] = deviation * radius * np.cos(angle)
        return numbers

    def _bits(self, shape: tuple[int, ...]) -> NDArray[np.uint64]:
        count = int(np.prod(shape, dtype=np.int64))
        counters = np.arange(self._drawn + 1, self._drawn + 1 + count).astype(np.uint64)
        self._drawn += count
        return _mixed(self._keys[:, None] + counters * _GOLDEN).reshape(len(self), *shape)


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit over all others (SplitMix64's finaliser, variant 13 of D. Stafford)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
