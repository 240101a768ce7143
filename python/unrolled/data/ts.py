"""Files of labelled time series in the ``.ts`` format of the UEA archive, sktime and aeon.

A header of lines ``@name value``, then after ``@data`` one case a line: its dimensions, separated
by colons, each a list of numbers separated by commas, and at the end the label. Lines that begin
with ``#`` or ``%`` are comments, ``?`` and ``NaN`` stand for a missing value.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unrolled.data.labels import DataError, text_lines
from unrolled.data.sequences import SequenceSet

TRAIN_ENDING, TEST_ENDING = "_TRAIN.ts", "_TEST.ts"

_FLAGS = ("timestamps", "missing", "univariate", "equallength")
_COUNTS = ("dimensions", "serieslength")
_OTHER_NAMES = {"dimension": "dimensions"}
_MISSING = ("?", "nan")
_LARGEST = float(np.finfo(np.float32).max)


@dataclass
class _Header:
    """What stands before ``@data``."""

    flags: dict[str, bool] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    has_targets: bool = False

    @property
    def dimensions(self) -> int | None:
        """Dimensions that each case must have; None where the header does not say."""
        return 1 if self.flags.get("univariate") else self.counts.get("dimensions")


def read_ts(path: str | os.PathLike[str], *, labelled: bool = True) -> SequenceSet:
    r"""Read a ``.ts`` file; every fault is told with its line.

    Parameters
    ----------
    path
        The file. Cases may be of different lengths, the dimensions of a case may not.
    labelled
        Whether the file must have labels; without, those it has are read all the same.

    Returns
    -------
    SequenceSet
        In the order of the file; ``names`` are ``file:line``, a missing value is NaN.

    Raises
    ------
    DataError
        With every fault: no such file, a header that lacks ``@data`` or ``@classLabel``, time
        stamps, numbers instead of labels, a case with the wrong number of dimensions or values, a
        value that is no number, a label that the header does not name, no case.

    Examples
    --------
    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/Steps_TRAIN.ts"
    >>> with open(path, "w") as file:
    ...     _ = file.write("@classLabel true up down\n@data\n1,2,3:0,0,1:up\n5,?:1,0:down\n")
    >>> data = read_ts(path)
    >>> data.labels.tolist(), data.lengths.tolist(), data.features
    ([0, 1], [3, 2], 2)
    """
    problems: list[str] = []
    lines = _contents(Path(path), problems)
    header = _read_header(Path(path), lines, labelled, problems)
    data = None
    if not problems:
        data = _read_cases(Path(path), lines, header, problems)
    if problems or data is None:
        raise DataError(problems)
    return data


def find_test(train: str | os.PathLike[str]) -> Path | None:
    """Return the file ``NAME_TEST.ts`` beside ``NAME_TRAIN.ts``; None if there is none.

    Examples
    --------
    >>> find_test("nowhere/Steps_TRAIN.ts") is None
    True
    """
    path = Path(train)
    if not path.name.endswith(TRAIN_ENDING):
        return None
    test = path.with_name(path.name.removesuffix(TRAIN_ENDING) + TEST_ENDING)
    return test if test.is_file() else None


def _contents(path: Path, problems: list[str]) -> Iterator[tuple[str, str]]:
    """Yield ``file:line`` and the text of lines that are neither blank nor comments."""
    for source, line in text_lines(path, problems):
        text = line.strip()
        if text and text[0] not in "#%":
            yield source, text


def _read_header(
    path: Path, lines: Iterator[tuple[str, str]], labelled: bool, problems: list[str]
) -> _Header:
    """Read up to ``@data``."""
    header = _Header()
    for source, line in lines:
        if not line.startswith("@"):
            problems.append(f"{source}: data before @data; put a line @data before the first case")
            return header
        name, *values = line[1:].split()
        name = _OTHER_NAMES.get(name.lower(), name.lower())
        if name == "data":
            if not problems:
                _check_header(path, header, labelled, problems)
            return header
        fault = _add_tag(header, name, values)
        if fault:
            problems.append(f"{source}: {line.split()[0]} {fault}")
    if not problems:
        problems.append(f"{path}: has no line @data; it is no .ts file, or cut short")
    return header


def _add_tag(header: _Header, name: str, values: list[str]) -> str | None:
    """Note a line of the header; return what is wrong with it. Unknown ones say nothing to us."""
    given = values[0] if values else ""
    if name in _FLAGS:
        if given.lower() not in ("true", "false"):
            return f"is {given!r}, it must be true or false"
        header.flags[name] = given.lower() == "true"
    elif name in _COUNTS:
        if not given.isascii() or not given.isdigit() or int(given) < 1:
            return f"is {given!r}, it must be a whole number of at least 1"
        header.counts[name] = int(given)
    elif name == "targetlabel":
        header.has_targets = given.lower() == "true"
    elif name == "classlabel":
        if given.lower() not in ("true", "false"):
            return "must be followed by true and the classes, or by false"
        header.classes = tuple(values[1:]) if given.lower() == "true" else ()
        repeated = {label for label in header.classes if header.classes.count(label) > 1}
        if given.lower() == "true" and not header.classes:
            return "names no class; write them behind true"
        if repeated:
            return f"names {min(repeated)} twice; name each class once"
    return None


def _check_header(path: Path, header: _Header, labelled: bool, problems: list[str]) -> None:
    if header.flags.get("timestamps"):
        problems.append(
            f"{path}: has time stamps (@timeStamps true), which are not read; write values at "
            "equal distances without them"
        )
    if header.has_targets:
        problems.append(
            f"{path}: has numbers to predict (@targetLabel true) where labels are needed; name a "
            "file with @classLabel true"
        )
    elif labelled and not header.classes:
        problems.append(
            f"{path}: has no labels; a line @classLabel true A B ... must name the classes, and "
            "each case end in :LABEL"
        )
    if header.flags.get("univariate") and header.counts.get("dimensions", 1) != 1:
        problems.append(
            f"{path}: is @univariate true with @dimensions {header.counts['dimensions']}; correct "
            "one of them"
        )


def _read_cases(
    path: Path, lines: Iterator[tuple[str, str]], header: _Header, problems: list[str]
) -> SequenceSet:
    places = {label: place for place, label in enumerate(header.classes)}
    dimensions = header.dimensions
    sequences, labels, names = [], [], []
    for source, line in lines:
        parts = line.split(":")
        label = parts.pop().strip() if header.classes else None
        if label is not None and label not in places:
            problems.append(f"{source}: label {label!r} is not among the classes of @classLabel")
            continue
        dimensions = len(parts) if dimensions is None else dimensions
        sequence = _read_case(parts, dimensions, header, source, problems)
        if sequence is not None:
            sequences.append(sequence)
            labels.append(-1 if label is None else places[label])
            names.append(source)
    if not sequences and not problems:
        problems.append(f"{path}: has no case after @data")
    return SequenceSet(sequences, np.array(labels, np.int64), header.classes, names)


def _read_case(
    parts: list[str], dimensions: int, header: _Header, source: str, problems: list[str]
) -> NDArray[np.float32] | None:
    """Read the dimensions of one case as (T, D); None after noting a fault."""
    if len(parts) != dimensions:
        problems.append(f"{source}: has {len(parts)} dimension(s), not {dimensions}")
        return None
    rows = []
    for d, part in enumerate(parts):
        row = _read_numbers(part)
        if isinstance(row, str):
            problems.append(f"{source}: dimension {d + 1}: {row}")
            return None
        rows.append(row)
    lengths = [len(row) for row in rows]
    needed = header.counts.get("serieslength") if header.flags.get("equallength") else None
    needed = lengths[0] if needed is None else needed
    for d, length in enumerate(lengths):
        if length != needed:
            problems.append(
                f"{source}: dimension {d + 1} has {length} value(s), not {needed}; give all "
                "dimensions of a case as many, ? for those that are missing"
            )
            return None
    if not header.flags.get("missing", True) and np.isnan(rows).any():
        problems.append(f"{source}: lacks values, but the header says @missing false")
        return None
    return np.stack(rows, axis=1)


def _read_numbers(text: str) -> NDArray[np.float32] | str:
    """Read numbers separated by commas; a string says what is wrong."""
    items = text.split(",")
    try:
        numbers = np.array(items, np.float64)
    except ValueError:
        return _read_each(items)
    return numbers.astype(np.float32) if (abs(numbers) <= _LARGEST).all() else _read_each(items)


def _read_each(items: list[str]) -> NDArray[np.float32] | str:
    """Read numbers one by one, some of which are missing or wrong."""
    numbers = np.empty(len(items), np.float32)
    for position, item in enumerate(items):
        if item.strip().lower() in _MISSING:
            numbers[position] = np.nan
            continue
        try:
            number = float(item)
        except ValueError:
            return (
                f"value {position + 1} is {item.strip()!r}, not a number; write ? where it is "
                "missing"
            )
        if not abs(number) <= _LARGEST:
            return f"value {position + 1} is {item.strip()}, which float32 cannot hold"
        numbers[position] = number
    return numbers
