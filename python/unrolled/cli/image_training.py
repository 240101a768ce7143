"""What the trainings of classifiers share: options, the run itself, report and pictures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli import run_settings
from unrolled.cli.arguments import add_threads, count, seed
from unrolled.cli.reports import REPORT_FILE, run_facts, write_report
from unrolled.cli.tables import print_facts, print_table

if TYPE_CHECKING:
    from unrolled.data.image_folders import ImageSet
    from unrolled.models import CNNClassifier, Evaluation
    from unrolled.training import History

CONFUSION_FILE, CURVES_FILE = "confusion.png", "curves.png"

_CHECKPOINT_STEPS = 200
_SHOWN = 5  # confusions


def add_training(parser: argparse.ArgumentParser, epochs: str) -> None:
    """Add the options that every training of a classifier has; `epochs` says their default."""
    add = parser.add_argument
    add("--epochs", type=count, metavar="N", help=f"default: {epochs}")
    add(
        "--seed",
        type=seed,
        default=0,
        metavar="N",
        help="of split, weights, order and changes of images (default: 0)",
    )
    add("--resume", action="store_true", help="go on with the training in --out")
    add_threads(parser)


def begin(out: Path, settings: dict[str, Any], resume: bool) -> None:
    """Check a resumed run, write the settings, and remove the results of an earlier one."""
    if resume:
        run_settings.check_resumed(out, settings)
    run_settings.write_settings(out, settings)
    for name in (REPORT_FILE, CONFUSION_FILE, CURVES_FILE):
        (out / name).unlink(missing_ok=True)


def fit(
    model: CNNClassifier,
    train: ImageSet,
    valid: ImageSet | None,
    args: argparse.Namespace,
    *,
    remedy: str,
    **options: Any,
) -> History:
    """Train with checkpoints in ``--out``; `options` are those of ``CNNClassifier.fit``."""
    from unrolled.cli.explained import explained

    with explained(args.out, remedy):
        return model.fit(
            train.images,
            train.labels,
            valid=None if valid is None else (valid.images, valid.labels),
            directory=args.out,
            resume=args.resume,
            seed=args.seed,
            progress=None,
            checkpoint_every=_CHECKPOINT_STEPS,
            **options,
        )


def describe(model: CNNClassifier) -> str:
    """Say what the network is."""
    parameters = sum(parameter.size for parameter in model.parameters())
    stages = ", ".join("-".join(map(str, stage)) for stage in model.arguments["stages"])
    return f"3x3 convolutions {stages}: {parameters:,} parameters"


def conclude(
    out: Path,
    model: CNNClassifier,
    history: History,
    evaluation: Evaluation | None,
    facts: dict[str, Any],
    *,
    measured_on: str,
) -> None:
    """Write report and pictures, and print the figures.

    Parameters
    ----------
    out : Path
    model : CNNClassifier
    history : History
    evaluation : Evaluation or None
        Of the images `measured_on`; None if there are none.
    facts : dict
        What else the report says.
    measured_on : str
        Names those images: "test" or "validation".
    """
    from unrolled import plot

    figures = None if evaluation is None else measures(evaluation)
    report = {measured_on: figures, **facts, **run_facts(model, history)}
    write_report(out, report)
    plot.curves(history, out / CURVES_FILE)
    if evaluation is not None:
        plot.confusion(evaluation.confusion, evaluation.classes, out / CONFUSION_FILE)
    _print(out, report, evaluation, measured_on)


def measures(evaluation: Evaluation) -> dict[str, Any]:
    """Collect the figures of an evaluation, as JSON holds them."""
    recall, precision = evaluation.recall, evaluation.precision
    return {
        "accuracy": evaluation.accuracy,
        "images": evaluation.count,
        "right": evaluation.right,
        "loss": evaluation.loss,
        "classes": {
            label: {"found": recall[label], "precision": precision[label]}
            for label in evaluation.classes
        },
        "confusion": evaluation.confusion.tolist(),
    }


def print_measures(evaluation: Evaluation) -> None:
    """Print every class's figures, and the most frequent confusions."""
    recall, precision = evaluation.recall, evaluation.precision
    totals = evaluation.confusion.sum(axis=1).tolist()
    print_table(
        ("class", ">images", ">found", ">precision"),
        [
            (label, f"{total:,}", _per_cent(recall[label]), _per_cent(precision[label]))
            for label, total in zip(evaluation.classes, totals, strict=True)
        ],
    )
    mistakes = [
        (times, label, taken)
        for label, row in zip(evaluation.classes, evaluation.confusion.tolist(), strict=True)
        for taken, times in zip(evaluation.classes, row, strict=True)
        if times and taken != label
    ]
    if mistakes:
        print()
        print_table(
            ("class", "taken for", ">times"),
            [
                (label, taken, f"{times:,}")
                for times, label, taken in sorted(mistakes, key=lambda row: -row[0])[:_SHOWN]
            ],
            title="Most frequent errors",
        )


def _print(
    out: Path, report: dict[str, Any], evaluation: Evaluation | None, measured_on: str
) -> None:
    facts = [
        (
            "trained",
            f"{report['train_seconds']:.0f} s, {report['seconds_per_epoch']:.1f} s an epoch",
        )
    ]
    files = ["model", "history.csv", REPORT_FILE, CURVES_FILE]
    if evaluation is not None:
        print()
        print_measures(evaluation)
        files.append(CONFUSION_FILE)
        right = f"{evaluation.right:,} of {evaluation.count:,} {measured_on} images"
        facts.insert(0, ("right", f"{evaluation.accuracy:.2%} ({right})"))
    facts += [
        ("written to", f"{out}: {', '.join(files)}"),
        ("classify with", f"unrolled classify --model {out} IMAGE"),
    ]
    print()
    print_facts(facts)


def _per_cent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
