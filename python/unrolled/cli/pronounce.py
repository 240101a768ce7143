"""``unrolled pronounce``: how words are pronounced, by a trained model."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli.arguments import add_threads, count, use_threads
from unrolled.cli.errors import CommandError
from unrolled.cli.tables import escaped, print_table

if TYPE_CHECKING:
    from unrolled.cli.saying import Said


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "pronounce",
        help="tell how words are pronounced, with a trained model",
        description="Tell how words are pronounced, with a model that 'unrolled train g2p' wrote. "
        "Upper and lower case are one where the model knows only one of them.",
    )
    add = parser.add_argument
    add("--model", required=True, metavar="DIR", help="folder that 'unrolled train g2p' wrote")
    add("words", nargs="*", metavar="WORD", help="words to pronounce")
    add("--file", metavar="FILE", help="more words, one a line")
    add("--top", type=count, default=1, metavar="N", help="the N likeliest (default: 1)")
    add("--beams", type=count, default=8, metavar="N", help="width of the search (default: 8)")
    add(
        "--picture",
        metavar="FILE",
        help="write which letters each symbol of the likeliest came from, as a picture (one word)",
    )
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="print one JSON list instead")
    formats.add_argument(
        "--dictionary",
        action="store_true",
        help="print lines of word<TAB>symbols instead, as dictionaries have them",
    )
    add_threads(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Pronounce everything, then print: a word that cannot be leaves no half output."""
    from unrolled.cli.progress import in_batches
    from unrolled.cli.saved_models import load_pronouncer
    from unrolled.cli.saying import say, spelled
    from unrolled.cli.symbol_model import load_symbols

    use_threads(args)
    words = _words(args)
    model, symbols = load_pronouncer(args.model), load_symbols(Path(args.model))
    spellings = [spelled(word, model.source) for word in words]
    found: list[list[Said]] = []
    for batch in in_batches(spellings, "pronouncing", "word"):
        found += say(model, batch, beams=args.beams, count=args.top, symbols=symbols)
    if args.picture is not None:
        _draw(args.picture, spellings[0], found[0][0])
    _print(args, words, found)
    return 0


def _words(args: argparse.Namespace) -> list[str]:
    from unrolled.data.labels import DataError, text_lines

    words = list(args.words)
    if args.file is not None:
        problems: list[str] = []
        lines = [line.strip() for _, line in text_lines(Path(args.file), problems)]
        if problems:
            raise DataError(problems)
        words += [line for line in lines if line]
    if not words:
        raise CommandError("no word; write words after the options, or name a list with --file")
    if args.picture is not None and len(words) > 1:
        raise CommandError(f"--picture shows one word, and there are {len(words)}; name one")
    return words


def _draw(path: str, word: str, best: Said) -> None:
    from unrolled import plot

    if best.weights is None:
        raise CommandError("--picture: this model looks at no letter in particular; leave it out")
    plot.attention(best.weights, list(word), list(best.symbols), path)


def _print(args: argparse.Namespace, words: list[str], found: list[list[Said]]) -> None:
    if args.json:
        entries = [_as_json(word, said) for word, said in zip(words, found, strict=True)]
        print(json.dumps(entries, ensure_ascii=False, indent=2))
        return
    rows = [(word, one) for word, said in zip(words, found, strict=True) for one in said]
    if args.dictionary:
        for word, one in rows:
            print(f"{word}\t{' '.join(one.symbols)}")
        return
    print_table(
        ("word", "pronunciation", ">probability"),
        [
            (escaped(word), " ".join(one.symbols), f"{math.exp(one.log_probability):.1%}")
            for word, one in rows
        ],
    )


def _as_json(word: str, said: list[Said]) -> dict[str, Any]:
    listed = [
        {
            "symbols": list(one.symbols),
            "score": round(one.score, 6),
            "probability": round(math.exp(one.log_probability), 6),
        }
        for one in said
    ]
    return {"word": word, "pronunciations": listed}
