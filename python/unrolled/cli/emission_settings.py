"""What commands over emissions are told of their classes and frames."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any, TypeVar

from unrolled.cli.arguments import finite, positive
from unrolled.cli.errors import CommandError
from unrolled.data.label_files import ClassLabels
from unrolled.data.manifests import Entry

_NONE = "none"
Own = TypeVar("Own", bound="EmissionSettings")


def add_classes(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what the classes of emissions are."""
    add = parser.add_argument_group("classes").add_argument
    add(
        "--labels",
        metavar="FILE",
        help="symbols of the classes: one a line, tokens.txt ('symbol number' a line), or Hugging "
        "Face's vocab.json",
    )
    add(
        "--blank",
        metavar="CLASS",
        help="the blank: its number (negative from the end) or symbol, or none where there is none "
        "(default: the symbol <blk>, <blank>, <pad> or the like)",
    )
    add(
        "--separator",
        metavar="CLASS",
        help="what stands between words: number or symbol, or none (default: a space, <space> or | "
        "among the symbols)",
    )
    add("--logits", action="store_true", help="emissions are scores to be normalised")


def add_scale(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what a frame is."""
    group = parser.add_argument_group("what a frame is")
    add = group.add_mutually_exclusive_group().add_argument
    add("--frame-rate", type=positive, metavar="N", help="frames a second, such as 50")
    add("--duration", type=positive, metavar="S", help="seconds of the whole recording")
    add("--stride", type=positive, metavar="PIXELS", help="columns of an image a frame")
    add("--width", type=positive, metavar="PIXELS", help="columns of the whole image")
    group.add_argument(
        "--offset",
        type=finite,
        default=0.0,
        metavar="X",
        help="where frame 0 is, in seconds or columns (default: 0)",
    )


@dataclass(frozen=True)
class EmissionSettings:
    """The arguments, checked, with the files among them read."""

    args: argparse.Namespace
    labels: ClassLabels | None

    @classmethod
    def of(cls: type[Own], args: argparse.Namespace) -> Own:
        """Read the labels and check what can be checked before any emissions are.

        Raises
        ------
        CommandError, DataError
            If something is missing, or a file cannot be used.
        """
        from unrolled.data.label_files import read_class_labels

        labels = None if args.labels is None else read_class_labels(args.labels)
        settings = cls(args, labels)
        if labels is not None:
            settings.blank_of(labels)
            settings.separator_of(labels)
        elif args.blank is None:
            raise CommandError("name the blank's number with --blank, or give --labels FILE")
        return settings

    def labels_for(self, classes: int, emissions: str) -> ClassLabels:
        """Return the labels, which must fit; without a file the classes' numbers.

        Raises
        ------
        DataError
            If the file has another number of them.
        """
        if self.labels is None:
            return ClassLabels(tuple(map(str, range(classes))), emissions)
        self.labels.require_width(classes, emissions)
        return self.labels

    def blank_of(self, labels: ClassLabels) -> int | None:
        """Return the blank's class, None where there is none.

        Raises
        ------
        CommandError, DataError
            If it is not given and no symbol is called so, or it is no class.
        """
        given: str | None = self.args.blank
        if given is None:
            if labels.blank is None:
                raise CommandError(
                    f"{labels.source}: no symbol is called <blank>, <blk> or <pad>; name the blank "
                    "with --blank (its number or symbol, or none where there is none)"
                )
            return labels.blank
        if given == _NONE and _NONE not in labels.symbols:
            return None
        return labels.class_of(given)

    def separator_of(self, labels: ClassLabels) -> int | None:
        """Return the class between words, None where there is none; raises as `blank_of`."""
        from unrolled.align.spelling import find_prefix, find_separator

        given: str | None = self.args.separator
        if given is None:  # where pieces say that a word begins, nothing stands between
            return None if find_prefix(labels.symbols) else find_separator(None, labels.symbols)
        if given == _NONE and _NONE not in labels.symbols:
            return None
        return labels.class_of(given)

    def scale_of(self, entry: Entry, frames: int) -> dict[str, Any]:
        """Return what a frame of an item is, as arguments of aligning and decoding.

        What an item itself says goes before the arguments.

        Raises
        ------
        CommandError
            If there is an offset, but no unit.
        """
        args, duration, width = self.args, entry.duration, entry.width
        if duration is None and width is None:
            duration, width = args.duration, args.width
        scale = {"offset": args.offset if entry.offset is None else entry.offset}
        if duration is not None:
            scale["seconds_per_frame"] = duration / frames
        elif width is not None:
            scale["stride"] = width / frames
        elif args.frame_rate is not None:
            scale["seconds_per_frame"] = 1 / args.frame_rate
        elif args.stride is not None:
            scale["stride"] = args.stride
        elif scale["offset"] != 0:
            raise CommandError("--offset needs what a frame is: give --frame-rate or --stride")
        return scale

    @property
    def has_seconds(self) -> bool:
        """Whether the arguments say how long a frame is."""
        return self.args.frame_rate is not None or self.args.duration is not None
