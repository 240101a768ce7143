"""``unrolled lm train-neural``: a neural language model of one's own text."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unrolled.cli import run_settings
from unrolled.cli.arguments import (
    add_threads,
    count,
    seed,
    share,
    use_threads,
)
from unrolled.cli.errors import CommandError
from unrolled.cli.lm_neural_figures import describe, figures, say
from unrolled.cli.lm_neural_options import add_network, add_recipe, share_or_none
from unrolled.cli.tables import print_facts

if TYPE_CHECKING:
    from unrolled.models import LanguageModel
    from unrolled.training import History

CURVES_FILE = "curves.png"

_CHECKPOINT_STEPS = 200
_DESCRIPTION = """\
Train a recurrent, fixed-window or time-delay language model on a text. Of characters, the text is
one long stream and line breaks are characters; of words, each line is a text by itself. The last
part of the text is never trained on and measured once, at the end; the end of what is left decides
which epoch's weights are kept. Ctrl-C saves; --resume goes on with the same bits."""
_EPILOG = """\
examples:
  unrolled lm train-neural --text corpus.txt --out model/
  unrolled lm train-neural --text corpus.txt --unit word --min-count 3 --tie --out model/
  unrolled lm score --model model/ other.txt
  unrolled lm generate --model model/ --prompt "To be"
"""
# Options that decide the bits of the result.
_OPTIONS = (
    *(
        "unit",
        "line_by_line",
        "min_count",
        "kind",
        "cell",
        "embedding",
        "hidden",
        "layers",
        "window",
    ),
    *("dropout", "embedding_dropout", "recurrent_dropout", "tie", "epochs", "batch_size"),
    *("frames", "learning_rate", "weight_decay", "sampled", "patience", "test", "valid", "seed"),
)


