"""What commands that use a trained line reader share."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from unrolled.cli.errors import CommandError

if TYPE_CHECKING:
    from unrolled.models import CRNN

#: Lines read at a time: enough to fill the cores, little enough to report progress.
BATCH = 64


def load_reader(path: str) -> CRNN:
    """Load a model and make sure that it reads lines.

    Raises
    ------
    CheckpointError
        If the folder or file is missing or damaged.
    CommandError
        If it holds another kind of model.
    """
    from unrolled.checkpoint import load_model
    from unrolled.models import CRNN

    model = load_model(path)
    if not isinstance(model, CRNN):
        raise CommandError(
            f"{path}: holds a {type(model).__name__}, not a line reader; "
            "name a folder that 'unrolled train lines' wrote"
        )
    return model


def progress(items: Any, what: str, unit: str) -> Iterable[Any]:
    """Show a bar on stderr while going through items that take a while, if it is a terminal."""
    bar: Iterable[Any] = _bar(items, what, unit)
    return bar


def in_batches(items: list[Any], what: str) -> Iterable[list[Any]]:
    """Go through items in batches, with a bar."""
    with _bar(None, what, "line", total=len(items)) as bar:
        for start in range(0, len(items), BATCH):
            batch = items[start : start + BATCH]
            yield batch
            bar.update(len(batch))


def read_texts(model: CRNN, images: list[Any], what: str = "reading") -> list[str]:
    """Read images in batches, with a bar."""
    return [reading.text for batch in in_batches(images, what) for reading in model.read(batch)]


def note(text: str) -> None:
    """Tell the user something beside the results: on stderr."""
    print(f"unrolled: {text}", file=sys.stderr)


def _bar(items: Any, what: str, unit: str, **options: Any) -> Any:
    from tqdm import tqdm

    return tqdm(items, desc=what, unit=unit, leave=False, delay=0.5, disable=None, **options)
