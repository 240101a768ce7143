"""Files of ``unrolled lm``: models and texts, with errors that name the file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli.errors import CommandError

if TYPE_CHECKING:
    from unrolled.lm import NGram
    from unrolled.lm.sentences import TextLines

_STDIN = "-"


def add_unit(parser: argparse.ArgumentParser, default: str | None) -> None:
    """Add ``--unit``."""
    told = "what the file tells, else word" if default is None else default
    parser.add_argument(
        "--unit",
        choices=("word", "char"),
        default=default,
        help=f"what lines are cut into: words or characters (default: {told})",
    )


def add_texts(parser: argparse.ArgumentParser) -> None:
    """Add the text files."""
    parser.add_argument(
        "texts",
        nargs="*",
        metavar="TEXT",
        help="text files, a sentence a line, UTF-8 (default, and -: standard input)",
    )


def read_texts(names: Iterable[str]) -> TextLines:
    """Return the lines of text files, one after the other; standard input where none is named.

    Raises
    ------
    CommandError
        If a file is missing: before any of them is read.
    """
    from unrolled.lm.sentences import TextLines

    sources: list[Any] = []
    for name in names or [_STDIN]:
        if name != _STDIN and not Path(name).exists():
            raise CommandError(f"{name}: no such file; check the name")
        sources.append(sys.stdin.buffer if name == _STDIN else name)
    return TextLines(*sources)


def load_model(path: str, unit: str | None = None) -> NGram:
    """Read a model of any format; what is wrong with it is the user's to know."""
    from unrolled.lm import NGram

    try:
        return NGram.load(path, unit=unit)
    except ValueError as error:
        raise CommandError(_with_name(path, error)) from error


def is_neural(path: str) -> bool:
    """Tell a neural model's folder, or its file of weights, from the file of an n-gram model."""
    return Path(path).is_dir() or path.lower().endswith(".safetensors")


def weights_of(path: str) -> str:
    """Return the file that holds what a model is: within its folder, if it has one."""
    return os.path.join(path, "model.safetensors") if Path(path).is_dir() else path


def save_model(model: NGram, path: str, format: str | None = None) -> None:
    """Write a model; the file before is kept until all of it is there."""
    try:
        model.save(path, format)
    except ValueError as error:
        raise CommandError(_with_name(path, error)) from error


def check_output(path: str, format: str | None = None) -> None:
    """Refuse names that tell no format, before the work begins.

    Raises
    ------
    CommandError
    """
    from unrolled.lm.model_files import ENDINGS

    if Path(path).is_dir():
        raise CommandError(f"{path}: is a folder; name a file")
    if format is None and not path.lower().endswith(tuple(ENDINGS)):
        raise CommandError(f"{path}: name a file that ends in {', '.join(ENDINGS)}")


def size_of(path: str) -> str:
    """Return a file's size as people say it."""
    size = os.path.getsize(path)
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1e3:,.1f} kB" if size < 1e6 else f"{size / 1e6:,.1f} MB"


def _with_name(path: str, error: ValueError) -> str:
    return str(error) if path in str(error) else f"{path}: {error}"
