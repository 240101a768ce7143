"""``unrolled lm train``: an n-gram model of one's own text."""

from __future__ import annotations

import argparse
import time
import warnings
from typing import TYPE_CHECKING, Any

from unrolled.cli.arguments import count, positive, share
from unrolled.cli.errors import CommandError
from unrolled.cli.lm_files import (
    add_texts,
    add_unit,
    check_output,
    read_texts,
    save_model,
    size_of,
)

if TYPE_CHECKING:
    from unrolled.lm.training import Estimate

_DESCRIPTION = """\
Estimate an n-gram language model from text, a sentence a line. The text is read once and never
held: memory grows with the number of different n-grams. A blank line is an empty sentence."""
_EPILOG = """\
examples:
  unrolled lm train text.txt --output words.arpa --held-out other.txt
  unrolled lm train text.txt --unit char --order 6 --output characters.ngram
  zcat text.gz | unrolled lm train --order 4 --prune 0 0 1 --output words.arpa.gz"""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "train",
        help="estimate an n-gram model from text",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_texts(parser)
    add = parser.add_argument
    add(
        *("-o", "--output"),
        required=True,
        metavar="FILE",
        help="the model: .arpa, .arpa.gz or .ngram (binary, loads at once)",
    )
    add("--order", type=count, default=3, metavar="N", help="longest n-grams (default: 3)")
    add(
        "--smoothing",
        choices=("kneser-ney", "witten-bell", "absolute", "add-k"),
        default="kneser-ney",
        help="default: kneser-ney, modified and interpolated",
    )
    add_unit(parser, "word")
    add("--held-out", metavar="FILE", help="text to measure the perplexity on")
    add(
        "--prune",
        nargs="+",
        type=int,
        default=[0],
        metavar="N",
        help="for each order, leave out n-grams that occur N times or less, as in 0 0 1; "
        "the last number holds for longer ones",
    )
    add(
        "--prune-entropy",
        type=positive,
        default=0.0,
        metavar="X",
        help="leave out n-grams that raise the perplexity by less than this share, as 1e-7",
    )
    add("--min-count", type=count, default=1, metavar="N", help="rarer words become <unk>")
    add(
        "--vocabulary",
        metavar="N|FILE",
        help="the N most frequent words, or those of a file, a word a line; others become <unk>",
    )
    add("--k", type=positive, default=1.0, metavar="K", help="what add-k adds (default: 1)")
    add(
        "--discount",
        type=share,
        metavar="D",
        help="discount of --smoothing absolute (default: estimated)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Estimate, write, measure."""
    from unrolled.cli.lm_score import measure
    from unrolled.cli.tables import print_facts

    check_output(args.output)
    held_out = None if args.held_out is None else read_texts([args.held_out])
    start = time.perf_counter()
    made = _estimate(args)
    model = made.model()
    seconds = time.perf_counter() - start
    units = "words" if args.unit == "word" else "characters"
    print_facts([("text", f"{made.sentences:,} lines, {made.tokens:,} {units}")])
    print_facts(_facts_of_orders(made))
    save_model(model, args.output)
    print_facts([("trained", f"in {seconds:.1f} s")])
    print_facts([("model", f"{args.output}, {size_of(args.output)}")])
    if held_out is not None:
        total = measure(model, held_out)
        print_facts([("perplexity", f"{total.perplexity:,.2f} on {args.held_out}")])
        print_facts([("unknown", f"{total.unknown:,} of {total.tokens:,}")])
    return 0


def _estimate(args: argparse.Namespace) -> Estimate:
    from unrolled.cli.progress import note, progress
    from unrolled.lm.discounts import DiscountWarning
    from unrolled.lm.training import estimate

    lines = read_texts(args.texts)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DiscountWarning)
        try:
            made = estimate(
                lines,
                args.order,
                args.smoothing,
                unit=args.unit,
                prune=args.prune,
                prune_entropy=args.prune_entropy,
                min_count=args.min_count,
                vocabulary=_vocabulary(args.vocabulary),
                k=args.k,
                discount=args.discount,
                progress=lambda items: progress(items, "reading", " lines"),
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
    for warning in caught:
        note(str(warning.message))
    return made


def _vocabulary(given: str | None) -> int | list[str] | None:
    if given is None or given.isdigit():
        return None if given is None else int(given)
    return [word for line in read_texts([given]) if (word := line.strip())]


def _facts_of_orders(made: Estimate) -> list[tuple[str, str]]:
    """Say what is kept of each order, and its discounts."""
    facts = []
    for order, table in enumerate(made.tables, start=1):
        kept, counted = len(table[0]), made.counted[order - 1]
        said = f"{kept:,}" if kept == counted else f"{kept:,} of {counted:,}"
        if made.discounts is not None:
            shown = dict.fromkeys(f"{discount:.4f}" for discount in made.discounts[order - 1])
            said += f", discounts {' '.join(shown)}"
        facts.append((f"{order}-grams", said))
    return facts
