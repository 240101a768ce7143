"""``unrolled align`` over a manifest, or an archive with an array for each item."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unrolled.cli.align_output import FORMATS, needs_seconds, render, score_of
from unrolled.cli.align_settings import Settings
from unrolled.cli.corpus import Corpus, Made, one_by_one
from unrolled.cli.errors import CommandError
from unrolled.cli.items import (
    ARCHIVES,
    Items,
    content_of,
    digest,
    origin,
    print_counts,
    refuse_own_names,
)
from unrolled.data.emission_files import Found, find_arrays, several
from unrolled.data.labels import DataError, text_lines
from unrolled.data.manifests import Entry, Manifest, fault_of_id

INDEX = "alignments.tsv"
ERRORS = "errors.tsv"
_COLUMNS = ("file", "frames", "tokens", "score", "suspicious")
# What an item's file depends on, beside the item itself.
_OPTIONS = (
    *("format", "level", "blank", "separator", "logits", "oov", "star", "posterior"),
    *("skip_penalty", "insert_penalty", "prior_scale"),
    *("frame_rate", "duration", "stride", "width", "offset"),
)


def is_many(args: argparse.Namespace) -> bool:
    """Whether the arguments name many items: a manifest, or an archive of several arrays."""
    if args.manifest is not None:
        return True
    if args.key is not None or Path(args.emissions).suffix.lower() not in ARCHIVES:
        return False
    found = find_arrays(args.emissions)
    return several(found) or _names_an_array(args.text or args.tokens, found)


def _names_an_array(path: str, found: list[Found]) -> bool:
    """Whether a text begins as a table of name<TAB>text does."""
    _, line = next(text_lines(Path(path), []), ("", ""))
    name, tab, _ = line.partition("\t")
    return bool(tab) and name.strip() in {array.name for array in found}


def align_many(args: argparse.Namespace, name: str) -> int:
    """Align them into a folder; 1 if an item failed."""
    if args.out is None:
        remedy = "name a folder for their files with --out DIR"
        if args.manifest is None:
            remedy += ", or choose an array of the archive with --key"
        raise CommandError(f"{args.manifest or args.emissions}: many items; {remedy}")
    settings = Settings.of(args)
    items = _manifest(args) if args.manifest is not None else _archive(args)
    needs_rate = FORMATS[name].in_seconds and not settings.has_seconds
    if needs_rate and all(entry.duration is None for entry in items.entries):
        raise needs_seconds(name)
    out = Path(args.out)
    errors = Path(args.errors) if args.errors is not None else out / ERRORS
    corpus = Corpus(out, FORMATS[name].suffix, INDEX, _COLUMNS, errors)
    refuse_own_names(corpus, items)
    counts = corpus.run(
        items.entries,
        items.total,
        _checker(settings, name),
        one_by_one(_maker(settings, name, corpus, items)),
        what="aligning",
        overwrite=args.overwrite,
    )
    print_counts(counts, "aligned", items.total, corpus)
    return 1 if counts.failed else 0


def _manifest(args: argparse.Namespace) -> Items:
    manifest = Manifest(args.manifest)
    return Items(manifest, len(manifest))


def _archive(args: argparse.Namespace) -> Items:
    """Pair the arrays of an archive with the lines of a table."""
    from unrolled.cli.progress import note
    from unrolled.data.labels import read_labels

    if args.text is not None and args.tokens is not None:
        raise CommandError(
            f"{args.emissions}: holds several items; give one table, --text or --tokens, of "
            "name<TAB>text lines, choose an item with --key, or write a manifest"
        )
    field = "text" if args.tokens is None else "tokens"
    problems: list[str] = []
    entries = []
    for label in read_labels(args.text or args.tokens, problems):
        fault = fault_of_id(label.name)
        if fault is not None:
            problems.append(f"{label.source}: {fault}")
        content: Any = {field: label.text}
        path = Path(args.emissions)
        entries.append(Entry(label.name, path, label.name, source=label.source, **content))
    arrays = {array.name: array for array in find_arrays(args.emissions)}
    if problems:
        first = f"{args.emissions} holds {len(arrays)} arrays; choose one with --key, or give lines"
        raise DataError([*problems, f"{first} of name<TAB>{field}"])
    named = {entry.id for entry in entries}
    without = [name for name in arrays if name not in named]
    if without:
        note(f"{len(without):,} arrays of {args.emissions} have no line, first: {without[0]}")
    return Items(entries, len(entries), arrays)


def _checker(settings: Settings, name: str) -> Callable[[Entry], str]:
    """Return what identifies all that an item's file is made from."""
    options = {key: getattr(settings.args, key) for key in _OPTIONS} | {"format": name}
    symbols = None if settings.labels is None else settings.labels.symbols
    common = digest(options, symbols, content_of(settings.args.priors))
    return lambda entry: digest(common, origin(entry))


def _maker(settings: Settings, name: str, corpus: Corpus, items: Items) -> Callable[[Entry], Made]:
    from unrolled.cli.align_item import align_item

    def make(entry: Entry) -> Made:
        emissions = items.open(entry, logits=settings.args.logits)
        alignment = align_item(emissions, entry, settings)
        if FORMATS[name].in_seconds and alignment.scale.seconds_per_frame is None:
            raise needs_seconds(name)
        text = render(alignment, name, settings.args.level, entry.id)
        cells = [
            corpus.file_of(entry.id).relative_to(corpus.folder).as_posix(),
            str(len(alignment.states)),
            str(len(alignment.spans)),
            f"{score_of(alignment):.4f}",
            str(len(alignment.suspicious())),
        ]
        return Made(text.encode(), cells)

    return make
