"""Labels of every frame, as classes or probabilities, and their loss summed over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.autograd import Tensor
from unrolled.data.sequences import IGNORED, pad
from unrolled.models.class_labels import as_labels
from unrolled.models.recurrent import is_frame
from unrolled.nn.functional import cross_entropy, kl_div

FrameLabels = ArrayLike  # (T) classes, or (T, C) probabilities


def as_frame_labels(
    labels: Sequence[FrameLabels], classes: Sequence[str], frames: Sequence[int], name: str
) -> list[NDArray[Any]]:
    """Return the labels of sequences of so many frames: int64 (T) each, or all float32 (T, C).

    Raises
    ------
    TypeError, ValueError
        If there are not as many labels as sequences and frames, one is no class, probabilities are
        negative or do not sum to 1, or both forms are mixed; names the sequence.
    """
    if isinstance(labels, (str, bytes)) or len(labels) != len(frames):
        found = "a string" if isinstance(labels, (str, bytes)) else len(labels)
        raise ValueError(f"{name} must be {len(frames)} arrays, one a sequence: got {found}")
    checked: list[NDArray[Any]] = []
    for i, (given, count) in enumerate(zip(labels, frames, strict=True)):
        array = np.asarray(given)
        if array.ndim == 2:
            checked.append(_as_shares(array, len(classes), count, f"{name}[{i}]"))
        else:
            checked.append(as_labels(array, classes, count, f"{name}[{i}]", "frame"))
    if len({array.ndim for array in checked}) > 1:
        raise ValueError(f"{name} mixes classes (T) and probabilities (T, C): give one form")
    return checked


def pad_targets(targets: list[NDArray[Any]]) -> NDArray[Any]:
    """Make one array of the targets of a batch; classes are `IGNORED` on padding."""
    batch, lengths = pad(targets)
    if batch.ndim == 2:
        batch[~is_frame(lengths, batch.shape[1])] = IGNORED
    return batch


def summed_loss(
    scores: Tensor, targets: NDArray[Any], lengths: NDArray[np.int64], divergence: str
) -> Tensor:
    """Return the mean over sequences of the divergence summed over their frames.

    Parameters
    ----------
    scores : Tensor (N, T, C)
    targets : ndarray of int64 (N, T), or of floats (N, T, C)
    lengths : ndarray of int64 (N)
    divergence : {"cross_entropy", "kl"}
        They are one where a target is a class.
    """
    count, longest, classes = scores.shape
    flat = scores.reshape(count * longest, classes)
    if targets.ndim == 2:
        total = cross_entropy(flat, targets.reshape(-1), ignore_index=IGNORED, reduction="sum")
        return total * (1 / count)
    shares = targets.reshape(-1, classes)
    if divergence == "kl":
        return kl_div(flat.log_softmax(), shares, reduction="sum") * (1 / count)
    losses = cross_entropy(flat, shares, reduction="none")
    return (losses * is_frame(lengths, longest).reshape(-1)).sum() * (1 / count)


def _as_shares(array: NDArray[Any], classes: int, count: int, name: str) -> NDArray[np.float32]:
    if array.shape != (count, classes):
        raise ValueError(f"{name} has shape {array.shape}, needed is ({count}, {classes})")
    if array.dtype.kind != "f":
        raise TypeError(f"{name} must be probabilities, floats, not {array.dtype}")
    fits = (array >= 0).all(axis=1) & (np.abs(array.sum(axis=1) - 1) < 1e-3)
    if not fits.all():
        frame = int(np.argmin(fits))
        raise ValueError(f"{name}: the probabilities of frame {frame} do not sum to 1, or are < 0")
    return array.astype(np.float32)
