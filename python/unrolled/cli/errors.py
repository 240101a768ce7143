"""What goes wrong at the command line, and how it is said: one line and a remedy."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from unrolled.checkpoint import CheckpointError, NonFiniteError
from unrolled.data.images import ImageError
from unrolled.data.labels import DataError


class CommandError(Exception):
    """A mistake of the user; the message says what to do."""


#: Reported in one line; anything else is our own fault and keeps its traceback.
USER_ERRORS = (CommandError, CheckpointError, DataError, ImageError, NonFiniteError, OSError)


class CommandParser(argparse.ArgumentParser):
    """An argument parser that reports a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the mistake and where to find help; exit with 2."""
        self.exit(2, f"unrolled: error: {message}; see '{self.prog} --help'\n")

    def parse_known_args(self, *args: Any, **kwargs: Any) -> Any:
        """Let the command itself refuse what it does not know: its own help lists the rest."""
        parsed, unknown = super().parse_known_args(*args, **kwargs)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed, unknown


def is_users(error: Exception) -> bool:
    """Whether a line is enough; a missing extra is an `ImportError` that says what to install."""
    return isinstance(error, USER_ERRORS) or (
        isinstance(error, ImportError) and "pip install" in str(error)
    )


def message_of(error: BaseException) -> str:
    """Say an error: `OSError` with its file, others as they are."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename is not None else ""
        return f"{place}{error.strerror}"
    return str(error) or type(error).__name__
