"""The file format of checkpoints: safetensors with one JSON document in its header, checksummed."""

from __future__ import annotations

import json
import os
import stat
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

FORMAT = "unrolled"
VERSION = 1
MAX_HEADER = 16 * 2**20

_PICKLE_SUFFIXES = {".pt", ".pth", ".pkl", ".pickle", ".ckpt"}
_PICKLE_MAGIC = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_EXPORT = (
    "export its weights with PyTorch: from safetensors.torch import save_file; "
    "save_file(torch.load({path!r}, weights_only=True), 'weights.safetensors')"
)
_RESTORE = "restore a copy of the file or train again"


class CheckpointError(ValueError):
    """A checkpoint cannot be used; one line names the file, the fault and the remedy."""

    def __init__(self, path: str | os.PathLike[str], fault: str, remedy: str) -> None:
        super().__init__(os.fspath(path), fault, remedy)

    def __str__(self) -> str:
        path, fault, remedy = self.args
        return f"{path}: {fault}; {remedy}"


def encode(arrays: Mapping[str, NDArray[Any]], meta: Any) -> bytes:
    """Return the bytes of a checkpoint file; the same contents give the same bytes."""
    stored = {name: _storable(name, array) for name, array in arrays.items()}
    document = {
        "format": FORMAT,
        "version": VERSION,
        "tensors": {name: _tensor_checksum(array) for name, array in stored.items()},
        "meta": meta,
    }
    document["crc32"] = _document_checksum(document)
    # One entry alone: safetensors writes several in an order that changes from run to run.
    data = safetensors.numpy.save(stored, {FORMAT: json.dumps(document, ensure_ascii=False)})
    if int.from_bytes(data[:8], "little") > MAX_HEADER:
        raise ValueError(f"meta must take less than {MAX_HEADER} bytes as JSON, to be read again")
    return data


def decode(path: Path, data: bytes) -> tuple[dict[str, NDArray[Any]], Any]:
    """Return the arrays and the JSON in `data`, every byte verified; `path` is for messages."""
    document = _parse_document(path, data)
    try:
        arrays = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ArithmeticError, LookupError, TypeError, ValueError) as e:
        raise CheckpointError(path, f"truncated or damaged ({one_line(e)})", _RESTORE) from e
    checksums = document["tensors"]
    for name in sorted(arrays.keys() | checksums.keys()):
        if name not in arrays or checksums.get(name) != _tensor_checksum(arrays[name]):
            raise CheckpointError(path, f"damaged (checksum of tensor {name!r})", _RESTORE)
    return arrays, document["meta"]


def read(path: Path) -> bytes:
    """Return the whole file once its first bytes look like a checkpoint's."""
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise CheckpointError(path, "not a regular file", "give a checkpoint's name")
            _check_start(path, file.read(8), status.st_size)
            file.seek(0)
            return file.read()
    except FileNotFoundError as error:
        raise CheckpointError(path, "no such file", "check the name, or train first") from error
    except OSError as error:
        fault = f"cannot be read ({error.strerror})"
        raise CheckpointError(path, fault, "check the name and its permissions") from error


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait for its writer


def _check_start(path: Path, start: bytes, size: int) -> None:
    header = int.from_bytes(start, "little")
    is_plausible = header <= min(size - 8, MAX_HEADER)  # 640 begins with the bytes of a pickle too
    is_pickle = start.startswith(_PICKLE_MAGIC) and not is_plausible
    if path.suffix in _PICKLE_SUFFIXES or is_pickle:
        fault = "may hold pickled code, which is never loaded"
        raise CheckpointError(path, fault, _EXPORT.format(path=str(path)))
    if len(start) < 8:
        raise CheckpointError(path, f"truncated to {size} bytes", _RESTORE)
    if not is_plausible:
        fault = f"truncated or not a checkpoint (header of {header} bytes in a file of {size})"
        raise CheckpointError(path, fault, _RESTORE)


def _storable(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise TypeError(f"{name} has dtype {array.dtype}, which a checkpoint cannot hold")
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _tensor_checksum(array: NDArray[Any]) -> int:
    layout = f"{array.dtype.name} {array.shape}".encode()
    return zlib.crc32(array.reshape(-1).view(np.uint8).data, zlib.crc32(layout))


def _document_checksum(document: Mapping[str, Any]) -> int:
    text = json.dumps({key: document[key] for key in ("format", "version", "tensors", "meta")})
    return zlib.crc32(text.encode())


def _parse_document(path: Path, data: bytes) -> dict[str, Any]:
    """Return the JSON that `save_tensors` put into the header, with its checksum verified."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = _parse_json(data[8 : 8 + length])
        text = header.get("__metadata__", {}).get(FORMAT)
        document = _parse_json(text) if isinstance(text, str) else None
    except (AttributeError, RecursionError, ValueError) as error:
        fault = "damaged or not a checkpoint (its header is not JSON)"
        raise CheckpointError(path, fault, _RESTORE) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        remedy = "read its tensors with safetensors.numpy.load_file and use load_state_dict"
        raise CheckpointError(path, "safetensors, but not written by unrolled", remedy)
    version = document.get("version")
    if version != VERSION:
        fault = f"has format version {version!r}, this release reads {VERSION}"
        raise CheckpointError(path, fault, "use the release of unrolled that wrote it")
    fields = {"format", "version", "tensors", "meta", "crc32"}
    if document.keys() != fields or not isinstance(document["tensors"], dict):
        raise CheckpointError(path, "damaged (fields of the header)", _RESTORE)
    if document["crc32"] != _document_checksum(document):
        raise CheckpointError(path, "damaged (checksum of the header)", _RESTORE)
    return document


def _parse_json(text: str | bytes) -> Any:
    return json.loads(text, object_pairs_hook=_unique_keys)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate keys")
    return found


def one_line(error: BaseException) -> str:
    """Return an error's message without line breaks, for use inside another one."""
    return " ".join(str(error).split()) or type(error).__name__
