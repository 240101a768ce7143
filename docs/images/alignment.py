"""Makes the pictures of docs/align.md and docs/ctc.md and prints their figures.

``python docs/images/alignment.py`` needs matplotlib (the extra ``plot``) and a few seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unrolled import ctc
from unrolled.plot.figures import COLORS, make_figure, name_panel
from unrolled.reference import align, reading, trellis

SYMBOLS = "aenou"
WORD = "noon"
SAID = "nnnnooooooooonnnn"  # what each frame belongs to
BLANK = len(SYMBOLS)


def output_table(rng: np.random.Generator) -> Any:
    """Draw what a network that is not sure of itself says, (T, C) in logarithms."""
    scores = 1.2 * rng.standard_normal((len(SAID), len(SYMBOLS)))
    for t, symbol in enumerate(SAID):
        scores[t, SYMBOLS.index(symbol)] += 1.8
        scores[t, SYMBOLS.index({"n": "u", "o": "a"}[symbol])] += 0.9
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def with_blanks(log_probs: Any) -> Any:
    """Add a blank as the last class, likely where two symbols meet."""
    T = len(log_probs)
    place = np.linspace(0, len(WORD), T, endpoint=False) % 1
    share = 0.15 + 0.7 * np.abs(place - 0.5) ** 2 * 4
    rest = log_probs + np.log(1 - share)[:, np.newaxis]
    return np.concatenate([rest, np.log(share)[:, np.newaxis]], axis=1)


def show(axis: Any, table: Any, names: Sequence[str], path: Sequence[int], title: str) -> None:
    """Draw a table (T, rows) as it stands in the text: symbols down, time across."""
    T, rows = table.shape
    axis.imshow(
        np.exp(table).T,
        cmap="Blues",
        vmin=0,
        vmax=1,
        extent=(0, T, rows, 0),
        interpolation="nearest",
        aspect="auto",
    )
    axis.hlines(np.arange(1, rows), 0, T, color="white", linewidth=0.8)
    axis.plot(np.arange(T) + 0.5, np.add(path, 0.5), "o-", color=COLORS[1], markersize=3.5)
    axis.set_yticks(np.arange(rows) + 0.5, names)
    axis.tick_params(axis="y", length=0)
    name_panel(axis, title)


def steps(log_probs: Any, path: Path) -> None:
    """Draw the output table, its pruned rows, and the arranged table with the best path."""
    target = [SYMBOLS.index(letter) for letter in WORD]
    greedy = reading.best_symbols(log_probs)
    kept = sorted(set(target))
    pruned = reading.best_symbols(log_probs, target)
    rows, score = align.align(log_probs, target, blank=None)
    tables = [
        (log_probs, SYMBOLS, greedy, "output table; the best symbol of each frame says {}"),
        (
            log_probs[:, kept],
            [SYMBOLS[c] for c in kept],
            [kept.index(c) for c in pruned],
            "symbols of the target alone; the best of each frame says {}",
        ),
        (
            trellis.arrange(log_probs, target),
            WORD,
            rows,
            "a row for each symbol in order; the best path says {}",
        ),
    ]
    figure, axes = make_figure((9.0, 6.2), [len(names) for _, names, _, _ in tables])
    for axis, (table, names, chosen, title) in zip(axes, tables, strict=True):
        runs = [r for t, r in enumerate(chosen) if t == 0 or r != chosen[t - 1]]
        says = "".join(names[r] for r in runs)
        print(f"{title.format(says)}")
        show(axis, table, list(names), chosen, title.format(f'"{says}"'))
    axes[-1].set_xlabel("frame, t")
    print(f"best path {rows}, score {score:.4f}")
    figure.savefig(path, dpi=80)


def sums(log_probs: Any, path: Path) -> None:
    """Draw the posterior of every state, with blanks, and print what differs from the loss."""
    target = [SYMBOLS.index(letter) for letter in WORD]
    result = ctc.forward_backward(with_blanks(log_probs), target, blank=BLANK)
    print(
        f"with blanks: loss {result.loss:.4f}, expected divergence "
        f"{result.expected_divergence:.4f}, entropy of the alignments {result.path_entropy:.4f}, "
        f"best path {-result.best_score:.4f} of "
        f"{ctc.count_expansions(target, len(log_probs), blank=BLANK):,} alignments"
    )
    result.plot(labels=[*SYMBOLS, "blank"]).savefig(path, dpi=80)


def main(argv: Sequence[str] | None = None) -> None:
    """Print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    log_probs = output_table(np.random.default_rng(args.seed))
    steps(log_probs, args.out / "align-steps.png")
    sums(log_probs, args.out / "ctc-trellis.png")


if __name__ == "__main__":
    main()
