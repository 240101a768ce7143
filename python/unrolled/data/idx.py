"""Arrays in the idx format of MNIST and its kin, plain or gzipped; every field is checked."""

from __future__ import annotations

import gzip
import io
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from unrolled.data.labels import DataError

# The third byte of a file names the type of its numbers, which are big-endian (Y. LeCun,
# C. Cortes, C. Burges: The MNIST database of handwritten digits, "File formats").
_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20
#: Larger arrays are refused before they are read: a small file can claim, and unpack to, any size.
MAX_BYTES = 4 << 30


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an idx file.

    Parameters
    ----------
    path
        The file; whether it is gzipped is seen by its first bytes, not by its name.

    Returns
    -------
    array
        Of the shape and type that the file says, in the machine's byte order.

    Raises
    ------
    DataError
        If the file is missing or unreadable, is no idx file, ends too early, goes on after its
        last number, or is damaged; the message names file and field.

    Examples
    --------
    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/labels-idx1-ubyte"
    >>> with open(path, "wb") as file:
    ...     _ = file.write(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
    >>> read_idx(path)
    array([7, 8, 9], dtype=uint8)
    """
    path = Path(path)
    if path.is_dir():
        _refuse(path, "is a folder; name an idx file")
    try:
        with open(path, "rb") as file:
            is_packed = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            return _read(path, gzip.GzipFile(fileobj=file) if is_packed else file)
    except FileNotFoundError:
        _refuse(path, "no such file; check the name")
    except EOFError:
        _refuse(path, "the gzip file ends too early; download it again")
    except (gzip.BadGzipFile, zlib.error) as error:
        _refuse(path, f"damaged gzip file ({error}); download it again")
    except OSError as error:
        _refuse(path, f"cannot be read ({error.strerror or error}); check its permissions")


def _read(path: Path, stream: BinaryIO | gzip.GzipFile) -> NDArray[Any]:
    dtype, axes = _read_magic(path, stream.read(4))
    sizes = stream.read(4 * axes)
    if len(sizes) < 4 * axes:
        _refuse(path, f"ends within the sizes of its {axes} axes; download it again")
    shape = struct.unpack(f">{axes}I", sizes)
    expected = math.prod(shape) * dtype.itemsize
    claim = " x ".join(map(str, shape))
    if expected > MAX_BYTES:
        _refuse(path, f"claims {claim} numbers, more than {MAX_BYTES >> 30} GiB; check the file")
    data = _read_at_most(stream, expected + 1)
    if len(data) < expected:
        _refuse(
            path,
            f"ends after {len(data):,} of the {expected:,} bytes of {claim} numbers; "
            "download it again",
        )
    if len(data) > expected:
        _refuse(path, f"goes on after its {claim} numbers; it is no idx file, or damaged")
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _read_magic(path: Path, magic: bytes) -> tuple[np.dtype[Any], int]:
    """Return the type of the numbers and the number of axes."""
    if len(magic) < 4:
        found = "is empty" if not magic else f"has {len(magic)} bytes"
        _refuse(path, f"{found}, no idx file; download it again")
    if magic[:2] != b"\0\0" or magic[2] not in _DTYPES or not 1 <= magic[3] <= 8:
        _refuse(
            path,
            f"begins with {magic.hex(' ')}, which is no idx file (00 00, a type from 08 to 0e, "
            "1 to 8 axes); check the name",
        )
    return np.dtype(_DTYPES[magic[2]]), magic[3]


def _read_at_most(stream: BinaryIO | gzip.GzipFile, count: int) -> bytes:
    """Read in pieces, so that a false size in the header costs no memory."""
    buffer = io.BytesIO()
    while count > 0 and (piece := stream.read(min(count, _CHUNK))):
        count -= buffer.write(piece)
    return buffer.getvalue()


def _refuse(path: Path, fault: str) -> NoReturn:
    raise DataError([f"{path}: {fault}"]) from None
