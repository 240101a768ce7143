"""Labelled sequences that a command is given: a ``.ts`` file, or a folder of recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli.errors import CommandError
from unrolled.cli.progress import note, progress

if TYPE_CHECKING:
    from unrolled.data.sequences import SequenceSet
    from unrolled.models import SequenceClassifier

WHERE_TO_GET = (
    "JapaneseVowels and other .ts files are in the package aeon (pip download --no-deps aeon, "
    "then unzip the wheel: aeon/datasets/data/) and at timeseriesclassification.com; spoken digits "
    "are the Free Spoken Digit Dataset, https://github.com/Jakobovski/free-spoken-digit-dataset"
)


def is_ts(path: str) -> bool:
    """Tell ``.ts`` files from folders of recordings by their names."""
    return path.lower().endswith(".ts")


def check_there(path: str) -> None:
    """Refuse data that are neither, and say where there are some.

    Raises
    ------
    CommandError
    """
    if is_ts(path) and Path(path).is_file():
        return
    if Path(path).is_dir():
        return
    what = "no such file or folder" if not Path(path).exists() else "neither of them"
    raise CommandError(
        f"{path}: {what}; name a labelled .ts file or a folder of recordings. {WHERE_TO_GET}"
    )


def load_ts(path: str) -> SequenceSet:
    """Read a ``.ts`` file, and fill in what is missing.

    Raises
    ------
    DataError
        As `read_ts`.
    """
    from unrolled.data.ts import read_ts

    return without_gaps(read_ts(path), path)


def without_gaps(data: SequenceSet, path: str) -> SequenceSet:
    """Fill in missing values, and say so."""
    from dataclasses import replace

    import numpy as np

    from unrolled.data.sequences import fill_missing

    missing = sum(int(np.isnan(sequence).sum()) for sequence in data.sequences)
    if not missing:
        return data
    note(f"{path}: {missing:,} missing value(s), filled in from their neighbours in time")
    return replace(data, sequences=[fill_missing(sequence) for sequence in data.sequences])


def as_classes(data: SequenceSet, path: str, classes: Sequence[str]) -> SequenceSet:
    """Count labels in the order of a model's classes.

    Raises
    ------
    CommandError
        If the data have a class that the model does not know.
    """
    from dataclasses import replace

    import numpy as np

    unknown = [label for label in data.classes if label not in classes]
    if unknown:
        raise CommandError(
            f"{path}: has the class {unknown[0]}, which the model does not know; it knows "
            f"{', '.join(classes)}"
        )
    places = np.array([list(classes).index(label) for label in data.classes], np.int64)
    return replace(data, labels=places[data.labels], classes=tuple(classes))


def load_for(model: SequenceClassifier, path: str) -> SequenceSet:
    """Load labelled sequences for a trained model.

    Raises
    ------
    CommandError, DataError
        If they cannot be read, or are not of the model's features or classes.
    """
    check_there(path)
    _check_kind(model, path, is_ts(path))
    if is_ts(path):
        data = as_classes(load_ts(path), path, model.classes)
        check_features(data, path, model.features)
        return data
    from unrolled.data.recordings import load_recordings

    return load_recordings(
        path, model.log_mel, classes=model.classes, progress=loading_recordings()
    )[0]


def load_unlabelled(model: SequenceClassifier, paths: Sequence[str]) -> tuple[list[str], list[Any]]:
    """Load sequences whose labels do not matter, or are not there.

    Parameters
    ----------
    model
    paths
        ``.ts`` files; or recordings and folders of them, for a model of recordings.

    Returns
    -------
    (list of str, list of ndarray)
        Names of the sequences, and their frames.

    Raises
    ------
    CommandError, DataError
        If a file cannot be read or is not of the model's kind or features.
    """
    if model.log_mel is None:
        parts = [_unlabelled_ts(model, path) for path in paths]
        return [name for part in parts for name in part.names], [
            sequence for part in parts for sequence in part.sequences
        ]
    return _unlabelled_recordings(model, paths)


def _unlabelled_ts(model: SequenceClassifier, path: str) -> SequenceSet:
    from unrolled.data.ts import read_ts

    if not is_ts(path):
        raise CommandError(f"{path}: the model was trained on .ts files; name such data")
    data = without_gaps(read_ts(path, labelled=False), path)
    check_features(data, path, model.features)
    return data


def _unlabelled_recordings(
    model: SequenceClassifier, paths: Sequence[str]
) -> tuple[list[str], list[Any]]:
    from unrolled.data.audio import load_frames
    from unrolled.data.labels import DataError
    from unrolled.data.recordings import find_recordings

    assert model.log_mel is not None
    names: list[str] = []
    for path in paths:
        found = [str(file) for file in find_recordings(path)] if Path(path).is_dir() else [path]
        if not found:
            raise CommandError(f"{path}: has no recording; name a folder of WAV, FLAC or OGG files")
        names += found
    sequences: list[Any] = []
    problems: list[str] = []
    for name in loading_recordings()(names):
        try:
            sequences.append(load_frames(name, model.log_mel))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return names, sequences


def check_features(data: SequenceSet, path: str, features: int) -> None:
    """Refuse sequences of other dimensions.

    Raises
    ------
    CommandError
    """
    if data.features != features:
        raise CommandError(
            f"{path}: has {data.features} dimension(s), not {features} as the data that were "
            "trained on; name data of the same kind"
        )


def loading_recordings() -> Callable[[Any], Any]:
    """Return what shows progress while recordings are read."""
    return partial(progress, what="loading", unit="recording")


def _check_kind(model: SequenceClassifier, path: str, is_file: bool) -> None:
    """Refuse recordings where the model was trained on a ``.ts`` file, and the reverse."""
    if is_file == (model.audio is None):
        return
    kind = "recordings" if model.audio is not None else ".ts files"
    raise CommandError(f"{path}: the model was trained on {kind}; name such data")
