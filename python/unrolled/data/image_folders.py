"""Images in folders, one folder a class: checked, brought to one size and held in memory."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data.image_files import ImageError, find_images, load_image
from unrolled.data.labels import DataError
from unrolled.data.pictures import Size, prepare_picture
from unrolled.data.split import split_by_class

# Folders of such names hold the folders of the classes.
_PARTS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev"}


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
    places = _class_folders(Path(folder), classes)
    files = {label: find_images(place) for label, place in places.items()}
    _check_classes(Path(folder), places, files, classes)
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
    order = {label: number for number, label in enumerate(classes or places)}
    labels = np.array([order[label] for _, label in chosen], np.int64)
    return ImageSet(images, labels, tuple(order), [str(path) for path, _ in chosen])


def _class_folders(folder: Path, classes: Sequence[str] | None) -> dict[str, Path]:
    """Find the folder of each class."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "no such folder"
        raise DataError([f"{folder}: {what}; name a folder that has one folder for each class"])
    found = {
        unicodedata.normalize("NFC", entry.name): entry
        for entry in sorted(folder.iterdir())
        if entry.is_dir() and not entry.name.startswith(".")
    }
    if classes is None and len(found) == 1:
        (only,) = found
        raise DataError(
            [
                f"{folder}: has the single class {only}; a classifier needs two or more, one "
                f"folder each (if the classes lie in {folder / only}, name that)"
            ]
        )
    if not found:
        raise DataError(
            [f"{folder}: has no folder; put the images of each class into a folder named as it"]
        )
    return found


def _check_classes(
    folder: Path,
    places: dict[str, Path],
    files: dict[str, list[Path]],
    classes: Sequence[str] | None,
) -> None:
    problems = [
        f"{places[label]}: class without an image; add PNG or JPEG files, or remove the folder"
        for label, paths in files.items()
        if not paths
    ]
    if classes is not None:
        problems += [
            f"{place}: no class of the model; it knows {_listed(classes)}"
            for label, place in places.items()
            if label not in classes
        ]
    elif {label.lower() for label in places} <= _PARTS:
        first = next(iter(places.values()))
        problems.append(
            f"{folder}: {' and '.join(places)} look like parts of the data, not classes; name one "
            f"of them, such as {first}"
        )
    if problems:
        raise DataError(problems)


def _listed(classes: Sequence[str]) -> str:
    shown = ", ".join(classes[:10])
    return f"{shown} and {len(classes) - 10} more" if len(classes) > 10 else shown
