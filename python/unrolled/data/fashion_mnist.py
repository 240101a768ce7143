"""Fashion-MNIST: 70,000 grey pictures of clothes, 28x28 pixels, in ten classes.

H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking machine
learning algorithms (2017); https://github.com/zalandoresearch/fashion-mnist, MIT licence.
The files are not part of this package.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unrolled.data.idx import read_idx
from unrolled.data.labels import DataError

Split = Literal["train", "test"]

#: Names of the labels 0 to 9.
CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
SIZE = (28, 28)  # rows and columns of an image

#: Where Debian's package ``dataset-fashion-mnist`` puts the files.
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
HOW_TO_GET = (
    "install Debian's package (apt install dataset-fashion-mnist), or download the four files "
    "*-ubyte.gz of https://github.com/zalandoresearch/fashion-mnist into a folder and name it "
    "with --data"
)
_PREFIXES = {"train": "train", "test": "t10k"}
_PARTS = ("images-idx3-ubyte", "labels-idx1-ubyte")


def find_folder(data: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder to load from, after checking that it has the four files.

    Parameters
    ----------
    data : path, optional
        The folder; when not given, the one of Debian's package.

    Raises
    ------
    DataError
        If the folder or files are missing; says where to get them.
    """
    folder = DEBIAN_FOLDER if data is None else Path(data)
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "no such folder"
        raise DataError([f"{folder}: {what}; to get Fashion-MNIST, {HOW_TO_GET}"])
    missing = _missing(folder)
    if missing:
        raise DataError(
            [f"{folder}: lacks {', '.join(missing)} (or with .gz); to get them, {HOW_TO_GET}"]
        )
    return folder


def is_folder(data: str | os.PathLike[str]) -> bool:
    """Whether a folder has the four files."""
    return Path(data).is_dir() and not _missing(Path(data))


def load_fashion_mnist(
    split: Split = "train", data: str | os.PathLike[str] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Load the 60,000 images to train with, or the 10,000 to test with.

    Parameters
    ----------
    split : {"train", "test"}
    data : path, optional
        Folder with the four idx files, gzipped or not; when not given, that of Debian's package.

    Returns
    -------
    images : ndarray of uint8 (n, 28, 28)
        Light clothes on black ground.
    labels : ndarray of uint8 (n)
        Positions in `CLASSES`.

    Raises
    ------
    ValueError
        If `split` is neither of the two.
    DataError
        If files are missing, damaged, or do not hold such images and labels.
    """
    if split not in _PREFIXES:
        raise ValueError(f'split must be "train" or "test", not {split!r}')
    folder = find_folder(data)
    paths = [_find(folder, _PREFIXES[split], part) for part in _PARTS]
    assert paths[0] is not None and paths[1] is not None  # find_folder has seen them
    images, labels = read_idx(paths[0]), read_idx(paths[1])
    _check(paths[0], images, paths[1], labels)
    return images.astype(np.uint8, copy=False), labels.astype(np.uint8, copy=False)


def _missing(folder: Path) -> list[str]:
    return [
        f"{prefix}-{part}"
        for prefix in _PREFIXES.values()
        for part in _PARTS
        if _find(folder, prefix, part) is None
    ]


def _find(folder: Path, prefix: str, part: str) -> Path | None:
    """Find a file, plain or gzipped; some sources write a dot for the second dash."""
    for name in (f"{prefix}-{part}", f"{prefix}-{part}".replace("-idx", ".idx")):
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    return None


def _check(
    images_path: Path, images: NDArray[Any], labels_path: Path, labels: NDArray[Any]
) -> None:
    if images.dtype != np.uint8 or images.shape[1:] != SIZE:
        raise DataError(
            [f"{images_path}: holds {images.dtype} of shape {images.shape}, not bytes (n, 28, 28)"]
        )
    if labels.dtype != np.uint8 or labels.ndim != 1:
        raise DataError(
            [f"{labels_path}: holds {labels.dtype} of shape {labels.shape}, not bytes (n)"]
        )
    if len(images) != len(labels) or not len(images):
        raise DataError(
            [
                f"{labels_path}: has {len(labels):,} labels for the {len(images):,} images of "
                f"{images_path.name}; they must be equally many, at least one"
            ]
        )
    unknown = np.flatnonzero(labels >= len(CLASSES))
    if len(unknown):
        first = int(unknown[0])
        raise DataError(
            [f"{labels_path}: label {first} is {int(labels[first])}; there are the classes 0 to 9"]
        )
