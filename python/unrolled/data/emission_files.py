"""Files of emissions: what a network gave for each frame, mapped where the format allows it.

NumPy's ``.npy`` and ``.npz``, and ``.safetensors``; nothing that could run code is ever loaded.
"""

from __future__ import annotations

import json
import os
import shlex
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tokenize import TokenError
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled.data.labels import DataError

Array = NDArray[Any]

#: Where a file has several arrays, one of these names is taken.
NAMES = ("log_probs", "emissions", "logits")
SUFFIXES = (".npy", ".npz", ".safetensors")
_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin")
# What NumPy's readers raise for damaged bytes; headers are read as Python literals.
_UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    LookupError,
    NotImplementedError,
    ArithmeticError,
    SyntaxError,
    TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
_FLOATS = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2"}


class Found(NamedTuple):
    """An array of a file that may be emissions, before it is read."""

    name: str
    shape: tuple[int, ...]
    load: Callable[[], Array]
    is_bfloat16: bool = False


def find_arrays(path: str | os.PathLike[str]) -> list[Found]:
    """List the arrays of floating-point numbers in a file, reading no more than where they lie.

    Parameters
    ----------
    path
        A ``.npy`` file, whose one array has no name, or an ``.npz`` or ``.safetensors`` file.

    Returns
    -------
    list of Found
        In the order of the file.

    Raises
    ------
    DataError
        If there is no such file, it is damaged, of another kind, or made of Python objects.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise DataError([f"{path}: may hold pickled code, which is never loaded; {_export(path)}"])
    if suffix not in SUFFIXES:
        raise DataError(
            [f"{path}: emissions are read from {', '.join(SUFFIXES)} files; save them as one"]
        )
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise DataError([f"{path}: {what}; name a {', '.join(SUFFIXES)} file"])
    with _told(path):
        if suffix == ".npy":
            return _in_npy(path)
        return _in_npz(path) if suffix == ".npz" else _in_safetensors(path)


def choose_array(path: str | os.PathLike[str], found: list[Found], key: str | None) -> Found:
    """Choose the emissions among the arrays of a file.

    Parameters
    ----------
    path
        For messages.
    found
        As `find_arrays` lists them.
    key
        The name; without it the only array with the axes of emissions is taken, or the one with
        one of the `NAMES`.

    Raises
    ------
    DataError
        If there is none of that name, or several to choose from; they are named.
    """
    if key is not None:
        named = [array for array in found if array.name == key]
        if named:
            return named[0]
        raise DataError([f"{path}: has no array of floats {key!r}, only {_listed(found)}"])
    fitting = [array for array in found if is_emissions(array.shape)] or found
    usual = [array for array in fitting if array.name in NAMES]
    if len(fitting) == 1 or len(usual) == 1:
        return (usual or fitting)[0]
    if not found:
        raise DataError([f"{path}: has no array of floats; save the emissions (T, C) in it"])
    raise DataError([f"{path}: has several arrays, {_listed(fitting)}; choose one by its key"])


def several(found: list[Found]) -> bool:
    """Whether a file holds emissions of many items, none of them with a usual name."""
    fitting = [array for array in found if is_emissions(array.shape)]
    return len(fitting) > 1 and not any(array.name in NAMES for array in fitting)


def is_emissions(shape: tuple[int, ...]) -> bool:
    """Whether an array of that shape may be the emissions of one item."""
    return len(shape) == 2 or (len(shape) == 3 and shape[0] == 1)


def _listed(found: list[Found]) -> str:
    names = [array.name or "one without a name" for array in found[:8]]
    more = [f"{len(found) - 8:,} more"] if len(found) > 8 else []
    return ", ".join([*names, *more]) or "nothing"


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what is wrong with a file in one line."""
    try:
        yield
    except DataError:
        raise
    except _UNREADABLE as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: BaseException) -> DataError:
    text = str(error)
    if "allow_pickle" in text or "Python objects" in text:
        remedy = "save an array of numbers: numpy.save(path, numpy.asarray(x, numpy.float32))"
        return DataError([f"{path}: made of Python objects, which are never loaded; {remedy}"])
    said = " ".join(text.split()) or type(error).__name__
    return DataError([f"{path}: cannot be read as {path.suffix} ({said}); save it again"])


def _in_npy(path: Path) -> list[Found]:
    with open(path, "rb") as file:
        shape, dtype = _read_header(file)
    mode: Any = "r" if 0 not in shape else None  # nothing cannot be mapped
    array: Array = np.load(path, mmap_mode=mode, allow_pickle=False)
    return [Found("", shape, lambda: array)] if dtype.kind == "f" else []


def _read_header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        header: Any = np.lib.format.read_array_header_1_0(file)
    else:
        header = np.lib.format.read_array_header_2_0(file)
    return tuple(header[0]), np.dtype(header[2])


def _in_npz(path: Path) -> list[Found]:
    found = []
    opened = _Archive(path)
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if not member.endswith(".npy"):
                continue
            with archive.open(member) as file:
                shape, dtype = _read_header(file)
            if dtype.kind == "f":
                name = member.removesuffix(".npy")
                found.append(Found(name, shape, partial(opened.load, name)))
    return found


class _Archive:
    """An ``.npz`` file that is opened once, however many of its arrays are read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._arrays: Any = None

    def load(self, name: str) -> Array:
        with _told(self.path):
            if self._arrays is None:
                self._arrays = np.load(self.path, allow_pickle=False)
            array: Array = self._arrays[name]
            return array


def _in_safetensors(path: Path) -> list[Found]:
    import safetensors

    try:
        with safetensors.safe_open(path, "numpy"):
            pass  # the header fits the file
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from error
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    found = []
    for name, entry in header.items():
        dtype, shape = entry.get("dtype"), tuple(entry.get("shape", ()))
        if name == "__metadata__" or dtype not in _FLOATS:
            continue
        start = 8 + length + entry["data_offsets"][0]
        load = partial(_mapped, path, _FLOATS[dtype], start, shape)
        found.append(Found(name, shape, load, is_bfloat16=dtype == "BF16"))
    return found


def _mapped(path: Path, dtype: str, start: int, shape: tuple[int, ...]) -> Array:
    if 0 in shape:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", start, shape)


def _export(path: Path) -> str:
    """Tell how to save a tensor without pickle, in one line."""
    given, exported = json.dumps(str(path)), json.dumps(str(path.with_suffix(".safetensors")))
    program = (
        "import torch; from safetensors.torch import save_file; "
        f'x = torch.load({given}, weights_only=True, map_location="cpu"); '
        f'save_file({{"log_probs": x.contiguous()}}, {exported})'
    )
    return f"export it with: python -c {shlex.quote(program)}"
