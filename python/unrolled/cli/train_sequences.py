"""``unrolled train sequences``: a classifier for one's own time series or recordings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unrolled.cli import run_settings
from unrolled.cli.arguments import count, positive, use_threads
from unrolled.cli.sequence_parts import numbers
from unrolled.cli.tables import print_facts

if TYPE_CHECKING:
    from unrolled.data.audio import LogMel
    from unrolled.data.sequences import SequenceSet
    from unrolled.models import Evaluation, SequenceClassifier

# The recipe, chosen on parts of the training data of JapaneseVowels and of spoken digits.
HIDDEN, DROPOUT, LABEL_SMOOTHING, WEIGHT_DECAY = 64, 0.2, 0.1, 0.01
NOISE = 0.5  # deviations of a feature
_LEAST_EPOCHS, _MOST_EPOCHS, _STEPS = 20, 200, 2000

_DESCRIPTION = """\
Train a recurrent classifier of sequences: on a labelled .ts file (the format of the UEA archive,
sktime and aeon), or on a folder of recordings, named {label}_{speaker}_{number}.wav or in one
folder for each class. Everything is checked before training starts. Test data are looked at once,
at the end. Ctrl-C saves; --resume goes on with the same bits as if never stopped."""


class _Data(NamedTuple):
    train: SequenceSet
    valid: SequenceSet | None
    test: SequenceSet | None
    unseen: SequenceSet | None  # of other speakers
    log_mel: LogMel | None  # of recordings


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    from unrolled.cli.classifier_training import add_training

    parser: argparse.ArgumentParser = subparsers.add_parser(
        "sequences",
        help="a classifier for time series (.ts) or recordings",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", required=True, metavar="FILE|DIR", help=".ts file, or folder of recordings")
    add("--out", required=True, metavar="DIR", help="folder to write the model to")
    add(
        "--test",
        metavar="FILE|DIR",
        help="more of the same to test with (default: NAME_TEST.ts beside NAME_TRAIN.ts)",
    )
    add(
        "--test-numbers",
        type=numbers,
        metavar="A-B",
        help="test with the recordings of these numbers, and do not train on them",
    )
    add(
        "--test-speakers",
        type=lambda text: text.split(","),
        default=[],
        metavar="NAME,...",
        help="do not train on these speakers, and measure on them, too",
    )
    add(
        "--valid",
        type=_share,
        default=0.1,
        metavar="SHARE",
        help="share of every class to validate with (default: 0.1; 0: none)",
    )
    add("--cell", choices=("lstm", "gru", "rnn"), default="lstm", help="default: lstm")
    add("--hidden", type=count, default=HIDDEN, metavar="N", help=f"default: {HIDDEN}")
    add("--layers", type=count, default=1, metavar="N", help="default: 1")
    add("--forward", action="store_true", help="read forward only, not both ways")
    add(
        "--steps",
        choices=("last", "equal", "rising"),
        default="equal",
        help="read the class at the last step, or at all of them, which count alike or more and "
        "more (default: equal)",
    )
    add("--bands", type=count, default=40, metavar="N", help="of log-mel frames (default: 40)")
    add("--batch-size", type=count, default=16, metavar="N", help="default: 16")
    add("--learning-rate", type=positive, default=1e-2, metavar="X", help="default: 0.01")
    add_training(parser, "20, more where sequences are few", "sequence")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check everything, train, measure on the test sequences, write and show the results."""
    from unrolled import plot
    from unrolled.cli.classifier_training import begin, conclude, fit
    from unrolled.data.sequence_augment import SequenceAugment

    plot.require()
    out = Path(args.out)
    run_settings.check_output(out, args.resume)
    use_threads(args)
    data = _load(args)
    model = _make(args, data)
    if args.epochs is None:
        args.epochs = _enough_epochs(len(data.train), args.batch_size)
    begin(out, _settings(args, data), args.resume)
    _introduce(args, model, data)
    history = fit(
        model,
        (data.train.sequences, data.train.labels),
        None if data.valid is None else (data.valid.sequences, data.valid.labels),
        args,
        remedy=f"a --learning-rate below {args.learning_rate:g}",
        epochs=args.epochs,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        weight_decay=WEIGHT_DECAY,
        label_smoothing=LABEL_SMOOTHING,
        augment=SequenceAugment(noise=NOISE),
    )
    parts = {"test": data.test, "unseen_speakers": data.unseen, "validation": data.valid}
    evaluations = {name: _measured(model, part) for name, part in parts.items() if part is not None}
    measured_on, evaluation = next(iter(evaluations.items()), ("validation", None))
    facts = {"seed": args.seed, "epochs": len(history), **_counts(data)}
    conclude(
        out,
        model,
        history,
        evaluation,
        facts,
        measured_on=measured_on,
        unit="sequence",
        others={name: other for name, other in evaluations.items() if name != measured_on},
    )
    return 0


def _share(text: str) -> float:
    """Read a share from 0 to below 1."""
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a share between 0 and 1; give 0.1 to hold out a tenth"
        )
    return share


