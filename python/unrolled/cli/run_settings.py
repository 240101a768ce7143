"""What a training run was started with, so that it is only resumed with the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from unrolled.cli.errors import CommandError
from unrolled.data.lines import LineSet

SETTINGS_FILE = "settings.json"
_COUNTED = ("lines", "images", "sequences", "words")  # what the data are, with their number
_OF_THE_DATA = (*_COUNTED, "charset", "classes", "data")  # what is not an option of the command
_WRITTEN_BY_TRAINING = ("training.safetensors", "model.safetensors")


def check_output(out: Path, resume: bool) -> None:
    """Refuse an output folder that cannot be one, or that holds a model already.

    Raises
    ------
    CommandError
        With what to do instead.
    """
    if out.exists() and not out.is_dir():
        raise CommandError(f"{out}: is a file; name a folder for the model with --out")
    for parent in out.parents:
        if parent.exists():
            if not parent.is_dir():
                raise CommandError(f"{parent}: is a file; name another folder with --out")
            break
    if not resume and any((out / name).exists() for name in _WRITTEN_BY_TRAINING):
        raise CommandError(
            f"{out}: holds a model already; go on training it with --resume, or name another "
            "folder with --out"
        )


def check_resumed(out: Path, settings: dict[str, Any]) -> None:
    """Refuse to resume with other data or settings than the run was started with.

    Raises
    ------
    CommandError
        If a setting differs, or the file that holds them is damaged.
    """
    path = out / SETTINGS_FILE
    if not path.exists():
        return
    try:
        before = json.loads(path.read_bytes())
        changed = [name for name in settings if before[name] != settings[name]]
    except (ValueError, TypeError, LookupError):
        raise CommandError(
            f"{path}: damaged; remove the folder and train again without --resume"
        ) from None
    # Epochs that are not given follow from the data, so those are told first.
    of_the_data = [name for name in changed if name in _OF_THE_DATA]
    options = [name for name in changed if name not in (*_OF_THE_DATA, "epochs")]
    if options or (changed and not of_the_data):
        name = (options or changed)[0]
        option = "--" + name.replace("_", "-")
        raise CommandError(
            f"{out}: was started with {option} {before[name]}, now it is {settings[name]}; "
            "resume with the same, or name another folder with --out"
        )
    if changed:
        unit = next(name for name in _COUNTED if name in settings)
        raise CommandError(
            f"{out}: was trained on other {unit} ({before[unit]:,} then, {settings[unit]:,} now); "
            "resume with the same data, or name another folder with --out"
        )


def write_settings(out: Path, settings: dict[str, Any]) -> None:
    """Write them into the folder, which is made."""
    from unrolled._files import write_atomically

    text = json.dumps(settings, ensure_ascii=False, indent=2) + "\n"
    write_atomically(out / SETTINGS_FILE, text.encode())


def fingerprint(parts: Iterable[bytes | NDArray[Any]]) -> str:
    """Identify data by their bytes, and the shapes of arrays."""
    digest = hashlib.sha256()
    for part in parts:
        if not isinstance(part, bytes):
            digest.update(f"{part.shape}".encode())
            part = part.tobytes()
        digest.update(part)
    return digest.hexdigest()[:16]


def line_parts(parts: Iterable[LineSet]) -> Iterator[bytes | NDArray[Any]]:
    """Yield the texts and pixels of lines, for `fingerprint`."""
    for part in parts:
        yield f"{len(part)} lines".encode()
        for text, image in zip(part.texts, part.images, strict=True):
            yield f"{text}\n".encode()
            yield image
