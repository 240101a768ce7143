"""``unrolled train g2p``: pronunciations of words, learned from a dictionary."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli import run_settings
from unrolled.cli.arguments import add_threads, count, fraction, positive, seed, share, use_threads
from unrolled.cli.errors import CommandError
from unrolled.cli.reports import REPORT_FILE, run_facts, write_report
from unrolled.cli.tables import print_facts

if TYPE_CHECKING:
    from unrolled.cli.g2p_data import Words
    from unrolled.cli.g2p_models import G2P
    from unrolled.cli.symbol_model import SymbolModel
    from unrolled.training import History

MODELS = ("attention", "ctc", "tagger")

_BEAMS, _LM_ORDER, _CTC_WEIGHT = 8, 6, 0.3
_DESCRIPTION = """\
Train a model that pronounces words (grapheme to phoneme), on lines of word<TAB>symbols or
word symbols. Everything is checked before training starts. A part of the training words says
which epoch is best; the evaluated file is looked at once, at the end, and its words are not
learned from. Ctrl-C saves; --resume goes on with the same bits as if never stopped."""
_FEEDINGS = {"none": "", "input": ", fed its output", "context": ", fed the context"}


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "g2p",
        help="pronunciations of words, from a dictionary",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--data",
        required=True,
        metavar="DIR|FILE",
        help="lines of a word and its symbols; or a folder of NAME.train and NAME.dev or .test",
    )
    add("--out", required=True, metavar="DIR", help="folder to write the model to")
    add(
        "--model",
        choices=MODELS,
        default="attention",
        help="encoder-decoder with attention; CTC, several frames a letter; or the same network "
        "with every frame aligned to a symbol (default: attention)",
    )
    add("--test", metavar="FILE", help="evaluate on this file (default: that of the folder)")
    add(
        "--valid",
        type=share,
        default=0.03,
        metavar="SHARE",
        help="share of the training words to stop by (default: 0.03)",
    )
    add("--cell", choices=("lstm", "gru", "rnn"), default="lstm", help="default: lstm")
    add(
        "--hidden",
        type=count,
        metavar="N",
        help="units: of the decoder, and of both directions of the encoder together; of ctc and "
        "tagger in each direction (default: 384, 256)",
    )
    add("--layers", type=count, metavar="N", help="that read the letters (default: 2)")
    add(
        "--feeding",
        choices=tuple(_FEEDINGS),
        help="what the decoder of attention reads beside the symbol before: nothing, its last "
        "output, or the context (default: none)",
    )
    add(
        "--ctc-weight",
        type=fraction,
        metavar="SHARE",
        help="share of a CTC loss that the encoder of attention learns from, too (default: 0.3; "
        "0: none)",
    )
    add("--dropout", type=fraction, metavar="SHARE", help="default: 0.3, of ctc and tagger 0.4")
    add("--repeat", type=count, metavar="N", help="frames of a letter (default: as needed)")
    add("--epochs", type=count, metavar="N", help="default: 30, of ctc and tagger 18")
    add("--batch-size", type=count, metavar="N", help="default: 64")
    add("--learning-rate", type=positive, metavar="X", help="default: 0.002")
    add(
        "--patience",
        type=count,
        default=6,
        metavar="N",
        help="stop after so many epochs without a better one (default: 6)",
    )
    add(
        "--lm-order",
        type=seed,
        metavar="N",
        help="of the n-gram model of symbols that the search weighs in (default: 6; 0: none)",
    )
    add("--beams", type=count, default=_BEAMS, metavar="N", help=f"default: {_BEAMS}")
    add("--seed", type=seed, default=0, metavar="N", help="of split, weights, order (default: 0)")
    add_threads(parser)
    add("--resume", action="store_true", help="go on with the training in --out")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check everything, train, measure on the evaluated words, write and show the results."""
    from unrolled import plot
    from unrolled.cli import g2p_models
    from unrolled.cli.g2p_data import load_words
    from unrolled.cli.g2p_results import CURVES_FILE, measure, tell
    from unrolled.cli.symbol_model import save_symbols

    plot.require()
    out = Path(args.out)
    run_settings.check_output(out, args.resume)
    use_threads(args)
    words = load_words(args.data, args.test, args.valid, args.seed)
    _fill_in(args, words)
    train, valid = (
        g2p_models.fitting(args.model, part, args.repeat) for part in (words.train, words.valid)
    )
    model = g2p_models.make(args, (words.train, words.valid))
    settings = _settings(args, words)
    if args.resume:
        run_settings.check_resumed(out, settings)
    run_settings.write_settings(out, settings)
    for name in (REPORT_FILE, CURVES_FILE):
        (out / name).unlink(missing_ok=True)
    _introduce(args, model, words, len(train))
    history = g2p_models.fit(model, train, valid, args)
    symbols = _symbol_model(args, model, words)
    save_symbols(out, symbols)
    report = {
        **measure(model, words, args.beams, symbols),
        **_run_facts(args, model, history, words),
        "lm_weight": symbols.weight,
        "pronunciations": len(train),
        "pronunciations_that_do_not_fit": len(words.train.entries()) - len(train),
    }
    write_report(out, report)
    plot.curves(history, out / CURVES_FILE)
    tell(out, report, words)
    return 0


