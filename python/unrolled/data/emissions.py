"""Emissions as aligning and decoding take them: (T, C), finite, logarithms of probabilities."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Emissions:
    """Emissions of one item in a file, looked at when they are asked for.

    Attributes
    ----------
    source : str
        The file, and the array in it.
    shape : tuple of int
        (T, C).
    """

    source: str
    shape: tuple[int, int]
    _raw: Array
    _is_bfloat16: bool
    _logits: bool

    @property
    def is_mapped(self) -> bool:
        """Whether `array` is part of the file itself, since nothing has to change."""
        return (
            not self._logits
            and not self._is_bfloat16
            and self._raw.dtype in (np.float32, np.float64)
            and self._raw.flags.c_contiguous
        )

    @property
    def nbytes(self) -> int:
        """Size of what `array` returns."""
        return int(self._raw.size) * self._dtype.itemsize

    def array(self) -> RealArray:
        """Return all of them as natural logarithms, read-only where they are mapped.

        Returns
        -------
        array (T, C)
            float64 where the file has that, else float32.

        Raises
        ------
        DataError
            If a number is NaN or +inf, or, unless they are logits, rows are not logarithms of
            probabilities.
        """
        if self.is_mapped:
            for start, rows in self._parts():
                _check_rows(rows, start, self.source)
            return np.asarray(self._raw)
        result: RealArray = np.empty(self.shape, self._dtype)
        start = 0
        for rows in self.chunks():
            result[start : start + len(rows)] = rows
            start += len(rows)
        return result

    def chunks(self) -> Iterator[RealArray]:
        """Yield them in parts (t, C) of some megabytes; raises as `array`."""
        from unrolled.ops.softmax import log_softmax

        for start, raw in self._parts():
            rows = _as_floats(raw, self._is_bfloat16).astype(self._dtype, order="C")
            if self._logits:
                _check_finite(rows, start, self.source)
                _refuse_probabilities(rows, self.source)
                rows = log_softmax(rows)
            else:
                _check_rows(rows, start, self.source)
            yield rows

    @property
    def _dtype(self) -> np.dtype[Any]:
        is_double = not self._is_bfloat16 and self._raw.dtype.itemsize > 4
        return np.dtype(np.float64 if is_double else np.float32)

    def _parts(self) -> Iterator[tuple[int, Array]]:
        rows = max(1, _CHUNK // self.shape[1])
        for start in range(0, self.shape[0], rows):
            yield start, self._raw[start : start + rows]


def open_emissions(
    path: str | os.PathLike[str],
    key: str | None = None,
    *,
    logits: bool = False,
    found: list[Found] | None = None,
) -> Emissions:
    """Find the emissions of one item.

    Parameters
    ----------
    path
        A ``.npy``, ``.npz`` or ``.safetensors`` file.
    key
        Name of the array, where there are several.
    logits
        The rows are scores of any size, which are normalised when they are read.
    found
        The arrays of the file, where they are known already.

    Raises
    ------
    DataError
        If the file cannot be read, or the array is not (T, C) or (1, T, C).
    """
    chosen = choose_array(path, find_arrays(path) if found is None else found, key)
    source = f"{path}[{chosen.name}]" if chosen.name else f"{path}"
    raw = _two_axes(chosen, source)
    return Emissions(source, (raw.shape[0], raw.shape[1]), raw, chosen.is_bfloat16, logits)


def read_emissions(
    path: str | os.PathLike[str], key: str | None = None, *, logits: bool = False
) -> RealArray:
    """Read the emissions of one item: `open_emissions` and `Emissions.array`."""
    return open_emissions(path, key, logits=logits).array()


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
