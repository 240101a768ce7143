"""The three models of ``unrolled train g2p``: recipes, making, training, and what they say."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from unrolled.data.pronunciations import Pronunciations
    from unrolled.models import Seq2Seq, SequenceTranscriber
    from unrolled.training import History

    G2P = Seq2Seq | SequenceTranscriber
    Entries = list[tuple[str, tuple[str, ...]]]

LABEL_SMOOTHING = 0.1  # of the attention model
_CHECKPOINT_STEPS = 500
_MOST_FRAMES = 4  # of a letter, unless more are asked for


class Recipe(NamedTuple):
    """Sizes and training of a model, chosen on held-out words of CMUdict's training part."""

    hidden: int
    layers: int
    dropout: float
    epochs: int
    batch_size: int
    learning_rate: float


RECIPES = {
    "attention": Recipe(384, 2, 0.3, 30, 64, 2e-3),
    "ctc": Recipe(256, 2, 0.4, 18, 64, 2e-3),
    "tagger": Recipe(256, 2, 0.4, 18, 64, 2e-3),
}


def make(args: argparse.Namespace, parts: Sequence[Pronunciations]) -> G2P:
    """Make a model for the letters and symbols of some words."""
    from unrolled import random
    from unrolled.lm import Vocabulary
    from unrolled.models import Seq2Seq, SequenceTranscriber

    random.manual_seed(args.seed)
    spelled = sorted({letter for words in parts for letter in words.letters})
    spoken = sorted({symbol for words in parts for symbol in words.symbols})
    letters = Vocabulary(spelled, unit="char", pad=None, sos=None, eos=None)
    options: dict[str, Any] = {"cell": args.cell, "hidden": args.hidden, "dropout": args.dropout}
    if args.model == "attention":
        symbols = Vocabulary(spoken, unit="token", pad=None, unk=None)
        return Seq2Seq(
            letters,
            symbols,
            attention="general",
            feeding=args.feeding,
            ctc_frames=args.repeat if args.ctc_weight else 0,
            encoder_layers=args.layers,
            **options,
        )
    symbols = Vocabulary(spoken, unit="token", pad=None, unk=None, sos=None, eos=None)
    return SequenceTranscriber(
        letters,
        symbols,
        layers=args.layers,
        repeat=args.repeat,
        blank=args.model == "ctc",
        **options,
    )


def frames_a_letter(kind: str, words: Pronunciations) -> int:
    """Return how many frames a letter needs for every pronunciation, within reason."""
    most = max(-(-_frames(kind, symbols) // len(word)) for word, symbols in words.entries())
    return min(most, _MOST_FRAMES)


def fitting(kind: str, words: Pronunciations, repeat: int) -> Entries:
    """Return the entries that a model can learn: those with as many frames as they need."""
    entries = words.entries()
    if kind == "attention":  # whose decoder writes as much as it likes
        return entries
    return [(word, s) for word, s in entries if _frames(kind, s) <= repeat * len(word)]


def _frames(kind: str, symbols: Sequence[str]) -> int:
    same = sum(a == b for a, b in pairwise(symbols))
    return len(symbols) + (0 if kind == "tagger" else same)


def fit(model: G2P, train: Entries, valid: Entries, args: argparse.Namespace) -> History:
    """Train with checkpoints in ``--out``; the best weights by the words held out are kept."""
    from unrolled.cli.explained import explained

    of_model: dict[str, Any] = {}
    if args.model == "attention":
        of_model.update(label_smoothing=LABEL_SMOOTHING, ctc_weight=args.ctc_weight)
    with explained(args.out, f"a --learning-rate below {args.learning_rate:g}"):
        return model.fit(
            *_sides(train),
            valid=_sides(valid),
            epochs=args.epochs,
            batch_size=args.batch_size,
            learning_rate=args.learning_rate,
            monitor="sequence_error",
            patience=args.patience,
            directory=args.out,
            resume=args.resume,
            seed=args.seed,
            progress=None,
            checkpoint_every=_CHECKPOINT_STEPS,
            **of_model,
        )


def _sides(entries: Entries) -> tuple[list[str], list[tuple[str, ...]]]:
    return [word for word, _ in entries], [symbols for _, symbols in entries]
