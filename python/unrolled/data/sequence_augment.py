"""Random changes of sequences, so that a model learns what they have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unrolled.data.sequences import Floats


@dataclass(frozen=True)
class SequenceAugment:
    """Noise, another pace, and gaps; each off at 0.

    Parameters
    ----------
    noise : float
        Deviation of what is added to every value, where features have deviation 1.
    stretch : float
        Sequences become up to this share longer or shorter, in [0, 1).
    time_mask, feature_mask : int
        Most neighbouring frames, and features, that are set to 0, the mean.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Bishop: Training with noise is equivalent to Tikhonov regularization (1995). Park and others:
    SpecAugment (2019), for the masks.

    Examples
    --------
    >>> augment = SequenceAugment(noise=0.1, stretch=0.5)
    >>> changed = augment(np.zeros((10, 2), np.float32), np.random.default_rng(0))
    >>> 5 <= len(changed) <= 15, changed.dtype
    (True, dtype('float32'))
    """

    noise: float = 0.0
    stretch: float = 0.0
    time_mask: int = 0
    feature_mask: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 0 <= self.noise < np.inf:
            raise ValueError(f"noise is {self.noise}; it must be a number of at least 0")
        if not 0 <= self.stretch < 1:
            raise ValueError(f"stretch is {self.stretch}; it must lie in [0, 1)")
        for name in ("time_mask", "feature_mask"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")

    def __call__(self, sequence: Floats, rng: np.random.Generator) -> Floats:
        """Return a changed copy of a normalised sequence (T, D)."""
        changed = np.array(sequence, np.float32)
        if self.stretch:
            share = 1 + rng.uniform(-self.stretch, self.stretch)
            changed = resample(changed, max(1, round(share * len(changed))))
        if self.noise:
            noise = rng.standard_normal(changed.shape, dtype=np.float32)
            changed += np.float32(self.noise) * noise
        if self.time_mask:
            changed[_gap(len(changed), self.time_mask, rng)] = 0
        if self.feature_mask:
            changed[:, _gap(changed.shape[1], self.feature_mask, rng)] = 0
        return changed


def resample(sequence: Floats, frames: int) -> Floats:
    """Bring a sequence (T, D) to a number of frames, along straight lines between its own.

    Examples
    --------
    >>> resample(np.array([[0.0], [1.0], [2.0]], np.float32), 5).ravel().tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    places = np.linspace(0, len(sequence) - 1, frames)
    before = places.astype(np.int64)
    after = np.minimum(before + 1, len(sequence) - 1)
    share = (places - before)[:, None].astype(np.float32)
    resampled: Floats = sequence[before] * (1 - share) + sequence[after] * share
    return resampled


def _gap(size: int, most: int, rng: np.random.Generator) -> slice:
    """Choose up to `most` neighbours of `size`, never all."""
    width = int(rng.integers(0, min(most, size - 1) + 1))
    first = int(rng.integers(0, size - width + 1))
    return slice(first, first + width)
