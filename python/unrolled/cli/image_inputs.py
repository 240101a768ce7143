"""Image files that a command is given, decoded and handled in batches; faults are told together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from unrolled.cli.progress import in_batches
from unrolled.data.images import ImageError, check_file
from unrolled.data.labels import DataError


def handle_images(
    names: Sequence[str],
    decode: Callable[[str], Any],
    handle: Callable[[list[Any]], list[Any]],
    *,
    what: str,
    unit: str,
) -> list[tuple[str, Any]]:
    """Pair the names of images with what `handle` makes of them.

    Parameters
    ----------
    names
        Of the files. That they are there is checked before any is decoded, so that a wrong name
        is told before an hour of work.
    decode
        From a name to the image; `ImageError` and `ValueError` are faults of the file.
    handle
        From a list of images to as many results.
    what, unit
        What the progress bar says.

    Raises
    ------
    DataError
        With every file that cannot be used; the others are decoded all the same.
    """
    problems: list[str] = []
    for name in names:
        try:
            check_file(name)
        except ImageError as error:
            problems.append(str(error))
    if problems:
        raise DataError(problems)
    rows: list[tuple[str, Any]] = []
    for batch in in_batches(list(names), what, unit):
        images = []
        for name in batch:
            try:
                images.append(decode(name))
            except ImageError as error:
                problems.append(str(error))
            except ValueError as error:
                problems.append(f"{name}: {error}")
        if not problems:
            rows.extend(zip(batch, handle(images), strict=True))
    if problems:
        raise DataError(problems)
    return rows
