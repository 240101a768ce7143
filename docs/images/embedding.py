"""Makes the picture of docs/embedding.md and prints its figures.

``python docs/images/embedding.py TEXT`` trains embeddings of letters on a text file (the page's is
tiny Shakespeare, 1.1 MB); it needs matplotlib (the extra ``plot``) and half a minute.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import unrolled
from unrolled import nn
from unrolled.lm import Embeddings, Vocabulary

LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOWELS = "aeiou"
BESIDE = (-2, -1, 1, 2)  # which neighbours a letter is told from
BATCH = 512


class Neighbourhood(nn.Module):
    """Scores of the letter in the middle, from the letters beside it."""

    def __init__(self, letters: Vocabulary, size: int = 16, hidden: int = 64) -> None:
        self.table = nn.Embedding(len(letters), size, std=0.1)
        self.hidden = nn.Linear(len(BESIDE) * size, hidden)
        self.output = nn.Linear(hidden, len(letters))

    def forward(self, ids: Any) -> Any:
        """Map ids (N, 4) to scores (N, V)."""
        vectors = self.table(ids)
        return self.output(self.hidden(vectors.reshape(len(ids), -1)).tanh())


def trained(letters: Vocabulary, text: str, steps: int) -> Neighbourhood:
    """Train on places drawn from the text."""
    unrolled.manual_seed(0)
    model = Neighbourhood(letters)
    optimizer = unrolled.optim.Adam(model.parameters(), lr=3e-3)
    ids, draws = letters.encode(text), np.random.default_rng(0)
    for step in range(steps):
        places = draws.integers(2, len(ids) - 2, BATCH)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(
            model(ids[places[:, None] + np.array(BESIDE)]), ids[places]
        )
        loss.backward()
        optimizer.step()
        if step % 500 == 499:
            print(f"step {step + 1}: {loss.item():.3f} nats a letter")
    return model


def main() -> None:
    """Train, print neighbours, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    text = options.text.read_text("utf-8").lower()
    words = " ".join("".join(c if c in LETTERS else " " for c in text).split())
    letters = Vocabulary.build(words, unit="char", pad=None, unk=None, sos=None, eos=None)
    found = Embeddings(letters, trained(letters, words, options.steps).table)
    for letter in "aeptm":
        near = ", ".join(f"{token} {cosine:.2f}" for token, cosine in found.nearest(letter, 3))
        print(f"{letter}: {near}")
    groups = {c: "vowels" if c in VOWELS else "consonants" for c in LETTERS}
    found.plot(sorted(LETTERS), options.out / "embedding-letters.png", groups=groups)


if __name__ == "__main__":
    main()
