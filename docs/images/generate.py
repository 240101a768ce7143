"""Makes the picture of docs/generate.md and prints its figures.

``python docs/images/generate.py`` needs matplotlib (the extra ``plot``) and a second.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unrolled._core import PythonStepModel
from unrolled.generate import Settings, generate

TOKENS = ["<sos>", "<eos>", "the", "he", "nose", "knows", "cat"]
# What follows each token, with what probability; it is all that this model knows.
FOLLOWERS = {
    "<sos>": {"the": 0.55, "he": 0.45},
    "the": {"nose": 0.45, "cat": 0.35, "knows": 0.2},
    "he": {"knows": 0.9, "nose": 0.1},
    "nose": {"<eos>": 1.0},
    "knows": {"<eos>": 1.0},
    "cat": {"<eos>": 1.0},
}


def step_model() -> PythonStepModel:
    """Return a model whose only memory is the token that was written last."""
    rows = np.full((len(TOKENS), len(TOKENS)), -np.inf, np.float32)
    for token, followers in FOLLOWERS.items():
        for name, probability in followers.items():
            rows[TOKENS.index(token), TOKENS.index(name)] = np.log(probability)

    def step(tokens: Any, items: Any, states: Any) -> Any:
        return states, rows[tokens]

    return PythonStepModel(
        tokens=len(TOKENS),
        items=1,
        state_size=1,
        start=lambda: np.zeros((1, 1), np.float32),
        step=step,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    greedy = generate(step_model(), TOKENS)[0]
    print(f"greedy  {greedy.text:9} {np.exp(greedy.log_probability):.4f}")
    settings = Settings(num_beams=4, num_return_sequences=4, keep_beams=True)
    found = generate(step_model(), TOKENS, settings)[0]
    for generation in found:
        print(f"beam    {generation.text:9} {np.exp(generation.log_probability):.4f}")
    found[0].plot().savefig(args.out / "generate-beam.png", dpi=110)


if __name__ == "__main__":
    main()
