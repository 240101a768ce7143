"""``unrolled evaluate``: how well a trained reader reads labelled lines."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from unrolled.cli.arguments import add_threads, use_threads

if TYPE_CHECKING:
    from unrolled.data.lines import LineSet
    from unrolled.models import CRNN

_SHOWN = 10


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "evaluate",
        help="measure a trained reader on labelled lines",
        description="Read labelled lines and print character error, lines right, the most "
        "frequent confusions and the worst lines.",
    )
    parser.add_argument("--model", required=True, help="folder that 'unrolled train lines' wrote")
    parser.add_argument("--images", required=True, metavar="DIR", help="folder of line images")
    parser.add_argument(
        "--labels", required=True, metavar="FILE", help="UTF-8 lines of name<TAB>text"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    add_threads(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate and print."""
    from unrolled.cli.readers import load_reader, progress, read_texts
    from unrolled.data.lines import load_lines

    use_threads(args)
    model = load_reader(args.model)
    loading = partial(progress, what="loading", unit="line")
    lines = load_lines(args.images, args.labels, model.height, progress=loading)
    report = measure(model, lines, read_texts(model, lines.images))
    if args.json:
        print(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _print(report)
    return 0


def measure(model: CRNN, lines: LineSet, readings: list[str]) -> dict[str, Any]:
    """Compare readings with labels.

    Returns
    -------
    dict
        What ``--json`` prints.
    """
    from unrolled import metrics

    distances = [metrics.edit_distance(t, r) for t, r in zip(lines.texts, readings, strict=True)]
    characters = sum(map(len, lines.texts))
    right = sum(distance == 0 for distance in distances)
    unknown = Counter(c for text in lines.texts for c in text if c not in model.charset)
    confusions = metrics.confusions(lines.texts, readings).most_common(_SHOWN)
    worst = sorted(range(len(lines)), key=lambda i: (-distances[i], i))[:_SHOWN]
    return {
        "lines": len(lines),
        "lines_right": right,
        "line_accuracy": right / len(lines),
        "characters": characters,
        "character_errors": sum(distances),
        "character_error_rate": sum(distances) / characters,
        "unknown_characters": dict(unknown.most_common()),
        "confusions": [
            {"label": label, "reading": reading, "count": count}
            for (label, reading), count in confusions
        ],
        "worst_lines": [
            {
                "name": lines.names[i],
                "label": lines.texts[i],
                "reading": readings[i],
                "errors": distances[i],
            }
            for i in worst
            if distances[i]
        ],
    }


def summary(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Say the two figures that matter, with their counts."""
    return [
        (
            "character error",
            f"{report['character_error_rate']:.2%} "
            f"({report['character_errors']:,} of {report['characters']:,} characters)",
        ),
        (
            "lines right",
            f"{report['line_accuracy']:.1%} ({report['lines_right']:,} of {report['lines']:,})",
        ),
    ]


def _print(report: dict[str, Any]) -> None:
    from unrolled.cli.tables import print_facts, print_table
    from unrolled.data.labels import describe

    facts = summary(report)
    if report["unknown_characters"]:
        named = [f"{describe(c)} x {n:,}" for c, n in report["unknown_characters"].items()]
        more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        facts.append(("not in the model", ", ".join(named[:_SHOWN]) + more + "; count as errors"))
    print_facts(facts)
    if report["confusions"]:
        print()
        print_table(
            ("label", "reading", ">times"),
            [
                (_shown(row["label"]), _shown(row["reading"]), f"{row['count']:,}")
                for row in report["confusions"]
            ],
            title="Most frequent errors",
        )
        print()
        print_table(
            (">errors", "image", "label", "reading"),
            [
                (f"{row['errors']:,}", row["name"], row["label"], row["reading"])
                for row in report["worst_lines"]
            ],
            title="Worst lines",
        )


def _shown(character: str | None) -> str:
    if character is None:
        return "(nothing)"
    return "(space)" if character == " " else character
