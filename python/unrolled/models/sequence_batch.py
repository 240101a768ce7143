"""Sequences as a recurrent network takes them, checked: padded batches with lengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled.data import Loader
from unrolled.data.sequences import Floats, pad

Sequences = Any  # a list of array-like (T, D), or one array-like (N, T, D)
Augmentation = Callable[[Floats, np.random.Generator], Floats]


class SequenceBatch(NamedTuple):
    """Normalised frames (N, T, D), zeros beyond lengths (N), and targets.

    Targets are one class a sequence (N), or one a frame (N, T) with `IGNORED` on padding; or
    probabilities of all classes, (N, C) or (N, T, C).
    """

    frames: NDArray[Any]
    lengths: NDArray[np.int64]
    targets: NDArray[Any]


def as_sequences(sequences: Sequences, features: int, name: str = "sequences") -> list[Floats]:
    """Return sequences as arrays of float32 (T, D).

    Parameters
    ----------
    sequences : list of array-like (T, D), or (T) with one feature; or array-like (N, T, D)
    features : int
        D.
    name : str
        What messages call the sequences.

    Raises
    ------
    TypeError, ValueError
        If a shape does not fit, a sequence has no frame or a value is not finite; names the
        sequence.
    """
    if isinstance(sequences, (str, bytes)) or not hasattr(sequences, "__len__"):
        raise TypeError(
            f"{name} must be a list of arrays (T, {features}), not {type(sequences).__name__}"
        )
    return [as_sequence(item, features, f"{name}[{i}]") for i, item in enumerate(sequences)]


def as_sequence(sequence: Any, features: int, name: str) -> Floats:
    """Return one sequence as `as_sequences` does."""
    array = np.asarray(sequence)
    if array.ndim == 1 and features == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != features:
        raise ValueError(
            f"{name} has shape {np.shape(sequence)}, needed is (T, {features}): frames of "
            f"{features} feature(s)"
        )
    if not len(array):
        raise ValueError(f"{name} has no frame: leave it out")
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} has dtype {array.dtype}; give real numbers")
    fits = np.abs(array) < 1e30  # finite, and so are their squares
    if not fits.all():
        frame, feature = np.argwhere(~fits)[0].tolist()
        raise ValueError(
            f"{name} is {array[frame, feature]} at frame {frame}, feature {feature}: NaN, infinite "
            "or beyond 1e30; replace it (unrolled.data.sequences.fill_missing fills gaps)"
        )
    return array.astype(np.float32)


def frame_statistics(sequences: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of each feature over all frames, float32 (D).

    Of a constant feature the deviation is given as 1.
    """
    frames = sum(map(len, sequences))
    mean = sum(sequence.sum(axis=0, dtype=np.float64) for sequence in sequences) / frames
    squares = sum(((sequence - mean) ** 2).sum(axis=0) for sequence in sequences) / frames
    deviation = np.sqrt(squares)
    deviation[deviation < 1e-6 * np.abs(mean) + 1e-12] = 1
    return mean.astype(np.float32), deviation.astype(np.float32)


def sequence_loader(
    sequences: Sequence[Floats],
    targets: Sequence[Any],
    batch_size: int,
    *,
    normalise: Callable[[Floats], Floats] | None = None,
    augment: Augmentation | None = None,
    collate_targets: Callable[[list[Any]], NDArray[Any]] = np.array,
    **options: Any,
) -> Loader:
    """Make a loader of `SequenceBatch`, with sequences of similar length in a batch.

    Parameters
    ----------
    sequences : sequence of ndarray (T, D)
    targets : sequence
        As many.
    batch_size : int
    normalise : callable, optional
        Applied to each sequence.
    augment : callable, optional
        ``augment(sequence, rng)`` changes a normalised sequence before it is learned from.
    collate_targets : callable
        Makes the targets of a batch.
    **options
        ``shuffle`` and ``seed`` of `Loader`.
    """
    return Loader(
        list(zip(sequences, targets, strict=True)),
        batch_size,
        bucket_by_length=True,
        transform=partial(_prepare, normalise=normalise, augment=augment),
        collate=partial(_collate, collate_targets=collate_targets),
        **options,
    )


def _prepare(
    item: tuple[Floats, Any],
    rng: np.random.Generator,
    *,
    normalise: Callable[[Floats], Floats] | None,
    augment: Augmentation | None,
) -> tuple[Floats, Any]:
    sequence, target = item
    normalised = sequence if normalise is None else normalise(sequence)
    return (normalised if augment is None else augment(normalised, rng)), target


def _collate(
    items: list[tuple[Floats, Any]], *, collate_targets: Callable[[list[Any]], NDArray[Any]]
) -> SequenceBatch:
    frames, lengths = pad([sequence for sequence, _ in items])
    return SequenceBatch(frames, lengths, collate_targets([target for _, target in items]))
