"""Trained models of one kind or another, as commands load them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unrolled.cli.errors import CommandError

if TYPE_CHECKING:
    from unrolled.models import CRNN, CNNClassifier

_NAMES = {"CRNN": "a line reader", "CNNClassifier": "a classifier of images"}
_COMMANDS = {"CRNN": "unrolled train lines", "CNNClassifier": "unrolled train images"}


def load_reader(path: str) -> CRNN:
    """Load a model and make sure that it reads lines.

    Raises
    ------
    CheckpointError
        If the folder or file is missing or damaged.
    CommandError
        If it holds another kind of model.
    """
    from unrolled.models import CRNN

    return _load(path, (CRNN,))


def load_classifier(path: str) -> CNNClassifier:
    """Load a model and make sure that it classifies images; raises as `load_reader`."""
    from unrolled.models import CNNClassifier

    return _load(path, (CNNClassifier,))


def load_any(path: str) -> CRNN | CNNClassifier:
    """Load a model of a kind that commands know; raises as `load_reader`."""
    from unrolled.models import CRNN, CNNClassifier

    return _load(path, (CRNN, CNNClassifier))


def _load(path: str, kinds: tuple[type, ...]) -> Any:
    import unrolled

    model = unrolled.load(path)
    if isinstance(model, kinds):
        return model
    wanted = " or ".join(_NAMES[kind.__name__] for kind in kinds)
    commands = " or ".join(f"'{_COMMANDS[kind.__name__]}'" for kind in kinds)
    raise CommandError(
        f"{path}: holds a {type(model).__name__}, not {wanted}; name a folder that {commands} wrote"
    )
