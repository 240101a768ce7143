"""Random changes of images that keep their meaning, for a whole batch at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unrolled.data.draws import Draws
from unrolled.data.warp import plane

Images = NDArray[Any]

_WARPED_AT_ONCE = 256  # images, so that what warping keeps of them stays in the cache


@dataclass(frozen=True)
class Augment:
    """Random warp, shift, mirror image and erased rectangle.

    Parameters
    ----------
    flip : bool
        Whether half of the images are mirrored, left and right exchanged.
    shift : int
        The image moves by up to so many pixels along each axis: a crop of the image with as much
        padding around it.
    fill : {"zero", "edge"}
        What comes in at the border when it moves: zeros, or the outermost pixels repeated.
    erase : float
        Probability that a rectangle becomes the mean colour of the image.
    erase_area : (float, float)
        Least and greatest share of the image that it covers; its sides are as 1 to 3 at most.
    rotation : float
        Standard deviation of the angle, in radians.
    size : float
        Standard deviation of the logarithm of the size, apart for height and width.
    slant : float
        Standard deviation of the columns by which a row moves against the next.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Zhong, Zheng, Kang, Li, Yang: Random erasing data augmentation (2020), algorithm 1.

    Examples
    --------
    >>> images = np.arange(32, dtype=np.uint8).reshape(2, 1, 4, 4)
    >>> Augment(shift=1)(images, Draws(seed=0, epoch=0, indices=[0, 1])).shape
    (2, 1, 4, 4)
    """

    flip: bool = True
    shift: int = 2
    fill: Literal["zero", "edge"] = "zero"
    erase: float = 0.0
    erase_area: tuple[float, float] = (0.02, 0.2)
    rotation: float = 0.0
    size: float = 0.0
    slant: float = 0.0

    def __post_init__(self) -> None:
        for name in ("shift", "rotation", "size", "slant"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name)}")
        if not 0 <= self.erase <= 1:
            raise ValueError(f"erase must be a probability in [0, 1], not {self.erase}")
        if not 0 < self.erase_area[0] <= self.erase_area[1] <= 1:
            raise ValueError(f"erase_area must rise within (0, 1], not {self.erase_area}")
        if self.fill not in ("zero", "edge"):
            raise ValueError(f'fill must be "zero" or "edge", not {self.fill!r}')

    def __call__(self, images: Images, draws: Draws) -> Images:
        """Change images (N, C, H, W) of any real dtype, which they keep; each draws its own."""
        if self.rotation or self.size or self.slant:
            images = self._warped(images, draws)
        if self.shift or self.flip:
            images = self._moved(images, draws)
        return self._erased(images, draws) if self.erase else images

    def _moved(self, images: Images, draws: Draws) -> Images:
        """Shift and mirror: both only choose which row and column every pixel comes from."""
        n, channels, height, width = images.shape
        border = self.shift
        rows = np.arange(height) + draws.integers(0, 2 * border, 1)
        columns = np.arange(width) + draws.integers(0, 2 * border, 1)
        if self.flip:
            is_flipped = draws.uniform(0, 1, 1) < 0.5
            columns = np.where(is_flipped, columns[:, ::-1], columns)
        padded = _padded(images, border, self.fill)
        moved = padded[
            np.arange(n)[:, None, None, None],
            np.arange(channels)[:, None, None],
            rows[:, None, :, None],
            columns[:, None, None, :],
        ]
        return moved

    def _erased(self, images: Images, draws: Draws) -> Images:
        height, width = images.shape[2:]
        area = draws.uniform(*self.erase_area) * height * width
        aspect = np.exp(draws.uniform(-np.log(3), np.log(3)))
        is_erased = draws.uniform(0, 1) < self.erase
        inside = is_erased[:, None, None]
        for axis, (size, side) in enumerate(
            ((height, np.sqrt(area * aspect)), (width, np.sqrt(area / aspect)))
        ):
            sides = np.clip(np.rint(side), 1, size)
            start = np.floor(draws.uniform(0, 1) * (size - sides + 1))
            place = np.arange(size)
            within = (place >= start[:, None]) & (place < (start + sides)[:, None])
            inside = inside & (within[:, :, None] if axis == 0 else within[:, None, :])
        mean = images.mean(axis=(2, 3), keepdims=True)
        if images.dtype.kind in "iu":
            mean = np.rint(mean)
        return np.where(inside[:, None], mean.astype(images.dtype), images)

    def _warped(self, images: Images, draws: Draws) -> Images:
        """Rotate, scale and slant around the centre."""
        angle, slant = draws.normal(self.rotation), draws.normal(self.slant)
        scale = np.exp(draws.normal(self.size, 2))
        sin, cos = np.sin(angle), np.cos(angle)
        # Where the pixel (y, x) comes from: (a y + b x, c y + d x), from the centre.
        a, b = cos * scale[:, 0], sin * scale[:, 1]
        c, d = slant - sin * scale[:, 0], cos * scale[:, 1]
        maps = np.stack([a, b, c, d], axis=1).astype(np.float32).reshape(-1, 2, 2)
        return np.concatenate(
            [
                sample_affine(images[first:end], maps[first:end], fill=self.fill)
                for first in range(0, len(images), _WARPED_AT_ONCE)
                for end in [first + _WARPED_AT_ONCE]
            ]
        )


def sample_affine(images: Images, maps: NDArray[np.float32], *, fill: str = "zero") -> Images:
    """Sample images (N, C, H, W) linearly at ``map @ (y, x)`` from the centre; maps (N, 2, 2).

    The dtype stays, integers are rounded.
    """
    n, channels, height, width = images.shape
    y, x = (
        np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2) for size in (height, width)
    )
    # In pixels of the image with a border of one, beyond which it goes on as there.
    rows = plane(y, x, maps[:, 0, 0], maps[:, 0, 1]) + np.float32((height + 1) / 2)
    columns = plane(y, x, maps[:, 1, 0], maps[:, 1, 1]) + np.float32((width + 1) / 2)
    np.clip(rows, 0, height + 0.999, out=rows)
    np.clip(columns, 0, width + 0.999, out=columns)
    top, left = np.floor(rows), np.floor(columns)
    down, right = (rows - top)[:, None], (columns - left)[:, None]
    first = np.arange(n * channels).reshape(n, channels, 1, 1) * ((height + 2) * (width + 2))
    corner = first + (top.astype(np.intp) * (width + 2) + left.astype(np.intp))[:, None]
    flat = _padded(images, 1, fill).reshape(-1)
    upper = _between(flat.take(corner), flat.take(corner + 1), right)
    corner += width + 2
    lower = _between(flat.take(corner), flat.take(corner + 1), right)
    sampled = _between(upper, lower, down)
    if images.dtype.kind in "iu":
        sampled = np.rint(sampled)
    return sampled.astype(images.dtype)


def _between(start: Images, end: Images, share: NDArray[np.float32]) -> Images:
    first = start.astype(share.dtype)
    return first + share * (end - first)


def _padded(images: Images, border: int, fill: str) -> Images:
    if border == 0:
        return images
    widths = ((0, 0), (0, 0), (border, border), (border, border))
    return np.pad(images, widths, "edge" if fill == "edge" else "constant")
