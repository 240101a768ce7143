"""The command line.

Each command is a module with ``add_parser(subparsers)``, which sets ``run(args) -> int`` as the
parser's default, and imports what is heavy inside ``run``: ``unrolled --help`` answers at once.

Exit codes: 0 fine, 2 for a mistake of the user (one clear line on stderr, no traceback, nothing
half-written), 130 when interrupted. ``UNROLLED_DEBUG=1`` shows tracebacks.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from unrolled.cli.errors import CommandParser, is_users, message_of

#: In the order of the help.
COMMANDS = (
    *("demo", "check", "train", "evaluate", "read", "classify", "pronounce"),
    *("align", "decode", "lm", "inspect", "plot"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv
        The arguments after ``unrolled``; by default the process's.

    Returns
    -------
    int
        The exit code.
    """
    _encode_output()
    arguments = sys.argv[1:] if argv is None else argv
    parser = build_parser()
    if not arguments:
        parser.print_help(sys.stderr)
        return 2
    try:
        args = parser.parse_args(arguments)
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except SystemExit as stop:  # argparse: --help, --version or wrong arguments
        return stop.code if isinstance(stop.code, int) else 2
    except BrokenPipeError:
        # Who reads our output has enough, as `head` does; keep the interpreter from flushing again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt as interrupt:
        print(f"\nunrolled: {str(interrupt) or 'interrupted'}", file=sys.stderr)
        return 130
    except Exception as error:
        if os.environ.get("UNROLLED_DEBUG") or not is_users(error):
            raise
        print(f"unrolled: error: {message_of(error)}", file=sys.stderr)
        return 2


def build_parser() -> argparse.ArgumentParser:
    """Build the parser with all commands."""
    parser = CommandParser(
        prog="unrolled",
        description="Train, align and decode sequence models on a CPU.",
    )
    parser.add_argument("--version", action="version", version=f"unrolled {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"unrolled.cli.{name}").add_parser(commands)
    return parser


def _version() -> str:
    import unrolled

    return str(unrolled.__version__)


def _encode_output() -> None:
    """Print every character: UTF-8 into files and pipes, an escape where a terminal lacks it."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            if not stream.isatty():
                stream.reconfigure(encoding="utf-8")
            stream.reconfigure(errors="backslashreplace")
