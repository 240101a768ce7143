"""Upsampling: nearest element and linear interpolation, output by output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Size = int | Sequence[int] | None
Factor = float | Sequence[float] | None


def interpolate(
    x: ArrayLike,
    size: Size = None,
    scale_factor: Factor = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Array:
    """Resample the axes behind (N, C).

    An axis of n inputs and m outputs has the step n / m, or 1 / scale_factor where that is given.
    For "nearest" output i is at ``i step``, in float32 as PyTorch rounds, and takes the element
    below; an axis that stays is copied, and one that doubles repeats every element. For the linear
    modes it is at ``(i + 0.5) step - 0.5``, but within the axis, or at ``i (n - 1) / (m - 1)``
    with `align_corners`, and takes the weighted mean of both neighbours.

    Parameters
    ----------
    x : array (N, C, W) or (N, C, H, W)
    size : int or one an axis, optional
    scale_factor : float or one an axis, optional
    mode : {"nearest", "linear", "bilinear"}
    align_corners : bool, optional
    recompute_scale_factor : bool, optional

    Returns
    -------
    array (N, C, *sizes), float64.
    """
    y = np.asarray(x, np.float64)
    options = (size, scale_factor, mode, align_corners, recompute_scale_factor)
    for axis, weights in enumerate(_weights(y.shape[2:], *options)):
        y = np.moveaxis(np.tensordot(weights, y, axes=(1, axis + 2)), 0, axis + 2)
    return y


def interpolate_backward(
    grad_y: ArrayLike,
    input_size: Sequence[int],
    size: Size = None,
    scale_factor: Factor = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Array:
    """Return the gradient of `interpolate`: the same weights, from outputs to inputs.

    Parameters
    ----------
    grad_y : array (N, C, *sizes)
    input_size : sequence of int
        The axes of x behind (N, C).

    Returns
    -------
    array (N, C, *input_size), float64.
    """
    grad = np.asarray(grad_y, np.float64)
    options = (size, scale_factor, mode, align_corners, recompute_scale_factor)
    for axis, weights in enumerate(_weights(tuple(input_size), *options)):
        grad = np.moveaxis(np.tensordot(weights.T, grad, axes=(1, axis + 2)), 0, axis + 2)
    return grad


def _weights(
    inputs: tuple[int, ...],
    size: Size,
    scale_factor: Factor,
    mode: str,
    align_corners: bool | None,
    recompute_scale_factor: bool | None,
) -> list[Array]:
    """Return for every axis the matrix (outputs, inputs) that resamples it."""
    matrices = []
    for axis, n in enumerate(inputs):
        if size is not None:
            m = size if isinstance(size, int) else size[axis]
            step = n / m
        else:
            assert scale_factor is not None
            factor = scale_factor[axis] if isinstance(scale_factor, Sequence) else scale_factor
            m = math.floor(n * factor)
            step = n / m if recompute_scale_factor else 1 / factor
        matrix = np.zeros((m, n))
        for i in range(m):
            if mode == "nearest" and m in (n, 2 * n):
                matrix[i, i * n // m] = 1.0
                continue
            if mode == "nearest":
                matrix[i, min(math.floor(np.float32(i * step)), n - 1)] = 1.0
                continue
            if n == m:
                place = float(i)
            elif align_corners:
                place = i * (n - 1) / (m - 1) if m > 1 else 0.0
            else:
                place = min(max((i + 0.5) * step - 0.5, 0.0), n - 1.0)
            below = math.floor(place)
            matrix[i, below] += 1.0 - (place - below)
            matrix[i, min(below + 1, n - 1)] += place - below
        matrices.append(matrix)
    return matrices
