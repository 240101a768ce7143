"""Labelled sequences of any length, held in memory, and padded batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data.split import split_by_class

Floats = NDArray[np.float32]

IGNORED = -100  # the class of padding, and of what is not learned: `cross_entropy` leaves it out


@dataclass(frozen=True, eq=False)
class SequenceSet:
    """Sequences with their labels.

    Attributes
    ----------
    sequences : list of ndarray of float32 (T, D)
        Each of its own length T, all of D features; NaN where a value is missing.
    labels : ndarray of int64 (N)
        Positions in `classes`; -1 where there is no label.
    classes : tuple of str
    names : list of str
        Where each sequence comes from.
    """

    sequences: list[Floats]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    names: list[str]

    def __len__(self) -> int:
        """Count the sequences."""
        return len(self.sequences)

    @property
    def features(self) -> int:
        """Features of a frame, D."""
        return self.sequences[0].shape[1]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Frames of each sequence."""
        return np.array([len(sequence) for sequence in self.sequences], np.int64)

    def subset(self, indices: Sequence[int] | NDArray[Any]) -> SequenceSet:
        """Choose sequences by position."""
        chosen = [int(i) for i in indices]
        return SequenceSet(
            [self.sequences[i] for i in chosen],
            self.labels[chosen],
            self.classes,
            [self.names[i] for i in chosen],
        )

    def split(self, fraction: float, seed: int = 0) -> tuple[SequenceSet, SequenceSet]:
        """Set a share of every class aside for validation, at least one sequence of each.

        Parameters
        ----------
        fraction
            Share between 0 and 1.
        seed
            The same seed and sequences give the same split.

        Returns
        -------
        (SequenceSet, SequenceSet)
            Training and validation sequences, each in their old order.

        Raises
        ------
        ValueError
            If the fraction is not between 0 and 1, or a class has too few sequences.
        """
        rest, held = split_by_class(self.labels, fraction, seed, self.classes, item="sequence")
        return self.subset(rest), self.subset(held)


def pad(sequences: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Make one batch of sequences (T, D): an array (N, longest T, D) of zeros beyond lengths (N).

    Examples
    --------
    >>> batch, lengths = pad([np.ones((1, 2)), np.ones((3, 2))])
    >>> batch.shape, lengths.tolist()
    ((2, 3, 2), [1, 3])
    """
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    first = sequences[0]
    batch = np.zeros((len(sequences), int(lengths.max()), *first.shape[1:]), first.dtype)
    for row, sequence in zip(batch, sequences, strict=True):
        row[: len(sequence)] = sequence
    return batch, lengths


def fill_missing(sequence: NDArray[Any]) -> NDArray[Any]:
    """Replace NaN by what lies on the straight line between its neighbours in time.

    Parameters
    ----------
    sequence : ndarray of floats (T, D)

    Returns
    -------
    ndarray (T, D)
        The sequence itself where nothing is missing. Before the first and after the last known
        value that value is repeated; a feature without any value becomes 0.

    Examples
    --------
    >>> fill_missing(np.array([[np.nan], [1.0], [np.nan], [3.0]])).ravel().tolist()
    [1.0, 1.0, 2.0, 3.0]
    """
    is_missing = np.isnan(sequence)
    if not is_missing.any():
        return sequence
    filled, times = sequence.copy(), np.arange(len(sequence))
    for d in np.flatnonzero(is_missing.any(axis=0)):
        known = ~is_missing[:, d]
        if known.any():
            filled[~known, d] = np.interp(times[~known], times[known], sequence[known, d])
        else:
            filled[:, d] = 0
    return filled
