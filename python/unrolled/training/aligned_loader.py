"""Batches with an alignment for every item."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled.data import Loader


class AlignedBatch(NamedTuple):
    """A batch of the loader, and the states (frames,) of each of its items."""

    batch: Any
    states: list[NDArray[np.int32]]


class AlignedLoader(Loader):
    """The batches of another loader, in its order, with alignments of the items.

    An alignment belongs to an item as it was drawn: all epochs of a round have the items of one
    epoch, `drawn`, whatever the transform does at random.

    Parameters
    ----------
    loader : Loader

    Attributes
    ----------
    states : list of ndarray of int32
        One alignment for each item of the data set.
    drawn : int
        The epoch whose items the alignments are of.
    """

    def __init__(self, loader: Loader) -> None:
        super().__init__(loader.dataset, loader.batch_size, drop_last=loader.drop_last)
        self.loader = loader
        self.states: list[NDArray[np.int32]] = []
        self.drawn = 0

    def indices(self, epoch: int) -> list[list[int]]:
        """Return the items of every batch, as the other loader does."""
        return self.loader.indices(epoch)

    def make_batch(self, epoch: int, indices: list[int]) -> AlignedBatch:
        """Make a batch of the items as they were aligned."""
        batch = self.loader.make_batch(self.drawn, indices)
        return AlignedBatch(batch, [self.states[index] for index in indices])

    def all_indices(self) -> list[list[int]]:
        """Return batches of all items, those that `drop_last` leaves out as well."""
        batches = self.loader.indices(self.drawn)
        left = sorted(set(range(len(self.dataset))).difference(*batches))
        return batches + ([left] if left else [])
