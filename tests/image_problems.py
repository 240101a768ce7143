"""Images small enough to learn in a second, and the files that data sets come in."""

from __future__ import annotations

import gzip
import struct

import numpy as np

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array):
    """Encode an array in the idx format."""
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    header = struct.pack(f">HBB{array.ndim}I", 0, CODES[kind], array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def bars(count, size=(8, 8), seed=0, channels=1):
    """Bytes (N, C, H, W) with a bright bar, and its direction: 0 across, 1 upright."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = rng.integers(0, 60, (count, channels, *size))
    for image, label in zip(images, labels, strict=True):
        place = rng.integers(1, size[label] - 2)
        if label == 0:
            image[:, place : place + 2] += 150
        else:
            image[:, :, place : place + 2] += 150
    return images.astype(np.uint8), labels.astype(np.int64)


def write_fashion_mnist(folder, train=60, test=20, packed=True):
    """Write four files in the form of Fashion-MNIST: class k has a bright square at its place."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    for prefix, count in (("train", train), ("t10k", test)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = rng.integers(0, 30, (count, 28, 28)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            row, column = divmod(int(label), 5)
            image[4 + 12 * row : 12 + 12 * row, 2 + 5 * column : 7 + 5 * column] = 220
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            data = idx_bytes(array)
            path = folder / f"{prefix}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    return folder
