"""Text as language models are trained on it: long texts in streams, and separate ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data import Loader
from unrolled.data.sequences import IGNORED

Ids = NDArray[np.int64]


class StreamLoader(Loader):
    """One long text, cut into streams that are read side by side, a window a batch.

    Window k of a stream goes on where window k - 1 ended, so the state is carried. Each epoch
    begins at another place among the first tokens, so that windows end at other places.

    Parameters
    ----------
    ids : ndarray of int64
        The whole text; each token is predicted from those before it.
    streams, frames : int
        Streams (N), and tokens of each in a batch (T).
    seed : int
    shift : bool
        Whether epochs begin at different places.

    Raises
    ------
    ValueError
        If the text is too short for one batch.

    Examples
    --------
    >>> batches = list(StreamLoader(np.arange(13), streams=2, frames=3, shift=False).batches(0))
    >>> batches[0]["ids"].tolist(), batches[1]["targets"].tolist()
    ([[0, 1, 2], [6, 7, 8]], [[4, 5, 6], [10, 11, 12]])
    >>> [batch["reset"].tolist() for batch in batches]
    [[True, True], [False, False]]
    """

    def __init__(
        self, ids: Ids, streams: int, frames: int, *, seed: int = 0, shift: bool = True
    ) -> None:
        windows = (len(ids) - 1) // (streams * frames)
        if windows < 1:
            raise ValueError(
                f"the text has {len(ids):,} tokens, too few for one batch of {streams} streams of "
                f"{frames} tokens and the next one: give more text, or a smaller batch_size or "
                "frames"
            )
        super().__init__(range(windows), 1, seed=seed)
        self.ids, self.streams, self.frames, self.shift = ids, streams, frames, shift

    def make_batch(self, epoch: int, indices: list[int]) -> dict[str, NDArray[Any]]:
        """Make the batch of one window: ``ids`` and ``targets`` (N, T), and ``reset`` (N)."""
        (window,) = indices
        length = len(self) * self.frames
        spare = len(self.ids) - 1 - self.streams * length
        first = 0
        if self.shift:
            rng = np.random.default_rng(np.random.SeedSequence([self.seed, epoch], spawn_key=(1,)))
            first = int(rng.integers(0, min(spare, self.frames) + 1))
        begins = first + np.arange(self.streams) * length + window * self.frames
        places = begins[:, None] + np.arange(self.frames)
        return {
            "ids": self.ids[places],
            "targets": self.ids[places + 1],
            "reset": np.full(self.streams, window == 0),
        }


def text_loader(texts: Sequence[Ids], batch_size: int, *, shuffle: bool, seed: int = 0) -> Loader:
    """Return batches of separate texts of similar length, padded.

    Parameters
    ----------
    texts : sequence of ndarray of int64
        With the tokens that stand before and after each.
    batch_size : int
    shuffle : bool
    seed : int

    Examples
    --------
    >>> texts = [np.array([1, 5, 2]), np.array([1, 2])]
    >>> batch = next(iter(text_loader(texts, 2, shuffle=False)))
    >>> batch["ids"].tolist(), batch["targets"].tolist(), batch["lengths"].tolist()
    ([[1, 0], [1, 5]], [[2, -100], [5, 2]], [1, 2])
    """
    return Loader(
        list(texts),
        batch_size,
        shuffle=shuffle,
        bucket_by_length=True,
        seed=seed,
        collate=shifted,
    )


def shifted(texts: Sequence[Ids]) -> dict[str, NDArray[Any]]:
    """Pad texts to inputs and the tokens that follow them: ``ids``, ``targets``, ``lengths``."""
    lengths = np.array([len(text) - 1 for text in texts], np.int64)
    ids = np.zeros((len(texts), max(1, int(lengths.max(initial=1)))), np.int64)
    targets = np.full_like(ids, IGNORED)
    for row, text in enumerate(texts):
        ids[row, : len(text) - 1] = text[:-1]
        targets[row, : len(text) - 1] = text[1:]
    return {"ids": ids, "targets": targets, "lengths": lengths}
