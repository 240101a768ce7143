"""``unrolled train``: one sub-command for each kind of data."""

from __future__ import annotations

import importlib
from typing import Any

#: Each is a module ``train_<kind>`` (``_`` for ``-``) beside this one, with ``add_parser`` as every
#: command.
KINDS = ("lines", "images", "fashion-mnist", "sequences", "g2p")


def add_parser(subparsers: Any) -> None:
    """Register the command and its kinds."""
    parser = subparsers.add_parser(
        "train",
        help="train a model on your own data, or on a data set",
    )
    kinds = parser.add_subparsers(title="kinds of data", metavar="KIND", required=True)
    for kind in KINDS:
        module = f"unrolled.cli.train_{kind.replace('-', '_')}"
        importlib.import_module(module).add_parser(kinds)
