"""A batch of emissions with their targets, as the core takes them."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import NonFiniteError, RealArray, as_indices, as_lengths, as_real

IndexArray = NDArray[np.int64]

NO_BLANK = -1  # to the core


class Batch:
    """Scores (N, T, C), targets one after the other, lengths.

    Shapes and lengths are checked, symbols are not: the core refuses wrong ones, and `check` says
    which.
    """

    def __init__(
        self,
        scores: Any,
        targets: Any,
        input_lengths: Any,
        target_lengths: Any,
        blank: int | None,
    ) -> None:
        self.scores, self.batched = as_batch(scores)
        n, frames, classes = self.scores.shape
        self.blank = NO_BLANK if blank is None else as_class(blank, classes)
        self.input_lengths = as_lengths(input_lengths, "input_lengths", n, frames)
        joined = _join_rows if _has_rows(targets, self.batched) else _join_lists
        rows = targets if self.batched else [targets]
        self.targets, self.offsets = joined(rows, target_lengths, n)

    @property
    def target_lengths(self) -> IndexArray:
        """Symbols of each target."""
        return self.offsets[1:] - self.offsets[:-1]

    @property
    def required(self) -> IndexArray:
        """Frames that each target needs: its symbols, and a blank between equal neighbours."""
        if self.blank == NO_BLANK:
            return self.target_lengths
        items = self._item_of(np.arange(self.targets.size))
        repeated = (self.targets[1:] == self.targets[:-1]) & (items[1:] == items[:-1])
        repeats = np.bincount(items[1:][repeated], minlength=self.offsets.size - 1)
        return self.target_lengths + repeats

    def check(self) -> None:
        """Raise for the first symbol that is no class, or that is the blank."""
        classes = self.scores.shape[2]
        wrong = np.flatnonzero((self.targets < 0) | (self.targets >= classes))
        if wrong.size:
            item, position, symbol = self._place(wrong[0])
            raise ValueError(
                f"targets of item {item}: class {symbol} at position {position} "
                f"must lie in 0 .. {classes - 1}"
            )
        blanks = np.flatnonzero(self.targets == self.blank)
        if blanks.size:
            item, position, symbol = self._place(blanks[0])
            raise ValueError(
                f"targets of item {item}: position {position} is the blank (class {symbol}), "
                "targets must hold symbols only; pass blank= if it is another class"
            )

    def _item_of(self, places: IndexArray) -> IndexArray:
        return np.searchsorted(self.offsets, places, side="right") - 1

    def _place(self, index: int) -> tuple[int, int, int]:
        item = int(self._item_of(np.asarray(index)))
        return item, int(index - self.offsets[item]), int(self.targets[index])


def as_batch(scores: Any) -> tuple[RealArray, bool]:
    """Return (N, T, C) and whether it came as a batch."""
    array = as_real(scores, "log_probs")
    if array.ndim not in (2, 3) or array.shape[-1] == 0:
        raise ValueError(f"log_probs must have the axes (N, T, C) or (T, C), got {array.shape}")
    return (array, True) if array.ndim == 3 else (array[np.newaxis], False)


def as_class(blank: int, classes: int) -> int:
    """Return the class that a blank, counted from either end, stands for."""
    if not isinstance(blank, (int, np.integer)):
        raise TypeError(f"blank must be a whole number or None, got {blank!r}")
    if not -classes <= blank < classes:
        raise ValueError(f"blank must be one of the {classes} classes, got {blank}")
    return int(blank) % classes


def require_scores(
    scores: RealArray, what: str, *, first_frame: int = 0, classes: IndexArray | None = None
) -> None:
    """Raise for the first score of (T, C), or of `classes`, that is NaN or +inf.

    Raises
    ------
    NonFiniteError
        The message names frame and class.
    """
    read = scores if classes is None else scores[:, classes]
    if (read < np.inf).all():
        return
    frame, column = np.argwhere(~(read < np.inf))[0]
    raise NonFiniteError(
        f"{what}: log_probs at frame {first_frame + frame}, class "
        f"{column if classes is None else classes[column]}, is {read[frame, column]}; "
        "needed are finite numbers, or -inf for probability 0"
    )


def _has_rows(targets: Any, batched: bool) -> bool:
    return batched and not isinstance(targets, (list, tuple))


def _join_rows(targets: Any, lengths: Any, n: int) -> tuple[IndexArray, IndexArray]:
    rows = as_indices(targets, "targets", ndim=2)
    _require_items(rows.shape[0], n)
    longest = rows.shape[1]
    if lengths is None:
        return rows.reshape(-1), np.arange(n + 1) * longest
    ends = as_lengths(lengths, "target_lengths", n, longest)
    return rows[np.arange(longest) < ends[:, np.newaxis]], _offsets(ends)


def _join_lists(targets: Any, lengths: Any, n: int) -> tuple[IndexArray, IndexArray]:
    _require_items(len(targets), n)
    flat = _flat_integers(targets)
    if flat is None:  # arrays, or something wrong that is to be named
        items = [as_indices(item, f"targets[{i}]", ndim=1) for i, item in enumerate(targets)]
        flat = np.concatenate([np.empty(0, np.int64), *items])
        targets = items
    sizes = np.fromiter(map(len, targets), np.int64, n)
    if lengths is None:
        return flat, _offsets(sizes)
    ends = as_lengths(lengths, "target_lengths", n, int(sizes.max(initial=0)))
    beyond = np.flatnonzero(ends > sizes)
    if beyond.size:
        i = beyond[0]
        raise ValueError(f"target_lengths of item {i} is {ends[i]}, it has {sizes[i]} symbols")
    within = np.arange(flat.size) - np.repeat(_offsets(sizes)[:-1], sizes)
    return flat[within < np.repeat(ends, sizes)], _offsets(ends)


def _flat_integers(targets: Any) -> IndexArray | None:
    """All symbols of plain lists, or None where there is anything else."""
    if not set(map(type, targets)) <= {list, tuple}:
        return None
    symbols = list(chain.from_iterable(targets))
    if not set(map(type, symbols)) <= {int}:
        return None
    try:
        return np.array(symbols, np.int64)
    except OverflowError:
        return None


def _require_items(count: int, n: int) -> None:
    if count != n:
        raise ValueError(f"targets must have one list or row an item: {n}, got {count}")


def _offsets(sizes: IndexArray) -> IndexArray:
    offsets = np.zeros(sizes.size + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets
