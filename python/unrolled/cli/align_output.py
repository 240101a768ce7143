"""Formats of alignments as the command line writes them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unrolled.cli.errors import CommandError

if TYPE_CHECKING:
    from unrolled.align import Alignment, Suspicion


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
    "textgrid": Format(".TextGrid", in_seconds=True, has_levels=False),
    "ctm": Format(".ctm", in_seconds=True),
    "audacity": Format(".txt", in_seconds=True),
}


def format_of(
    name: str | None, out: str | None, formats: dict[str, Format] = FORMATS, default: str = "tsv"
) -> str:
    """Return the format given, or that of the output file's suffix, or the default."""
    if name is not None:
        return name
    suffix = "" if out is None else Path(out).suffix.lower()
    return next((n for n, f in formats.items() if f.suffix.lower() == suffix), default)


def needs_seconds(name: str) -> CommandError:
    """Return what to say where a format has times and there are none."""
    return CommandError(
        f"--format {name} needs seconds: give --frame-rate N (50 where a frame is 20 ms) or "
        "--duration S of the recording"
    )


def score_of(alignment: Alignment) -> float:
    """Return the log probability a frame."""
    return float(alignment.score) / max(len(alignment.states), 1)


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

    Raises
    ------
    CommandError
        If the format cannot hold the alignment.
    """
    if level == "words" and not alignment.words:
        raise CommandError(
            "there are no words; name what stands between them with --separator, or write "
            "--level tokens"
        )
    try:
        return _written(alignment, name, level, item)
    except ValueError as error:
        raise CommandError(f"--format {name}: {error}") from error


def _written(alignment: Alignment, name: str, level: str | None, item: str) -> str:
    from unrolled import align

    options: Any = {"level": level} if FORMATS[name].has_levels else {}
    if name == "ctm":
        return align.to_ctm(alignment, file="_".join(item.split()), **options)
    text: str = getattr(align, f"to_{name}")(alignment, **options)
    return text


def doubt(place: Suspicion) -> str:
    """Say where words stand that the emissions do not support."""
    from unrolled.align import Word

    scale = place.scale
    if scale.seconds_per_frame is not None:
        span = f"{place.start_seconds:.2f} to {place.end_seconds:.2f} s"
    elif scale.stride is not None:
        span = f"columns {place.left} to {place.right}"
    else:
        span = f"frames {place.start} to {place.end}"
    texts = [item.text if isinstance(item, Word) else item.label or "" for item in place.items]
    left_out = all(item.omitted for item in place.items)
    why = "left out" if left_out else f"probability {math.exp(place.score):.1g} a frame"
    return f"doubtful, {span}: {' '.join(texts)} ({why})"
