"""Makes the picture of docs/align-words.md: a sentence of which the network misheard a word.

``python docs/images/align_words.py`` needs matplotlib (the extra ``plot``) and a few seconds.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from unrolled import align

LABELS = ["", "|", *"abcdefghijklmnopqrstuvwxyz"]
TEXT = "It was 7 o'clock when the old post arrived."
HEARD = "it|was|seven|oclock|when|the|xxq|post|arrived"


def emissions(rng: np.random.Generator) -> Any:
    """Draw a peaky output, as networks trained with CTC have: (T, C) in logarithms."""
    scores = []
    for letter in HEARD:
        peak = LABELS.index(letter)
        length, rest = (1, int(rng.integers(2, 5))) if letter != "|" else (2, 6)
        for token, frames in ((peak, length), (0, rest)):
            row = rng.standard_normal((frames, len(LABELS)))
            row[:, token] += 8
            scores.append(row)
    table = np.concatenate([np.eye(1, len(LABELS)) * 8, *scores])
    return table - np.log(np.exp(table).sum(axis=1, keepdims=True))


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    out = parser.parse_args().out
    log_probs = emissions(np.random.default_rng(4))
    alignment = align.align_text(log_probs, TEXT, LABELS, seconds_per_frame=0.02)
    alignment.plot(out / "align-words.png", log_probs=log_probs)
    for found in alignment.suspicious():
        print("suspicious:", *(word.text for word in found.items))


if __name__ == "__main__":
    main()
