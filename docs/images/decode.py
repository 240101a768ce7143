"""Makes the picture of docs/decode.md and prints its figures.

``python docs/images/decode.py`` needs matplotlib (the extra ``plot``) and a few seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unrolled import ctc
from unrolled.decode import BeamSearchDecoder

LABELS = ["", "a", "e", "h", "l", "o", "u"]
SAID = "hhee-ll-l-oo"  # what each frame belongs to; - is the blank
MISTAKEN = {"h": "a", "e": "a", "l": "u", "o": "u", "-": "l"}


def output_table(rng: np.random.Generator) -> Any:
    """Draw what a network that is not sure of itself says, (T, C) in logarithms."""
    scores = rng.standard_normal((len(SAID), len(LABELS)))
    for t, symbol in enumerate(SAID):
        scores[t, LABELS.index(symbol.replace("-", ""))] += 3.2
        scores[t, LABELS.index(MISTAKEN[symbol])] += 1.6
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def main(argv: Sequence[str] | None = None) -> None:
    """Print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--seed", type=int, default=54)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    log_probs = output_table(np.random.default_rng(args.seed))
    decoder = BeamSearchDecoder(LABELS, beam_width=25)
    greedy = ctc.greedy(log_probs)
    best_path = decoder.labels.text(greedy.tokens)
    print(f"best path {best_path}, probability {np.exp(greedy.score):.4f}")
    for found in decoder.decode(log_probs, nbest=3):
        print(f"{found.text:8} {np.exp(found.score):.4f}")

    from unrolled import plot

    plot.beam(decoder, log_probs, prefixes=20).savefig(args.out / "decode-beam.png", dpi=80)


if __name__ == "__main__":
    main()
