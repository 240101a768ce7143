"""The items of a command over many: where their emissions are, and what identifies each."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli.corpus import Corpus, Counts
from unrolled.cli.errors import CommandError
from unrolled.data.emission_files import Found
from unrolled.data.manifests import Entry

if TYPE_CHECKING:
    from unrolled.data.emissions import Emissions

ARCHIVES = (".npz", ".safetensors")


@dataclass(frozen=True)
class Items:
    """Items and how many they are.

    Attributes
    ----------
    entries : iterable of Entry
        Can be gone through more than once.
    total : int
    arrays : dict of str to Found
        Where the arrays of an archive are, by name; empty where each item has a file of its own.
    """

    entries: Iterable[Entry]
    total: int
    arrays: dict[str, Found] = field(default_factory=dict)

    def open(self, entry: Entry, *, logits: bool) -> Emissions:
        """Find the emissions of an item; raises as `open_emissions`."""
        from unrolled.data.emissions import open_emissions

        found = [self.arrays[entry.key]] if entry.key in self.arrays else None
        return open_emissions(entry.emissions, entry.key, logits=logits, found=found)


def write_one(text: str, out: str | None, name: str) -> Path | None:
    """Print what came of one item, or write it to a file, or into a folder under its name."""
    from unrolled._files import write_atomically

    if out is None:
        sys.stdout.write(text)
        return None
    path = Path(out) / name if Path(out).is_dir() else Path(out)
    write_atomically(path, text.encode())
    return path


def refuse_own_names(corpus: Corpus, items: Items) -> None:
    """Refuse an id whose file would be the index or the list of errors.

    Raises
    ------
    CommandError
    """
    own = {corpus.folder / corpus.index, corpus.errors}
    for entry in items.entries:
        if corpus.file_of(entry.id) in own:
            raise CommandError(
                f"{entry.source}: the id {entry.id} would overwrite {corpus.file_of(entry.id)}; "
                "give another"
            )


def origin(entry: Entry) -> list[Any]:
    """Return what changes when the content of an item does; raises OSError without its file."""
    text = entry.text if entry.text_file is None else entry.text_file.read_bytes().hex()
    own = [entry.key, text, entry.tokens, entry.duration, entry.width, entry.offset]
    return [*own, *stamp_of(entry.emissions)]


def stamp_of(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return the size of a file and when it was changed: for what is too large to read twice."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def content_of(path: str | None) -> str | None:
    """Return what identifies the bytes of a file; None without one."""
    return None if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()


def digest(*parts: Any) -> str:
    """Return a short text that differs for other parts, which must be fit for JSON."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def print_counts(counts: Counts, done: str, total: int, corpus: Corpus) -> None:
    """Say how many items were done, how many failed, and where both are listed."""
    from unrolled.cli.tables import print_facts

    print_facts([(done, f"{counts.made:,} of {total:,}")])
    if counts.kept:
        print_facts([("done before", f"{counts.kept:,}; --overwrite does them again")])
    if counts.failed:
        print_facts([("failed", f"{counts.failed:,}, listed in {corpus.errors}")])
    print_facts([("index", str(corpus.folder / corpus.index))])
