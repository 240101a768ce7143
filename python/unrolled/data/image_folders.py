"""Images in folders, one folder a class: checked, brought to one size and held in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data.class_folders import find_class_files
from unrolled.data.image_files import ImageError, find_images, load_image
from unrolled.data.labels import DataError
from unrolled.data.pictures import Size, prepare_picture
from unrolled.data.split import split_by_class


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one size with their labels.

    The images are bytes, decoded and scaled once: 10,000 of 64x64 pixels in colour take 123 MB.

    Attributes
    ----------
    images : ndarray of uint8 (N, C, H, W)
    labels : ndarray of int64 (N)
        Positions in `classes`.
    classes : tuple of str
    names : list of str
        Where each image comes from.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    names: list[str]

    def __len__(self) -> int:
        """Count the images."""
        return len(self.labels)

    def subset(self, indices: NDArray[np.int64]) -> ImageSet:
        """Choose images by position."""
        names = [self.names[i] for i in indices.tolist()]
        return ImageSet(self.images[indices], self.labels[indices], self.classes, names)

    def split(self, fraction: float, seed: int = 0) -> tuple[ImageSet, ImageSet]:
        """Set a share of the images of every class aside for validation, at least one of each.

        Parameters
        ----------
        fraction
            Share between 0 and 1.
        seed
            The same seed and images give the same split.

        Returns
        -------
        (ImageSet, ImageSet)
            Training and validation images, each in their old order.

        Raises
        ------
        ValueError
            If the fraction is not between 0 and 1, or a class has too few images for both parts.
        """
        train, held = split_by_class(self.labels, fraction, seed, self.classes)
        return self.subset(train), self.subset(held)


def load_image_folders(
    folder: str | os.PathLike[str],
    size: Size,
    channels: int = 3,
    *,
    classes: Sequence[str] | None = None,
    dark_ground: bool = False,
    progress: Callable[[Any], Iterable[Any]] = iter,
) -> ImageSet:
    """Load every image of a folder whose folders are classes.

    Parameters
    ----------
    folder
        Has one folder for each class, named as the class; images may lie in folders below it.
        Files beside the class folders, other files in them, and hidden ones are left out.
    size : (int, int)
        Rows and columns to bring the images to.
    channels : int
        1 for grey, 3 for colour.
    classes : sequence of str, optional
        The classes there must be, in this order; when not given, the folders' names, sorted.
    dark_ground : bool
        As in `prepare_picture`.
    progress
        Wraps the sequence of files while images are decoded, as `tqdm.tqdm` does.

    Returns
    -------
    ImageSet
        In the order of classes, then of files' names.

    Raises
    ------
    DataError
        If there is no such folder, fewer than two classes, a class without an image or that is
        not among `classes`; or with every image that cannot be read.
    ImportError
        Without Pillow.
    """
    files = find_class_files(folder, classes, find_images, item="image", kinds="PNG or JPEG")
    chosen = [(path, label) for label, paths in files.items() for path in paths]
    images = np.empty((len(chosen), channels, *size), np.uint8)
    problems: list[str] = []
    for position, (path, _) in enumerate(progress(chosen)):
        try:
            pixels = load_image(path, channels)
            images[position] = prepare_picture(pixels, size, channels, dark_ground=dark_ground)
        except ImageError as error:
            problems.append(str(error))
    if problems:
        raise DataError(problems)
    order = {label: number for number, label in enumerate(classes or files)}
    labels = np.array([order[label] for _, label in chosen], np.int64)
    return ImageSet(images, labels, tuple(order), [str(path) for path, _ in chosen])
