"""The items of ``unrolled decode``, and the texts that they are known to hold."""

from __future__ import annotations

import argparse
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from unrolled.cli.errors import CommandError
from unrolled.cli.items import ARCHIVES, Items
from unrolled.cli.progress import note
from unrolled.data.emission_files import SUFFIXES, find_arrays, is_emissions, several
from unrolled.data.labels import DataError, read_labels
from unrolled.data.manifests import Entry, Manifest, fault_of_id


def is_many(args: argparse.Namespace) -> bool:
    """Whether the arguments name many items: a manifest, a folder, or several arrays."""
    if args.manifest is not None or Path(args.emissions).is_dir():
        return True
    if args.key is not None or Path(args.emissions).suffix.lower() not in ARCHIVES:
        return False
    return several(find_arrays(args.emissions))


def find_items(args: argparse.Namespace) -> Items:
    """List the items that the arguments name, with their references where there are some.

    Raises
    ------
    CommandError, DataError
        If there is none, or a file cannot be read.
    """
    if args.manifest is not None:
        manifest = Manifest(args.manifest, needs_text=False)
        return Items(manifest, len(manifest))
    path = Path(args.emissions)
    items = _in_folder(path) if path.is_dir() else _in_archive(path)
    return items if args.references is None else _with_references(items, args.references)


def single_item(args: argparse.Namespace) -> Items:
    """Return the one item that the arguments name."""
    from unrolled.data.transcripts import read_text

    path = Path(args.emissions)
    text = None if args.references is None else read_text(args.references)
    return Items([Entry(args.key or path.stem, path, args.key, text, source=str(path))], 1)


def reference_of(entry: Entry) -> str | None:
    """Return the text that an item is known to hold; raises DataError if it cannot be read."""
    from unrolled.data.transcripts import read_text

    text = read_text(entry.text_file) if entry.text_file is not None else entry.text
    return None if text is None else unicodedata.normalize("NFC", text)


def _in_folder(folder: Path) -> Items:
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise CommandError(f"{folder}: has no {', '.join(SUFFIXES)} file; name another folder")
    entries = [Entry(file.stem, file, source=str(file)) for file in files]
    _require_distinct(entries)
    return Items(entries, len(entries))


def _in_archive(path: Path) -> Items:
    arrays = {array.name: array for array in find_arrays(path) if is_emissions(array.shape)}
    entries = [Entry(name, path, name, source=f"{path}[{name}]") for name in arrays]
    _require_distinct(entries)
    return Items(entries, len(entries), arrays)


def _require_distinct(entries: list[Entry]) -> None:
    first: dict[str, Entry] = {}
    for entry in entries:
        fault = fault_of_id(entry.id)
        if fault is not None:
            raise CommandError(f"{entry.source}: {fault}")
        if entry.id in first:
            raise CommandError(
                f"{first[entry.id].source} and {entry.source}: would have one name; rename one, or "
                "write a manifest"
            )
        first[entry.id] = entry


def _with_references(items: Items, path: str) -> Items:
    problems: list[str] = []
    texts = {label.name: label.text for label in read_labels(path, problems)}
    if problems:
        raise DataError(problems)
    entries = list(_joined(items, texts))
    if texts:
        note(f"{len(texts):,} lines of {path} name no item, first: {next(iter(texts))}")
    return Items(entries, items.total, items.arrays)


def _joined(items: Items, texts: dict[str, str]) -> Iterator[Entry]:
    """Give each item its text, and take that off the table."""
    for entry in items.entries:
        yield replace(entry, text=texts.pop(entry.id, None))
