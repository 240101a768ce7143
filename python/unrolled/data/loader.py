"""`Loader`: batches whose order depends on nothing but seed and epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

CHUNK_BATCHES = 50  # bucketing sorts within this many batches, so that epochs still differ

Transform = Callable[[Any, np.random.Generator], Any]


class Loader:
    """Batches of a data set, in an order that is a pure function of seed and epoch.

    So training that stopped in the middle of an epoch goes on from ``(epoch, batch)`` exactly as
    it would have: there is no other state.

    Parameters
    ----------
    dataset : sequence
        Anything with ``len()`` and integer indices.
    batch_size : int
        Items of a batch; the last one of an epoch may have fewer.
    shuffle : bool
        Whether every epoch has an order of its own.
    bucket_by_length : bool
        Whether batches hold items of similar length, which saves padding: chunks of 50 batches
        are sorted by length, then the batches are shuffled if `shuffle` is set.
    seed : int
        Start of all randomness of the loader, at least 0.
    transform : callable, optional
        ``transform(item, rng)`` is called for each item that comes up; `rng`, a NumPy generator,
        depends on seed, epoch and the item's index alone.
    collate : callable, optional
        Makes the batch from the list of items; `stack_items` when not given.
    length : callable, optional
        ``length(item)`` for bucketing, of items before `transform`; when not given ``len(item)``,
        or ``len(item[0])`` if items are tuples.
    drop_last : bool
        Whether to leave out a last batch that is not full.

    Raises
    ------
    ValueError
        If `dataset` is empty, or smaller than one batch with `drop_last`, or a number is out of
        its range.

    Examples
    --------
    >>> loader = Loader(range(5), batch_size=2)
    >>> [batch.tolist() for batch in loader.batches(epoch=0)]
    [[0, 1], [2, 3], [4]]
    >>> [batch.tolist() for batch in loader.batches(epoch=0, start=2)]
    [[4]]
    """

    def __init__(
        self,
        dataset: Sequence[Any],
        batch_size: int,
        shuffle: bool = False,
        bucket_by_length: bool = False,
        *,
        seed: int = 0,
        transform: Transform | None = None,
        collate: Callable[[list[Any]], Any] | None = None,
        length: Callable[[Any], int] | None = None,
        drop_last: bool = False,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        if seed < 0:
            raise ValueError(f"seed must be at least 0, not {seed}")
        if len(dataset) < (batch_size if drop_last else 1):
            raise ValueError(
                f"dataset has {len(dataset)} items, too few for one batch"
                + (f" of {batch_size} with drop_last=True" if drop_last else "")
            )
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.bucket_by_length = bucket_by_length
        self.seed = seed
        self.transform = transform
        self.collate = stack_items if collate is None else collate
        self.length = item_length if length is None else length
        self.drop_last = drop_last
        self._lengths: np.ndarray[Any, Any] | None = None
        self._next_epoch = 0

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full if self.drop_last or rest == 0 else full + 1

    def __iter__(self) -> Iterator[Any]:
        """Return the batches of the next epoch: 0 at the first call, then 1, ..."""
        epoch, self._next_epoch = self._next_epoch, self._next_epoch + 1
        return self.batches(epoch)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """Return the batches of one epoch, from batch number `start` on.

        Parameters
        ----------
        epoch : int
            At least 0.
        start : int
            In ``[0, len(loader)]``; the batches before it are not read.

        Raises
        ------
        ValueError
            If `epoch` or `start` is out of its range.
        """
        indices = self.indices(epoch)
        if not 0 <= start <= len(indices):
            raise ValueError(f"start must lie in [0, {len(indices)}], not {start}")
        return (self.make_batch(epoch, batch) for batch in indices[start:])

    def indices(self, epoch: int) -> list[list[int]]:
        """Return, for every batch of an epoch, the indices of its items in the data set.

        Raises
        ------
        ValueError
            If `epoch` is negative.
        """
        if epoch < 0:
            raise ValueError(f"epoch must be at least 0, not {epoch}")
        # The spawn key sets this stream apart from that of item 0: SeedSequence pads with zeros.
        rng = _generator(np.random.SeedSequence([self.seed, epoch], spawn_key=(0,)))
        count = len(self.dataset)
        order = rng.permutation(count) if self.shuffle else np.arange(count)
        if self.bucket_by_length:
            order = self._sort_in_chunks(order)
        batches = [
            order[first : first + self.batch_size].tolist()
            for first in range(0, count, self.batch_size)
        ][: len(self)]
        if self.shuffle and self.bucket_by_length:
            batches = [batches[position] for position in rng.permutation(len(batches))]
        return batches

    def _sort_in_chunks(self, order: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        if self._lengths is None:
            self._lengths = np.array([self.length(item) for item in self._items()])
        size = CHUNK_BATCHES * self.batch_size
        chunks = [order[first : first + size] for first in range(0, len(order), size)]
        return np.concatenate(
            [chunk[np.argsort(self._lengths[chunk], kind="stable")] for chunk in chunks]
        )

    def _items(self) -> Iterator[Any]:
        return (self.dataset[index] for index in range(len(self.dataset)))

    def make_batch(self, epoch: int, indices: list[int]) -> Any:
        """Make the batch of some items; a subclass may make it at once, not item by item."""
        return self.collate([self._item(epoch, index) for index in indices])

    def _item(self, epoch: int, index: int) -> Any:
        item = self.dataset[index]
        if self.transform is None:
            return item
        return self.transform(item, _generator(np.random.SeedSequence([self.seed, epoch, index])))


def item_length(item: Any) -> int:
    """Return the length of an item, or of its first part if it is a tuple."""
    return len(item[0] if isinstance(item, tuple) else item)


def stack_items(items: list[Any]) -> Any:
    """Make one batch of a list of items: arrays are stacked, tuples and dicts part by part.

    Numbers become one array (Python's floats one of float32); other objects stay a list.

    Raises
    ------
    ValueError
        If arrays differ in shape: such a data set needs a `collate` that pads them.

    Examples
    --------
    >>> stack_items([([1.0, 2.0], "a"), ([3.0, 4.0], "b")])
    (array([[1., 2.],
           [3., 4.]], dtype=float32), ['a', 'b'])
    """
    first = items[0]
    if isinstance(first, tuple):
        return tuple(stack_items(list(part)) for part in zip(*items, strict=True))
    if isinstance(first, dict):
        return {key: stack_items([item[key] for item in items]) for key in first}
    if not isinstance(first, (np.ndarray, np.generic, int, float, list)):
        return items
    shapes = {np.shape(item) for item in items}
    if len(shapes) > 1:
        raise ValueError(
            f"items of one batch differ in shape ({sorted(shapes)}): give the Loader "
            "collate=, a function that pads a list of items to one array"
        )
    batch = np.array(items)
    is_python_float = batch.dtype.kind == "f" and not hasattr(first, "dtype")
    return batch.astype(np.float32) if is_python_float else batch


def _generator(sequence: np.random.SeedSequence) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(sequence))
