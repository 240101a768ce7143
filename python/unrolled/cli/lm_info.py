"""``unrolled lm info``: what a model's file holds."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from unrolled.cli.lm_files import is_neural, load_model, size_of, weights_of

# How files begin, and what that means.
_BEGINNINGS = {
    b"unrolled n-gram\n": "ngram",
    b"mmap lm http://kheafield.com/code": "KenLM binary",
    b"\x1f\x8b": "arpa.gz",
}


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "info",
        help="orders, counts, vocabulary and format of a model",
        description="Say what a model's file holds.",
    )
    parser.add_argument("model", metavar="MODEL", help="the file, or a neural model's folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read the model and describe it."""
    from unrolled.cli.tables import print_facts

    if is_neural(args.model):
        return _tell_network(args)
    model = load_model(args.model)
    entry = {
        "file": args.model,
        "format": _format_of(args.model),
        "bytes": os.path.getsize(args.model),
        "order": model.order,
        "unit": model.unit,
        "counts": list(model.counts),
        "words": len(model.vocabulary),
        "special": [word for word in ("<unk>", "<s>", "</s>") if word in model.vocabulary],
    }
    if args.json:
        print(json.dumps(entry, ensure_ascii=False, indent=2))
        return 0
    print_facts(
        [
            ("model", f"{args.model}, {entry['format']}, {size_of(args.model)}"),
            ("order", f"{model.order}"),
            ("unit", model.unit or "not told by the file"),
            *((f"{k}-grams", f"{n:,}") for k, n in enumerate(model.counts, start=1)),
            ("vocabulary", f"{entry['words']:,} words, with {' '.join(entry['special'])}"),
        ]
    )
    return 0


def _tell_network(args: argparse.Namespace) -> int:
    """Describe a neural model."""
    from unrolled.cli.lm_neural_figures import describe
    from unrolled.cli.saved_models import load_language_model
    from unrolled.cli.tables import escaped, print_facts

    model = load_language_model(args.model)
    vocabulary, borders = model.vocabulary, model.borders
    ends = [None if k is None else vocabulary.tokens[k] for k in (borders.start, borders.end)]
    given = {name: value for name, value in model.arguments.items() if name != "vocabulary"}
    size = os.path.getsize(weights_of(args.model))
    parameters = sum(parameter.size for parameter in model.parameters())
    entry = {"file": args.model, "format": "neural", "bytes": size, "parameters": parameters}
    entry |= {"unit": vocabulary.unit, "tokens": len(vocabulary), "borders": ends, **given}
    if args.json:
        print(json.dumps(entry, ensure_ascii=False, indent=2))
        return 0
    known = ", ".join("none" if end is None else escaped(end) for end in ends)
    print_facts(
        [
            ("model", f"{args.model}, neural, {size_of(weights_of(args.model))}"),
            ("network", describe(model)),
            ("unit", vocabulary.unit),
            ("vocabulary", f"{len(vocabulary):,} tokens; before and after a text: {known}"),
        ]
    )
    return 0


def _format_of(path: str) -> str:
    with open(path, "rb") as file:
        begin = file.read(64)
    return next((name for mark, name in _BEGINNINGS.items() if begin.startswith(mark)), "arpa")
