"""Changes of whole batches: each image has its own, a function of seed, epoch and its place."""

from __future__ import annotations

import time

import numpy as np
import pytest

from unrolled.data.augment import Augment, sample_affine
from unrolled.data.draws import Draws
from unrolled.data.image_loader import ImageLoader

EVERYTHING = Augment(flip=True, shift=2, erase=0.7, rotation=0.2, size=0.1, slant=0.1)


def pictures(count=12, channels=2, size=(9, 7), seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(1, 256, (count, channels, *size)).astype(np.uint8)


# --- random numbers --------------------------------------------------------------------------


def test_numbers_depend_on_seed_epoch_and_index_alone():
    def drawn(seed, epoch, indices):
        draws = Draws(seed, epoch, indices)
        parts = [draws.uniform(0, 1, 3), draws.integers(0, 9), draws.normal(1.0, 2)]
        return np.concatenate([part.reshape(len(draws), -1) for part in parts], axis=1)

    together = drawn(1, 2, np.arange(50))
    np.testing.assert_array_equal(together[[7, 3, 3]], drawn(1, 2, [7, 3, 3]))
    for other in (drawn(1, 3, np.arange(50)), drawn(2, 2, np.arange(50))):
        assert not np.isclose(together[:, :3], other[:, :3]).any()
    assert len(np.unique(together[:, :3])) == 150  # within an item and between items they differ
    assert np.isfinite(drawn(2**80, 10**6, [2**40])).all()


def test_numbers_are_evenly_and_normally_distributed():
    draws = Draws(0, 0, np.arange(40_000))
    first, second = draws.uniform(-1, 3), draws.uniform(-1, 3)
    assert first.min() >= -1 and first.max() < 3
    assert np.histogram(first, 10, (-1, 3))[0] == pytest.approx(4_000, rel=0.06)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.02
    values, counts = np.unique(draws.integers(-2, 2), return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2] and counts == pytest.approx(8_000, rel=0.06)
    normal = draws.normal(2.0, 2)
    assert normal.mean(axis=0) == pytest.approx([0, 0], abs=0.04)
    assert normal.std(axis=0) == pytest.approx([2, 2], rel=0.02)
    assert ((normal / 2) ** 4).mean() == pytest.approx(3, rel=0.05)
    assert (draws.normal(0.0) == 0).all()


# --- changes ---------------------------------------------------------------------------------


def test_an_image_changes_alike_alone_and_in_any_batch():
    images, order = pictures(), np.random.default_rng(1).permutation(12)
    together = EVERYTHING(images, Draws(3, 1, np.arange(12)))
    np.testing.assert_array_equal(EVERYTHING(images[order], Draws(3, 1, order)), together[order])
    for place in (0, 5):
        alone = EVERYTHING(images[place : place + 1], Draws(3, 1, [place]))
        np.testing.assert_array_equal(alone[0], together[place])
    assert (EVERYTHING(images, Draws(3, 2, np.arange(12))) != together).any(axis=(1, 2, 3)).all()


def test_nothing_is_written_into_the_images():
    images = pictures()
    before = images.copy()
    EVERYTHING(images, Draws(0, 0, np.arange(12)))
    np.testing.assert_array_equal(images, before)
    nothing = Augment(flip=False, shift=0)
    assert nothing(images, Draws(0, 0, np.arange(12))) is images


@pytest.mark.parametrize("fill", ["zero", "edge"])
def test_a_shift_is_a_crop_of_the_padded_image(fill):
    images = pictures(count=200)
    moved = Augment(flip=True, shift=2, fill=fill)(images, Draws(0, 0, np.arange(200)))
    border = ((0, 0), (2, 2), (2, 2))
    seen = set()
    for image, result in zip(images, moved, strict=True):
        padded = np.pad(image, border, "constant" if fill == "zero" else "edge")
        crops = {
            (dy, dx, flip): (padded[:, dy : dy + 9, dx : dx + 7][:, :, :: -1 if flip else 1])
            for dy in range(5)
            for dx in range(5)
            for flip in (False, True)
        }
        found = [key for key, crop in crops.items() if np.array_equal(crop, result)]
        assert found
        seen.add(found[0])
    assert len(seen) > 45  # of 50 ways


def test_half_of_the_images_are_mirrored():
    images = pictures(count=1000)
    flipped = Augment(flip=True, shift=0)(images, Draws(0, 0, np.arange(1000)))
    is_same = (flipped == images).all(axis=(1, 2, 3))
    is_mirrored = (flipped == images[..., ::-1]).all(axis=(1, 2, 3))
    assert (is_same ^ is_mirrored).all() and 430 < is_mirrored.sum() < 570


def test_an_erased_rectangle_has_the_images_mean_colour():
    images = pictures(count=400, size=(20, 16))
    erased = Augment(flip=False, shift=0, erase=0.5)(images, Draws(0, 0, np.arange(400)))
    changed = (erased != images).any(axis=(1, 2, 3))
    assert 160 < changed.sum() < 240
    shares = []
    for image, result in zip(images[changed], erased[changed], strict=True):
        mean = np.rint(image.mean(axis=(1, 2)))[:, None, None]
        inside = (result == mean).all(axis=0)
        rows, columns = np.flatnonzero(inside.sum(axis=1) > 1), np.flatnonzero(inside.any(axis=0))
        assert inside[rows[0] : rows[-1] + 1].any() and len(columns) >= 1
        np.testing.assert_array_equal(result[:, ~inside], image[:, ~inside])
        shares.append(inside.mean())
    assert min(shares) > 0.01 and max(shares) < 0.25 and 0.07 < np.mean(shares) < 0.15


def test_a_warp_by_nothing_changes_nothing_and_turns_are_turns():
    images = pictures(size=(8, 8))
    still = np.tile(np.eye(2, dtype=np.float32), (12, 1, 1))
    np.testing.assert_array_equal(sample_affine(images, still), images)
    quarter = np.tile(np.array([[0, 1], [-1, 0]], np.float32), (12, 1, 1))
    np.testing.assert_array_equal(sample_affine(images, quarter), np.rot90(images, 1, (2, 3)))
    floats = images.astype(np.float32) / 255
    np.testing.assert_allclose(sample_affine(floats, still), floats, atol=1e-6)
    far = sample_affine(images, 100 * still)
    assert (far[:, :, 0, 0] == 0).all()
    edge = sample_affine(images, 100 * still, fill="edge")
    np.testing.assert_array_equal(edge[:, :, 0, 0], images[:, :, 0, 0])


def test_linear_sampling_equals_the_plain_formula(rng):
    image = rng.random((1, 1, 6, 5)).astype(np.float32)
    linear = np.array([[[0.7, 0.2], [-0.3, 0.9]]], np.float32)
    found = sample_affine(image, linear)[0, 0]
    padded = np.pad(image[0, 0], 1)
    for y in range(6):
        for x in range(5):
            row, column = linear[0] @ (y - 2.5, x - 2) + (3.5, 3)
            row, column = np.clip(row, 0, 6.999), np.clip(column, 0, 5.999)
            (top, down), (left, right) = divmod(row, 1), divmod(column, 1)
            top, left = int(top), int(left)
            expected = (1 - down) * (
                (1 - right) * padded[top, left] + right * padded[top, left + 1]
            ) + down * ((1 - right) * padded[top + 1, left] + right * padded[top + 1, left + 1])
            assert found[y, x] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_the_dtype_stays(dtype):
    images = pictures().astype(dtype)
    assert EVERYTHING(images, Draws(0, 0, np.arange(12))).dtype == dtype


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shift": -1}, "shift must be at least 0, not -1"),
        ({"rotation": float("nan")}, "rotation must be at least 0"),
        ({"erase": 1.5}, r"erase must be a probability in \[0, 1\], not 1.5"),
        ({"erase_area": (0.3, 0.1)}, r"erase_area must rise within \(0, 1\]"),
        ({"fill": "mirror"}, 'fill must be "zero" or "edge"'),
    ],
)
def test_wrong_options_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        Augment(**options)