class _Parts(NamedTuple):
    """Of a text: one string each, or lists of lines."""

    train: Any
    valid: Any
    test: Any


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "train-neural",
        help="train a neural language model on a text",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--text", required=True, nargs="+", metavar="FILE", help="text files, UTF-8")
    add("--out", required=True, metavar="DIR", help="folder to write the model to")
    add("--unit", choices=("char", "word"), default="char", help="default: char")
    add(
        "--line-by-line",
        action="store_true",
        default=None,
        help="each line is a text by itself, between <sos> and <eos> (default of words)",
    )
    add("--min-count", type=count, default=1, metavar="N", help="rarer tokens become <unk>")
    add(
        "--test",
        type=share_or_none,
        default=0.1,
        metavar="SHARE",
        help="of the text, at its end, to measure with (default: 0.1; 0: none)",
    )
    add(
        "--valid",
        type=share,
        default=0.03,
        metavar="SHARE",
        help="of the rest, at its end, to choose the epoch with (default: 0.03)",
    )
    add_network(parser)
    add_recipe(parser)
    add("--seed", type=seed, default=0, metavar="N", help="of everything random (default: 0)")
    add("--resume", action="store_true", help="go on with the training in --out")
    add_threads(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check everything, train, measure on the last part, write and show the results."""
    from unrolled import plot

    plot.require()
    out = Path(args.out)
    run_settings.check_output(out, args.resume)
    use_threads(args)
    if args.kind != "recurrent":
        args.recurrent_dropout = 0.0
    args.line_by_line = bool(args.line_by_line or args.unit == "word")
    lines = _read(args.text)
    parts = _split(lines, args)
    model = _make(args, parts)
    _check_size(model, args, parts)
    _begin(out, args, lines)
    _introduce(model, args, parts)
    history = _fit(model, args, parts)
    _conclude(out, model, history, args, parts)
    return 0


def _read(files: list[str]) -> list[str]:
    from unrolled.cli.lm_files import read_texts

    lines = list(read_texts(files))
    if not any(lines):
        raise CommandError(f"{', '.join(files)}: nothing to learn from; name files with text")
    return lines


def _split(lines: list[str], args: argparse.Namespace) -> _Parts:
    """Part a text by its place: the end is what nothing was trained on or chosen by."""
    whole: Any = lines if args.line_by_line else "\n".join([*lines, ""])
    trained = int(len(whole) * (1 - args.test))
    chosen = int(trained * (1 - args.valid))
    parts = _Parts(whole[:chosen], whole[chosen:trained], whole[trained:])
    if len(parts.train) < 2 or len(parts.valid) < 2:
        raise CommandError(
            f"{', '.join(args.text)}: too little text to keep parts of it apart; give more, or "
            "other shares with --test and --valid"
        )
    return parts


def _make(args: argparse.Namespace, parts: _Parts) -> LanguageModel:
    from unrolled import random
    from unrolled.lm import Vocabulary
    from unrolled.models import LanguageModel

    random.manual_seed(args.seed)
    borders = ("<sos>", "<eos>") if args.line_by_line else (None, None)
    vocabulary = Vocabulary.build(
        parts.train,
        unit=args.unit,
        min_count=args.min_count,
        pad=None,
        sos=borders[0],
        eos=borders[1],
    )
    return LanguageModel(
        vocabulary,
        kind=args.kind,
        cell=args.cell,
        embedding=args.embedding,
        hidden=args.hidden,
        layers=args.layers,
        window=args.window,
        dropout=args.dropout,
        embedding_dropout=args.embedding_dropout,
        recurrent_dropout=args.recurrent_dropout,
        tie=args.tie,
    )


def _check_size(model: LanguageModel, args: argparse.Namespace, parts: _Parts) -> None:
    """Refuse a text too short for one batch, before anything is written."""
    from unrolled.models.language_text import StreamLoader

    if args.line_by_line:
        return
    try:
        StreamLoader(model.vocabulary.encode(parts.train), args.batch_size, args.frames)
    except ValueError as error:
        option = (
            str(error).replace("batch_size", "--batch-size").replace("or frames", "or --frames")
        )
        raise CommandError(f"{', '.join(args.text)}: {option}") from error


def _begin(out: Path, args: argparse.Namespace, lines: list[str]) -> None:
    from unrolled.cli.reports import REPORT_FILE

    settings = {
        "command": "lm train-neural",
        "lines": len(lines),
        **{name: getattr(args, name) for name in _OPTIONS},
        "data": run_settings.fingerprint([line.encode() + b"\n" for line in lines]),
    }
    if args.resume:
        run_settings.check_resumed(out, settings)
    run_settings.write_settings(out, settings)
    for name in (REPORT_FILE, CURVES_FILE):
        (out / name).unlink(missing_ok=True)


def _introduce(model: LanguageModel, args: argparse.Namespace, parts: _Parts) -> None:
    unit = "lines" if args.line_by_line else "characters"
    train, valid, test = (f"{len(part):,}" for part in parts)
    unknown = model.vocabulary.unknown(parts.valid)
    facts = [
        ("text", f"{train} {unit} to train on, {valid} to choose the epoch with"),
        ("vocabulary", f"{len(model.vocabulary):,} {args.unit}s; of those held out {unknown}"),
        ("network", describe(model)),
        ("training", f"{args.epochs} epoch(s), {args.batch_size} x {args.frames} tokens"),
    ]
    if len(parts.test):
        facts.insert(1, ("test", f"the last {test}, looked at once, at the end"))
    print_facts(facts)


def _fit(model: LanguageModel, args: argparse.Namespace, parts: _Parts) -> History:
    from unrolled.cli.explained import explained

    with explained(args.out, f"a --learning-rate below {args.learning_rate:g}"):
        return model.fit(
            parts.train,
            valid=parts.valid,
            epochs=args.epochs,
            batch_size=args.batch_size,
            frames=args.frames,
            learning_rate=args.learning_rate,
            weight_decay=args.weight_decay,
            sampled=args.sampled,
            patience=args.patience,
            directory=args.out,
            resume=args.resume,
            seed=args.seed,
            progress=None,
            checkpoint_every=_CHECKPOINT_STEPS,
        )


def _conclude(
    out: Path, model: LanguageModel, history: History, args: argparse.Namespace, parts: _Parts
) -> None:
    from unrolled import plot
    from unrolled.cli.reports import REPORT_FILE, run_facts, write_report

    measured = {"validation": model.evaluate(parts.valid)}
    if len(parts.test):
        measured["test"] = model.evaluate(parts.test)
    best = min(history.rows, key=lambda row: row["valid_loss"])["epoch"]
    report = {
        **{name: figures(found) for name, found in measured.items()},
        "epochs": len(history),
        "best_epoch": best,
        "seed": args.seed,
        **run_facts(model, history),
    }
    write_report(out, report)
    plot.curves(history, out / CURVES_FILE)
    files = ", ".join(("model", "history.csv", REPORT_FILE, CURVES_FILE))
    print()
    print_facts(
        [
            *((name, say(found, args.unit)) for name, found in measured.items()),
            ("weights", f"of epoch {best} of {len(history)}"),
            ("trained", f"{report['train_seconds']:.0f} s on {report['threads']} thread(s)"),
            ("written to", f"{out}: {files}"),
            ("go on with", f"unrolled lm generate --model {out} --prompt TEXT"),
        ]
    )
