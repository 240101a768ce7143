"""What users pass as emissions, as the search takes it: batches with their lengths and masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import RealArray, as_lengths, as_numpy, as_reals, require_axes
from unrolled.ctc.batch import as_batch
from unrolled.decode.labels import Labels
from unrolled.decode.masks import AllowedClasses, Mask, pad_masks

# A list is decoded in groups of at least so many items, so that all threads have work, or of so
# many numbers: padded to the longest of all, a corpus may be many times as large as it is.
_ITEMS, _NUMBERS = 64, 1 << 24


class EmissionBatch(NamedTuple):
    """Some of the items that are to be decoded: all of an array, a part of a list.

    Where `copy` is an array, the search copies the true frames there before it reads them.
    """

    scores: RealArray
    lengths: NDArray[np.int64]
    mask: Mask | None
    first: int = 0
    copy: RealArray | None = None

    def decoded(self) -> EmissionBatch:
        """Return the batch once a search has copied it: its numbers are in memory of our own."""
        return self if self.copy is None else self._replace(scores=self.copy, copy=None)

    def item(self, item: int) -> EmissionBatch:
        """Return one item of it, as a batch."""
        one = slice(item, item + 1)
        mask = self.mask if self.mask is None or self.mask.ndim == 1 else self.mask[one]
        return EmissionBatch(self.scores[one], self.lengths[one], mask, self.first + item)

    def locate(self, error: ValueError) -> ValueError:
        """Return an error that counts items from the first of this batch, saying so."""
        return ValueError(f"log_probs[{self.first}:]: {error}") if self.first else error


def batches_of(
    log_probs: Any, lengths: Any, labels: Labels, classes: AllowedClasses, allowed: Any, copy: bool
) -> tuple[Iterator[EmissionBatch], bool]:
    """Return the emissions in batches, and whether there are several items.

    With `copy`, their numbers will be in memory of our own once they are decoded.

    Raises
    ------
    TypeError, ValueError
        Shapes, lengths or masks do not fit each other or the labels.
    """
    if _is_list(log_probs):
        if lengths is not None:
            raise ValueError("arrays of a list have their own lengths: leave lengths out")
        return _groups(log_probs, labels, classes, allowed), True
    array = as_numpy(log_probs, "log_probs")
    scores, batched = as_batch(array)
    labels.require_width(scores.shape[2])
    own = np.empty_like(scores) if copy and np.may_share_memory(scores, array) else None
    frames = as_lengths(lengths, "lengths", *scores.shape[:2])
    mask = classes.narrowed(allowed, scores.shape, batched)
    return iter([EmissionBatch(scores, frames, mask, copy=own)]), batched


def _is_list(log_probs: Any) -> bool:
    """Whether it is a list of items (T, C), rather than nested lists of numbers."""
    if not isinstance(log_probs, (list, tuple)):
        return False
    return not log_probs or np.ndim(log_probs[0]) == 2


def _groups(
    items: Sequence[Any], labels: Labels, classes: AllowedClasses, allowed: Any
) -> Iterator[EmissionBatch]:
    own = _has_rows(allowed)
    if own and len(allowed) != len(items):
        raise ValueError(f"allowed must have one mask an item: {len(items)}, got {len(allowed)}")
    names = [f"log_probs[{i}]" for i in range(len(items))]
    given = {name: as_numpy(item, name) for name, item in zip(names, items, strict=True)}
    arrays = as_reals(**given)
    for name, array in zip(names, arrays, strict=True):
        require_axes(array, name, "T, C")
        labels.require_width(array.shape[1], name)
    for first, end in _bounds([len(array) for array in arrays], len(labels)):
        scores, lengths = _pad(arrays[first:end], len(labels))
        mask = pad_masks(allowed[first:end], lengths, len(labels), first) if own else allowed
        yield EmissionBatch(scores, lengths, classes.narrowed(mask, scores.shape, True), first)


def _has_rows(allowed: Any) -> bool:
    """Whether there is a mask for each item, rather than one bool a class."""
    return hasattr(allowed, "__len__") and len(allowed) > 0 and np.ndim(allowed[0]) > 0


def _bounds(lengths: Sequence[int], classes: int) -> Iterator[tuple[int, int]]:
    first, longest = 0, 0
    for place, length in enumerate(lengths):
        size = (place + 1 - first) * max(longest, length) * classes
        if place - first >= _ITEMS and size > _NUMBERS:
            yield first, place
            first, longest = place, 0
        longest = max(longest, length)
    if first < len(lengths):
        yield first, len(lengths)


def _pad(arrays: Sequence[RealArray], classes: int) -> tuple[RealArray, NDArray[np.int64]]:
    lengths = np.array([len(array) for array in arrays], np.int64)
    padded: RealArray = np.empty((len(arrays), lengths.max(), classes), arrays[0].dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
        row[len(array) :] = 0.0  # never read
    return padded, lengths
