"""What the recurrent layers of a model read: random numbers, or what real input becomes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled.cli.errors import CommandError

if TYPE_CHECKING:
    from unrolled.models import CRNN
    from unrolled.nn import Module

Array = NDArray[Any]


class LayerInput(NamedTuple):
    """Input of one layer."""

    x: Array
    lengths: Any = None
    state: Any = None


def random_inputs(
    layers: Mapping[str, Module], sequences: int, frames: int, seed: int
) -> dict[str, LayerInput]:
    """Draw normal numbers (sequences, frames, D) for each layer."""
    from unrolled.dynamics.stack import stack_of

    found = {}
    for name, layer in layers.items():
        rng = np.random.default_rng(seed)
        found[name] = LayerInput(rng.normal(size=(sequences, frames, stack_of(layer).input_size)))
    return found


def given_inputs(
    model: Module, layers: Mapping[str, Module], path: str, most: int
) -> dict[str, LayerInput]:
    """Run the model on a file and keep what reaches each layer, of at most `most` sequences.

    Raises
    ------
    CommandError
        If the file cannot be used, or the model does not accept what is in it.
    """
    from unrolled import no_grad
    from unrolled.dynamics.recording import record_calls
    from unrolled.models import CRNN

    with no_grad(), record_calls(layers) as calls:
        try:
            if isinstance(model, CRNN) and Path(path).suffix not in (".npy", ".npz"):
                _read_line(model, path)
            else:
                _run(model, *_load_arrays(path, most))
        except (TypeError, ValueError) as error:
            raise CommandError(f"{path}: {error}") from error
    reached = {name: of_layer[-1] for name, of_layer in calls.items() if of_layer}
    if not reached:
        raise CommandError(f"{path}: does not reach a recurrent layer of the model")
    return {name: LayerInput(call.x, call.lengths, call.state) for name, call in reached.items()}


def _read_line(model: CRNN, path: str) -> None:
    from unrolled.data.images import check_file, load_line

    check_file(path)
    model.read(load_line(path))


def _run(model: Module, x: Array, lengths: Array | None) -> None:
    if lengths is None:
        model(x)
    elif "lengths" in inspect.signature(model.forward).parameters:
        model(x, lengths=lengths)
    else:
        model(x, lengths)


def _load_arrays(path: str, most: int) -> tuple[Array, Array | None]:
    """Load x, and lengths where there are any."""
    suffix = Path(path).suffix
    if suffix not in (".npy", ".npz"):
        raise CommandError(
            f"{path}: must be an .npy file with an array (N, T, D), or an .npz file with x and "
            "lengths"
        )
    with open(path, "rb") as file:  # a missing file is told by its name
        try:
            loaded = np.load(file, allow_pickle=False)
            arrays = {"x": loaded} if suffix == ".npy" else {k: loaded[k] for k in loaded.files}
        except (ValueError, OSError, EOFError) as error:
            raise CommandError(f"{path}: cannot be read as NumPy's {suffix} ({error})") from error
    if "x" not in arrays:
        raise CommandError(f"{path}: has no array x, only {', '.join(arrays) or 'nothing'}")
    x, lengths = arrays["x"], arrays.get("lengths")
    if x.ndim < 2 or x.dtype.kind not in "fiub":
        raise CommandError(f"{path}: x must be numbers (N, T, D), got {x.dtype} of shape {x.shape}")
    if x.ndim == 2:
        return x, None
    return x[:most], None if lengths is None else lengths[:most]
