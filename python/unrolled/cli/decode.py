"""``unrolled decode``: the text of emissions, by beam search."""

from __future__ import annotations

import argparse
from typing import Any

from unrolled.cli.align_output import format_of, needs_seconds
from unrolled.cli.arguments import add_threads, count, use_threads
from unrolled.cli.decode_output import FORMATS, render
from unrolled.cli.decode_settings import DecodeSettings, add_knowledge, add_search
from unrolled.cli.emission_settings import add_classes, add_scale
from unrolled.cli.errors import CommandError

_DESCRIPTION = """\
Find the text of emissions (what a network with CTC gives each class at each frame) by beam search:
one file, or a corpus; with a language model, a lexicon and phrases to favour, where there are some.
With references, the error rates are printed."""
_EPILOG = """\
examples:
  unrolled decode --emissions a.npy --labels vocab.json --lm 3gram.arpa
  unrolled decode --emissions all.npz --labels tokens.txt --references all.tsv --out texts/
  unrolled decode --emissions a.npy --labels vocab.json --frame-rate 50 --out a.srt

A folder of .npy files, an archive (.npz, .safetensors) with an array for each item, or a manifest
goes with --out FOLDER: a file for each item, and all texts in decoded.tsv. --references is then a
table of name<TAB>text; in a manifest it is the column text. What is done is not done again unless
its emissions or the options change; items that fail are listed in errors.tsv, and make the exit
status 1."""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "decode",
        help="find the text of emissions, with a language model where there is one",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--emissions",
        metavar="FILE|DIR",
        help="array (T, C): .npy, .npz or .safetensors; or a folder of such files",
    )
    add("--key", metavar="NAME", help="the array in an .npz or .safetensors file with several")
    add("--manifest", metavar="FILE", help="many items: .tsv or .jsonl, as of 'unrolled align'")
    add("--references", metavar="FILE", help="the true text, or for many items name<TAB>text lines")
    add_classes(parser)
    add_search(parser)
    add_knowledge(parser)
    add_scale(parser)
    add = parser.add_argument_group("output").add_argument
    add(
        "--out",
        "--output",
        metavar="FILE|DIR",
        help="where to write; a folder for many items (default: print the one)",
    )
    add("--format", choices=tuple(FORMATS), help="default: by the suffix of --out, else text")
    add("--level", choices=("words", "tokens"), help="what formats of times hold (default: words)")
    add("--nbest", type=count, default=1, metavar="N", help="texts of each item (default: 1)")
    add("--errors", metavar="FILE", help="list of items that failed (default: DIR/errors.tsv)")
    add("--overwrite", action="store_true", help="do again what is done already")
    add(
        "--tune",
        nargs="?",
        const="cer",
        choices=("cer", "wer"),
        help="decode nothing, but find the --lm-weight and --word-score with the fewest errors in "
        "characters or words; report on other items than these",
    )
    add_threads(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Decode one item or many, or tune."""
    from unrolled.cli.decode_items import is_many
    from unrolled.cli.decode_many import decode_many
    from unrolled.cli.decode_tuning import tune

    use_threads(args)
    check_sources(args)
    settings = DecodeSettings.of(args)
    settings.require_search()
    if args.tune is not None:
        return tune(settings)
    name = format_of(args.format, args.out, FORMATS, "text")
    check_format(args, name)
    if is_many(args):
        return decode_many(settings, name)
    for option in ("errors", "overwrite"):
        if getattr(args, option):
            raise CommandError(f"--{option} is for many items; leave it out")
    return _decode_one(settings, name)


def check_sources(args: argparse.Namespace) -> None:
    """Refuse items that are not named, or named twice.

    Raises
    ------
    CommandError
    """
    given = [f"--{name}" for name in ("emissions", "key", "references") if getattr(args, name)]
    if args.manifest is not None and given:
        raise CommandError(f"--manifest names the items and their texts; leave out {given[0]}")
    if args.manifest is None and args.emissions is None:
        raise CommandError("name the items: --emissions FILE|DIR, or --manifest FILE")


def check_format(args: argparse.Namespace, name: str) -> None:
    """Refuse what a format cannot hold.

    Raises
    ------
    CommandError
    """
    if args.level is not None and not FORMATS[name].has_levels:
        raise CommandError(f"--format {name} holds no levels; leave out --level")
    if args.nbest > 1 and name not in ("text", "json"):
        raise CommandError(f"--format {name} holds one text; leave out --nbest, or write json")


def _decode_one(settings: DecodeSettings, name: str) -> int:
    from unrolled.cli.decode_items import reference_of, single_item
    from unrolled.cli.decode_many import Decoding
    from unrolled.cli.error_rates import print_error_rates
    from unrolled.cli.items import write_one

    args = settings.args
    if FORMATS[name].in_seconds and not settings.has_seconds:
        raise needs_seconds(name)
    _ = settings.decoder  # what is wrong with a model is no fault of the emissions
    items = single_item(args)
    (entry,) = items.entries
    reference = reference_of(entry)
    decoded = Decoding(settings, items).decode_item(entry)
    text = render(decoded.found, name, args.level, entry.id, decoded.scale)
    out = write_one(text, args.out, f"{entry.id}{FORMATS[name].suffix}")
    if out is not None:
        print(f"{out}: score {decoded.found[0].score:.4f}")
    if reference is not None:
        print_error_rates([reference], [decoded.found[0].text])
    return 0
