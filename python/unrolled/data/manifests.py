"""Manifests: the items of a corpus, one a line, as tab-separated values or JSON."""

from __future__ import annotations

import json
import math
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unrolled.data.labels import DataError, text_lines

#: What a line may say of its item.
FIELDS = ("emissions", "text", "text_file", "tokens", "id", "key", "duration", "width", "offset")
_CONTENTS = ("text", "text_file", "tokens")  # either or both of a text and tokens
_NUMBERS = ("duration", "width", "offset")
_COLUMNS = ("emissions", "text", "id")  # of a table without a header
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True)
class Entry:
    """One item of a corpus.

    Attributes
    ----------
    id : str
        Different for each; names what is made of the item.
    emissions : Path
    key : str, optional
        Name of the array in that file.
    text, tokens : str, optional
        What is in the item; where that must be known, at least one of these and `text_file`.
    text_file : Path, optional
        Where the text stands.
    duration, width : float, optional
        Seconds of the recording, or columns of the image.
    offset : float, optional
        Where it begins, in seconds or columns.
    source : str
        Where the item is named, ``file:line``.
    """

    id: str
    emissions: Path
    key: str | None = None
    text: str | None = None
    tokens: str | None = None
    text_file: Path | None = None
    duration: float | None = None
    width: float | None = None
    offset: float | None = None
    source: str = ""


class Manifest:
    """A file with an item a line, read again whenever it is gone through.

    Parameters
    ----------
    path
        A ``.jsonl`` file of JSON objects with the `FIELDS`, others left alone; or tab-separated
        values: emissions, text and, if wanted, id, or what a header of names of `FIELDS` says.
        Paths are relative to the manifest. Without ``id``, the key or the file's name without
        suffix is taken. Blank lines are skipped.
    needs_text : bool
        Whether each line must say what its item holds; where not, a table may have one column.

    Attributes
    ----------
    path : Path
    ids : dict of str to str
        Of all items, with where they stand.

    Raises
    ------
    DataError
        With every line that cannot be used, or where there is none.
    """

    def __init__(self, path: str | os.PathLike[str], *, needs_text: bool = True) -> None:
        self.path = Path(path)
        self.needs_text = needs_text
        self.ids: dict[str, str] = {}
        problems: list[str] = []
        for entry in self._entries(problems):
            if entry.id in self.ids:
                problems.append(
                    f"{entry.source}: the id {entry.id} again, first in {self.ids[entry.id]}; give "
                    "each item an id of its own"
                )
            self.ids.setdefault(entry.id, entry.source)
        if not self.ids and not problems:
            columns = "emissions<TAB>text" if needs_text else "emissions"
            problems.append(f"{path}: has no line; write one for each item: {columns}")
        if problems:
            raise DataError(problems)

    def __len__(self) -> int:
        """Count the items."""
        return len(self.ids)

    def __iter__(self) -> Iterator[Entry]:
        """Go through the items in the order of the file."""
        problems: list[str] = []
        yield from self._entries(problems)
        if problems:
            raise DataError(problems)  # the file has changed since

    def _entries(self, problems: list[str]) -> Iterator[Entry]:
        is_json = self.path.suffix.lower() in (".jsonl", ".json", ".ndjson")
        columns: tuple[str, ...] | None = None
        for source, line in text_lines(self.path, problems):
            if not line.strip():
                continue
            if is_json:
                fields = _json_fields(line)
            else:
                cells = line.split("\t")
                if columns is None:
                    columns = _header(cells)
                    if columns is not None:
                        continue
                    columns = _COLUMNS
                fields = _cells(cells, columns, 2 if self.needs_text else 1)
            found = fields if isinstance(fields, str) else self._entry(fields, source)
            if isinstance(found, str):
                problems.append(f"{source}: {found}")
            else:
                yield found

    def _entry(self, fields: dict[str, str], source: str) -> Entry | str:
        """Return the item of a line, or what is wrong with it."""
        if not fields.get("emissions"):
            return f"names no emissions; it has {', '.join(fields) or 'nothing'}"
        contents = [name for name in _CONTENTS if name in fields]
        if (self.needs_text and not contents) or {"text", "text_file"} <= set(contents):
            which = " and ".join(contents) or "neither"
            return f"must have tokens, text or text_file, or tokens and one of these; got {which}"
        empty = [name for name in contents if self.needs_text and not fields[name].strip()]
        if empty:
            return f"empty {empty[0]}; write what the emissions hold, or drop the line"
        folder, key = self.path.parent, fields.get("key") or None
        emissions = folder / fields["emissions"]
        name = fields.get("id") or key or emissions.stem
        numbers = {n: _number(fields[n], n != "offset") for n in _NUMBERS if fields.get(n)}
        wrong = [field for field, value in numbers.items() if value is None]
        above = "" if wrong == ["offset"] else " above 0"
        fault = f"{wrong[0]} must be a number{above}" if wrong else fault_of_id(name)
        if fault is not None:
            return fault
        text_file = fields.get("text_file")
        return Entry(
            name,
            emissions,
            key,
            _normal(fields.get("text")),
            _normal(fields.get("tokens")),
            None if text_file is None else folder / text_file,
            source=source,
            **numbers,
        )


def fault_of_id(name: str) -> str | None:
    """Say why an id cannot name a file below a folder; None if it can.

    Examples
    --------
    >>> fault_of_id("speaker1/utterance2"), fault_of_id("../x")
    (None, "the id '../x' does not name a file below the output folder; give another")
    """
    parts = name.split("/")
    is_below = all(part.strip() not in ("", ".", "..") for part in parts)
    if is_below and not _UNSAFE.search(name) and not re.match("[A-Za-z]:", name):
        return None
    return f"the id {name!r} does not name a file below the output folder; give another"


def _normal(text: str | None) -> str | None:
    return None if text is None else unicodedata.normalize("NFC", text.strip())


def _number(text: str, is_size: bool) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and (value > 0 or not is_size) else None


def _header(cells: list[str]) -> tuple[str, ...] | None:
    names = tuple(cell.strip() for cell in cells)
    return names if "emissions" in names and set(names) <= set(FIELDS) else None


def _cells(cells: list[str], columns: tuple[str, ...], needed: int) -> dict[str, str] | str:
    most = len(columns)
    least = needed if columns == _COLUMNS else most
    if least <= len(cells) <= most:
        fields = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
        return {name: cell for name, cell in fields.items() if cell or needed > 1}
    wanted = "<TAB>".join(columns)
    optional = f" ({' and '.join(columns[least:])} may be left out)" if least < most else ""
    return f"{len(cells)} column(s); write {wanted}{optional}, nothing else"


def _json_fields(line: str) -> dict[str, str] | str:
    try:
        document: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON ({error}); write one object a line"
    if not isinstance(document, dict):
        return 'must be an object such as {"emissions": "a.npy", "text": "..."}'
    fields = {}
    for name in FIELDS:
        value = document.get(name)
        if name == "tokens" and isinstance(value, list):
            value = " ".join(map(str, value))
        if value is None:
            continue
        if type(value) in (int, float) and name in ("id", *_NUMBERS):
            value = str(value)
        if not isinstance(value, str):
            return f"{name} must be a string, got {value!r}"
        fields[name] = value
    return fields
