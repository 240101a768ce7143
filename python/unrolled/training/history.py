"""The figures of a training run, one row an epoch."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from unrolled._files import write_atomically

__all__ = ["History"]


class History:
    """The figures of a training run.

    Attributes
    ----------
    rows : list of dict
        One an epoch, oldest first: ``epoch`` (from 1), ``step``, ``train_loss``,
        ``learning_rate``, ``seconds``, and where known ``valid_loss`` and further metrics.

    Examples
    --------
    >>> history = History([{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.25}])
    >>> history.column("train_loss")
    [0.5, 0.25]
    >>> history
    History(2 epochs, last: epoch=2, train_loss=0.25)
    """

    def __init__(self, rows: list[dict[str, Any]] | None = None) -> None:
        self.rows = [] if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        if not self.rows:
            return "History(0 epochs)"
        last = ", ".join(f"{name}={_short(value)}" for name, value in self.rows[-1].items())
        return f"History({len(self.rows)} epochs, last: {last})"

    @property
    def columns(self) -> list[str]:
        """Names of all figures, in the order in which they first appear."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def column(self, name: str) -> list[Any]:
        """Return one figure over the epochs; None where an epoch does not have it.

        Raises
        ------
        KeyError
            If no epoch has it.
        """
        if name not in self.columns:
            raise KeyError(f"no column {name!r}; there are {', '.join(self.columns) or 'none'}")
        return [row.get(name) for row in self.rows]

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a CSV file with a header line, atomically; `from_csv` reads the same numbers.

        Raises
        ------
        OSError
            If the file cannot be written; an older one is kept.
        """
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_atomically(path, text.getvalue().encode())

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> History:
        """Read what `to_csv` wrote.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is not UTF-8, or a line has a value that is not a number, or too many or few.
        """
        text = Path(path).read_text(encoding="utf-8-sig")
        names, *lines = list(csv.reader(io.StringIO(text))) or [[]]
        return cls([_parse_row(path, names, line, number) for number, line in enumerate(lines, 2)])


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _parse_row(
    path: str | os.PathLike[str], names: list[str], line: list[str], number: int
) -> dict[str, Any]:
    if len(line) != len(names):
        raise ValueError(f"{path}, line {number}: {len(line)} values for {len(names)} columns")
    try:
        return {name: _parse(text) for name, text in zip(names, line, strict=True) if text}
    except ValueError as error:
        raise ValueError(f"{path}, line {number}: {error}") from None


def _parse(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)
