"""How far texts are from what they should be, in two lines."""

from __future__ import annotations

from collections.abc import Sequence


def print_error_rates(references: Sequence[str], texts: Sequence[str]) -> None:
    """Print the error rates of a corpus, characters and words; nothing without references."""
    from unrolled import metrics
    from unrolled.cli.tables import print_facts

    if not references:
        return
    for unit in ("character", "word"):
        counts = metrics.error_report(references, texts, unit=unit).counts
        print_facts(
            [
                (
                    f"{unit} error",
                    f"{counts.rate:.2%} ({counts.errors:,} of {counts.reference_length:,} {unit}s: "
                    f"{counts.substitutions:,} substituted, {counts.deletions:,} deleted, "
                    f"{counts.insertions:,} inserted)",
                )
            ]
        )
