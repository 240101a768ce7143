"""``unrolled demo``: a network learns to read handwritten numbers, in about a minute."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli import run_settings
from unrolled.cli.arguments import add_threads, count, seed, use_threads
from unrolled.cli.demo_rounds import ROUNDS_FILE, show_rounds
from unrolled.cli.reports import REPORT_FILE, run_facts, write_report
from unrolled.cli.tables import print_facts, print_table

if TYPE_CHECKING:
    from unrolled.data import Loader
    from unrolled.data.digits import DigitLines
    from unrolled.models import CRNN, Reading
    from unrolled.training import History

# The recipe, chosen on lines of training images that were held out by writer.
HEIGHT = 12
MODEL: dict[str, Any] = {
    "channels": (16, 32, 48),
    "pools": ((1, 1), (2, 2), (2, 1)),
    "hidden": 64,
    "dropout": 0.2,
}
BATCH_SIZE = 16
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.3
EPOCHS, LINES, TEST_LINES = 5, 4_000, 1_000
QUICK_EPOCHS, QUICK_LINES, QUICK_TEST_LINES = 3, 2_000, 200
ROUNDS = 4  # of guessed alignments to an epoch: rounds are short, with as many lines in all

UNITS = {"ctc": "epoch", "viterbi": "round"}
WAYS = {"ctc": "CTC", "viterbi": "guessed alignments"}
TEST_SEED = 1_000_003  # of the unseen lines: the same ones whatever is trained
SHOWN = 10
PICTURE_FILE = "reading.png"

_DESCRIPTION = """\
Train a convolutional-recurrent network with CTC on lines of real handwritten digits, read lines of
digits by other writers, and show how well it does. Everything it needs comes with the package."""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "demo",
        help="learn to read handwritten numbers in about a minute",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--out", default="unrolled-demo", metavar="DIR", help="default: unrolled-demo")
    add("--seed", type=seed, default=0, metavar="N", help="of weights and lines (default: 0)")
    rounds, few = EPOCHS * ROUNDS, LINES // ROUNDS
    add("--epochs", type=count, metavar="N", help=f"default: {EPOCHS}; rounds: {rounds}")
    text = f"training lines an epoch (default: {LINES:,}) or a round ({few:,})"
    add("--lines", type=count, metavar="N", help=text)
    add(
        "--criterion",
        choices=("ctc", "viterbi"),
        default="ctc",
        help="sum over all alignments, or guess the best one and guess again (default: ctc)",
    )
    add("--quick", action="store_true", help="about ten seconds, to try it out; it reads less well")
    add("--resume", action="store_true", help="go on with the training in --out")
    add("--no-progress", action="store_true", help="no progress bar")
    add_threads(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, evaluate on unseen lines, show and write the results."""
    from unrolled import plot, random
    from unrolled.data.digits import CHARSET, DigitLines
    from unrolled.models import CRNN

    plot.require()
    use_threads(args)
    out, settings = Path(args.out), _settings(args)
    _check_output(out, settings, args.resume)
    random.manual_seed(args.seed)
    model = CRNN(CHARSET, HEIGHT, **MODEL)
    train, test = (DigitLines.of(split, height=HEIGHT) for split in ("train", "test"))
    _introduce(model, train, test, settings)
    run_settings.write_settings(out, settings)
    for name in (REPORT_FILE, PICTURE_FILE, ROUNDS_FILE):  # of an earlier demo
        (out / name).unlink(missing_ok=True)
    history = _train(model, train, out, settings, args)
    images, texts = test.draw(settings["test_lines"], TEST_SEED)
    start = time.perf_counter()
    readings = model.read(images)
    seconds = time.perf_counter() - start
    report = _report(model, history, texts, readings, seconds, settings)
    _write(out, report, model, images, texts, readings)
    if args.criterion == "viterbi":
        show_rounds(history, out)
    _print(out, report, texts, readings)
    return 0


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    """Collect what decides the result."""
    epochs, lines, test_lines = (
        (QUICK_EPOCHS, QUICK_LINES, QUICK_TEST_LINES) if args.quick else (EPOCHS, LINES, TEST_LINES)
    )
    if args.criterion == "viterbi":
        epochs, lines = epochs * ROUNDS, lines // ROUNDS
    return {
        "command": "demo",
        "criterion": args.criterion,
        "seed": args.seed,
        "epochs": args.epochs or epochs,
        "lines": args.lines or lines,
        "test_lines": test_lines,
    }


def _check_output(out: Path, settings: dict[str, Any], resume: bool) -> None:
    """Refuse a folder with another command's model; a demo's own is written over."""
    run_settings.check_output(out, resume or _is_demo(out))
    if resume:
        run_settings.check_resumed(out, settings)


