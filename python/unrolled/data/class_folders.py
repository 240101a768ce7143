"""Folders whose folders are classes."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

from unrolled.data.labels import DataError

# Folders of such names hold the folders of the classes.
_PARTS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev"}


def find_class_files(
    folder: str | os.PathLike[str],
    classes: Sequence[str] | None,
    find: Callable[[Path], list[Path]],
    *,
    item: str,
    kinds: str,
) -> dict[str, list[Path]]:
    """List the files of every class.

    Parameters
    ----------
    folder
        Has one folder for each class, named as the class.
    classes : sequence of str, optional
        The only classes there may be.
    find
        ``find(folder)`` lists the files of a class.
    item, kinds
        What messages call a file, and the formats it may have.

    Returns
    -------
    dict of str to list of Path
        By class, in the order of the folders' names.

    Raises
    ------
    DataError
        If there is no such folder, fewer than two classes, a class without a file, or one that is
        not among `classes`.
    """
    places = _class_folders(Path(folder), classes, item)
    files = {label: find(place) for label, place in places.items()}
    _check_classes(Path(folder), places, files, classes, item, kinds)
    return files


def find_files(folder: str | os.PathLike[str], suffixes: tuple[str, ...]) -> list[Path]:
    """List the files in a folder and below that have one of the suffixes, sorted by their names.

    Hidden files and folders, whose names begin with a dot, are left out, and links to
    folders below are not followed.
    """
    found: list[Path] = []
    for entry in sorted(Path(folder).iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not entry.is_symlink():
            found += find_files(entry, suffixes)
        elif entry.name.lower().endswith(suffixes):
            found.append(entry)
    return found


def _class_folders(folder: Path, classes: Sequence[str] | None, item: str) -> dict[str, Path]:
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
            [f"{folder}: has no folder; put the {item}s of each class into a folder named as it"]
        )
    return found


def _check_classes(
    folder: Path,
    places: dict[str, Path],
    files: dict[str, list[Path]],
    classes: Sequence[str] | None,
    item: str,
    kinds: str,
) -> None:
    problems = [
        f"{places[label]}: class without {_an(item)}; add {kinds} files, or remove the folder"
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


def _an(item: str) -> str:
    return f"an {item}" if item[0] in "aeiou" else f"a {item}"