def test_an_epoch_of_fashion_mnist_is_changed_in_a_few_seconds():
    """60,000 images in at most 6 s of one thread, so 6,000 in 0.6 s; it takes a tenth of that."""
    images = np.zeros((6_000, 1, 28, 28), np.uint8)
    loader = ImageLoader(images, np.zeros(6_000, np.int64), 64, shuffle=True, augment=Augment())
    start = time.thread_time()
    assert sum(len(labels) for _, labels in loader.batches(0)) == 6_000
    assert time.thread_time() - start < 0.6


# --- the loader ------------------------------------------------------------------------------


def test_batches_follow_the_order_of_a_loader_from_any_start():
    images, labels = pictures(), np.arange(12)
    loader = ImageLoader(images, labels, 5, shuffle=True, seed=4, augment=EVERYTHING)
    batches = list(loader.batches(3))
    assert [taken.tolist() for _, taken in batches] == loader.indices(3)
    for start in range(len(loader) + 1):
        for ours, whole in zip(loader.batches(3, start), batches[start:], strict=True):
            np.testing.assert_array_equal(ours[0], whole[0])
    plain = ImageLoader(images, labels, 5)
    np.testing.assert_array_equal(np.concatenate([x for x, _ in plain.batches(0)]), images)
    with pytest.raises(ValueError, match="12 images but 11 labels"):
        ImageLoader(images, labels[:11], 5)
