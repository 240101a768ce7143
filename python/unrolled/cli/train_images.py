"""``unrolled train images``: a classifier for one's own images."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli import run_settings
from unrolled.cli.arguments import count, positive, use_threads
from unrolled.cli.tables import print_facts

if TYPE_CHECKING:
    from unrolled.data.image_folders import ImageSet
    from unrolled.models import CNNClassifier

_DESCRIPTION = """\
Train a classifier on your own images: PNG or JPEG files of any size, with one folder for each
class, named as the class. Everything is checked before training starts. Ctrl-C saves; --resume
goes on with the same bits as if never stopped."""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    from unrolled.cli.classifier_training import add_training

    parser: argparse.ArgumentParser = subparsers.add_parser(
        "images",
        help="a classifier for images in folders, one folder a class",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", required=True, metavar="DIR", help="folder with one folder of images a class")
    add("--out", required=True, metavar="DIR", help="folder to write the model to")
    add(
        "--valid",
        default="0.1",
        metavar="SHARE|DIR",
        help="images to validate with: a share of every class (default: 0.1; 0: none), or another "
        "folder like --data",
    )
    add("--size", type=count, default=64, metavar="N", help="scale images to NxN (default: 64)")
    add("--grey", action="store_true", help="without colour")
    add("--no-flip", action="store_true", help="never mirror: left and right matter")
    add("--batch-size", type=count, default=32, metavar="N", help="default: 32")
    add("--learning-rate", type=positive, default=3e-3, metavar="X", help="default: 0.003")
    add_training(parser, "20, more where images are few")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check everything, train, measure on the validation images, write and show the results."""
    from unrolled import plot
    from unrolled.cli.classifier_training import begin, conclude, fit
    from unrolled.data.augment import Augment

    plot.require()
    out = Path(args.out)
    run_settings.check_output(out, args.resume)
    use_threads(args)
    train, valid = _load(args)
    model = _make(args, train)
    if args.epochs is None:
        args.epochs = _enough_epochs(len(train), args.batch_size)
    begin(out, _settings(args, train, valid), args.resume)
    _introduce(args, model, train, valid)
    history = fit(
        model,
        (train.images, train.labels),
        None if valid is None else (valid.images, valid.labels),
        args,
        remedy=f"a --learning-rate below {args.learning_rate:g}",
        epochs=args.epochs,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        augment=Augment(flip=not args.no_flip, shift=max(1, args.size // 12), fill="edge"),
    )
    evaluation = None if valid is None else model.evaluate(valid.images, valid.labels)
    facts = {
        "seed": args.seed,
        "epochs": len(history),
        "train_images": len(train),
        "valid_images": 0 if valid is None else len(valid),
    }
    conclude(out, model, history, evaluation, facts, measured_on="validation")
    return 0


def _enough_epochs(images: int, batch_size: int) -> int:
    """Choose at least 20, and 600 steps."""
    steps = -(-images // batch_size)
    return min(200, max(20, -(-600 // steps)))


def _load(args: argparse.Namespace) -> tuple[ImageSet, ImageSet | None]:
    """Load training and validation images; nothing is written."""
    from unrolled.cli.errors import CommandError
    from unrolled.cli.progress import progress
    from unrolled.data.image_folders import load_image_folders

    load = partial(
        load_image_folders,
        size=(args.size, args.size),
        channels=1 if args.grey else 3,
        progress=partial(progress, what="loading", unit="image"),
    )
    share = _as_share(args.valid)
    data = load(args.data)
    if share is None:
        return data, load(args.valid, classes=data.classes)
    if share == 0:
        return data, None
    try:
        return data.split(share, args.seed)
    except ValueError as error:
        raise CommandError(f"{args.data}: {error}, or train without: --valid 0") from None


def _as_share(text: str) -> float | None:
    """Return the share that ``--valid`` names, or None if it is a folder."""
    from unrolled.cli.errors import CommandError

    try:
        share = float(text)
    except ValueError:
        if Path(text).is_dir():
            return None
        raise CommandError(
            f"--valid {text}: neither a share nor a folder; give 0.1 to hold out a tenth"
        ) from None
    if not 0 <= share < 1:
        raise CommandError(
            f"--valid {text}: a share lies between 0 and 1; give 0.1 to hold out a tenth"
        )
    return share


def _make(args: argparse.Namespace, train: ImageSet) -> CNNClassifier:
    from unrolled import random
    from unrolled.models import CNNClassifier
    from unrolled.models.conv_stages import stages_for

    random.manual_seed(args.seed)
    size = (args.size, args.size)
    channels = 1 if args.grey else 3
    return CNNClassifier(train.classes, size, channels, stages=stages_for(size), dropout=0.2)


def _settings(args: argparse.Namespace, train: ImageSet, valid: ImageSet | None) -> dict[str, Any]:
    """Collect what decides the bits of the result."""
    parts = [part for part in (train, valid) if part is not None]
    arrays = [array for part in parts for array in (part.images, part.labels)]
    return {
        "command": "train images",
        "images": sum(map(len, parts)),
        "size": args.size,
        "grey": args.grey,
        "no_flip": args.no_flip,
        "epochs": args.epochs,
        "batch_size": args.batch_size,
        "learning_rate": args.learning_rate,
        "seed": args.seed,
        "valid": args.valid if _as_share(args.valid) is not None else "other images",
        "classes": list(train.classes),
        "data": run_settings.fingerprint(arrays),
    }


def _introduce(
    args: argparse.Namespace, model: CNNClassifier, train: ImageSet, valid: ImageSet | None
) -> None:
    from unrolled.cli.classifier_training import count_classes, describe

    held = 0 if valid is None else len(valid)
    kind = "grey" if args.grey else "in colour"
    print_facts(
        [
            ("images", f"{len(train):,} to train on, {held:,} to validate with"),
            ("classes", count_classes(train.labels, train.classes)),
            ("scaled to", f"{args.size} x {args.size} pixels, {kind}"),
            ("network", describe(model)),
            ("training", f"{args.epochs} epoch(s) in batches of {args.batch_size}"),
        ]
    )
