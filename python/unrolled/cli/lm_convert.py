"""``unrolled lm convert``: a model's file in another format."""

from __future__ import annotations

import argparse
from typing import Any

from unrolled.cli.lm_files import add_unit, check_output, load_model, save_model, size_of


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "convert",
        help="write a model in another format",
        description="Read a model (ARPA, plain or gzip; .ngram; KenLM's binary files) and write it "
        "as ARPA or .ngram, our binary format, which loads in milliseconds.",
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="the file to read; its content tells the format")
    add("output", metavar="OUTPUT", help="the file to write: .arpa, .arpa.gz or .ngram")
    add("--format", choices=("arpa", "arpa.gz", "ngram"), help="default: by the suffix of OUTPUT")
    add_unit(parser, None)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read and write."""
    from unrolled.cli.tables import print_facts

    check_output(args.output, args.format)
    model = load_model(args.model, args.unit)
    save_model(model, args.output, args.format)
    counted = ", ".join(f"{n:,} {k}-grams" for k, n in enumerate(model.counts, start=1))
    print_facts([("model", f"{args.output}, {size_of(args.output)}: {counted}")])
    return 0
