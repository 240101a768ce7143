"""Perplexities and times of all smoothings: ``python -m bench.smoothing TEXT...``.

Of each text every tenth line is held out; models are trained on the others. ``--nltk`` also times
NLTK's Kneser-Ney on the first lines, for scale.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from unrolled.lm.discounts import DiscountWarning
from unrolled.lm.training import SMOOTHINGS, Estimate, estimate

# Longer n-grams want a small k.
OPTIONS = {"add-k": {"k": 0.01}}
NLTK_LINES = 2000


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.smoothing", description=__doc__)
    parser.add_argument("texts", nargs="+", type=Path)
    parser.add_argument("--word-orders", nargs="*", type=int, default=[1, 2, 3, 4])
    parser.add_argument("--char-orders", nargs="*", type=int, default=[3, 6])
    parser.add_argument("--nltk", action="store_true")
    options = parser.parse_args(arguments)
    cases = [("word", order) for order in options.word_orders]
    cases += [("char", order) for order in options.char_orders]
    for path in options.texts:
        train, held_out = split(path)
        print(f"\n{path.name}: {len(train):,} lines, {len(held_out):,} held out")
        print(f"{'':14}" + "".join(f"{unit + ' ' + str(order):>16}" for unit, order in cases))
        for smoothing in SMOOTHINGS:
            cells = [measure(train, held_out, smoothing, *case) for case in cases]
            print(f"{smoothing:14}" + "".join(f"{p:9.2f} ({s:.1f} s)" for p, s in cells))
        if options.nltk:
            compare_with_nltk(train[:NLTK_LINES])
    return 0


def split(path: Path) -> tuple[list[str], list[str]]:
    lines = path.read_text("utf-8").splitlines()
    held_out = [line for line in lines[9::10] if line]
    return [line for i, line in enumerate(lines) if i % 10 != 9], held_out


def measure(
    train: Iterable[str], held_out: Sequence[str], smoothing: str, unit: str, order: int
) -> tuple[float, float]:
    """Return the perplexity of held-out lines, and the CPU seconds of the training."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiscountWarning)
        made = estimate(train, order, smoothing, unit=unit, **OPTIONS.get(smoothing, {}))
    seconds = time.process_time() - start
    return perplexity(made, held_out), seconds


def perplexity(made: Estimate, held_out: Sequence[str]) -> float:
    tokens = sum(len(line) if made.unit == "char" else len(line.split()) for line in held_out)
    return float(np.exp(-made.model().score_batch(held_out).sum() / (tokens + len(held_out))))


def compare_with_nltk(lines: Sequence[str]) -> None:
    from nltk.lm import KneserNeyInterpolated
    from nltk.lm.preprocessing import padded_everygram_pipeline

    text = [line.split() for line in lines]
    start = time.process_time()
    model = KneserNeyInterpolated(3)
    model.fit(*padded_everygram_pipeline(3, text))
    theirs = time.process_time() - start
    start = time.process_time()
    estimate(text, 3)
    ours = time.process_time() - start
    tokens = sum(map(len, text))
    print(f"3-grams of {tokens:,} words: counted by NLTK in {theirs:.2f} s (it estimates when ")
    print(f"asked), counted and estimated by us in {ours:.3f} s")


if __name__ == "__main__":
    raise SystemExit(main())
