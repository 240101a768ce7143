"""Text files of trained vectors, one token a line: word2vec's, fastText's and GloVe's."""

from __future__ import annotations

import os
from collections.abc import Container
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data.labels import DataError
from unrolled.lm.sentences import TextLines

Array = NDArray[Any]


def read_vectors(
    path: str | os.PathLike[str], wanted: Container[str] | None = None
) -> tuple[list[str], Array]:
    """Read tokens and their vectors, float32 (n, D); of a token that comes twice, the first.

    A line is a token, spaces, and D numbers; a token may have spaces within. A first line of two
    whole numbers (how many tokens, and D) is passed over.

    Raises
    ------
    DataError
        If the file cannot be read, is no text, or a line has not a token and D numbers.
    """
    lines = TextLines(path)
    found: dict[str, Array] = {}
    size: int | None = None
    for number, line in enumerate(lines):
        fields = line.rstrip().split(" ")
        if number == 0 and len(fields) == 2 and all(field.isdecimal() for field in fields):
            size = int(fields[1])
            continue
        size = len(fields) - 1 if size is None else size
        token = " ".join(fields[:-size]) if size else ""
        if not token:
            raise DataError(
                [f"{lines.place(number)}: has not a token and {size or 'some'} numbers"]
            )
        if token not in found and (wanted is None or token in wanted):
            found[token] = _numbers(fields[-size:], lines.place(number))
    if not found:
        raise DataError([f"{os.fspath(path)}: has none of the tokens asked for"])
    return list(found), np.stack(list(found.values()))


def _numbers(fields: list[str], place: str) -> Array:
    try:
        return np.array(fields, np.float32)
    except ValueError as error:
        raise DataError([f"{place}: not {len(fields)} numbers behind a token ({error})"]) from None
