"""What the trainings of classifiers share: options, the run itself, report and pictures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli import run_settings
from unrolled.cli.arguments import add_threads, count, seed
from unrolled.cli.reports import REPORT_FILE, run_facts, write_report
from unrolled.cli.tables import print_facts, print_table

if TYPE_CHECKING:
    from unrolled.models import CNNClassifier, Evaluation, SequenceClassifier
    from unrolled.training import History

    Classifier = CNNClassifier | SequenceClassifier
    Labelled = tuple[Any, Any]  # images or sequences, and their labels

CONFUSION_FILE, CURVES_FILE = "confusion.png", "curves.png"

_CHECKPOINT_STEPS = 200
_SHOWN = 5  # confusions
_PLACEHOLDERS = {"image": "IMAGE", "sequence": "FILE"}


def add_training(parser: argparse.ArgumentParser, epochs: str, unit: str = "image") -> None:
    """Add the options that every training of a classifier has; `epochs` says their default."""
    add = parser.add_argument
    add("--epochs", type=count, metavar="N", help=f"default: {epochs}")
    add(
        "--seed",
        type=seed,
        default=0,
        metavar="N",
        help=f"of split, weights, order and changes of {unit}s (default: 0)",
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
    model: Classifier,
    train: Labelled,
    valid: Labelled | None,
    args: argparse.Namespace,
    *,
    remedy: str,
    **options: Any,
) -> History:
    """Train with checkpoints in ``--out``; `options` are those of the model's ``fit``."""
    from unrolled.cli.explained import explained

    with explained(args.out, remedy):
        return model.fit(
            *train,
            valid=valid,
            directory=args.out,
            resume=args.resume,
            seed=args.seed,
            progress=None,
            checkpoint_every=_CHECKPOINT_STEPS,
            **options,
        )


def describe(model: Classifier) -> str:
    """Say what the network is."""
    parameters = sum(parameter.size for parameter in model.parameters())
    given = model.arguments
    if "stages" in given:
        stages = ", ".join("-".join(map(str, stage)) for stage in given["stages"])
        what = f"3x3 convolutions {stages}"
    else:
        ways = "both ways" if given["bidirectional"] else "forward"
        what = f"{given['cell'].upper()}, {given['layers']} x {given['hidden']}, {ways}"
    return f"{what}: {parameters:,} parameters"


def count_classes(labels: Any, classes: Sequence[str]) -> str:
    """Say how many items there are of each class."""
    import numpy as np

    counts = np.bincount(labels, minlength=len(classes)).tolist()
    named = [f"{name} ({n:,})" for name, n in zip(classes, counts, strict=True)]
    more = f" and {len(named) - 10} more" if len(named) > 10 else ""
    return f"{len(named)}: {', '.join(named[:10])}{more}"


def conclude(
    out: Path,
    model: Classifier,
    history: History,
    evaluation: Evaluation | None,
    facts: dict[str, Any],
    *,
    measured_on: str,
    unit: str = "image",
    others: Mapping[str, Evaluation] | None = None,
) -> None:
    """Write report and pictures, and print the figures.

    Parameters
    ----------
    out : Path
    model : CNNClassifier or SequenceClassifier
    history : History
    evaluation : Evaluation or None
        Of the items `measured_on`; None if there are none.
    facts : dict
        What else the report says.
    measured_on : str
        Names those items: "test" or "validation".
    unit : str
        What an item is called.
    others : dict of str to Evaluation, optional
        Further measurements by their names, told in a line each.
    """
    from unrolled import plot

    figures = None if evaluation is None else measures(evaluation, unit)
    further = {name: measures(other, unit) for name, other in (others or {}).items()}
    report = {measured_on: figures, **further, **facts, **run_facts(model, history)}
    write_report(out, report)
    plot.curves(history, out / CURVES_FILE)
    if evaluation is not None:
        plot.confusion(evaluation.confusion, evaluation.classes, out / CONFUSION_FILE)
    _print(out, report, {measured_on: evaluation, **(others or {})}, unit)


def measures(evaluation: Evaluation, unit: str = "image") -> dict[str, Any]:
    """Collect the figures of an evaluation, as JSON holds them."""
    recall, precision = evaluation.recall, evaluation.precision
    return {
        "accuracy": evaluation.accuracy,
        f"{unit}s": evaluation.count,
        "right": evaluation.right,
        "loss": evaluation.loss,
        "classes": {
            label: {"found": recall[label], "precision": precision[label]}
            for label in evaluation.classes
        },
        "confusion": evaluation.confusion.tolist(),
    }


def tell(evaluation: Evaluation, unit: str, as_json: bool) -> None:
    """Print an evaluation by itself."""
    if as_json:
        print(json.dumps(measures(evaluation, unit), ensure_ascii=False, indent=2))
        return
    print_facts([("right", rightness(evaluation, f"{unit}s"))])
    print()
    print_measures(evaluation, unit)


def print_measures(evaluation: Evaluation, unit: str = "image") -> None:
    """Print every class's figures, and the most frequent confusions."""
    recall, precision = evaluation.recall, evaluation.precision
    totals = evaluation.confusion.sum(axis=1).tolist()
    print_table(
        ("class", f">{unit}s", ">found", ">precision"),
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


def rightness(evaluation: Evaluation, what: str) -> str:
    """Say how many of `what` were right."""
    return f"{evaluation.accuracy:.2%} ({evaluation.right:,} of {evaluation.count:,} {what})"


def _print(
    out: Path, report: dict[str, Any], evaluations: dict[str, Evaluation | None], unit: str
) -> None:
    first, *_ = evaluations.values()
    files = ["model", "history.csv", REPORT_FILE, CURVES_FILE]
    if first is not None:
        print()
        print_measures(first, unit)
        files.append(CONFUSION_FILE)
    facts = [
        ("right", rightness(evaluation, _items(name, unit)))
        for name, evaluation in evaluations.items()
        if evaluation is not None
    ]
    seconds = f"{report['train_seconds']:.0f} s, {report['seconds_per_epoch']:.1f} s an epoch"
    facts += [
        ("trained", seconds),
        ("written to", f"{out}: {', '.join(files)}"),
        ("classify with", f"unrolled classify --model {out} {_PLACEHOLDERS[unit]}"),
    ]
    print()
    print_facts(facts)


def _items(measured_on: str, unit: str) -> str:
    """Name the items that were measured on."""
    if measured_on in ("test", "validation"):
        return f"{measured_on} {unit}s"
    return f"{unit}s of {measured_on.replace('_', ' ')}"


def _per_cent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
