"""The digits in the package, and lines of them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unrolled.data import digits as digits_module
from unrolled.data.digits import CHARSET, DigitLines, load_digits
from unrolled.data.warp import Warp, sample_bicubic

PACKED = Path(digits_module.__file__).with_name("uci_digits.npz")


def digests(images):
    return {hashlib.sha256(image.tobytes()).hexdigest() for image in images}


def test_the_split_is_that_of_the_issue():
    train, test = load_digits("train"), load_digits("test")
    assert train[0].shape == (1347, 8, 8) and test[0].shape == (450, 8, 8)
    assert train[0].dtype == train[1].dtype == np.uint8
    assert max(train[0].max(), test[0].max()) == 16
    assert np.bincount(np.concatenate([train[1], test[1]])).tolist() == [
        *(178, 182, 177, 183, 181, 182, 181, 179, 174, 180)
    ]


def test_no_image_is_in_both_parts():
    train, test = digests(load_digits("train")[0]), digests(load_digits("test")[0])
    assert len(train) > 1300 and len(test) > 440 and not train & test


def test_they_are_scikit_learns_digits_in_their_order():
    datasets = pytest.importorskip("sklearn.datasets", reason="needs scikit-learn")
    source = datasets.load_digits()
    for part, split in ((slice(1347), "train"), (slice(1347, None), "test")):
        images, labels = load_digits(split)
        np.testing.assert_array_equal(images, source.images[part])
        np.testing.assert_array_equal(labels, source.target[part])


def test_what_is_loaded_may_be_written_to():
    images, _ = load_digits("test")
    images[:] = 0
    assert load_digits("test")[0].any()


def test_the_file_is_small_and_has_its_licence_beside_it():
    assert PACKED.stat().st_size < 80_000
    note = PACKED.with_suffix(".md").read_text(encoding="utf-8")
    assert all(part in note for part in ("Alpaydin", "Kaynak", "10.24432/C50P49", "4.0"))


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match=r'"train" or "test", not \'valid\''):
        load_digits("valid")


@pytest.mark.parametrize("split", ["train", "test"])
def test_lines_have_three_to_nine_digits(split, rng):
    lines = DigitLines.of(split, height=13)
    drawn = [lines.sample(rng) for _ in range(200)]
    assert {len(text) for _, text in drawn} == set(range(3, 10))
    for image, text in drawn:
        assert image.dtype == np.float32 and image.shape[0] == 13
        assert 8 + 5 * (len(text) - 1) <= image.shape[1] <= 20 + 11 * (len(text) - 1)
        assert image.min() >= 0 and 0.5 < image.max() <= 1
        assert set(text) <= set(CHARSET)


def test_a_line_holds_the_images_of_its_text():
    """Without warp, and where digits do not overlap, the images are there pixel for pixel."""
    images, labels = load_digits("test")
    lines = DigitLines(images, labels)
    alone = {}
    for image, label in zip(images / 16, labels, strict=True):
        alone.setdefault(str(label), set()).add(np.trim_zeros(image.ravel()).tobytes())
    rng = np.random.default_rng(5)
    for _ in range(30):
        line, text = lines.sample(rng, digits=1)
        row = np.flatnonzero(line.any(axis=1))[0]
        cells = line[row : row + 8].astype(float)
        places = range(cells.shape[1] - 7)
        found = {np.trim_zeros(cells[:, x : x + 8].ravel()).tobytes() for x in places}
        assert found & alone[text]


def test_neighbours_overlap_sometimes_and_the_darker_ink_counts():
    ink = np.full((1, 8, 8), 16)
    lines = DigitLines(ink, [7], height=8)
    steps = set()
    for seed in range(200):
        line, _ = lines.sample(np.random.default_rng(seed), digits=2)
        assert line.max() == 1.0
        steps.add(int(line[0].sum()) - 8 if line.any(axis=0).sum() < 16 else 8)
    assert steps == {5, 6, 7, 8}


def test_vertical_jitter_uses_the_height():
    lines = DigitLines(np.full((1, 8, 8), 16), [7], height=12)
    tops = {
        int(lines.sample(np.random.default_rng(seed), digits=1)[0].any(axis=1).argmax())
        for seed in range(60)
    }
    assert tops == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_line_depends_on_its_generator_alone(split):
    images, texts = DigitLines.of(split).draw(20, seed=3)
    again, texts_again = DigitLines.of(split).draw(20, seed=3)
    other, texts_other = DigitLines.of(split).draw(20, seed=4)
    assert texts == texts_again != texts_other
    assert all(np.array_equal(a, b) for a, b in zip(images, again, strict=True))
    assert len(digests(images) | digests(other)) == 40


def test_wrong_arguments_are_named():
    images, labels = load_digits("test")
    with pytest.raises(ValueError, match=r"images must be \(n, 8, 8\)"):
        DigitLines(images[:, :7], labels)
    with pytest.raises(ValueError, match=r"labels must be \(450\)"):
        DigitLines(images, labels[:5])
    with pytest.raises(ValueError, match="height must be at least 8, not 7"):
        DigitLines(images, labels, height=7)
    with pytest.raises(ValueError, match="bend must be at least 0"):
        Warp(bend=-1.0)
    with pytest.raises(ValueError, match="slant must be at least 0"):
        Warp(slant=float("nan"))


STILL = Warp(*(0.0,) * 8)


def test_a_warp_of_nothing_only_adds_the_margin(rng):
    images = rng.random((5, 8, 6), np.float32)
    still = STILL(images, rng, margin=2)
    np.testing.assert_allclose(still, np.pad(images, ((0, 0), (2, 2), (2, 2))), atol=1e-6)


def test_a_shift_moves_the_ink(rng):
    image = np.zeros((1, 9, 9), np.float32)
    image[0, 4, 4] = 1
    rows, columns = np.meshgrid(np.arange(9.0) - 1, np.arange(9.0) + 2, indexing="ij")
    moved = sample_bicubic(image, rows[None].astype("f"), columns[None].astype("f"))
    assert moved[0, 5, 2] == pytest.approx(1) and np.abs(moved).sum() == pytest.approx(1)


def test_bicubic_sampling_is_exact_for_straight_slopes(rng):
    """Keys's kernel reproduces polynomials up to the second degree, away from the border."""
    y, x = np.mgrid[:12.0, :12.0]
    image = (0.3 * y - 0.2 * x + 0.01 * x * x).astype(np.float32)[None]
    rows, columns = rng.uniform(2, 9, (2, 1, 7, 7)).astype(np.float32)
    expected = 0.3 * rows - 0.2 * columns + 0.01 * columns**2
    np.testing.assert_allclose(sample_bicubic(image, rows, columns), expected, atol=1e-5)


