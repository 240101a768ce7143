"""Images as a network takes them, checked: arrays (N, C, H, W)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]

_FEWEST_AT_ONCE = 256  # images whose squares are held in double precision at a time


def as_pixels(images: Any, size: Size, channels: int, name: str = "images") -> NDArray[Any]:
    """Return images as an array (N, C, H, W) of bytes or float32.

    Parameters
    ----------
    images : array-like (N, C, H, W), or (N, H, W) of grey images
        Bytes, booleans or floats; or a list of single images of those shapes.
    size : (int, int)
        H and W.
    channels : int
    name : str
        What messages call the images.

    Raises
    ------
    TypeError, ValueError
        If a shape or dtype does not fit or a pixel is not finite; names the image where one is
        to blame.
    """
    if isinstance(images, (str, bytes)) or not hasattr(images, "__len__"):
        raise TypeError(f"{name} must be an array or a list of arrays, not {type(images).__name__}")
    needed = (channels, *size)
    if isinstance(images, (list, tuple)):
        images = _stacked(images, needed, name)
    pixels = np.asarray(images)
    if pixels.ndim == 3 and channels == 1:
        pixels = pixels[:, None]
    if pixels.ndim != 4 or pixels.shape[1:] != needed:
        raise ValueError(f"{name} has shape {np.shape(images)}, needed is {_wanted(needed)}")
    return _numbers(pixels, name)


def to_floats(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Bring bytes from [0, 255] to [0, 1]; floats stay as they are."""
    if pixels.dtype == np.uint8:
        return pixels * np.float32(1 / 255)
    return pixels.astype(np.float32, copy=False)


def channel_statistics(pixels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return mean and standard deviation of every channel after `to_floats`, as float32 (C).

    Of a constant channel the deviation is given as 1.
    """
    sums = np.zeros((2, pixels.shape[1]))
    for first in range(0, len(pixels), _FEWEST_AT_ONCE):
        part = to_floats(pixels[first : first + _FEWEST_AT_ONCE]).astype(np.float64)
        sums += part.sum(axis=(0, 2, 3)), (part * part).sum(axis=(0, 2, 3))
    mean, square = sums / (pixels.size // pixels.shape[1])
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    deviation[deviation < 1e-6 * np.abs(mean) + 1e-12] = 1
    return mean.astype(np.float32), deviation.astype(np.float32)


def _stacked(images: Sequence[Any], needed: tuple[int, ...], name: str) -> NDArray[Any]:
    """Make one array of single images."""
    arrays = [np.asarray(image) for image in images]
    for position, array in enumerate(arrays):
        if array.shape != needed and not (needed[0] == 1 and array.shape == needed[1:]):
            raise ValueError(
                f"{name}[{position}] has shape {array.shape}, needed is {needed}; "
                "prepare(image) brings an image of any size there"
            )
    if not arrays:
        return np.zeros((0, *needed), np.uint8)
    return np.stack([array.reshape(needed) for array in arrays])


def _numbers(pixels: NDArray[Any], name: str) -> NDArray[Any]:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind not in "bf":
        raise TypeError(
            f"{name} has dtype {pixels.dtype}; give bytes (uint8, 0 to 255), or floats from 0 to 1"
        )
    floats = pixels.astype(np.float32)
    is_bad = ~(np.abs(floats) < 1e30).all(axis=(1, 2, 3))  # finite, and so are their squares
    if is_bad.any():
        raise ValueError(
            f"{name}[{int(np.argmax(is_bad))}] has a pixel that is NaN, infinite or beyond 1e30; "
            "replace it"
        )
    return floats


def _wanted(needed: tuple[int, ...]) -> str:
    channels, height, width = needed
    if channels == 1:
        return f"(N, {height}, {width}) or (N, 1, {height}, {width})"
    return (
        f"(N, {channels}, {height}, {width}); of images with channels last, "
        "images.transpose(0, 3, 1, 2)"
    )
