"""A folder of line images and its labels file, checked and held in memory."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.ctc import required_frames
from unrolled.data.image_files import SUFFIXES
from unrolled.data.images import MAX_WIDTH, ImageError, load_line, resize_line, resized_width
from unrolled.data.labels import DataError, Label, describe, read_labels


@dataclass(frozen=True, eq=False)
class LineSet:
    """Line images with their texts.

    The images are grey bytes at the training height: a line of 32 x 600 pixels takes 19 KB, ten
    thousand of them 190 MB, while decoding files again in every epoch would cost more than a
    training step does. Ink and paper are told apart later, by `prepare_line`, and with the same
    bits as for the original.

    Attributes
    ----------
    images : list of uint8 arrays (height, W)
    texts, names, sources : list of str
        ``sources`` says where each label stands, as ``file:line``.
    """

    images: list[NDArray[np.uint8]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.texts)

    def add(self, image: NDArray[np.uint8], label: Label) -> None:
        """Append one line."""
        self.images.append(image)
        self.texts.append(label.text)
        self.names.append(label.name)
        self.sources.append(label.source)

    def subset(self, indices: Iterable[int]) -> LineSet:
        """Choose lines by position."""
        chosen = list(indices)
        return LineSet(
            [self.images[i] for i in chosen],
            [self.texts[i] for i in chosen],
            [self.names[i] for i in chosen],
            [self.sources[i] for i in chosen],
        )

    def split(self, fraction: float, seed: int = 0) -> tuple[LineSet, LineSet]:
        """Set a share of the lines aside for validation, at least one.

        Parameters
        ----------
        fraction
            Share between 0 and 1.
        seed
            The same seed and lines give the same split.

        Returns
        -------
        (LineSet, LineSet)
            Training and validation lines, each in their old order.

        Raises
        ------
        ValueError
            If the fraction is not between 0 and 1, or either part would be empty.
        """
        if not 0 < fraction < 1:
            raise ValueError(f"fraction is {fraction}; it must be between 0 and 1")
        held = max(1, round(fraction * len(self)))
        if held >= len(self):
            raise ValueError(
                f"{len(self)} line(s) cannot be split into training and validation lines with "
                f"fraction {fraction:g}; add lines or take a smaller fraction"
            )
        order = np.random.Generator(np.random.PCG64(seed)).permutation(len(self))
        return self.subset(np.sort(order[held:])), self.subset(np.sort(order[:held]))


def load_lines(
    images: str | os.PathLike[str],
    labels: str | os.PathLike[str] | Sequence[Label],
    height: int,
    *,
    frames: Callable[[int], int] | None = None,
    charset: Collection[str] | None = None,
    problems: list[str] | None = None,
    progress: Callable[[Any], Iterable[Any]] = iter,
) -> LineSet:
    """Load every line that a labels file names, after checking all of them.

    Parameters
    ----------
    images
        Folder the names are relative to.
    labels
        Labels file (see `read_labels`), or labels already read.
    height
        Rows the images are scaled to.
    frames
        From an image's width at that height to the frames a model makes of it: labels that are
        too long to be learnt with CTC are then refused.
    charset
        The only characters that may occur, if given.
    problems
        Where to add faults instead of raising; lines with a fault are left out of the result.
    progress
        Wraps the sequence of labels while images are decoded, as `tqdm.tqdm` does.

    Returns
    -------
    LineSet
        In the order of the file.

    Raises
    ------
    DataError
        Without ``problems``: names every fault of the labels, and every image that is missing,
        damaged, too large or too narrow for its text.
    ImportError
        Without Pillow.
    """
    found: list[str] = []
    if isinstance(labels, (str, os.PathLike)):
        chosen: Sequence[Label] = read_labels(labels, found)
    else:
        chosen = labels
    folder = Path(images)
    lines = LineSet()
    if _folder_is_usable(folder, chosen, found):
        for label in progress(chosen):
            fault = _load_into(lines, folder, label, height, frames, charset)
            if fault is not None:
                found.append(f"{label.source}: {fault}")
    if problems is not None:
        problems.extend(found)
    elif found:
        raise DataError(found)
    return lines


def find_image(folder: Path, name: str) -> Path | None:
    """Path of an image, or None; accents in a file's name may be composed or not (macOS)."""
    for form in (name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)):
        if (folder / form).is_file():
            return folder / form
    return None


def unlabelled_images(folder: Path, names: Collection[str]) -> list[str]:
    """Images in a folder that no label names, sorted."""
    known = {unicodedata.normalize("NFC", name) for name in names}
    return sorted(
        entry.name
        for entry in os.scandir(folder)
        if entry.name.lower().endswith(SUFFIXES)
        and unicodedata.normalize("NFC", entry.name) not in known
    )


def _folder_is_usable(folder: Path, labels: Sequence[Label], problems: list[str]) -> bool:
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "no such folder"
        problems.append(f"{folder}: {what}; name the folder that holds the images")
        return False
    # A wrong folder is one fault, not one for each line.
    if len(labels) > 1 and not any(find_image(folder, label.name) for label in labels):
        problems.append(
            f"{folder}: holds none of the {len(labels):,} images in the labels file "
            f"(first: {labels[0].name}{_near_name(folder, labels[0].name)}); check the folder"
        )
        return False
    return True


def _load_into(
    lines: LineSet,
    folder: Path,
    label: Label,
    height: int,
    frames: Callable[[int], int] | None,
    charset: Collection[str] | None,
) -> str | None:
    """Add a line, or return what is wrong with it."""
    path = find_image(folder, label.name)
    if path is None:
        near = _near_name(folder, label.name)
        return f"no image {folder / label.name}{near}; correct the name or drop the line"
    unknown = sorted(set(label.text) - set(charset)) if charset is not None else []
    if unknown:
        named = ", ".join(describe(character) for character in unknown)
        return f"{named} not among the characters given; add it there or drop the line"
    try:
        original = load_line(path)
        image = resize_line(original, height)
    except ImageError as error:
        return str(error)
    except ValueError as error:
        return f"{path}: {error}"
    if frames is not None and frames(image.shape[1]) < _frames_needed(label.text):
        return _too_long(path, label.text, original.shape, height, frames)
    lines.add(image, label)
    return None


def _too_long(
    path: Path, text: str, size: tuple[int, int], height: int, frames: Callable[[int], int]
) -> str:
    needed = _frames_needed(text)
    repeats = needed - len(text)
    given = f"{len(text)} characters" + (f" and {repeats} repeats" if repeats else "")
    return (
        f"{path}: label too long for the image: {given} need {needed} frames, {size[1]} x "
        f"{size[0]} pixels give {frames(resized_width(size, height))} at height {height}; "
        f"{_enough_height(size, height, needed, frames)}drop the line"
    )


def _frames_needed(text: str) -> int:
    return required_frames([ord(character) for character in text])


def _enough_height(
    size: tuple[int, int], height: int, needed: int, frames: Callable[[int], int]
) -> str:
    for larger in range(height + 16, 8 * height + 1, 16):
        width = resized_width(size, larger)
        if width <= MAX_WIDTH and frames(width) >= needed:
            return f"a height of {larger} is enough, or "
    return ""


def _near_name(folder: Path, name: str) -> str:
    """Name a file that may be meant."""
    without_folder = Path(name).name
    for near in (without_folder, *(without_folder + suffix for suffix in SUFFIXES)):
        if near != name and find_image(folder, near):
            return f" ({near} is there)"
    return ""
