"""Handwritten digits that come with the package, and lines of them.

The 1,797 digits of 8x8 pixels are real (E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten
Digits, UCI Machine Learning Repository, 1998, doi 10.24432/C50P49, CC BY 4.0). They stand in order
of their writers: the last 450 are by others than the first 1,347.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.data.warp import Warp

Split = Literal["train", "test"]

CHARSET = "0123456789"
TRAIN_IMAGES = 1347
SIZE = 8  # rows and columns of a digit

_FULL_INK = 16
_MARGIN = 2  # what a warped digit may reach beyond its 8x8 pixels
_LENGTHS = (3, 9)
_GAPS = (-3, 3)


def load_digits(split: Split = "train") -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Load the digits to train with, or those to test with.

    Parameters
    ----------
    split : {"train", "test"}
        The first 1,347 or the last 450 digits of the set: no image, and no writer, is in both.

    Returns
    -------
    images : ndarray of uint8 (n, 8, 8)
        Ink from 0 to 16.
    labels : ndarray of uint8 (n)

    Raises
    ------
    ValueError
        If `split` is neither of the two.

    Examples
    --------
    >>> images, labels = load_digits("test")
    >>> images.shape, labels[:6].tolist()
    ((450, 8, 8), [3, 7, 3, 3, 4, 6])
    """
    if split not in ("train", "test"):
        raise ValueError(f'split must be "train" or "test", not {split!r}')
    images, labels = _all_digits()
    part = slice(None, TRAIN_IMAGES) if split == "train" else slice(TRAIN_IMAGES, None)
    return images[part].copy(), labels[part].copy()


class DigitLines:
    """Lines of 3 to 9 digits, glued with random gaps, overlaps and vertical jitter.

    Digits 8 pixels wide follow each other at distances of 5 to 11 pixels, so that neighbours are
    apart, touch, or overlap by what their blank borders do not take up; where they overlap the
    darker ink counts. Each stands up to four rows lower than another.

    Parameters
    ----------
    images : array-like (n, 8, 8)
        The digits to take, ink from 0 to 16.
    labels : array-like of int (n)
        What they are.
    height : int
        Rows of a line, at least 8.
    warp : Warp, optional
        How digits are changed before they are glued; when not given they stay as they are.

    Raises
    ------
    ValueError
        If a shape or `height` does not fit.

    Examples
    --------
    >>> lines = DigitLines.of("test")
    >>> image, text = lines.sample(np.random.default_rng(1))
    >>> text, image.shape, image.dtype
    ('691242', (12, 53), dtype('float32'))
    """

    def __init__(
        self,
        images: ArrayLike,
        labels: ArrayLike,
        *,
        height: int = 12,
        warp: Warp | None = None,
    ) -> None:
        self.images = np.asarray(images, np.float32) / np.float32(_FULL_INK)
        self.labels = np.asarray(labels)
        if self.images.shape[1:] != (SIZE, SIZE) or not len(self.images):
            raise ValueError(f"images must be (n, 8, 8) with n >= 1, not {self.images.shape}")
        if self.labels.shape != self.images.shape[:1]:
            raise ValueError(f"labels must be ({len(self.images)}), not {self.labels.shape}")
        if height < SIZE:
            raise ValueError(f"height must be at least {SIZE}, not {height}")
        self.height = height
        self.warp = warp

    @classmethod
    def of(cls, split: Split, *, height: int = 12) -> DigitLines:
        """Make lines of a part of the set: warped to train with, as they are to test with."""
        warp = Warp() if split == "train" else None
        return cls(*load_digits(split), height=height, warp=warp)

    def sample(
        self, rng: np.random.Generator, digits: int | None = None
    ) -> tuple[NDArray[np.float32], str]:
        """Draw a line.

        Parameters
        ----------
        rng : Generator
            The line depends on nothing else.
        digits : int, optional
            How many; 3 to 9 at random when not given.

        Returns
        -------
        image : ndarray of float32 (height, W)
            Ink near 1, paper 0.
        text : str
        """
        count = int(rng.integers(*_LENGTHS, endpoint=True)) if digits is None else digits
        chosen = rng.integers(len(self.images), size=count)
        steps = SIZE + rng.integers(*_GAPS, size=count, endpoint=True)
        rows = rng.integers(self.height - SIZE, size=count, endpoint=True)
        before, after = rng.integers(2, 7, size=2)
        lefts = before + np.cumsum(steps) - steps[0]
        glyphs: NDArray[np.float32] = self.images[chosen]
        if self.warp is None:
            glyphs = np.pad(glyphs, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))
        else:
            glyphs = self.warp(glyphs, rng, _MARGIN)
        line = _glue(glyphs, rows, lefts, self.height, int(lefts[-1]) + SIZE + int(after))
        return line, "".join(CHARSET[label] for label in self.labels[chosen])

    def draw(self, count: int, seed: int = 0) -> tuple[list[NDArray[np.float32]], list[str]]:
        """Draw `count` lines that depend on `seed` alone, as lists of images and of texts."""
        rng = np.random.Generator(np.random.PCG64(seed))
        lines = [self.sample(rng) for _ in range(count)]
        return [image for image, _ in lines], [text for _, text in lines]


def _glue(
    glyphs: NDArray[np.float32],
    rows: NDArray[np.int64],
    lefts: NDArray[np.int64],
    height: int,
    width: int,
) -> NDArray[np.float32]:
    """Lay glyphs with a margin over each other on paper; what reaches beyond it is cut off."""
    paper = np.zeros((height + 2 * _MARGIN, width + 2 * _MARGIN), np.float32)
    size = glyphs.shape[1]
    for glyph, row, left in zip(glyphs, rows.tolist(), lefts.tolist(), strict=True):
        place = paper[row : row + size, left : left + size]
        np.maximum(place, glyph, out=place)
    line: NDArray[np.float32] = paper[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN].copy()
    return line


@cache
def _all_digits() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    with np.load(Path(__file__).with_name("uci_digits.npz"), allow_pickle=False) as packed:
        images, labels = packed["images"], packed["labels"]
    return images, labels
