"""Training that ends early, as the command line says it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def explained(out: Any, remedy: str) -> Iterator[None]:
    """Say how to go on where training is stopped, and what to change where it diverges.

    Parameters
    ----------
    out
        The folder that training writes to.
    remedy
        What to train again with, beside another folder.

    Raises
    ------
    TrainingInterrupted, CommandError
        In place of what training raised.
    """
    from unrolled.checkpoint import NonFiniteError
    from unrolled.cli.errors import CommandError
    from unrolled.training import TrainingInterrupted

    try:
        yield
    except TrainingInterrupted:
        raise TrainingInterrupted(
            f"stopped, all is saved in {out}; the same command with --resume goes on"
        ) from None
    except NonFiniteError as error:
        raise CommandError(
            f"{str(error).partition(';')[0]}; train again with {remedy} and another --out"
        ) from error
