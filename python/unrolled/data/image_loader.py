"""`ImageLoader`: batches of images of one size and their labels, made at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data.draws import Draws
from unrolled.data.loader import Loader

Augmentation = Callable[[NDArray[Any], Draws], NDArray[Any]]


class ImageLoader(Loader):
    """Batches ``(images (n, C, H, W), labels (n))`` of arrays, in the order of a `Loader`.

    Taking items one by one costs more than training on them where images are small.

    Parameters
    ----------
    images : ndarray (N, C, H, W)
        Of any dtype, which the batches keep.
    labels : ndarray of int64 (N)
    batch_size, shuffle, seed
        As in `Loader`.
    augment : callable, optional
        ``augment(images, draws)`` changes a batch; `draws` gives each image random numbers that
        depend on seed, epoch and its place in the data set alone. `unrolled.data.augment.Augment`
        is one.

    Raises
    ------
    ValueError
        As `Loader`, or if there are not as many labels as images.

    Examples
    --------
    >>> loader = ImageLoader(np.zeros((5, 1, 4, 4), np.uint8), np.arange(5), batch_size=2)
    >>> [labels.tolist() for images, labels in loader.batches(epoch=0)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        images: NDArray[Any],
        labels: NDArray[np.int64],
        batch_size: int,
        shuffle: bool = False,
        *,
        seed: int = 0,
        augment: Augmentation | None = None,
    ) -> None:
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images but {len(labels)} labels; give one for each")
        super().__init__(range(len(images)), batch_size, shuffle, seed=seed)
        self.images = images
        self.labels = labels
        self.augment = augment

    def make_batch(self, epoch: int, indices: list[int]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Take the images of some indices, and change them."""
        images, labels = self.images[indices], self.labels[indices]
        if self.augment is None:
            return images, labels
        return self.augment(images, Draws(self.seed, epoch, indices)), labels
