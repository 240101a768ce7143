"""``unrolled lm``: language models, one sub-command for each thing to do with them."""

from __future__ import annotations

import importlib
from typing import Any

#: Each is a module ``lm_<action>`` beside this one, with ``add_parser`` as every command.
ACTIONS = ("train", "train-neural", "score", "generate", "convert", "info")


def add_parser(subparsers: Any) -> None:
    """Register the command and its actions."""
    parser = subparsers.add_parser(
        "lm",
        help="train language models, score text, convert and describe their files",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for action in ACTIONS:
        importlib.import_module(f"unrolled.cli.lm_{action.replace('-', '_')}").add_parser(actions)
