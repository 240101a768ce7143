"""``unrolled plot``: one sub-command for each kind of picture."""

from __future__ import annotations

import importlib
from typing import Any

#: Each is a module ``plot_<kind>`` beside this one, with ``add_parser`` as every command.
KINDS = ("alignment",)


def add_parser(subparsers: Any) -> None:
    """Register the command and its kinds."""
    parser = subparsers.add_parser("plot", help="make a picture")
    kinds = parser.add_subparsers(title="kinds of pictures", metavar="KIND", required=True)
    for kind in KINDS:
        importlib.import_module(f"unrolled.cli.plot_{kind}").add_parser(kinds)
