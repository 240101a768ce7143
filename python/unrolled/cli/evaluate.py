"""``unrolled evaluate``: how well a trained model does on labelled data."""

from __future__ import annotations

import argparse
from typing import Any

from unrolled.cli.arguments import add_threads, use_threads
from unrolled.cli.errors import CommandError

_DESCRIPTION = """\
Measure a trained model on labelled data. A reader of lines (--images, --labels): character error,
lines right, the most frequent confusions and the worst lines. A classifier of images or sequences
(--data): accuracy, and for every class what is found and what it is taken for."""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "evaluate",
        help="measure a trained model on labelled lines, images or sequences",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", required=True, help="folder that 'unrolled train' wrote")
    add("--images", metavar="DIR", help="folder of line images, for a reader")
    add("--labels", metavar="FILE", help="UTF-8 lines of name<TAB>text, for a reader")
    add(
        "--data",
        metavar="DIR|FILE",
        help="for a classifier of images: folder with one folder of images a class, or with the "
        "idx files of Fashion-MNIST, whose test images are taken; of sequences: .ts file, or "
        "folder of recordings",
    )
    add("--json", action="store_true", help="print one JSON object instead")
    add_threads(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate and print."""
    from unrolled.cli.evaluate_images import evaluate_images
    from unrolled.cli.evaluate_lines import evaluate_lines
    from unrolled.cli.evaluate_sequences import evaluate_sequences
    from unrolled.cli.saved_models import load_any
    from unrolled.models import CRNN, SequenceClassifier

    use_threads(args)
    model = load_any(args.model)
    if isinstance(model, CRNN):
        _require(args, "a line reader", needed=("images", "labels"), senseless=("data",))
        return evaluate_lines(model, args)
    if isinstance(model, SequenceClassifier):
        what = "a classifier of sequences"
        _require(args, what, needed=("data",), senseless=("images", "labels"))
        return evaluate_sequences(model, args)
    _require(args, "a classifier of images", needed=("data",), senseless=("images", "labels"))
    return evaluate_images(model, args)


def _require(
    args: argparse.Namespace, what: str, needed: tuple[str, ...], senseless: tuple[str, ...]
) -> None:
    """Refuse options that are for the other kind of model."""
    missing = [f"--{name}" for name in needed if getattr(args, name) is None]
    given = [f"--{name}" for name in senseless if getattr(args, name) is not None]
    if missing or given:
        options = " and ".join(f"--{name}" for name in needed)
        raise CommandError(f"{args.model}: holds {what}, which is measured with {options}")
