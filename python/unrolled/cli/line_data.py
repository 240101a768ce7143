"""The lines ``unrolled train lines`` trains on and validates with, checked together."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from unrolled.cli.errors import CommandError
from unrolled.data.labels import DataError, Label, read_labels
from unrolled.data.lines import LineSet, find_image, load_lines


class Labels(NamedTuple):
    """Labels of both parts; ``valid`` is empty where a fraction is split off later."""

    train: list[Label]
    valid: list[Label]
    valid_images: str
    fraction: float


def read_all_labels(args: argparse.Namespace, problems: list[str]) -> Labels:
    """Read the labels files that ``--labels``, ``--valid`` and ``--valid-labels`` name.

    ``--valid`` is a fraction (0: none), a labels file of images in ``--images``, or a folder of
    images. The folder's labels are ``--valid-labels``, else the file in it that is named as
    ``--labels`` is, else ``--labels`` itself.
    """
    train = read_labels(args.labels, problems)
    fraction = _as_fraction(args.valid)
    if fraction is not None:
        if args.valid_labels:
            raise CommandError("--valid-labels needs --valid DIR, the folder of their images")
        return Labels(train, [], args.images, fraction)
    place = Path(args.valid)
    if place.is_file():
        return Labels(*_apart(train, read_labels(place, problems), problems), args.images, 0.0)
    if not place.is_dir():
        raise CommandError(
            f"--valid {args.valid}: neither a fraction nor a folder of images nor a labels file; "
            "give 0.1 to hold out a tenth of the lines"
        )
    beside = place / Path(args.labels).name
    labels = args.valid_labels or (beside if beside.is_file() else None)
    if labels is not None:
        return Labels(train, read_labels(labels, problems), args.valid, 0.0)
    return Labels(*_by_folder(train, Path(args.images), place), args.valid, 0.0)


def load_parts(
    args: argparse.Namespace,
    labels: Labels,
    frames: Callable[[int], int],
    charset: Collection[str],
    problems: list[str],
    progress: Callable[[Any], Iterable[Any]],
) -> tuple[LineSet, LineSet]:
    """Load training and validation lines.

    Raises
    ------
    DataError
        With ``problems`` and every fault of either part.
    CommandError
        If there are too few lines to split.
    """
    load = partial(
        load_lines,
        height=args.height,
        frames=frames,
        charset=charset,
        problems=problems,
        progress=progress,
    )
    train = load(args.images, labels.train)
    valid = load(labels.valid_images, labels.valid) if labels.valid else LineSet()
    if problems:
        raise DataError(problems)
    if not labels.fraction:
        return train, valid
    try:
        return train.split(labels.fraction, args.seed)
    except ValueError:
        raise CommandError(
            f"{args.labels}: {len(train)} usable line(s) are too few to hold out a share of "
            f"{labels.fraction:g}; add lines, or train without validation: --valid 0"
        ) from None


def _as_fraction(text: str) -> float | None:
    try:
        fraction = float(text)
    except ValueError:
        return None
    if not 0 <= fraction < 1:
        raise CommandError(
            f"--valid {text}: a fraction lies between 0 and 1; give 0.1 to hold out a tenth"
        )
    return fraction


def _apart(
    train: list[Label], valid: list[Label], problems: list[str]
) -> tuple[list[Label], list[Label]]:
    """Refuse to validate on lines that are trained on."""
    trained = {label.name: label.source for label in train}
    for label in valid:
        if label.name in trained:
            problems.append(
                f"{label.source}: {label.name} is also a training line ({trained[label.name]}); "
                "drop it from one of them"
            )
    return train, valid


def _by_folder(
    labels: list[Label], train_folder: Path, valid_folder: Path
) -> tuple[list[Label], list[Label]]:
    """Divide one labels file by which folder holds the image."""
    train: list[Label] = []
    valid: list[Label] = []
    for label in labels:
        (train if find_image(valid_folder, label.name) is None else valid).append(label)
    twice = [label.name for label in valid if find_image(train_folder, label.name)]
    if twice:
        raise CommandError(
            f"{valid_folder}: holds images of the same names as {train_folder} ({len(twice):,}, "
            f"first: {twice[0]}); name its own labels file with --valid-labels"
        )
    if labels and not valid:
        raise CommandError(
            f"{valid_folder}: holds no image of the labels file; name its own labels file with "
            "--valid-labels"
        )
    return train, valid
