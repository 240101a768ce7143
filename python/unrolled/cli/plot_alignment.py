"""``unrolled plot alignment``: the emissions with the path and the words on them."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from unrolled.cli.align import add_item, check_sources, single_entry, warn
from unrolled.cli.align_settings import Settings, add_settings
from unrolled.cli.arguments import not_negative
from unrolled.cli.emission_settings import add_scale
from unrolled.cli.errors import CommandError

if TYPE_CHECKING:
    from unrolled.align import Alignment


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "alignment",
        help="emissions with the path of a text through them, and its words",
        description="Align emissions with a known text, as 'unrolled align' does, and draw them "
        "with the path and the words.",
    )
    add_item(parser)
    add_settings(parser)
    add_scale(parser)
    add = parser.add_argument
    add("--out", required=True, metavar="FILE", help="picture to write: .png, .svg or .pdf")
    unit = "in seconds, columns or frames, as --frame-rate or --stride say"
    add("--start", type=not_negative, metavar="X", help=f"where the picture begins, {unit}")
    add("--end", type=not_negative, metavar="X", help="where it ends")
    parser.set_defaults(run=run, posterior=False)


def run(args: argparse.Namespace) -> int:
    """Align and draw."""
    from unrolled import plot
    from unrolled.cli.align_item import align_item
    from unrolled.data.emissions import open_emissions

    plot.require()
    check_sources(args)
    settings = Settings.of(args)
    entry = single_entry(args)
    emissions = open_emissions(entry.emissions, entry.key, logits=args.logits)
    alignment = align_item(emissions, entry, settings)
    first, last = _frames(alignment, args.start, args.end)
    warn(alignment)
    plot.alignment(alignment, emissions.array(), args.out, start=first, end=last)
    print(f"picture: {args.out}")
    return 0


def _frames(alignment: Alignment, start: float | None, end: float | None) -> tuple[int, int]:
    """Turn seconds, columns or frames into frames.

    Raises
    ------
    CommandError
        If nothing lies between them.
    """
    scale, total = alignment.scale, len(alignment.states)
    unit = scale.seconds_per_frame or scale.stride or 1.0
    offset, tiny = scale.offset, 1e-6  # 0.58 s of 0.02 s each are 29 frames, and a rounding
    first = 0 if start is None else max(0, math.floor((start - offset) / unit + tiny))
    last = total if end is None else min(total, math.ceil((end - offset) / unit - tiny))
    if first >= last:
        raise CommandError(
            f"--start {first * unit + offset:g} to --end {last * unit + offset:g}: nothing lies "
            f"there; the emissions go from {offset:g} to {total * unit + offset:g}"
        )
    return first, last
