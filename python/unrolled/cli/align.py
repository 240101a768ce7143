"""``unrolled align``: when each word of a known text is said, or where it stands on an image."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli.align_output import FORMATS, doubt, format_of, needs_seconds, render, score_of
from unrolled.cli.align_settings import Settings, add_settings
from unrolled.cli.arguments import add_threads, use_threads
from unrolled.cli.emission_settings import add_scale
from unrolled.cli.errors import CommandError

if TYPE_CHECKING:
    from unrolled.align import Alignment

_DESCRIPTION = """\
Align the emissions of a network (what it gives each class at each frame) with a text that is known:
one file, or a corpus. Without --frame-rate or --duration, times are columns of the image (--stride
or --width), else frames."""
_EPILOG = """\
examples:
  unrolled align --emissions a.npy --text a.txt --labels vocab.json --frame-rate 50 --out a.srt
  unrolled align --manifest all.tsv --labels tokens.txt --frame-rate 50 --format ctm --out times/

A manifest has a line for each item: emissions<TAB>text<TAB>id, or JSON objects with these names.
An archive (.npz, .safetensors) with an array for each item goes with --text TABLE, lines of
name<TAB>text. What is done is not done again unless its text, emissions or the options change;
items that fail are listed in errors.tsv, and make the exit status 1."""

_PLACES = 5


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "align",
        help="find when each word of a known text is said, or where it stands",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_item(parser)
    add = parser.add_argument
    add("--manifest", metavar="FILE", help="many items: a .tsv or .jsonl file, see below")
    add_settings(parser)
    add_scale(parser)
    add = parser.add_argument_group("output").add_argument
    add(
        "--out",
        metavar="FILE|DIR",
        help="where to write; a folder for many items (default: print the one)",
    )
    add(
        "--format",
        choices=tuple(FORMATS),
        help="default: by the suffix of --out, else tsv",
    )
    add("--level", choices=("words", "tokens"), help="what to write (default: words if there are)")
    add("--posterior", action="store_true", help="also how sure each word's place is; slower")
    add("--errors", metavar="FILE", help="list of items that failed (default: DIR/errors.tsv)")
    add("--overwrite", action="store_true", help="do again what is done already")
    add_threads(parser)
    parser.set_defaults(run=run)


def add_item(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name one item."""
    add = parser.add_argument
    add("--emissions", metavar="FILE", help="array (T, C): .npy, .npz or .safetensors")
    add("--key", metavar="NAME", help="the array in an .npz or .safetensors file with several")
    add("--text", metavar="FILE", help="the text, UTF-8")
    add(
        "--tokens",
        metavar="FILE",
        help="in place of the text or beside it: symbols of the classes, or their numbers, with "
        "spaces between; beside it, the text names the words that separators set apart",
    )


def run(args: argparse.Namespace) -> int:
    """Align one item or many."""
    from unrolled.cli.align_many import align_many, is_many

    use_threads(args)
    check_sources(args)
    name = format_of(args.format, args.out)
    if args.level is not None and not FORMATS[name].has_levels:
        raise CommandError(f"--format {name} holds words and tokens; leave out --level")
    if is_many(args):
        return align_many(args, name)
    for option in ("errors", "overwrite"):
        if getattr(args, option):
            raise CommandError(f"--{option} is for many items; leave it out")
    return _align_one(args, name)


def check_sources(args: argparse.Namespace) -> None:
    """Refuse items that are not named, or named twice.

    Raises
    ------
    CommandError
    """
    manifest = getattr(args, "manifest", None)
    given = [f"--{name}" for name in ("emissions", "key", "text", "tokens") if getattr(args, name)]
    if manifest is not None:
        if given:
            raise CommandError(f"--manifest names the items; leave out {given[0]}")
    elif args.emissions is None:
        raise CommandError("name the items: --emissions FILE with --text FILE, or --manifest FILE")
    elif args.text is None and args.tokens is None:
        raise CommandError("say what the emissions hold: --text FILE or --tokens FILE")
    if args.labels is None and (manifest is not None or args.text is not None):
        raise CommandError("name the symbols of the classes with --labels FILE")


def _align_one(args: argparse.Namespace, name: str) -> int:
    from unrolled.cli.align_item import align_item
    from unrolled.cli.items import write_one
    from unrolled.data.emissions import open_emissions

    settings = Settings.of(args)
    if FORMATS[name].in_seconds and not settings.has_seconds:
        raise needs_seconds(name)
    entry = single_entry(args)
    emissions = open_emissions(entry.emissions, entry.key, logits=args.logits)
    alignment = align_item(emissions, entry, settings)
    text = render(alignment, name, args.level, entry.id)
    warn(alignment)
    out = write_one(text, args.out, f"{entry.id}{FORMATS[name].suffix}")
    if out is None:
        return 0
    words = len(alignment.words)
    counted = f"{words} words" if words else f"{len(alignment.spans)} tokens"
    print(f"{out}: {counted}, {score_of(alignment):.3f} a frame")
    return 0


def single_entry(args: argparse.Namespace) -> Any:
    """Return the item that the arguments name, its text and tokens read."""
    from unrolled.data.manifests import Entry
    from unrolled.data.transcripts import read_text

    return Entry(
        id=args.key or Path(args.emissions).stem,
        emissions=Path(args.emissions),
        key=args.key,
        text=None if args.text is None else read_text(args.text),
        tokens=None if args.tokens is None else read_text(args.tokens),
        source=args.tokens or args.text,
    )


def warn(alignment: Alignment) -> None:
    """Name the places where text and emissions seem to differ, the first of them."""
    from unrolled.cli.progress import note

    places = alignment.suspicious()
    for place in places[:_PLACES]:
        note(doubt(place))
    if len(places) > _PLACES:
        note(f"and {len(places) - _PLACES} more places like these")
