"""Lines as a network takes them: padded batches of images, texts as classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.ctc import required_frames
from unrolled.data.images import resize_line
from unrolled.data.labels import describe

Line = tuple[NDArray[np.float32], list[int]]


class LineBatch(NamedTuple):
    """Images (N, 1, H, W) with paper beyond their widths (N), and N targets of classes."""

    images: NDArray[np.float32]
    widths: NDArray[np.int64]
    targets: list[list[int]]


def collate_lines(lines: Sequence[Line]) -> LineBatch:
    """Make a batch of prepared images (H, W) and their targets."""
    images = [image for image, _ in lines]
    widths = np.array([image.shape[1] for image in images], np.int64)
    batch = np.zeros((len(images), 1, len(images[0]), widths.max()), np.float32)
    for row, image in zip(batch, images, strict=True):
        row[0, :, : image.shape[1]] = image
    return LineBatch(batch, widths, [target for _, target in lines])


def encode(text: str, charset: str, name: str = "text") -> list[int]:
    """Turn a text into classes: ``charset[k - 1]`` is class k, class 0 the blank.

    Raises
    ------
    TypeError
        If `text` is not a string.
    ValueError
        If a character is not in `charset`; names it and the text's `name`.

    Examples
    --------
    >>> encode("cab", "abc")
    [3, 1, 2]
    """
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a string, not {type(text).__name__}")
    unknown = [character for character in text if character not in charset]
    if unknown:
        raise ValueError(
            f"{name} has the character {describe(unknown[0])}, which is not in the charset: "
            "add it to the charset, or leave this line out"
        )
    return [charset.index(character) + 1 for character in text]


def check_target(target: list[int], frames: int, name: str) -> None:
    """Raise ValueError, naming the text, if a target is empty or needs more frames.

    Two equal characters in a row need a blank between them (Graves et al. 2006, section 3).
    """
    if not target:
        raise ValueError(f"{name} is empty: leave this line out")
    needed = required_frames(target)
    if needed > frames:
        repeats = needed - len(target)
        detail = f" ({len(target)} characters, {repeats} repeats)" if repeats else ""
        raise ValueError(
            f"{name} needs {needed} frames{detail}, but its image gives {frames}: use a wider "
            "image, a greater height, or leave this line out"
        )


def resize_image(image: ArrayLike, height: int, name: str) -> NDArray[Any]:
    """Bring a grey image to a height, keeping its aspect and dtype.

    Raises
    ------
    TypeError, ValueError
        If it is not a grey image of finite pixels; says its `name`.
    """
    try:
        return resize_line(image, height)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def as_images(images: Any) -> Sequence[ArrayLike]:
    """Return a sequence of images; one 2-D array is a sequence of one."""
    if isinstance(images, (str, bytes)) or not hasattr(images, "__len__"):
        raise TypeError(f"images must be a list of arrays (H, W), not {type(images).__name__}")
    if hasattr(images, "ndim") and images.ndim == 2:
        return [images]
    sequence: Sequence[ArrayLike] = images
    return sequence


def whole_frames(
    images: NDArray[Any], widths: ArrayLike | None, height: int, frame_pixels: int
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Copy images (N, 1, H, W) with paper up to a whole number of frames, and count these (N).

    Raises
    ------
    ValueError
        If the images have another height, or a width does not lie in [1, W].
    """
    if images.ndim != 4 or images.shape[1:3] != (1, height):
        raise ValueError(
            f"images has shape {images.shape}, needed is (N, 1, {height}, W): scale lines with "
            "unrolled.data.images.prepare_line"
        )
    n, columns = len(images), images.shape[3]
    checked = np.full(n, columns) if widths is None else np.asarray(widths)
    if checked.shape != (n,) or checked.dtype.kind not in "iu":
        raise ValueError(f"widths must be {n} integers, one an image")
    if n and not (checked.min() >= 1 and checked.max() <= columns):
        raise ValueError(
            f"widths must lie in [1, {columns}], the columns of images: got {checked.min()} to "
            f"{checked.max()}"
        )
    lengths: NDArray[np.int64] = -(-checked.astype(np.int64) // frame_pixels)
    whole = np.zeros((n, 1, height, int(lengths.max(initial=1)) * frame_pixels), images.dtype)
    for item, image, width in zip(whole, images, checked, strict=True):
        item[..., :width] = image[..., :width]
    return whole, lengths