def _fill_in(args: argparse.Namespace, words: Words) -> None:
    """Take from the recipe what is not given."""
    from unrolled.cli.g2p_models import RECIPES, frames_a_letter

    for name, value in RECIPES[args.model]._asdict().items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    if args.lm_order is None:
        args.lm_order = _LM_ORDER
    if args.repeat is None:
        args.repeat = frames_a_letter(args.model, words.train)
    for name, value in (("feeding", "none"), ("ctc_weight", _CTC_WEIGHT)):
        given = getattr(args, name)
        if args.model == "attention":
            setattr(args, name, value if given is None else given)
        elif given is not None:
            option = name.replace("_", "-")
            raise CommandError(f"--{option} is for --model attention; {args.model} has no decoder")


def _settings(args: argparse.Namespace, words: Words) -> dict[str, Any]:
    """Collect what decides the bits of the result."""
    options = (
        *("model", "cell", "hidden", "layers", "feeding", "ctc_weight", "dropout", "repeat"),
        *("epochs", "batch_size", "learning_rate", "patience", "valid", "seed"),
    )
    parts = (words.train, words.valid)
    text = "".join(
        f"{word}\t{' '.join(symbols)}\n" for part in parts for word, symbols in part.entries()
    )
    return {
        "command": "train g2p",
        "words": sum(map(len, parts)),
        **{name: getattr(args, name) for name in options},
        "data": run_settings.fingerprint([text.encode()]),
    }


def _introduce(args: argparse.Namespace, model: G2P, words: Words, learned: int) -> None:
    from unrolled.cli.progress import note

    parameters = sum(parameter.size for parameter in model.parameters())
    facts = [
        (
            "words",
            f"{len(words.train):,} to train on ({learned:,} pronunciations), "
            f"{len(words.valid):,} to stop by",
        ),
        (
            "letters, symbols",
            f"{len(words.train.letters)}, {len(words.train.symbols)}",
        ),
        ("network", f"{_network(args)}: {parameters:,} parameters"),
        ("training", f"{args.epochs} epoch(s) in batches of {args.batch_size}"),
    ]
    if words.test is not None:
        told = f"{len(words.test):,} of {words.files[1]}, looked at once, at the end"
        if words.left_out:
            told += f"; {words.left_out:,} are in {words.files[0]}, too, and not learned from"
        facts.insert(1, ("evaluated", told))
    print_facts(facts)
    rest = len(words.train.entries()) - learned
    if rest:
        note(
            f"{rest:,} pronunciations need more than {args.repeat} frames a letter and are not "
            "learned from; a higher --repeat takes them in"
        )


def _network(args: argparse.Namespace) -> str:
    cell = args.cell.upper()
    if args.model == "attention":
        half = args.hidden // 2
        fed = _FEEDINGS[args.feeding]
        with_ctc = f" and CTC, {args.repeat} frames a letter" if args.ctc_weight else ""
        return (
            f"encoder {args.layers} x {half} both ways, decoder {args.hidden}{fed}, {cell}, "
            f"attention{with_ctc}"
        )
    what = "CTC" if args.model == "ctc" else "aligned"
    return f"{args.layers} x {args.hidden} both ways, {cell}, {what}, {args.repeat} frames a letter"


def _symbol_model(args: argparse.Namespace, model: G2P, words: Words) -> SymbolModel:
    """Train the n-gram model of symbols; the words held out say how much it counts."""
    from unrolled.cli.symbol_model import SymbolModel, choose_weight, train_symbols

    if not args.lm_order:
        return SymbolModel()
    lm = train_symbols([symbols for _, symbols in words.train.entries()], args.lm_order)
    held = list(words.valid)
    return choose_weight(model, lm, held, [words.valid[word] for word in held], args.beams)


def _run_facts(
    args: argparse.Namespace, model: G2P, history: History, words: Words
) -> dict[str, Any]:
    rates = history.column("sequence_error")
    return {
        "model": args.model,
        "seed": args.seed,
        "beams": args.beams,
        "epochs": len(history),
        "best_epoch": 1 + rates.index(min(rates)),
        "train_words": len(words.train),
        "validation_words": len(words.valid),
        "words_left_out_of_training": words.left_out,
        **run_facts(model, history),
        "process_cpu_seconds": time.process_time(),
    }
