"""Phrases with weights, as files hold them."""

from __future__ import annotations

import math
import os
import unicodedata
from pathlib import Path

from unrolled.data.labels import DataError, text_lines


def read_phrases(path: str | os.PathLike[str], weight: float = 10.0) -> dict[str, float]:
    """Read a phrase a line, each perhaps with a tab and its weight.

    Parameters
    ----------
    path
        Blank lines are skipped; phrases are normalised to NFC.
    weight
        Of phrases without their own.

    Returns
    -------
    dict of str to float
        In the order of the file.

    Raises
    ------
    DataError
        With every fault and its line: a missing file, bytes that are not UTF-8, a weight that is no
        number, a phrase given twice, no phrase at all.
    """
    problems: list[str] = []
    phrases: dict[str, float] = {}
    first: dict[str, str] = {}
    for source, line in text_lines(Path(path), problems):
        if not line.strip():
            continue
        text, tab, number = line.partition("\t")
        phrase = unicodedata.normalize("NFC", " ".join(text.split()))
        own = _weight(number) if tab else weight
        if not phrase:
            problems.append(f"{source}: no phrase before the tab; write phrase<TAB>weight")
        elif own is None:
            problems.append(f"{source}: the weight {number.strip()!r} is not a finite number")
        elif phrase in first:
            problems.append(f"{source}: {phrase!r} again, first in {first[phrase]}; keep one")
        else:
            phrases[phrase], first[phrase] = own, source
    if not phrases and not problems:
        problems.append(f"{path}: has no phrase; write one a line, with <TAB>weight where wanted")
    if problems:
        raise DataError(problems)
    return phrases


def _weight(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
