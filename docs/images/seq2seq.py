"""Makes the pictures of docs/seq2seq.md and prints their figures.

``python docs/images/seq2seq.py`` needs matplotlib (the extra ``plot``) and half a minute.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import unrolled
from unrolled.lm import Vocabulary
from unrolled.models import Seq2Seq
from unrolled.plot.figures import COLORS, make_figure, name_panel

ANSWERS = ["good day", "hi there"]
LETTERS = list("abcdefgh")
LENGTHS = range(2, 21, 2)


def learned_answers(feedback: bool) -> Seq2Seq:
    """Train the page's example."""
    source, target = Vocabulary.build(["hello"]), Vocabulary.build(ANSWERS)
    unrolled.manual_seed(0)
    options: dict[str, Any] = {"embedding": 8, "hidden": 16, "bidirectional": False}
    model = Seq2Seq(source, target, feedback=feedback, **options)
    settings: dict[str, Any] = {"epochs": 60, "batch_size": 64, "learning_rate": 3e-2}
    model.fit(["hello"] * 64, ANSWERS * 32, progress=False, **settings)
    return model


def distributions(model: Seq2Seq, words: Sequence[str]) -> Any:
    """Return the distribution (T, V) at each step, when these words were drawn before."""
    source = model.source.encode("hello", eos=True)[None]
    inputs = model.target.encode(words, sos=True)[None]
    return model(source, inputs).softmax().data[0]


def draw_writing(path: Path) -> None:
    """Show y(t) of both loops behind "good"."""
    figure, axes = make_figure((7.2, 2.6), [1, 1], across=True)
    titles = {False: "without feedback", True: 'told that "good" was drawn'}
    for axis, (feedback, title) in zip(axes, titles.items(), strict=True):
        model = learned_answers(feedback)
        words = ["good", "day", "hi", "there", "<eos>"]
        columns = [model.target.index(word) for word in words]
        y = distributions(model, ["good", "day"])[:, columns]
        axis.imshow(y.T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for t, k in np.ndindex(*y.shape):
            shade = "white" if y[t, k] > 0.6 else "#222222"
            axis.text(t, k, f"{y[t, k]:.2f}", ha="center", va="center", color=shade, fontsize=8)
        axis.set_yticks(range(len(words)), words)
        axis.set_xticks(range(3), ["y(1)", "y(2)", "y(3)"])
        name_panel(axis, title)
    figure.savefig(path, dpi=90)


def strings(rng: np.random.Generator, count: int, shortest: int, longest: int) -> list[str]:
    """Draw strings of letters."""
    lengths = rng.integers(shortest, longest + 1, count)
    return ["".join(rng.choice(LETTERS, length)) for length in lengths]


def turned_right(model: Seq2Seq, texts: list[str]) -> float:
    """Return the share of strings that are turned round without an error."""
    written = model.generate(texts, max_new_tokens=30)
    return float(np.mean([g.text == s[::-1] for g, s in zip(written, texts, strict=True)]))


def draw_length(path: Path, epochs: int, share: float) -> None:
    """Show how many strings of each length are turned round, with and without attention."""
    rng = np.random.default_rng(0)
    train = strings(rng, int(2000 * share), 1, 16)
    tests = [strings(rng, int(200 * share), length, length) for length in LENGTHS]
    vocabulary = Vocabulary(LETTERS, unit="char")
    figure, (axis,) = make_figure((7.2, 2.6), [1])
    kinds = {"one state": (None, False), "attention": ("general", True)}
    for color, (name, (attention, both)) in zip(COLORS, kinds.items(), strict=False):
        unrolled.manual_seed(0)
        model = Seq2Seq(
            vocabulary,
            vocabulary,
            cell="gru",
            embedding=32,
            hidden=64,
            bidirectional=both,
            attention=attention,
        )
        settings: dict[str, Any] = {"epochs": epochs, "batch_size": 32, "learning_rate": 5e-3}
        model.fit(train, [text[::-1] for text in train], progress=False, **settings)
        shares = [turned_right(model, texts) for texts in tests]
        print(name, *(f"{share:.2f}" for share in shares))
        axis.plot(LENGTHS, shares, color=color, marker="o", label=name)
    axis.axvspan(16, LENGTHS[-1], color="#eeeeee", zorder=0)
    axis.text(16.2, 0.05, "longer than any\nit learned from", fontsize=8, color="#8a8a8a")
    axis.set_xlabel("letters")
    axis.set_xticks(list(LENGTHS))
    axis.legend(frameon=False, fontsize=9)
    name_panel(axis, "share of strings turned round without an error")
    figure.savefig(path, dpi=90)


def main(argv: Sequence[str] | None = None) -> None:
    """Print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--quick", action="store_true", help="learn too little: a test's")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    draw_writing(args.out / "seq2seq-writing.png")
    epochs, share = (1, 0.05) if args.quick else (16, 1.0)
    draw_length(args.out / "seq2seq-length.png", epochs, share)


if __name__ == "__main__":
    main()
