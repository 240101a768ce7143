"""Pairs of sequences of ids, source and target, and padded batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled.data.draws import Draws
from unrolled.data.loader import Loader
from unrolled.data.sequences import IGNORED

LONGEST = 1 << 20  # pairs are sorted by source, then by target; a target counts up to here

Ids = NDArray[np.int64]


class PairBatch(NamedTuple):
    """Sources, what the decoder reads, and what it is to write, padded beyond their lengths.

    Attributes
    ----------
    sources : ndarray of int64 (N, S)
    source_lengths : ndarray of int64 (N)
    inputs : ndarray of int64 (N, T)
        The start mark and the target: each word is predicted from those before it.
    targets : ndarray of int64 (N, T)
        The target and the end mark; `IGNORED` on padding and where the loss is not taken.
    target_lengths : ndarray of int64 (N)
        Of `inputs` and `targets`, with the mark.
    draws : ndarray of float64 (N, T, 2), or None
        Uniform numbers for scheduled sampling: whether to feed a drawn word, and which.
    """

    sources: Ids
    source_lengths: Ids
    inputs: Ids
    targets: Ids
    target_lengths: Ids
    draws: NDArray[np.float64] | None


class PairLoader(Loader):
    """Batches of pairs whose sources, and then whose targets, are of similar length.

    Parameters
    ----------
    sources, targets : sequences of ndarray of int64 (S) and (T)
        As many of each. Targets have no marks, and may be empty.
    batch_size : int
        Pairs of a batch.
    start, end : int
        Ids of the marks at both ends of a target.
    loss_positions : int, optional
        Learn from so many outputs of each pair, drawn anew in each epoch; from all when not
        given, and where there are not more.
    draws : bool
        Whether batches hold numbers for scheduled sampling.
    **options
        ``shuffle`` and ``seed`` of `Loader`.

    Notes
    -----
    What is drawn is a function of seed, epoch and the pair's place in the data set.

    Examples
    --------
    >>> loader = PairLoader([np.array([5, 6, 7])], [np.array([8, 9])], 4, start=0, end=1)
    >>> batch = next(loader.batches(0))
    >>> batch.sources.tolist(), batch.inputs.tolist(), batch.targets.tolist()
    ([[5, 6, 7]], [[0, 8, 9]], [[8, 9, 1]])
    """

    def __init__(
        self,
        sources: Sequence[Ids],
        targets: Sequence[Ids],
        batch_size: int,
        *,
        start: int,
        end: int,
        loss_positions: int | None = None,
        draws: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            list(zip(sources, targets, strict=True)),
            batch_size,
            bucket_by_length=True,
            length=_sorting_length,
            **options,
        )
        self.start, self.end = start, end
        self.loss_positions = loss_positions
        self.draws = draws

    def make_batch(self, epoch: int, indices: list[int]) -> PairBatch:
        """Pad the pairs at `indices`, and draw for them."""
        pairs = [self.dataset[index] for index in indices]
        sources, source_lengths = pad_ids([source for source, _ in pairs])
        words, lengths = pad_ids([target for _, target in pairs])
        inputs = np.concatenate([np.full((len(pairs), 1), self.start), words], axis=1)
        targets = np.concatenate([words, np.full((len(pairs), 1), self.end)], axis=1)
        targets[np.arange(len(pairs)), lengths] = self.end
        lengths = lengths + 1
        beyond = np.arange(targets.shape[1]) >= lengths[:, None]
        targets[beyond] = IGNORED
        draws = None
        if self.draws or self.loss_positions is not None:
            # Three numbers a position, position by position: padding takes none from an item.
            drawn = Draws(self.seed, epoch, indices).uniform(0, 1, targets.shape[1], 3)
            draws = drawn[..., :2] if self.draws else None
            if self.loss_positions is not None:
                targets[~_chosen(drawn[..., 2], beyond, self.loss_positions)] = IGNORED
        return PairBatch(sources, source_lengths, inputs, targets, lengths, draws)


def _chosen(keys: NDArray[np.float64], beyond: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Choose `count` places of each row (N, T): those of the smallest keys not `beyond` its end."""
    keys = np.where(beyond, np.inf, keys)
    chosen = np.zeros(keys.shape, bool)
    np.put_along_axis(chosen, np.argsort(keys, axis=1)[:, :count], True, axis=1)
    return chosen & ~beyond


def pad_ids(sequences: Sequence[Ids]) -> tuple[Ids, Ids]:
    """Make one array (N, longest) of sequences of ids, 0 beyond their lengths (N).

    Examples
    --------
    >>> batch, lengths = pad_ids([np.array([3]), np.array([4, 5])])
    >>> batch.tolist(), lengths.tolist()
    ([[3, 0], [4, 5]], [1, 2])
    """
    if len(sequences) == 1:
        return np.asarray(sequences[0], np.int64)[None], np.array([len(sequences[0])], np.int64)
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    batch = np.zeros((len(sequences), int(lengths.max(initial=0))), np.int64)
    if batch.size:
        batch[np.arange(batch.shape[1]) < lengths[:, None]] = np.concatenate(sequences)
    return batch, lengths


def _sorting_length(pair: tuple[Ids, Ids]) -> int:
    return len(pair[0]) * LONGEST + min(len(pair[1]), LONGEST - 1)