def _is_demo(out: Path) -> bool:
    try:
        settings = json.loads((out / run_settings.SETTINGS_FILE).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(settings, dict) and settings.get("command") == "demo"


def _introduce(model: CRNN, train: DigitLines, test: DigitLines, settings: dict[str, Any]) -> None:
    parameters = sum(parameter.size for parameter in model.parameters())
    lines, epochs = settings["lines"], settings["epochs"]
    unit, way = UNITS[settings["criterion"]], WAYS[settings["criterion"]]
    print_facts(
        [
            ("digits", "real handwriting, 8x8 pixels (UCI, Alpaydin and Kaynak, CC BY 4.0)"),
            (
                "training",
                f"{epochs} {unit}s of {lines:,} new lines, 3 to 9 digits each, from "
                f"{len(train.labels):,} images",
            ),
            (
                "test",
                f"{settings['test_lines']:,} lines from {len(test.labels)} other images, by other "
                "writers",
            ),
            ("network", f"convolutions, bidirectional LSTM, {way}: {parameters:,} parameters"),
        ]
    )


def _train(
    model: CRNN, train: DigitLines, out: Path, settings: dict[str, Any], args: argparse.Namespace
) -> History:
    from unrolled.models.line_training import train_lines

    return train_lines(
        model,
        _loader(model, train, settings["lines"], args.seed),
        criterion=settings["criterion"],
        epochs=settings["epochs"],
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        directory=out,
        resume=args.resume,
        seed=args.seed,
        progress=False if args.no_progress else None,
    )


def _loader(model: CRNN, lines: DigitLines, count: int, seed: int) -> Loader:
    """Make a loader of lines that are new in every epoch; the data set is their lengths."""
    import numpy as np

    from unrolled.data import Loader
    from unrolled.models.line_batch import Line, collate_lines, encode

    def draw(digits: int, rng: np.random.Generator) -> Line:
        image, text = lines.sample(rng, digits)
        return image, encode(text, model.charset)

    return Loader(
        np.random.Generator(np.random.PCG64(seed)).integers(3, 10, count).tolist(),
        BATCH_SIZE,
        shuffle=True,
        bucket_by_length=True,
        seed=seed,
        transform=draw,
        collate=collate_lines,
        length=int,
    )


def _report(
    model: CRNN,
    history: History,
    texts: list[str],
    readings: list[Reading],
    seconds: float,
    settings: dict[str, Any],
) -> dict[str, Any]:
    """Collect the figures of ``report.json``."""
    from unrolled import metrics
    from unrolled.data.digits import TRAIN_IMAGES

    read = [reading.text for reading in readings]
    return {
        "character_error_rate": metrics.character_error_rate(texts, read),
        "line_accuracy": metrics.line_accuracy(texts, read),
        "lines_per_second": len(readings) / seconds,
        "criterion": settings["criterion"],
        "seed": settings["seed"],
        "epochs": settings["epochs"],
        "train_lines": settings["epochs"] * settings["lines"],
        "test_lines": settings["test_lines"],
        "split": {
            "data": "UCI Optical Recognition of Handwritten Digits, doi 10.24432/C50P49",
            "train_images": [0, TRAIN_IMAGES],
            "test_images": [TRAIN_IMAGES, 1797],
        },
        **run_facts(model, history),
    }


def _write(
    out: Path,
    report: dict[str, Any],
    model: CRNN,
    images: list[Any],
    texts: list[str],
    readings: list[Reading],
) -> None:
    from unrolled import plot

    write_report(out, report)
    chosen = _line_to_show(texts, readings)
    plot.reading(
        images[chosen],
        model.emissions([images[chosen]])[0],
        readings[chosen],
        out / PICTURE_FILE,
        charset=model.charset,
        frame_pixels=model.frame_pixels,
        truth=texts[chosen],
    )


def _line_to_show(texts: list[str], readings: list[Reading]) -> int:
    """Choose the first line of eight digits that is read right, else the first line."""
    for position, (text, reading) in enumerate(zip(texts, readings, strict=True)):
        if len(text) == 8 and text == reading.text:
            return position
    return 0


def _print(out: Path, report: dict[str, Any], texts: list[str], readings: list[Reading]) -> None:
    unit = UNITS[report["criterion"]]
    print()
    print_table(
        ("figure", ">value"),
        [
            ("character error", f"{report['character_error_rate']:.2%}"),
            ("whole lines right", f"{report['line_accuracy']:.1%}"),
            (f"time per {unit}", f"{report['seconds_per_epoch']:.1f} s"),
            ("training in all", f"{report['train_seconds']:.0f} s"),
            ("lines read per second", f"{report['lines_per_second']:,.0f}"),
        ],
        title=f"{report['test_lines']:,} unseen lines",
    )
    print()
    print_table(
        ("truth", "reading", "right", ">confidence"),
        [
            (
                text,
                reading.text,
                "yes" if text == reading.text else "no",
                f"{reading.confidence:.1%}",
            )
            for text, reading in zip(texts[:SHOWN], readings[:SHOWN], strict=True)
        ],
        title="Ten readings",
    )
    print()
    print_facts(
        [
            ("picture", str(out / PICTURE_FILE)),
            ("model", f"{out} (model.safetensors, history.csv, report.json)"),
            ("in Python", f"unrolled.load({str(out)!r}).read(images)"),
        ]
    )
