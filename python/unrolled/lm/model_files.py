"""Files of n-gram models, told apart by their content, and written so that none is ever half."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unrolled import _core
from unrolled._files import write_atomically

PIECE = 1 << 20
_GZIP = b"\x1f\x8b"
_BINARY = (b"unrolled n-gram\n", b"mmap lm http://kheafield.com/code")
FORMATS = ("arpa", "arpa.gz", "ngram")
#: What names end in, and the format that it stands for.
ENDINGS = {
    ".arpa": "arpa",
    ".lm": "arpa",
    ".arpa.gz": "arpa.gz",
    ".lm.gz": "arpa.gz",
    ".ngram": "ngram",
}


def read_model(path: str | os.PathLike[str], unit: str, check: bool) -> _core.NGram:
    """Read an ARPA file, plain or compressed by gzip, or a binary one of ours or of KenLM's."""
    name = os.fsdecode(path)
    with open(path, "rb") as file:
        start = file.read(64)
        file.seek(0)
        if start.startswith(_BINARY):
            return _core.NGram.load(os.fsencode(path), unit, check)
        if start.startswith(_GZIP):
            return _core.NGram.read_arpa(_decompressed(file, name), name, unit)
        return _core.NGram.read_arpa(iter(lambda: file.read(PIECE), b""), name, unit)


def _decompressed(file: Any, name: str) -> Iterator[bytes]:
    with gzip.open(file) as text:
        try:
            first = text.read(PIECE)
            if first.startswith(_BINARY):
                raise ValueError(f"{name}: a binary model must not be compressed: gunzip it first")
            yield first
            while piece := text.read(PIECE):
                yield piece
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{name}: the gzip file is cut or damaged: {error}") from None


def write_model(model: _core.NGram, path: str | os.PathLike[str], format: str | None) -> None:
    """Write in the format that is given, or else by the file's ending."""
    kind = format if format is not None else _format_of(path)
    if kind not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    if kind == "ngram":
        write_atomically(path, model.image())
        return
    pieces = model.arpa()
    write_atomically(path, _compressed(pieces) if kind == "arpa.gz" else b"".join(pieces))


def _format_of(path: str | os.PathLike[str]) -> str:
    name = Path(os.fsdecode(path)).name.lower()
    for ending, kind in ENDINGS.items():
        if name.endswith(ending):
            return kind
    raise ValueError(
        f"cannot tell the format from the ending of {os.fsdecode(path)!r}: name it .arpa, .arpa.gz "
        "or .ngram, or pass format="
    )


def _compressed(pieces: Iterator[bytes]) -> bytes:
    # No time in the head: the same model gives the same bytes.
    packer = zlib.compressobj(level=6, wbits=31)
    return b"".join([*map(packer.compress, pieces), packer.flush()])
