"""How well a trained reader reads labelled lines."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from unrolled.cli.progress import in_batches, progress

if TYPE_CHECKING:
    from unrolled.data.lines import LineSet
    from unrolled.models import CRNN

_SHOWN = 10


def evaluate_lines(model: CRNN, args: argparse.Namespace) -> int:
    """Read the lines of ``--images`` and ``--labels``, compare and print."""
    from unrolled.data.lines import load_lines

    loading = partial(progress, what="loading", unit="line")
    lines = load_lines(args.images, args.labels, model.height, progress=loading)
    report = measure(model, lines, read_texts(model, lines.images))
    if args.json:
        print(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _print(report)
    return 0


def read_texts(model: CRNN, images: list[Any], what: str = "reading") -> list[str]:
    """Read images in batches, with a bar."""
    batches = in_batches(images, what, "line")
    return [reading.text for batch in batches for reading in model.read(batch)]


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
