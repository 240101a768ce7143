"""Small changes of handwriting: each of many images bent, moved and inked in a way of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]

_BORDER = 3  # paper around an image, for what bicubic sampling reads beyond it


@dataclass(frozen=True)
class Warp:
    """Random rotation, slant, size, bends and strokes; the defaults suit digits of 8x8 pixels.

    Parameters
    ----------
    rotation : float
        Standard deviation of the angle, in radians.
    slant : float
        Standard deviation of the columns by which a row moves against the next.
    size : float
        Standard deviation of the logarithm of the size, apart for height and width.
    shift : float
        The image moves by up to so many pixels along each axis.
    bend : float
        Standard deviation, in pixels, of the displacement of a 4x4 grid laid over the image;
        between its points it is linear (Simard et al. 2003 displace every pixel and smooth).
    focus : float
        Share of blur that is added or taken away, up to.
    weight : float
        Standard deviation of the logarithm of the exponent of the ink: thin or thick strokes.
    ink : float
        The ink is up to this share lighter or darker.

    Raises
    ------
    ValueError
        If a number is negative.
    """

    rotation: float = 0.1
    slant: float = 0.09
    size: float = 0.07
    shift: float = 0.5
    bend: float = 0.35
    focus: float = 0.3
    weight: float = 0.15
    ink: float = 0.1

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value >= 0:
                raise ValueError(f"{name} must be at least 0, not {value}")

    def __call__(self, images: Images, rng: np.random.Generator, margin: int = 2) -> Images:
        """Warp images (N, H, W) with ink near 1 to (N, H + 2 margin, W + 2 margin).

        Each of the N draws its own numbers from `rng`.
        """
        rows, columns = self._places(images.shape, rng, margin)
        return self._inked(sample_bicubic(images, rows, columns), rng)

    def _places(
        self, shape: tuple[int, ...], rng: np.random.Generator, margin: int
    ) -> tuple[Images, Images]:
        """Draw where in the image, in pixels, each pixel of the result comes from."""
        n, height, width = shape
        y, x = (np.arange(size + 2 * margin) - (size + 2 * margin - 1) / 2 for size in shape[1:])
        angle, slant = rng.normal(0, self.rotation, n), rng.normal(0, self.slant, n)
        scale_y, scale_x = np.exp(rng.normal(0, self.size, (2, n)))
        shift = rng.uniform(-self.shift, self.shift, (2, n, 1, 1))
        grid = rng.normal(0, self.bend, (2, n, 4, 4))
        bend = _hats(len(y), 4) @ grid @ _hats(len(x), 4).T + shift
        sin, cos = np.sin(angle), np.cos(angle)
        rows = plane(y, x, cos * scale_y, sin * scale_x) + bend[0] + (height - 1) / 2
        columns = plane(y, x, slant - sin * scale_y, cos * scale_x) + bend[1] + (width - 1) / 2
        return rows.astype(np.float32), columns.astype(np.float32)

    def _inked(self, images: Images, rng: np.random.Generator) -> Images:
        n = len(images)
        blur, ink = rng.uniform(-1, 1, (2, n, 1, 1)).astype(np.float32)
        weight = np.exp(rng.normal(0, self.weight, (n, 1, 1))).astype(np.float32)
        focused = images + blur * np.float32(self.focus) * (_blurred(images) - images)
        inked: Images = focused.clip(0, 1) ** weight * (1 + ink * np.float32(self.ink))
        return np.minimum(inked, 1, out=inked)


def sample_bicubic(images: Images, rows: Images, columns: Images) -> Images:
    """Sample images (N, H, W) at places (N, h, w) between pixels; beyond the border is paper.

    Cubic convolution with a = -1/2 (Keys 1981, equation 15); unlike linear interpolation it keeps
    thin strokes dark.
    """
    n, height, width = images.shape
    padded = np.zeros((n, height + 2 * _BORDER, width + 2 * _BORDER), np.float32)
    padded[:, _BORDER:-_BORDER, _BORDER:-_BORDER] = images
    y = rows.clip(-2, height + 0.99) + np.float32(_BORDER)
    x = columns.clip(-2, width + 0.99) + np.float32(_BORDER)
    top, left = np.floor(y), np.floor(x)
    corner = np.arange(n)[:, None, None] * padded.shape[1] + top.astype(np.intp)
    corner = corner * padded.shape[2] + left.astype(np.intp)
    around = np.arange(-1, 3)
    window = around[:, None] * padded.shape[2] + around
    patches = padded.take(corner[..., None, None] + window)
    across = (patches @ _cubic(x - left)[..., None])[..., 0]
    sampled: Images = (across * _cubic(y - top)).sum(-1)
    return sampled


def _cubic(t: Images) -> Images:
    """Weigh the four pixels around a place `t` of the way from the second to the third."""
    t2 = t * t
    t3 = t2 * t
    weights = np.empty((*t.shape, 4), np.float32)
    weights[..., 0] = 2 * t2 - t3 - t
    weights[..., 1] = 3 * t3 - 5 * t2 + 2
    weights[..., 2] = 4 * t2 - 3 * t3 + t
    weights[..., 3] = t3 - t2
    weights *= 0.5
    return weights


def plane(y: Images, x: Images, slope_y: Images, slope_x: Images) -> Images:
    """Give ``slope_y * y + slope_x * x`` on a grid, for each of many slopes."""
    plane: Images = slope_y[:, None, None] * y[:, None] + slope_x[:, None, None] * x
    return plane


@cache
def _hats(size: int, points: int) -> Images:
    """Interpolate linearly from `points` evenly over `size` pixels: the matrix (size, points)."""
    place = np.linspace(0, points - 1, size)
    hats: Images = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(points)))
    return hats


def _blurred(images: Images) -> Images:
    """Blur by (1, 2, 1) / 4 along rows and columns; the outer pixels stay."""
    blurred: Images = images.copy()
    blurred[:, 1:-1] += (images[:, :-2] + images[:, 2:] - 2 * images[:, 1:-1]) / 4
    above = blurred.copy()
    blurred[:, :, 1:-1] += (above[:, :, :-2] + above[:, :, 2:] - 2 * above[:, :, 1:-1]) / 4
    return blurred
