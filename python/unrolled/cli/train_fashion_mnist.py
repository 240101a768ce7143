"""``unrolled train fashion-mnist``: a classifier of clothes, from Fashion-MNIST."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli import run_settings
from unrolled.cli.arguments import use_threads
from unrolled.cli.tables import print_facts

if TYPE_CHECKING:
    from unrolled.data.image_folders import ImageSet
    from unrolled.models import CNNClassifier

# The recipe, chosen on 5,000 images of the training set that were held out.
STAGES = ((16, 32), (48, 48), (64, 48))
EPOCHS, BATCH_SIZE, LEARNING_RATE, WEIGHT_DECAY, LABEL_SMOOTHING = 12, 128, 6e-3, 0.05, 0.1
SHIFT = 2  # pixels
HELD_OUT = 5_000  # of the training images, to validate with

QUICK_EPOCHS, QUICK_BATCH_SIZE = 3, 32
QUICK_IMAGES, QUICK_HELD_OUT, QUICK_TEST = 6_000, 1_000, 2_000

_DESCRIPTION = """\
Train a small convolutional network on Fashion-MNIST: 60,000 pictures of clothes in ten classes,
28x28 pixels (Xiao, Rasul, Vollgraf 2017). 5,000 of them are held out to validate with; the 10,000
test images are looked at once, at the end. Ctrl-C saves; --resume goes on with the same bits as
if never stopped."""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    from unrolled.cli.classifier_training import add_training

    parser: argparse.ArgumentParser = subparsers.add_parser(
        "fashion-mnist",
        help="a classifier of clothes, from Fashion-MNIST",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--data",
        metavar="DIR",
        help="folder of the four idx files, gzipped or not (default: where Debian's package "
        "dataset-fashion-mnist puts them)",
    )
    add("--out", default="fashion-mnist", metavar="DIR", help="default: fashion-mnist")
    add("--quick", action="store_true", help="a tenth of the images, to try it out")
    add_training(parser, f"{EPOCHS}")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Load, train, measure on the test images, write and show the results."""
    from unrolled import plot, random
    from unrolled.cli.classifier_training import begin, conclude, fit
    from unrolled.data.augment import Augment
    from unrolled.models import CNNClassifier

    plot.require()
    use_threads(args)
    out = Path(args.out)
    run_settings.check_output(out, args.resume)
    train, valid, test = _load(args)
    epochs = args.epochs or (QUICK_EPOCHS if args.quick else EPOCHS)
    batch_size = QUICK_BATCH_SIZE if args.quick else BATCH_SIZE
    random.manual_seed(args.seed)
    model = CNNClassifier(train.classes, train.images.shape[2:], stages=STAGES, dark_ground=True)
    begin(out, _settings(args, epochs, train, valid), args.resume)
    _introduce(model, train, valid, test, f"{epochs} epoch(s) in batches of {batch_size}")
    history = fit(
        model,
        (train.images, train.labels),
        (valid.images, valid.labels),
        args,
        remedy="another --seed",
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        label_smoothing=LABEL_SMOOTHING,
        augment=Augment(flip=True, shift=SHIFT),
    )
    evaluation = model.evaluate(test.images, test.labels)
    facts = {
        "valid_accuracy": _best_accuracy(history.rows),
        "seed": args.seed,
        "epochs": len(history),
        "quick": args.quick,
        "train_images": len(train),
        "valid_images": len(valid),
    }
    conclude(out, model, history, evaluation, facts, measured_on="test")
    return 0


def _load(args: argparse.Namespace) -> tuple[ImageSet, ImageSet, ImageSet]:
    """Load training, validation and test images."""
    from unrolled.cli.errors import CommandError
    from unrolled.data.fashion_mnist import load_fashion_mnist

    data = _as_set(*load_fashion_mnist("train", args.data), QUICK_IMAGES if args.quick else None)
    test = _as_set(*load_fashion_mnist("test", args.data), QUICK_TEST if args.quick else None)
    held = QUICK_HELD_OUT if args.quick else HELD_OUT
    try:
        train, valid = data.split(min(held / len(data), 0.5), args.seed)
    except ValueError as error:
        raise CommandError(f"the training images cannot be split: {error}") from error
    return train, valid, test


def _as_set(images: Any, labels: Any, most: int | None) -> ImageSet:
    import numpy as np

    from unrolled.data.fashion_mnist import CLASSES
    from unrolled.data.image_folders import ImageSet

    images, labels = images[:most, None], labels[:most].astype(np.int64)
    return ImageSet(images, labels, CLASSES, [""] * len(labels))


def _settings(
    args: argparse.Namespace, epochs: int, train: ImageSet, valid: ImageSet
) -> dict[str, Any]:
    """Collect what decides the bits of the result."""
    parts = (train.images, train.labels, valid.images, valid.labels)
    return {
        "command": "train fashion-mnist",
        "seed": args.seed,
        "epochs": epochs,
        "quick": args.quick,
        "images": len(train) + len(valid),
        "data": run_settings.fingerprint(parts),
    }


def _introduce(
    model: CNNClassifier, train: ImageSet, valid: ImageSet, test: ImageSet, plan: str
) -> None:
    from unrolled.cli.classifier_training import describe

    print_facts(
        [
            ("images", f"{len(train):,} to train on, {len(valid):,} to validate with"),
            ("test", f"{len(test):,} others, looked at once, at the end"),
            ("network", describe(model)),
            ("training", f"{plan}; shifted and mirrored"),
        ]
    )


def _best_accuracy(rows: list[dict[str, Any]]) -> float:
    """Return the validation accuracy of the epoch whose weights are kept."""
    return float(min(rows, key=lambda row: row["valid_loss"])["accuracy"])
