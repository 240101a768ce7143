"""Names along an axis: in rows, so that none covers another."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unrolled.plot.figures import plain_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_INCHES = 0.17
_POINTS = 72  # an inch
_GAP = 0.05  # inches between names of a row
_NARROW, _WIDE = 0.62, 1.05  # of the font's size, a bit more than letters need


@dataclass(frozen=True, slots=True)
class NamePlace:
    """A name, the middle of what it names, and its width, both as inches along the axis."""

    text: str
    middle: float
    width: float
    color: str


def name_place(text: str, middle: float, size: float, color: str) -> NamePlace:
    """Measure a name in a font of `size` points."""
    letters = sum(_WIDE if unicodedata.east_asian_width(c) in "WF" else _NARROW for c in text)
    return NamePlace(text, middle, letters * size / _POINTS, color)


def arrange(names: Iterable[NamePlace], length: float, most: int) -> list[list[NamePlace]]:
    """Put each name into the first row that has room for it, or leave it out.

    Parameters
    ----------
    names : iterable of NamePlace
        From left to right.
    length : float
        Inches of the axis.
    most : int
        Rows at most.
    """
    rows: list[list[NamePlace]] = []
    ends: list[float] = []
    for name in names:
        left = min(max(name.middle - name.width / 2, 0.0), max(length - name.width, 0.0))
        row = next((index for index, end in enumerate(ends) if end + _GAP <= left), len(rows))
        if row == most or name.width > length:
            continue
        if row == len(rows):
            rows.append([])
            ends.append(0.0)
        rows[row].append(NamePlace(name.text, left + name.width / 2, name.width, name.color))
        ends[row] = left + name.width
    return rows


def write_rows(
    axis: Axes,
    rows: Sequence[Sequence[NamePlace]],
    length: float,
    edge: float,
    size: float,
    upwards: bool,
) -> None:
    """Write the rows away from `edge`, on an axis whose heights are inches."""
    from matplotlib.transforms import blended_transform_factory

    places = blended_transform_factory(axis.transAxes, axis.transData)
    for number, row in enumerate(rows):
        height = edge + ROW_INCHES * (number + 0.5) * (1 if upwards else -1)
        for name in row:
            axis.text(
                name.middle / length,
                height,
                plain_text(name.text),
                transform=places,
                ha="center",
                va="center",
                fontsize=size,
                color=name.color,
                in_layout=False,  # measuring hundreds of them takes seconds
            )