def test_places_far_outside_are_paper():
    ink = np.ones((2, 8, 8), np.float32)
    far = np.full((2, 3, 3), 1e6, np.float32)
    assert not sample_bicubic(ink, far, -far).any()


class FixedDraw:
    """A generator whose normal numbers are the deviations asked for, and the others 0."""

    def normal(self, mean, deviation, size):
        return np.full(size, mean + deviation)

    def uniform(self, low, high, size):
        return np.zeros(size)


def test_a_rotation_turns_the_image(rng):
    image = rng.random((1, 8, 8), np.float32)
    turned = replace(STILL, rotation=np.pi / 2)(image, FixedDraw(), margin=0)
    np.testing.assert_allclose(turned[0], np.rot90(image[0]), atol=1e-5)


def test_slant_and_size_move_the_ink_in_proportion():
    image = np.zeros((1, 9, 9), np.float32)
    image[0, [2, 6], 4] = 1  # two dots, two rows above and below the middle
    slanted = replace(STILL, slant=1.0)(image, FixedDraw(), margin=0)[0]
    assert slanted[2, 6] == pytest.approx(1) and slanted[6, 2] == pytest.approx(1)
    smaller = replace(STILL, size=np.log(2))(image, FixedDraw(), margin=0)[0]
    assert smaller[3, 4] == pytest.approx(1) and smaller[5, 4] == pytest.approx(1)


def test_warped_images_differ_and_stay_in_range(rng):
    images = np.repeat(load_digits()[0][:1] / np.float32(16), 50, axis=0)
    warped = Warp()(images, rng)
    assert warped.shape == (50, 12, 12) and warped.dtype == np.float32
    assert warped.min() >= 0 and warped.max() <= 1 and len(digests(warped)) == 50
    assert np.abs(warped.mean(axis=0)[2:-2, 2:-2] - images[0]).mean() < 0.12