def _enough_epochs(sequences: int, batch_size: int) -> int:
    """Choose at least 20, and 2,000 steps."""
    steps = -(-sequences // batch_size)
    return min(_MOST_EPOCHS, max(_LEAST_EPOCHS, -(-_STEPS // steps)))


def _load(args: argparse.Namespace) -> _Data:
    """Load and part all data; nothing is written."""
    from unrolled.cli.errors import CommandError
    from unrolled.cli.sequence_inputs import check_there, is_ts

    check_there(args.data)
    if args.test is not None:
        check_there(args.test)
        if is_ts(args.test) != is_ts(args.data):
            raise CommandError(f"--test {args.test}: is not of the kind of --data {args.data}")
    train, test, unseen, log_mel = (_load_files if is_ts(args.data) else _load_folders)(args)
    if args.valid == 0:
        return _Data(train, None, test, unseen, log_mel)
    try:
        train, valid = train.split(args.valid, args.seed)
    except ValueError as error:
        raise CommandError(f"{args.data}: {error}, or train without: --valid 0") from None
    return _Data(train, valid, test, unseen, log_mel)


def _load_files(args: argparse.Namespace) -> tuple[Any, Any, None, None]:
    """Load ``.ts`` files."""
    from unrolled.cli.errors import CommandError
    from unrolled.cli.sequence_inputs import as_classes, check_features, load_ts
    from unrolled.data.ts import find_test

    if args.test_numbers is not None or args.test_speakers:
        raise CommandError("--test-numbers and --test-speakers are for recordings, not .ts files")
    train = load_ts(args.data)
    path = find_test(args.data) if args.test is None else args.test
    if path is None:
        return train, None, None, None
    test = as_classes(load_ts(str(path)), str(path), train.classes)
    check_features(test, str(path), train.features)
    return train, test, None, None


def _load_folders(args: argparse.Namespace) -> tuple[Any, Any, Any, LogMel]:
    """Load recordings."""
    from unrolled.cli.errors import CommandError
    from unrolled.cli.sequence_inputs import loading_recordings
    from unrolled.cli.sequence_parts import part_recordings
    from unrolled.data.recordings import load_recordings

    if args.test is not None and args.test_numbers is not None:
        raise CommandError("give --test or --test-numbers, not both")
    progress = loading_recordings()
    data, log_mel = load_recordings(args.data, bands=args.bands, progress=progress)
    train, test, unseen = part_recordings(data, args.data, args.test_numbers, args.test_speakers)
    if args.test is not None:
        test, _ = load_recordings(args.test, log_mel, classes=data.classes, progress=progress)
    return train, test, unseen, log_mel


def _make(args: argparse.Namespace, data: _Data) -> SequenceClassifier:
    from unrolled import random
    from unrolled.models import SequenceClassifier

    random.manual_seed(args.seed)
    return SequenceClassifier(
        data.train.classes,
        data.train.features,
        cell=args.cell,
        hidden=args.hidden,
        layers=args.layers,
        bidirectional=not args.forward,
        dropout=DROPOUT,
        step_weights=args.steps,
        audio=None if data.log_mel is None else data.log_mel.arguments,
    )


def _measured(model: SequenceClassifier, part: SequenceSet) -> Evaluation:
    return model.evaluate(part.sequences, part.labels)


def _counts(data: _Data) -> dict[str, int]:
    return {
        f"{name}_sequences": 0 if part is None else len(part)
        for name, part in zip(data._fields[:4], data[:4], strict=True)
    }


def _settings(args: argparse.Namespace, data: _Data) -> dict[str, Any]:
    """Collect what decides the bits of the result."""
    parts = [part for part in (data.train, data.valid) if part is not None]
    arrays: list[Any] = [array for part in parts for array in (*part.sequences, part.labels)]
    options = ("cell", "hidden", "layers", "forward", "steps", "bands", "epochs", "batch_size")
    return {
        "command": "train sequences",
        "sequences": sum(map(len, parts)),
        **{name: getattr(args, name) for name in (*options, "learning_rate", "seed", "valid")},
        "classes": list(data.train.classes),
        "data": run_settings.fingerprint(arrays),
    }


def _introduce(args: argparse.Namespace, model: SequenceClassifier, data: _Data) -> None:
    from unrolled.cli.classifier_training import count_classes, describe

    held = 0 if data.valid is None else len(data.valid)
    lengths = data.train.lengths
    facts = [
        ("sequences", f"{len(data.train):,} to train on, {held:,} to validate with"),
        ("classes", count_classes(data.train.labels, data.train.classes)),
        ("frames", f"{lengths.min()} to {lengths.max()} of {data.train.features} feature(s)"),
        ("network", describe(model)),
        ("training", f"{args.epochs} epoch(s) in batches of {args.batch_size}"),
    ]
    for name, part in (("test", data.test), ("unseen speakers", data.unseen)):
        if part is not None:
            facts.insert(1, (name, f"{len(part):,} others, looked at once, at the end"))
    print_facts(facts)
