"""Progress and notes on stderr, beside the results on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

#: Items handled at a time: enough to fill the cores, little enough to report progress.
BATCH = 64


def progress(items: Any, what: str, unit: str, total: int | None = None) -> Iterable[Any]:
    """Show a bar on stderr while going through items that take a while, if it is a terminal."""
    bar: Iterable[Any] = _bar(items, what, unit, total=total)
    return bar


def in_batches(items: list[Any], what: str, unit: str) -> Iterable[list[Any]]:
    """Go through items in batches, with a bar."""
    with _bar(None, what, unit, total=len(items)) as bar:
        for start in range(0, len(items), BATCH):
            batch = items[start : start + BATCH]
            yield batch
            bar.update(len(batch))


def note(text: str) -> None:
    """Tell the user something beside the results: on stderr."""
    print(f"unrolled: {text}", file=sys.stderr)


def _bar(items: Any, what: str, unit: str, **options: Any) -> Any:
    from tqdm import tqdm

    return tqdm(items, desc=what, unit=unit, leave=False, delay=0.5, disable=None, **options)
