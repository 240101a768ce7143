"""Options of ``unrolled lm train-neural`` that decide on network and recipe."""

from __future__ import annotations

import argparse

from unrolled.cli.arguments import count, not_negative, positive, share


def add_network(parser: argparse.ArgumentParser) -> None:
    """Add what the network is."""
    add = parser.add_argument
    add(
        "--kind",
        choices=("recurrent", "window", "time-delay"),
        default="recurrent",
        help="what it reads the text before with (default: recurrent)",
    )
    add("--cell", choices=("lstm", "gru", "rnn"), default="gru", help="default: gru")
    add("--embedding", type=count, default=64, metavar="N", help="default: 64")
    add("--hidden", type=count, default=320, metavar="N", help="default: 320")
    add("--layers", type=count, default=2, metavar="N", help="default: 2")
    add(
        "--window",
        type=count,
        default=4,
        metavar="N",
        help="tokens that --kind window reads, or one layer of time-delay (default: 4)",
    )
    add("--dropout", type=share_or_none, default=0.35, metavar="P", help="default: 0.35")
    add("--embedding-dropout", type=share_or_none, default=0.0, metavar="P", help="default: 0")
    add("--recurrent-dropout", type=share_or_none, default=0.1, metavar="P", help="default: 0.1")
    add("--tie", action="store_true", help="one table for the vectors of tokens and the softmax")


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Add how it is trained."""
    add = parser.add_argument
    add("--epochs", type=count, default=17, metavar="N", help="default: 17")
    add(
        "--batch-size",
        type=count,
        default=16,
        metavar="N",
        help="streams, or lines with --line-by-line (default: 16)",
    )
    add(
        "--frames",
        type=count,
        default=64,
        metavar="N",
        help="tokens that gradients go back through, and between two steps (default: 64)",
    )
    add("--learning-rate", type=positive, default=2e-3, metavar="X", help="default: 0.002")
    add("--weight-decay", type=not_negative, default=0.05, metavar="X", help="default: 0.05")
    add(
        "--sampled",
        type=count,
        metavar="N",
        help="train with a softmax over N drawn tokens, for "
        "large vocabularies (default: the full softmax)",
    )
    add(
        "--patience",
        type=count,
        metavar="N",
        help="stop after so many epochs without a better one (default: train all epochs)",
    )


def share_or_none(text: str) -> float:
    """Read a share from 0 to below 1."""
    value = not_negative(text)
    return value if value == 0 else share(text)
