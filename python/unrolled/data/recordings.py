"""Folders of labelled recordings, as log-mel frames."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unrolled.data.audio import SUFFIXES, LogMel, load_frames, read_audio
from unrolled.data.class_folders import find_class_files, find_files
from unrolled.data.labels import DataError
from unrolled.data.sequences import SequenceSet

_NAME = re.compile(r"(?P<label>.+)_(?P<speaker>[^_]+)_(?P<number>[0-9]+)")


class RecordingName(NamedTuple):
    """What a file ``{label}_{speaker}_{index}.wav`` says of itself."""

    label: str
    speaker: str
    number: int


def parse_name(path: str | os.PathLike[str]) -> RecordingName | None:
    """Take a recording's name apart; None if it is of another form.

    Examples
    --------
    >>> parse_name("digits/7_theo_12.wav")
    RecordingName(label='7', speaker='theo', number=12)
    """
    match = _NAME.fullmatch(unicodedata.normalize("NFC", Path(path).stem))
    if match is None:
        return None
    return RecordingName(match["label"], match["speaker"], int(match["number"]))


def load_recordings(
    folder: str | os.PathLike[str],
    log_mel: LogMel | None = None,
    *,
    bands: int = 40,
    classes: Sequence[str] | None = None,
    progress: Callable[[Any], Iterable[Any]] = iter,
) -> tuple[SequenceSet, LogMel]:
    """Load every recording of a folder.

    Parameters
    ----------
    folder
        Has files ``{label}_{speaker}_{index}.wav`` (or FLAC, OGG), or one folder for each class,
        named as the class, with files of any names.
    log_mel : LogMel, optional
        Makes the frames; when not given, one with `bands` for the rate of the first recording.
    bands : int
        Features of a frame.
    classes : sequence of str, optional
        The only classes there may be, in this order; when not given, those found, sorted.
    progress
        Wraps the sequence of files while they are read, as `tqdm.tqdm` does.

    Returns
    -------
    SequenceSet
        Its names are the files'; `parse_name` has label, speaker and number of one.
    LogMel

    Raises
    ------
    DataError
        If there is no such folder, fewer than two classes, a class without a recording or that is
        not among `classes`, a name of another form; or with every file that cannot be used.
    ImportError
        Without the libraries that read recordings; says how to install them.
    """
    chosen = _by_name(Path(folder)) or _by_folder(Path(folder), classes)
    found = tuple(classes or sorted({label for _, label in chosen}))
    if len(found) < 2:
        raise DataError([f"{folder}: has the single class {found[0]}; a classifier needs two"])
    problems = [
        f"{path}: {label} is no class of the model; it knows {', '.join(found)}"
        for path, label in chosen
        if label not in found
    ]
    if problems:
        raise DataError(problems)
    if log_mel is None:
        log_mel = LogMel(read_audio(chosen[0][0])[1], bands)
    sequences = []
    for path, _ in progress(chosen):
        try:
            sequences.append(load_frames(path, log_mel))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    labels = np.array([found.index(label) for _, label in chosen], np.int64)
    return SequenceSet(sequences, labels, found, [str(path) for path, _ in chosen]), log_mel


def find_recordings(folder: str | os.PathLike[str]) -> list[Path]:
    """List the recordings in a folder and below, as `find_files` does."""
    return find_files(folder, SUFFIXES)


def _by_name(folder: Path) -> list[tuple[Path, str]]:
    """Pair the recordings that lie in the folder itself with the labels in their names."""
    if not folder.is_dir():
        return []
    paths = [path for path in find_recordings(folder) if path.parent == folder]
    names = [(path, parse_name(path)) for path in paths]
    problems = [
        f"{path}: is not named {{label}}_{{speaker}}_{{index}}{path.suffix}; rename it, or put the "
        "recordings of each class into a folder named as it"
        for path, name in names
        if name is None
    ]
    if problems:
        raise DataError(problems)
    return [(path, name.label) for path, name in names if name is not None]


def _by_folder(folder: Path, classes: Sequence[str] | None) -> list[tuple[Path, str]]:
    """Pair recordings with the names of the class folders that they lie in."""
    find = partial(find_files, suffixes=SUFFIXES)
    files = find_class_files(folder, classes, find, item="recording", kinds="WAV, FLAC or OGG")
    return [(path, label) for label, paths in files.items() for path in paths]
