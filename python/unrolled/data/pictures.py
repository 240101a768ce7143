"""Pictures of any size brought to a network's: scaled to fit, padded, light on dark if need be.

The same for decoded files and for arrays, so that a model sees both alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.data.resize import resize_rows

Size = tuple[int, int]
Bytes = NDArray[np.uint8]

_LEAST_SIGNAL = 26  # of 255: what differs less from the ground is ground
_LEAST_PIXELS, _LEAST_SHARE = 2, 0.01  # of a row: fewer are specks


def prepare_picture(
    image: ArrayLike, size: Size, channels: int = 1, *, dark_ground: bool = False
) -> Bytes:
    """Make a network's input of a picture.

    Parameters
    ----------
    image : array-like (H, W) or (H, W, 3)
        Grey or coloured: bytes, booleans, or floats from 0 to 1.
    size : (int, int)
        Rows and columns of the result.
    channels : int
        1 for grey (colours become luma), 3 for colour.
    dark_ground : bool
        Whether the result must show something light on black. The ground is what the corners
        have; a picture whose ground is lighter than the rest is inverted. Unless it has the size
        already, the ground is brought to black, and what is on it is cut out and fills the result.

    Returns
    -------
    ndarray of uint8 (channels, *size)
        Scaled so that all of it fits, keeping its aspect; what is left at two sides is black, or
        without `dark_ground` has the mean colour of the picture's border.

    Raises
    ------
    TypeError, ValueError
        If the picture has another shape or dtype, no pixel, or a number outside its range.

    Examples
    --------
    >>> prepare_picture(np.full((40, 80, 3), 200, np.uint8), (28, 28)).shape
    (1, 28, 28)
    """
    pixels = _with_channels(as_bytes(image), channels)
    if dark_ground:
        ground = _corner_level(pixels)
        is_light = ground > pixels.mean()
        if is_light:
            pixels, ground = 255 - pixels, 255 - ground
        if pixels.shape[:2] != tuple(size):
            pixels = _cut_out(_without_ground(pixels, ground))
        fill: Any = 0
    else:
        fill = _border_mean(pixels)
    return np.ascontiguousarray(fit_picture(pixels, size, fill).transpose(2, 0, 1))


def fit_picture(pixels: Bytes, size: Size, fill: Any = 0) -> Bytes:
    """Scale a picture (H, W, C) to fit into a size, keeping its aspect, and pad with a colour."""
    height, width = pixels.shape[:2]
    rows, columns = size
    # Of the two scales, rows / height and columns / width, the smaller one.
    if rows * width <= columns * height:
        inner = rows, max(1, (2 * width * rows + height) // (2 * height))
    else:
        inner = max(1, (2 * height * columns + width) // (2 * width)), columns
    scaled = resize_picture(pixels, inner)
    result = np.empty((*size, pixels.shape[2]), np.uint8)
    result[...] = fill
    top, left = (rows - inner[0]) // 2, (columns - inner[1]) // 2
    result[top : top + inner[0], left : left + inner[1]] = scaled
    return result


def resize_picture(pixels: Bytes, size: Size) -> Bytes:
    """Scale a picture (H, W, C) to a size: the mean over areas, or linear between pixels."""
    rows, columns = size
    width, channels = pixels.shape[1:]
    high = resize_rows(pixels.reshape(len(pixels), -1), rows).reshape(rows, width, channels)
    turned = np.ascontiguousarray(high.transpose(1, 0, 2)).reshape(width, -1)
    scaled = resize_rows(turned, columns).reshape(columns, rows, channels).transpose(1, 0, 2)
    return np.rint(scaled).astype(np.uint8)


def as_bytes(image: ArrayLike) -> Bytes:
    """Return a picture (H, W) or (H, W, 3) as bytes.

    Raises
    ------
    TypeError, ValueError
        As `prepare_picture`.
    """
    pixels: NDArray[Any] = np.asarray(image)
    if pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (1,), (3,)):
        raise ValueError(
            f"image has shape {pixels.shape}; give (height, width) or (height, width, 3)"
        )
    if pixels.size == 0:
        raise ValueError(f"image has shape {pixels.shape}; it needs at least one pixel")
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind not in "bf":
        raise TypeError(
            f"image has dtype {pixels.dtype}; give bytes (uint8, 0 to 255), or floats from 0 to 1"
        )
    floats = pixels.astype(np.float64)
    if not ((floats >= 0) & (floats <= 1)).all():
        raise ValueError(
            f"image has floats from {floats.min():g} to {floats.max():g}; bring them to 0 to 1, or "
            "give bytes"
        )
    return np.rint(255 * floats).astype(np.uint8)


def _with_channels(pixels: Bytes, channels: int) -> Bytes:
    """Return (H, W, channels)."""
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.shape[2] == channels:
        return pixels
    if channels == 1:
        return _luma(pixels)
    return np.repeat(pixels, channels, axis=2)


def _luma(pixels: Bytes) -> Bytes:
    """Weigh colours as ITU-R BT.601 does, in the integers that Pillow uses for its mode L."""
    weighed = pixels.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)
    return ((weighed + 0x8000) >> 16).astype(np.uint8)[:, :, None]


def _corner_level(pixels: Bytes) -> float:
    """Return the median over the four corners, an eighth of each side."""
    rows, columns = (max(1, size // 8) for size in pixels.shape[:2])
    corners = [
        pixels[above, beside].ravel()
        for above in (slice(None, rows), slice(-rows, None))
        for beside in (slice(None, columns), slice(-columns, None))
    ]
    return float(np.median(np.concatenate(corners)))


def _without_ground(pixels: Bytes, ground: float) -> Bytes:
    """Bring the ground to black and keep white."""
    lifted = np.maximum(pixels - ground, 0) * (255 / max(255 - ground, 1))
    return np.rint(lifted).astype(np.uint8)


def _cut_out(pixels: Bytes) -> Bytes:
    """Leave out rows and columns at the border that have nothing but specks."""
    is_signal = pixels.max(axis=2) >= _LEAST_SIGNAL
    rows, columns = (
        np.flatnonzero(is_signal.sum(axis=axis) >= max(_LEAST_PIXELS, _LEAST_SHARE * size))
        for axis, size in ((1, pixels.shape[1]), (0, pixels.shape[0]))
    )
    if not (len(rows) and len(columns)):
        return pixels
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _border_mean(pixels: Bytes) -> Bytes:
    sides = [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]
    return np.rint(np.concatenate(sides).mean(axis=0)).astype(np.uint8)
