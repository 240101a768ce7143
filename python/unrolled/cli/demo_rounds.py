"""The rounds of a demo that guesses its alignments, as a table and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from unrolled.cli.tables import print_table

if TYPE_CHECKING:
    from unrolled.training import History

ROUNDS_FILE = "rounds.png"


def show_rounds(history: History, out: Path) -> None:
    """Print what changed from round to round, and draw it."""
    from unrolled import plot

    print()
    print_table(
        (
            ">round",
            ">log likelihood",
            ">after guessing again",
            ">frames changed",
            ">blanks left out",
        ),
        [
            (
                str(row["round"]),
                f"{row['path_log_likelihood']:.4f}",
                f"{row['best_log_likelihood']:.4f}",
                f"{row['changed_share']:.1%}",
                f"{row['empty_states']:,}",
            )
            for row in history.rows
        ],
        title="Rounds: mean log likelihood a frame of the alignments trained on, and of new ones",
    )
    plot.curves(history, out / ROUNDS_FILE)
