"""A batch of sequences as frames that can be cut."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import as_lengths

_SPECIAL = ("lengths", "reset")


class Frames:
    """A batch whose arrays are (N, T, ...), to be cut along time.

    Parameters
    ----------
    batch : array, tuple or list of arrays, or dict of arrays by name
        In a dict ``lengths`` (N) are the frames of each item, and ``reset`` (N) says which items
        start anew; both may be missing.

    Attributes
    ----------
    items, count : int
        N, and T or the frames of the longest item.
    lengths : ndarray of int64 (N), or None
    reset : ndarray of bool (N)
        All, where the batch does not say.

    Raises
    ------
    TypeError
        If something in the batch is no array.
    ValueError
        If the arrays do not fit together.
    """

    def __init__(self, batch: Any) -> None:
        self.parts = _named_parts(batch)
        self.kind = type(batch) if isinstance(batch, (tuple, list, dict)) else None
        self.items, self.count = _common_shape(self.parts)
        special = batch if isinstance(batch, dict) else {}
        lengths, reset = (special.get(name) for name in _SPECIAL)
        self.lengths = None
        if lengths is not None:
            self.lengths = as_lengths(lengths, "lengths", self.items, self.count)
            self.count = int(self.lengths.max(initial=0))
        self.reset = np.ones(self.items, bool) if reset is None else np.asarray(reset)
        if self.reset.shape != (self.items,) or self.reset.dtype != bool:
            raise ValueError(
                f"reset must be {self.items} of bool, one an item, got shape {self.reset.shape} "
                f"of {self.reset.dtype}"
            )

    def cut(self, start: int, end: int, *, own: bool = False) -> Any:
        """Return frames from `start` to before `end`, in the form of the batch.

        With `own` they are copies, with 0 for what stands on padding.
        """
        cut: dict[str, Any] = {name: part[:, start:end] for name, part in self.parts.items()}
        if own:
            cut = {name: self._without_padding(part, start) for name, part in cut.items()}
        if self.kind is None:
            return cut["batch"]
        if self.kind is not dict:
            return tuple(cut.values())
        if self.lengths is not None:
            cut["lengths"] = self._ends(start, end)
        return cut

    def without_padding(self, start: int, end: int) -> int:
        """Count the frames of all items from `start` to before `end`, without padding."""
        if self.lengths is None:
            return self.items * (end - start)
        return int(self._ends(start, end).sum())

    def _without_padding(self, part: NDArray[Any], start: int) -> NDArray[Any]:
        part = part.copy()
        if self.lengths is not None:
            frames = np.arange(start, start + part.shape[1])
            part[frames >= self.lengths[:, None]] = 0
        return part

    def _ends(self, start: int, end: int) -> NDArray[np.int64]:
        assert self.lengths is not None
        return np.clip(self.lengths - start, 0, end - start)


def _named_parts(batch: Any) -> dict[str, NDArray[Any]]:
    if isinstance(batch, dict):
        named = {name: part for name, part in batch.items() if name not in _SPECIAL}
    elif isinstance(batch, (tuple, list)):
        named = {f"part {k}": part for k, part in enumerate(batch)}
    else:
        named = {"batch": batch}
    for name, part in named.items():
        if not isinstance(part, np.ndarray):
            raise TypeError(
                f"{name} is a {type(part).__name__}: truncated backpropagation cuts arrays "
                "(N, T, ...) along time"
            )
    return named


def _common_shape(parts: dict[str, NDArray[Any]]) -> tuple[int, int]:
    shapes = {name: part.shape for name, part in parts.items()}
    if not shapes or any(len(shape) < 2 for shape in shapes.values()):
        raise ValueError(f"the arrays of a batch must be (N, T, ...), got shapes {shapes}")
    if len({shape[:2] for shape in shapes.values()}) > 1:
        raise ValueError(f"the arrays of a batch must agree in (N, T), got shapes {shapes}")
    return next(iter(shapes.values()))[:2]
