"""Line images: scale to a height, ink to 1 and paper to 0, with NumPy alone.

The same for decoded files and for arrays, so that a model reads both alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.data.image_files import ImageError, check_file, load_line
from unrolled.data.resize import resize_rows

__all__ = [
    "MAX_WIDTH",
    "ImageError",
    "check_file",
    "check_width",
    "load_line",
    "prepare_line",
    "resize_line",
    "resized_width",
]

#: No line is scaled to more columns than this (at height 32, a strip 1,000 times as wide as high).
MAX_WIDTH = 32_768

# Contrast below this share of full scale is not stretched to 1, or blank paper's grain would
# become ink.
_LEAST_CONTRAST = 16 / 255
# Specks and dead pixels beyond these percentiles do not set the scale.
_PERCENTILES = (0.1, 99.9)


def resized_width(size: tuple[int, int], height: int) -> int:
    """Columns of an image of ``size`` (H, W) once scaled to ``height``, at least 1.

    Examples
    --------
    >>> resized_width((64, 500), 32)
    250
    """
    rows, columns = size
    return max(1, (2 * columns * height + rows) // (2 * rows))


def check_width(size: tuple[int, int], height: int) -> None:
    """Raise `ValueError` if an image of ``size`` (H, W) is too wide once scaled to ``height``."""
    width = resized_width(size, height)
    if width > MAX_WIDTH:
        raise ValueError(
            f"image is {size[1]} x {size[0]} pixels, {width} columns at height {height}: more than "
            f"{MAX_WIDTH}; cut it into shorter lines"
        )


def resize_line(image: ArrayLike, height: int) -> NDArray[Any]:
    """Scale a grey image to a height, keeping its aspect.

    Parameters
    ----------
    image
        Array (H, W) of any real dtype.
    height
        Rows of the result.

    Returns
    -------
    array (height, W')
        Of the image's dtype, integers rounded; the image itself where it has that height.
        Booleans, and integers of nothing but 0 and 1, become bytes of 0 and 255.
        Shrinking takes the mean over the area each new pixel covers, enlarging is bilinear.

    Raises
    ------
    TypeError, ValueError
        If the image is not a grey one with pixels, has a pixel that is not finite, or would
        become wider than 32,768 columns.
    """
    pixels = _as_pixels(image)
    if height < 1:
        raise ValueError(f"height is {height}; it must be at least 1")
    check_width(pixels.shape, height)
    width = resized_width(pixels.shape, height)
    if len(pixels) == height:
        return pixels
    scaled = resize_rows(resize_rows(pixels, height).T, width).T
    if pixels.dtype.kind == "f":
        return np.ascontiguousarray(scaled, dtype=pixels.dtype)
    return np.ascontiguousarray(np.rint(scaled), dtype=pixels.dtype)


def prepare_line(image: ArrayLike, height: int) -> NDArray[np.float32]:
    """Make a network's input of a line image: scaled, ink near 1, paper near 0.

    Parameters
    ----------
    image
        Array (H, W) of any real dtype and range: dark ink on light paper or the reverse. Integers
        of 8 and 16 bits reach from 0 to their type's largest, unless there are only 0 and 1;
        wider ones and floats to the largest there is.
    height
        Rows of the result.

    Returns
    -------
    float32 array (height, W')
        In [0, 1]. Paper is what fills most of the image and its border, each with half of the
        vote. The contrast is stretched between the 0.1 and 99.9 percentiles, but never more
        than 16 times; a constant image is all paper.

    Raises
    ------
    TypeError, ValueError
        As `resize_line`.

    Notes
    -----
    ``prepare_line(resize_line(image, h), h)`` equals ``prepare_line(image, h)`` bit for bit, so a
    data set may be kept at its training height.
    """
    resized = _spread(resize_line(image, height))  # shrinking may have left nothing but 0 and 1
    pixels = resized.astype(np.float64)
    full_scale = _full_scale(resized)
    if full_scale == 0:
        return np.zeros(pixels.shape, np.float32)
    pixels /= full_scale
    low, high = np.percentile(pixels, _PERCENTILES)
    if high - low < _LEAST_CONTRAST:
        low, high = pixels.min(), pixels.max()  # ink may be one dot on a long line
    light = pixels > (low + high) / 2
    ink = high - pixels if _paper_share(light) >= 0.5 else pixels - low
    ink /= max(high - low, _LEAST_CONTRAST)
    prepared: NDArray[np.float32] = np.clip(ink, 0.0, 1.0).astype(np.float32)
    return prepared


def _paper_share(light: NDArray[np.bool_]) -> float:
    """Mean of the light shares of the whole image and of its border."""
    border = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
    return float(light.mean() + border.mean()) / 2


def _full_scale(pixels: NDArray[Any]) -> float:
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2:
        return float(np.iinfo(pixels.dtype).max)
    return float(np.abs(pixels.astype(np.float64)).max())


def _spread(pixels: NDArray[Any]) -> NDArray[Any]:
    """Bring masks, booleans or integers of 0 and 1, to bytes of 0 and 255.

    A byte promises 255, so that a mask would else read as blank paper.
    """
    kind = pixels.dtype.kind
    if kind == "b" or (kind in "iu" and pixels.min() >= 0 and pixels.max() <= 1):
        return (pixels != 0) * np.full((), 255, np.uint8)
    return pixels


def _as_pixels(image: ArrayLike) -> NDArray[Any]:
    pixels: NDArray[Any] = np.asarray(image)
    if pixels.dtype.kind not in "biuf":
        raise TypeError(f"image has dtype {pixels.dtype}; give a grey image of real numbers")
    if pixels.ndim != 2:
        raise ValueError(
            f"image has shape {pixels.shape}; give a grey image (height, width), for a colour one "
            "the mean of its channels"
        )
    if pixels.size == 0:
        raise ValueError(f"image has shape {pixels.shape}; it needs at least one pixel")
    if pixels.dtype.kind == "f" and not (np.abs(pixels) < 1e30).all():
        raise ValueError("image has a pixel that is NaN, infinite or beyond 1e30; replace it")
    return _spread(pixels)
