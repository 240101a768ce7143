"""Types of arguments that several commands share; their errors say what is accepted."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable


def count(text: str) -> int:
    """Read a whole number of at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def seed(text: str) -> int:
    """Read a whole number of at least 0."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def positive(text: str) -> float:
    """Read a finite number above 0."""
    return _number(text, lambda value: 0 < value < math.inf, "a number above 0")


def not_negative(text: str) -> float:
    """Read a finite number of at least 0."""
    return _number(text, lambda value: 0 <= value < math.inf, "a number of at least 0")


def finite(text: str) -> float:
    """Read a finite number."""
    return _number(text, math.isfinite, "a number")


def logarithm(text: str) -> float:
    """Read the logarithm of a probability: at most 0, -inf too."""
    return _number(text, lambda value: value <= 0, "a number of at most 0, or -inf")


def share(text: str) -> float:
    """Read a number above 0 and below 1."""
    return _number(text, lambda value: 0 < value < 1, "a number between 0 and 1")


def fraction(text: str) -> float:
    """Read a number of at least 0 and below 1."""
    return _number(text, lambda value: 0 <= value < 1, "a number from 0 to below 1")


def _number(text: str, is_right: Callable[[float], bool], wanted: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not is_right(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add ``--threads``."""
    parser.add_argument(
        "--threads", type=count, metavar="N", help="threads to use (default: every core)"
    )


def use_threads(args: argparse.Namespace) -> None:
    """Do as ``--threads`` says."""
    if args.threads is not None:
        import unrolled

        unrolled.set_num_threads(args.threads)
