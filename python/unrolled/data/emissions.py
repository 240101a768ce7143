"""Emissions as aligning and decoding take them: (T, C), finite, logarithms of probabilities."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled._arrays import RealArray
from unrolled.data.emission_files import Found, choose_array, find_arrays
from unrolled.data.labels import DataError

Array = NDArray[Any]

_CHUNK = 1 << 20  # numbers looked at together: some megabytes, however long the recording is
# A row of logarithms in float16 or bfloat16 sums to 1 within some hundredths.
_NORMALISED = 0.05


def read_emissions(
    path: str | os.PathLike[str],
    key: str | None = None,
    *,
    logits: bool = False,
    found: list[Found] | None = None,
) -> RealArray:
    """Read the emissions of one item, and make sure that they are what they should be.

    Parameters
    ----------
    path
        A ``.npy``, ``.npz`` or ``.safetensors`` file.
    key
        Name of the array, where there are several.
    logits
        The rows are scores of any size, which are normalised here.
    found
        The arrays of the file, where they are known already.

    Returns
    -------
    array (T, C)
        Natural logarithms of probabilities, float64 where the file has that, else float32. Part of
        the file itself, mapped and read-only, where nothing has to change.

    Raises
    ------
    DataError
        If the file cannot be read, the array is not (T, C) or (1, T, C), a number in it is NaN or
        +inf, or, without `logits`, its rows are not logarithms of probabilities.
    """
    chosen = choose_array(path, find_arrays(path) if found is None else found, key)
    source = f"{path}[{chosen.name}]" if chosen.name else f"{path}"
    raw = _two_axes(chosen, source)
    if logits or chosen.is_bfloat16 or raw.dtype not in (np.float32, np.float64):
        return _converted(raw, source, chosen.is_bfloat16, logits)
    for start, rows in _chunks(raw):
        _check_rows(rows, start, source)
    plain = np.asarray(raw)
    return plain if plain.flags.c_contiguous else np.ascontiguousarray(plain)


def read_log_priors(path: str | os.PathLike[str], classes: int) -> NDArray[np.float64]:
    """Read how likely each class is beforehand.

    Parameters
    ----------
    path
        A file with one array (C,): probabilities, or where none is above 0, logarithms of them.
    classes

    Returns
    -------
    array of float64 (C,)
        Natural logarithms.

    Raises
    ------
    DataError
        If the file cannot be read or has not that many numbers, or one of them is no probability.
    """
    found = [array for array in find_arrays(path) if len(array.shape) == 1]
    if len(found) != 1:
        raise DataError([f"{path}: must hold one array (C,) of floats for the classes' priors"])
    priors = _as_floats(found[0].load(), found[0].is_bfloat16).astype(np.float64)
    if priors.size != classes:
        raise DataError(
            [f"{path}: has {priors.size} priors, the emissions {classes} classes; give one a class"]
        )
    if not np.isfinite(priors).all():
        raise DataError([f"{path}: prior {_first(~np.isfinite(priors))} is not finite; correct it"])
    if (priors <= 0).all():
        return priors
    if (priors <= 0).any():
        raise DataError(
            [
                f"{path}: prior {_first(priors <= 0)} is not above 0 and others are; give "
                "probabilities, or logarithms of them"
            ]
        )
    return np.log(priors)


def _two_axes(chosen: Found, source: str) -> Array:
    shape = chosen.shape
    if len(shape) == 3 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) != 2 or 0 in shape:
        raise DataError(
            [
                f"{source}: has the shape {chosen.shape}; emissions of one item must be (T, C) or "
                "(1, T, C), with at least one frame and class"
            ]
        )
    return chosen.load().reshape(shape)


def _chunks(raw: Array) -> Any:
    rows = max(1, _CHUNK // raw.shape[1])
    for start in range(0, len(raw), rows):
        yield start, raw[start : start + rows]


def _converted(raw: Array, source: str, is_bfloat16: bool, logits: bool) -> RealArray:
    """Copy into float32 or float64, normalised where they are logits."""
    from unrolled.ops.softmax import log_softmax

    is_double = not is_bfloat16 and raw.dtype.itemsize > 4
    result: RealArray = np.empty(raw.shape, np.float64 if is_double else np.float32)
    for start, rows in _chunks(raw):
        part = _as_floats(rows, is_bfloat16).astype(result.dtype)
        if logits:
            _check_finite(part, start, source)
            _refuse_probabilities(part, source)
            part = log_softmax(part)
        else:
            _check_rows(part, start, source)
        result[start : start + len(rows)] = part
    return result


def _as_floats(raw: Array, is_bfloat16: bool) -> Array:
    """Read bfloat16, which NumPy lacks, as the upper half of float32."""
    if not is_bfloat16:
        return raw
    return (raw.astype(np.uint32) << 16).view(np.float32)


def _check_finite(rows: Array, start: int, source: str) -> None:
    wrong = ~(rows < np.inf)  # NaN and +inf; -inf is a class that cannot be
    if not wrong.any():
        return
    frame, column = np.argwhere(wrong)[0].tolist()
    raise DataError(
        [
            f"{source}: frame {start + frame} holds {rows[frame, column]} for class {column}; look "
            "for what went wrong in the network, or in saving"
        ]
    )


def _check_rows(rows: Array, start: int, source: str) -> None:
    _check_finite(rows, start, source)
    with np.errstate(over="ignore", divide="ignore"):
        total = np.log(np.exp(rows, dtype=np.float64).sum(axis=1))
    wrong = ~(np.abs(total) <= _NORMALISED)
    if not wrong.any():
        return
    frame = int(wrong.argmax())
    _refuse_probabilities(rows, source)
    raise DataError(
        [
            f"{source}: the rows are not logarithms of probabilities: those of frame "
            f"{start + frame} add up to exp({total[frame]:.4g}), not 1; "
            "give --logits (logits=True) to have the scores of a network normalised"
        ]
    )


def _refuse_probabilities(rows: Array, source: str) -> None:
    if (rows >= 0).all() and (np.abs(rows.sum(axis=1, dtype=np.float64) - 1) < _NORMALISED).all():
        raise DataError([f"{source}: holds probabilities; save their natural logarithms"])


def _first(wrong: Array) -> int:
    return int(wrong.argmax())
