"""Formats of alignments as the command line writes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from unrolled.align import Alignment


class Format(NamedTuple):
    """The suffix of a format's files, and whether its times are always seconds."""

    suffix: str
    in_seconds: bool = False
    has_levels: bool = True


FORMATS = {
    "tsv": Format(".tsv"),
    "json": Format(".json", has_levels=False),
    "srt": Format(".srt", in_seconds=True),
    "vtt": Format(".vtt", in_seconds=True),
    "ass": Format(".ass", in_seconds=True),
    "textgrid": Format(".TextGrid", has_levels=False),
    "ctm": Format(".ctm", in_seconds=True),
    "audacity": Format(".txt", in_seconds=True),
}


def format_of(name: str | None, out: str | None) -> str:
    """Return the format given, or that of the output file's suffix, or a table."""
    if name is not None:
        return name
    suffix = "" if out is None else Path(out).suffix.lower()
    return next((n for n, f in FORMATS.items() if f.suffix.lower() == suffix), "tsv")


def render(alignment: Alignment, name: str, level: str | None, item: str) -> str:
    """Write an alignment in a format.

    Parameters
    ----------
    alignment
    name
        One of `FORMATS`.
    level
        "words" or "tokens" where the format holds either; words where there are any.
    item
        What the item is called, for formats that say it.
    """
    from unrolled import align

    options = {"level": level} if FORMATS[name].has_levels else {}
    if name == "ctm":
        return align.to_ctm(_in_units(alignment, name), file="_".join(item.split()), **options)
    text: str = getattr(align, f"to_{name}")(_in_units(alignment, name), **options)
    return text


def _in_units(alignment: Alignment, name: str) -> Alignment:
    """Let formats that know seconds alone write pixels or frames where there are no seconds."""
    scale = alignment.scale
    if name == "json" or scale.seconds_per_frame is not None:
        return alignment
    return alignment.replace(seconds_per_frame=scale.stride or 1.0, stride=None)
