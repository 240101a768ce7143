"""The idx format: what is read, and everything that can be wrong with a file."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from image_problems import CODES, idx_bytes, write_fashion_mnist
from unrolled.data import fashion_mnist
from unrolled.data.fashion_mnist import CLASSES, find_folder, load_fashion_mnist
from unrolled.data.idx import read_idx
from unrolled.data.labels import DataError


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("packed", [False, True])
def test_every_type_and_form_is_read(tmp_path, rng, kind, packed):
    for shape in ((5,), (2, 3), (2, 3, 4), (0, 3), (1, 2, 3, 2)):
        array = (rng.normal(size=shape) * 100).astype(kind)
        data = idx_bytes(array)
        path = tmp_path / "any.name"
        path.write_bytes(gzip.compress(data) if packed else data)
        found = read_idx(path)
        assert found.dtype == array.dtype and found.dtype.isnative
        np.testing.assert_array_equal(found, array)
        found[...] = 0  # it is the caller's own


GOOD = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


def gzipped(data):
    return gzip.compress(data, mtime=0)  # the same bytes, and names of tests, at any time


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty, no idx file"),
        (b"\0\0", "has 2 bytes, no idx file"),
        (b"\x89PNG\r\n", "begins with 89 50 4e 47, which is no idx file"),
        (b"\0\0\x07\x01" + GOOD[4:], "begins with 00 00 07 01"),
        (b"\0\0\x08\x00", "begins with 00 00 08 00"),
        (b"\0\0\x08\xff" + GOOD, "begins with 00 00 08 ff"),
        (GOOD[:9], "ends within the sizes of its 3 axes"),
        (GOOD[:-1], "ends after 23 of the 24 bytes of 2 x 3 x 4 numbers"),
        (GOOD[:16], "ends after 0 of the 24 bytes"),
        (GOOD + b"\0", "goes on after its 2 x 3 x 4 numbers"),
        (b"\0\0\x08\x03" + b"\xff" * 12 + b"12", "claims 4294967295 x .*more than 4 GiB"),
        (b"\0\0\x08\x01" + b"\x7f\xff\xff\xff" + b"12", "ends after 2 of the 2,147,483,647 bytes"),
        (gzipped(GOOD)[:-9], "gzip file ends too early"),
        (gzipped(GOOD)[:12], "gzip file ends too early"),
        (gzipped(GOOD) + b"rest", "damaged gzip file"),
        (gzipped(GOOD + b"\0"), "goes on after its"),
        (gzipped(GOOD[:-3]), "ends after 21 of the 24 bytes"),
    ],
)
def test_wrong_files_are_told(tmp_path, content, message):
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_missing_files_and_folders_are_told(tmp_path):
    with pytest.raises(DataError, match=r"none: no such file"):
        read_idx(tmp_path / "none")
    with pytest.raises(DataError, match="is a folder"):
        read_idx(tmp_path)


@pytest.mark.parametrize("packed", [False, True])
def test_flipped_bytes_never_crash(tmp_path, packed):
    data = gzipped(GOOD) if packed else GOOD
    rng = np.random.default_rng(3)
    path = tmp_path / "images"
    for _ in range(300):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            assert read_idx(path).size <= 24
        except DataError as error:
            assert "images: " in str(error)


# --- Fashion-MNIST ---------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
def test_the_four_files_are_found_and_read(tmp_path, packed):
    folder = write_fashion_mnist(tmp_path / "data", train=30, test=20, packed=packed)
    images, labels = load_fashion_mnist("train", folder)
    assert images.shape == (30, 28, 28) and images.dtype == labels.dtype == np.uint8
    assert labels[:12].tolist() == [*range(10), 0, 1] and len(CLASSES) == 10
    assert len(load_fashion_mnist("test", folder)[1]) == 20
    with pytest.raises(ValueError, match='"train" or "test"'):
        load_fashion_mnist("valid", folder)


def test_names_with_a_dot_are_found(tmp_path):
    folder = write_fashion_mnist(tmp_path / "data", packed=False)
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace("-idx", ".idx"))
    assert fashion_mnist.is_folder(folder) and len(load_fashion_mnist("test", folder)[0]) == 20


def test_where_to_get_the_files_is_told(tmp_path, monkeypatch):
    where = r"apt install dataset-fashion-mnist.*github\.com/zalandoresearch/fashion-mnist.*--data"
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "none")
    with pytest.raises(DataError, match=rf"none: no such folder; .*{where}"):
        find_folder()
    folder = write_fashion_mnist(tmp_path / "data")
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=rf"lacks t10k-labels-idx1-ubyte \(or with .*{where}"):
        load_fashion_mnist("train", folder)
    with pytest.raises(DataError, match="is a file, not a folder"):
        find_folder(folder / "train-images-idx3-ubyte.gz")
    assert not fashion_mnist.is_folder(folder)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("train-images-idx3-ubyte", np.zeros((2, 27, 28), "u1"), r"uint8 of shape \(2, 27, 28\)"),
        ("train-images-idx3-ubyte", np.zeros((2, 28, 28), "i4"), r"holds int32 of shape"),
        ("train-images-idx3-ubyte", np.zeros((0, 28, 28), "u1"), r"60 labels for the 0 images"),
        ("train-labels-idx1-ubyte", np.zeros((60, 1), "u1"), r"holds uint8 of shape \(60, 1\)"),
        ("train-labels-idx1-ubyte", np.zeros(59, "u1"), r"59 labels for the 60 images of train-i"),
        ("train-labels-idx1-ubyte", np.arange(60).astype("u1"), r"label 10 is 10; .* 0 to 9"),
    ],
)
def test_arrays_that_are_not_fashion_mnist_are_told(tmp_path, name, array, message):
    folder = write_fashion_mnist(tmp_path / "data", packed=False)
    (folder / name).write_bytes(idx_bytes(array))
    with pytest.raises(DataError, match=message):
        load_fashion_mnist("train", folder)
    load_fashion_mnist("test", folder)


@pytest.mark.skipif(not fashion_mnist.DEBIAN_FOLDER.is_dir(), reason="needs dataset-fashion-mnist")
def test_the_real_files():
    images, labels = load_fashion_mnist("test")
    assert images.shape == (10_000, 28, 28) and np.bincount(labels).tolist() == [1000] * 10
    assert images.mean() == pytest.approx(73.15, abs=0.01)
    assert CLASSES[labels[0]] == "Ankle boot"
