"""``unrolled train lines``: a reader for one's own line images."""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli.arguments import add_threads, count, positive, seed, use_threads

if TYPE_CHECKING:
    from unrolled.cli.line_data import Labels
    from unrolled.data.lines import LineSet
    from unrolled.models import CRNN

_CHECKPOINT_STEPS = 100
_DESCRIPTION = """\
Train a reader on your own line images: PNG or JPEG files of any height, each with one line of
text, and a labels file of name<TAB>text (UTF-8). Everything is checked before training starts.
Ctrl-C saves; --resume goes on with the same bits as if never stopped."""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "lines",
        help="a reader for images of text lines",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--images", required=True, metavar="DIR", help="folder of line images")
    add("--labels", required=True, metavar="FILE", help="UTF-8 lines of name<TAB>text")
    add("--out", required=True, metavar="DIR", help="folder to write the model to")
    add(
        "--valid",
        default="0.1",
        metavar="SHARE|DIR|FILE",
        help="lines to validate with: a share of all (default: 0.1; 0: none), another folder of "
        "images, or another labels file of images in --images",
    )
    add("--valid-labels", metavar="FILE", help="labels of --valid DIR (default: as --labels)")
    add("--charset", metavar="FILE", help="characters to read (default: those of the labels)")
    add("--height", type=count, default=32, metavar="N", help="scale lines to this (default: 32)")
    add("--epochs", type=count, metavar="N", help="default: 30, more where lines are few")
    add("--batch-size", type=count, default=16, metavar="N", help="default: 16")
    add("--learning-rate", type=positive, default=2e-3, metavar="X", help="default: 0.002")
    add("--seed", type=seed, default=0, metavar="N", help="of split and weights (default: 0)")
    add_threads(parser)
    add("--resume", action="store_true", help="go on with the training in --out")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check everything, train, and say how good it got."""
    from unrolled.cli import run_settings

    out = Path(args.out)
    run_settings.check_output(out, args.resume)
    use_threads(args)
    model, train, valid = _prepare(args)
    if args.epochs is None:
        args.epochs = _enough_epochs(len(train), args.batch_size)
    settings = _settings(args, model, train, valid)
    if args.resume:
        run_settings.check_resumed(out, settings)
    _describe(args, model, train, valid)
    run_settings.write_settings(out, settings)
    start = time.perf_counter()
    epochs = _fit(args, model, train, valid)
    _report(args, model, valid, epochs, time.perf_counter() - start)
    return 0


def _enough_epochs(lines: int, batch_size: int) -> int:
    """Choose at least 30, and 1,000 steps: a few hundred teach little more than blanks."""
    steps = -(-lines // batch_size)
    return min(300, max(30, -(-1000 // steps)))


def _fit(args: argparse.Namespace, model: CRNN, train: LineSet, valid: LineSet) -> int:
    """Train; return the number of epochs."""
    from unrolled.cli.explained import explained

    with explained(args.out, f"a --learning-rate below {args.learning_rate:g}"):
        history = model.fit(
            train.images,
            train.texts,
            epochs=args.epochs,
            valid=(valid.images, valid.texts) if len(valid) else None,
            batch_size=args.batch_size,
            learning_rate=args.learning_rate,
            directory=args.out,
            resume=args.resume,
            seed=args.seed,
            progress=None,
            checkpoint_every=_CHECKPOINT_STEPS,
        )
    return len(history)


def _prepare(args: argparse.Namespace) -> tuple[CRNN, LineSet, LineSet]:
    """Make the model and load the lines; nothing is written."""
    from unrolled import random
    from unrolled.cli.errors import CommandError
    from unrolled.cli.line_data import load_parts, read_all_labels
    from unrolled.cli.progress import progress
    from unrolled.data.labels import DataError
    from unrolled.models import CRNN

    problems: list[str] = []
    labels = read_all_labels(args, problems)
    charset = _charset(args, labels)
    if not charset:
        raise DataError(problems or [f"{args.labels}: has no line; write name<TAB>text"])
    random.manual_seed(args.seed)
    try:
        model = CRNN(charset, args.height)
    except ValueError as error:
        raise CommandError(f"--height {args.height}: {error}") from error
    loading = partial(progress, what="checking", unit="line")
    return model, *load_parts(args, labels, model.frames, charset, problems, loading)


def _charset(args: argparse.Namespace, labels: Labels) -> str:
    if args.charset:
        from unrolled.data.labels import read_charset

        return read_charset(args.charset)
    return "".join(sorted({c for label in (*labels.train, *labels.valid) for c in label.text}))


def _settings(
    args: argparse.Namespace, model: CRNN, train: LineSet, valid: LineSet
) -> dict[str, Any]:
    """Collect what decides the bits of the result."""
    from unrolled.cli.run_settings import fingerprint, line_parts

    return {
        "lines": len(train) + len(valid),
        "epochs": args.epochs,
        "height": args.height,
        "batch_size": args.batch_size,
        "learning_rate": args.learning_rate,
        "seed": args.seed,
        "valid": args.valid if _is_number(args.valid) else "other lines",
        "charset": model.charset,
        "data": fingerprint(line_parts((train, valid))),
    }


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _describe(args: argparse.Namespace, model: CRNN, train: LineSet, valid: LineSet) -> None:
    from unrolled.cli.progress import note
    from unrolled.cli.tables import print_facts
    from unrolled.data.lines import unlabelled_images

    widths = [image.shape[1] for image in train.images]
    parameters = sum(parameter.data.size for parameter in model.parameters())
    print_facts(
        [
            ("lines", f"{len(train):,} to train on, {len(valid):,} to validate with"),
            ("characters", f"{len(model.charset)}: {_shortened(model.charset)}"),
            (
                "width",
                f"{sum(widths) / len(widths):.0f} pixels on average at height {args.height},"
                f" {max(widths):,} at most",
            ),
            ("model", f"{parameters:,} parameters, a frame every {model.frame_pixels} pixels"),
            ("training", f"{args.epochs} epoch(s) in batches of {args.batch_size} lines"),
        ]
    )
    rest = unlabelled_images(Path(args.images), {*train.names, *valid.names})
    if rest:
        note(f"{len(rest):,} images in {args.images} have no label and are not used: {rest[0]} ...")


def _shortened(charset: str) -> str:
    visible = charset.replace(" ", "")
    if len(visible) > 60:
        visible = f"{visible[:57]}..."
    return f"{visible} and space" if " " in charset else visible


def _report(
    args: argparse.Namespace, model: CRNN, valid: LineSet, epochs: int, seconds: float
) -> None:
    from unrolled.cli.evaluate_lines import measure, read_texts, summary
    from unrolled.cli.tables import print_facts

    facts = [("trained", f"{epochs} epoch(s), {seconds:.0f} s")]
    if len(valid):
        report = measure(model, valid, read_texts(model, valid.images, "validating"))
        facts += summary(report)
        if report["character_error_rate"] > 0.3:
            facts.append(("to improve", "more --epochs, more lines, or a larger --height"))
    facts += [
        ("written to", f"{args.out}: model, checkpoint, history.csv, settings.json"),
        ("read with", f"unrolled read --model {args.out} IMAGE"),
    ]
    print()
    print_facts(facts)
