"""Trained models of one kind or another, as commands load them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unrolled.cli.errors import CommandError

if TYPE_CHECKING:
    from unrolled.models import (
        CRNN,
        CNNClassifier,
        LanguageModel,
        Seq2Seq,
        SequenceClassifier,
        SequenceTranscriber,
    )

_NAMES = {
    "CRNN": "a line reader",
    "CNNClassifier": "a classifier of images",
    "LanguageModel": "a neural language model",
    "SequenceClassifier": "a classifier of sequences",
    "Seq2Seq": "an encoder-decoder of words",
    "SequenceTranscriber": "a transcriber of words",
}
_COMMANDS = {
    "CRNN": "unrolled train lines",
    "CNNClassifier": "unrolled train images",
    "LanguageModel": "unrolled lm train-neural",
    "SequenceClassifier": "unrolled train sequences",
    "Seq2Seq": "unrolled train g2p",
    "SequenceTranscriber": "unrolled train g2p",
}


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


def load_classifier(path: str) -> CNNClassifier | SequenceClassifier:
    """Load a model and make sure that it is a classifier; raises as `load_reader`."""
    from unrolled.models import CNNClassifier, SequenceClassifier

    return _load(path, (CNNClassifier, SequenceClassifier))


def load_language_model(path: str) -> LanguageModel:
    """Load a model and make sure that it is one of language; raises as `load_reader`."""
    from unrolled.models import LanguageModel

    return _load(path, (LanguageModel,))


def load_pronouncer(path: str) -> Seq2Seq | SequenceTranscriber:
    """Load a model and make sure that it pronounces words; raises as `load_reader`."""
    from unrolled.models import Seq2Seq, SequenceTranscriber

    return _load(path, (Seq2Seq, SequenceTranscriber))


def load_any(path: str) -> CRNN | CNNClassifier | SequenceClassifier:
    """Load a model of a kind that commands know; raises as `load_reader`."""
    from unrolled.models import CRNN, CNNClassifier, SequenceClassifier

    return _load(path, (CRNN, CNNClassifier, SequenceClassifier))


def _load(path: str, kinds: tuple[type, ...]) -> Any:
    import unrolled

    model = unrolled.load(path)
    if isinstance(model, kinds):
        return model
    wanted = _alternatives([_NAMES[kind.__name__] for kind in kinds])
    named = dict.fromkeys(_COMMANDS[kind.__name__] for kind in kinds)
    commands = _alternatives([f"'{command}'" for command in named])
    raise CommandError(
        f"{path}: holds a {type(model).__name__}, not {wanted}; name a folder that {commands} wrote"
    )


def _alternatives(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
