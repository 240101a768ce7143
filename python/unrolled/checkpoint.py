"""Checkpoints: tensors and JSON in one safetensors file, checked, written atomically, no pickle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled import _container
from unrolled._arrays import NonFiniteError
from unrolled._container import CheckpointError, one_line
from unrolled._files import write_atomically

if TYPE_CHECKING:
    from unrolled.nn import Module

Arrays = dict[str, NDArray[Any]]

__all__ = [
    "CheckpointError",
    "NonFiniteError",
    "load_model",
    "load_tensors",
    "require_finite",
    "save_model",
    "save_tensors",
]

MODEL_FILE = "model.safetensors"


def save_tensors(
    path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]
) -> None:
    """Write arrays and JSON to one checkpoint file, atomically.

    Parameters
    ----------
    path
        The file to write; an existing one is replaced only when the new one is complete.
    arrays
        Boolean, integer or floating arrays of any shape, by name.
    meta
        Anything that `json.dumps` takes.

    Raises
    ------
    NonFiniteError
        If an array holds NaN or infinity.
    TypeError
        If an array's dtype or a value of `meta` cannot be stored.
    OSError
        If the disk is full or refuses; the old file is kept.

    Examples
    --------
    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/state.safetensors"
    >>> save_tensors(path, {"weight": np.arange(3.0)}, {"step": 7})
    >>> load_tensors(path)
    ({'weight': array([0., 1., 2.])}, {'step': 7})
    """
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    require_finite(arrays, f"{os.fspath(path)} is not written")
    write_atomically(path, _container.encode(arrays, meta))


def load_tensors(path: str | os.PathLike[str]) -> tuple[Arrays, Any]:
    """Read a checkpoint file and verify every byte of it.

    Returns
    -------
    arrays : dict of arrays
    meta
        As given to `save_tensors`, after a round trip through JSON.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, damaged, of another version or of another kind.
    """
    path = Path(path)
    return _container.decode(path, _container.read(path))


def save_model(module: Module, path: str | os.PathLike[str]) -> None:
    """Write a module (constructor arguments, weights and buffers) so that `load_model` rebuilds it.

    Parameters
    ----------
    module
        Any module whose constructor arguments are JSON values or modules.
    path
        A folder, which gets a file `model.safetensors`, or a name that ends in `.safetensors`.

    Raises
    ------
    NonFiniteError
        If a weight or buffer holds NaN or infinity; its name is given.
    TypeError
        If the module cannot be described in JSON.
    OSError
        If the disk is full or refuses; the old file is kept.
    """
    path = Path(path)
    file = path if path.suffix == ".safetensors" else path / MODEL_FILE
    save_tensors(file, module.state_dict(), {"kind": "model", "config": module.config()})


def load_model(path: str | os.PathLike[str]) -> Module:
    """Build the module that `save_model` wrote; nothing in the file is executed.

    Parameters
    ----------
    path
        The folder or file given to `save_model`.

    Returns
    -------
    Module
        In evaluation mode, with the dtypes it was saved with.

    Raises
    ------
    CheckpointError
        If the file is missing or damaged, or does not describe a known module with its weights.
    """
    path = Path(path)
    file = path / MODEL_FILE if path.is_dir() else path
    arrays, meta = load_tensors(file)
    if not isinstance(meta, dict) or meta.get("kind") != "model":
        raise CheckpointError(file, "does not hold a model", f"load the {MODEL_FILE} beside it")
    module = _build(file, meta.get("config"), arrays)
    load_weights(file, module, arrays)
    return module.eval()


def load_weights(path: str | os.PathLike[str], module: Module, arrays: Arrays) -> None:
    """Give a module the weights and buffers read from `path`, or leave it as it is.

    Raises
    ------
    CheckpointError
        If names, shapes or dtypes differ from the module's.
    """
    try:
        for name, dtype in _other_dtypes(module, arrays).items():
            raise TypeError(f"{name}: {dtype}")
        module.load_state_dict(arrays)
    except (TypeError, ValueError) as error:
        fault = f"does not fit the model ({one_line(error)})"
        raise CheckpointError(path, fault, "use the model that it was written with") from error


def require_finite(arrays: Mapping[str, NDArray[Any]], consequence: str) -> None:
    """Raise `NonFiniteError` naming the first array with NaN or infinity, if any."""
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            index = np.argwhere(~np.isfinite(array))[0].tolist()
            value = array[tuple(index)]
            raise NonFiniteError(f"{name} holds {value} at index {index}; {consequence}")


def _build(path: Path, config: Any, arrays: Arrays) -> Module:
    from unrolled import nn, random

    before = random.get_state()  # initial weights are drawn; loading must not move the stream
    try:
        module = nn.build(config)
        for dtype in set(_other_dtypes(module, arrays).values()):
            module.to(dtype)
        return module
    except (LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
        fault = f"its model cannot be built ({one_line(error)})"
        raise CheckpointError(path, fault, "import the code that defines its classes") from error
    finally:
        random.set_state(before)


def _other_dtypes(module: Module, arrays: Arrays) -> dict[str, np.dtype[Any]]:
    """Return the dtypes in the file, by name, where the module has another one."""
    return {
        name: arrays[name].dtype
        for name, own in module.state_dict().items()
        if name in arrays and arrays[name].dtype != own.dtype
    }
