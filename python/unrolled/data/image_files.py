"""Image files: decode PNG, JPEG and others to bytes with Pillow (the extra ``images``)."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data.class_folders import find_files

#: Larger pictures are refused before they are decoded: small files can claim any size.
MAX_PIXELS = 100_000_000
#: What image files are called, in lower case.
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")


class ImageError(ValueError):
    """An image file that cannot be used; one line that names file, fault and remedy."""


def load_line(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Decode an image file to grey bytes (H, W): `load_image` of one channel."""
    return load_image(path)


def load_image(path: str | os.PathLike[str], channels: int = 1) -> NDArray[np.uint8]:
    """Decode an image file to bytes.

    Parameters
    ----------
    path
        A PNG, JPEG, TIFF, BMP or WebP file.
    channels
        1 for grey, 3 for red, green and blue.

    Returns
    -------
    uint8 array (H, W), or (H, W, 3)
        Upright (EXIF orientation applied). Where grey is asked for, colours become luma;
        transparency shows white paper; of deeper samples the 8 highest bits in use are kept; of
        several frames the first.

    Raises
    ------
    ImageError
        If the file is missing, empty, damaged, no image, or larger than 100 megapixels.
    ImportError
        Without Pillow.
    """
    path = Path(path)
    check_file(path)
    image_module = _pillow()
    try:
        # Pillow warns of large and of slightly damaged images: the first are refused below, and
        # of the second what could be decoded is used.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with image_module.open(path, formats=_FORMATS) as image:
                _check_size(path, *image.size)
                return _to_bytes(image, channels)
    except ImageError:
        raise
    except image_module.UnidentifiedImageError:
        raise ImageError(f"{path}: not an image that can be read; save it as PNG or JPEG") from None
    except PermissionError:
        raise ImageError(f"{path}: may not be read; change its permissions") from None
    except image_module.DecompressionBombError:
        raise ImageError(_too_large(path)) from None
    except Exception as error:
        # Decoders of damaged files raise almost anything, SyntaxError and struct.error included.
        raise ImageError(
            f"{path}: damaged or cut short ({_one_line(error)}); copy or export it again"
        ) from error


def check_file(path: str | os.PathLike[str]) -> None:
    """Raise `ImageError` if there is no file, or an empty one."""
    path = Path(path)
    if not path.exists():
        raise ImageError(f"{path}: no such image; check the name")
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "no regular file"
        raise ImageError(f"{path}: is {kind}; name an image file")
    if path.stat().st_size == 0:
        raise ImageError(f"{path}: empty file; copy or export it again")


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            "image files are decoded with Pillow, which is not installed; "
            "install it with: pip install 'unrolled[images]'"
        ) from None
    return Image


def _check_size(path: Path, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"{path}: image of {width} x {height} pixels; export it again")
    if width * height > MAX_PIXELS:
        raise ImageError(f"{_too_large(path)} (found {width} x {height})")


def _too_large(path: Path) -> str:
    return f"{path}: more than {MAX_PIXELS // 1_000_000} megapixels; cut out a part or scale down"


def find_images(folder: str | os.PathLike[str]) -> list[Path]:
    """List the files in a folder and below that have an image's suffix, sorted by their names.

    Hidden files and folders, whose names begin with a dot, are left out, and links to
    folders below are not followed.
    """
    return find_files(folder, SUFFIXES)


def _to_bytes(image: Any, channels: int) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode == "F":
        return _repeated(_float_to_bytes(np.asarray(upright)), channels)
    if upright.mode.startswith("I"):
        return _repeated(_high_bits(np.asarray(upright)), channels)
    if upright.mode.upper() in ("LA", "PA", "RGBA") or "transparency" in upright.info:
        coloured = upright.convert("RGBA")
        paper = Image.new("RGBA", coloured.size, "white")
        upright = Image.alpha_composite(paper, coloured)
    return np.array(upright.convert("L" if channels == 1 else "RGB"), dtype=np.uint8)


def _repeated(grey: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    return grey if channels == 1 else np.repeat(grey[:, :, None], channels, axis=2)


def _high_bits(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """8 highest bits of those in use: scanners store 10 or 12 bits in 16."""
    positive = np.maximum(samples, 0)
    spare = max(0, int(positive.max()).bit_length() - 8)
    return np.asarray(positive >> spare, dtype=np.uint8)


def _float_to_bytes(samples: NDArray[Any]) -> NDArray[np.uint8]:
    if not np.isfinite(samples).all():
        raise ValueError("a sample is not finite")
    positive = np.maximum(samples.astype(np.float64), 0)
    top = positive.max()
    return np.asarray(np.rint(positive * (255 / top if top > 0 else 0)), dtype=np.uint8)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
