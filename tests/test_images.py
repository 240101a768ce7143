"""Decoding of line images, scaling against a plain oracle, polarity and contrast."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from unrolled.data import images, resize
from unrolled.data.images import ImageError, load_line, prepare_line, resize_line

Image = pytest.importorskip("PIL.Image", reason="needs Pillow (unrolled[images])")


def coverage(rows, size):
    """Share of each old row in each new one, by the overlap of intervals."""
    weights = np.zeros((size, rows))
    for i in range(size):
        start, end = i * rows / size, (i + 1) * rows / size
        for k in range(rows):
            weights[i, k] = max(0.0, min(end, k + 1) - max(start, k)) / (end - start)
    return weights


def between_centres(rows, size):
    """Linear interpolation of each new row's centre between old rows' centres."""
    centres = np.arange(rows) + 0.5
    places = (np.arange(size) + 0.5) * rows / size
    return np.stack([np.interp(places, centres, column) for column in np.eye(rows)], axis=1)


def plain_resize(x, height):
    rows, columns = x.shape
    width = max(1, int(np.floor(columns * height / rows + 0.5)))
    weights = [
        (coverage if size < old else between_centres)(old, size)
        for old, size in ((rows, height), (columns, width))
    ]
    return weights[0] @ x @ weights[1].T


def page(height=40, width=120, ink=30, paper=220, seed=0):
    """Grey strokes on noisy paper."""
    rng = np.random.default_rng(seed)
    x = np.full((height, width), paper, float)
    for left in range(10, width - 10, 20):
        x[height // 4 : -height // 4, left : left + 4] = ink
    return np.clip(x + rng.normal(0, 2, x.shape), 0, 255).astype(np.uint8)


# --- scaling ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(64, 200), (33, 50), (100, 7), (8, 24), (5, 1), (1, 9), (31, 3)])
def test_resize_equals_the_plain_oracle(shape):
    x = np.random.default_rng(1).random(shape)
    np.testing.assert_allclose(resize_line(x, 32), plain_resize(x, 32), atol=1e-12)


def test_resize_keeps_the_dtype_and_rounds_integers():
    x = np.random.default_rng(2).integers(0, 256, (50, 90), dtype=np.uint8)
    small = resize_line(x, 16)
    assert small.dtype == np.uint8 and small.shape == (16, 29)
    assert np.abs(small - plain_resize(x.astype(float), 16)).max() <= 0.5 + 1e-9
    assert resize_line(x.astype(np.float32), 16).dtype == np.float32
    assert resize_line(x, 50) is x


def test_large_images_are_shrunk_in_blocks(monkeypatch):
    x = np.random.default_rng(9).random((70, 333))
    expected = resize_line(x, 32)
    monkeypatch.setattr(resize, "_BLOCK", 1000)
    assert (resize_line(x, 32) == expected).all()


def test_shrinking_by_a_whole_factor_is_the_mean_of_blocks():
    x = np.random.default_rng(3).integers(0, 100, (8, 12)).astype(float)
    blocks = x.reshape(4, 2, 6, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(resize_line(x, 4), blocks, rtol=1e-14)


def test_a_very_narrow_image_keeps_one_column():
    assert resize_line(np.ones((500, 1)), 32).shape == (32, 1)


def test_a_strip_that_would_become_absurdly_wide_is_refused():
    with pytest.raises(ValueError, match=r"3000 x 1 pixels, 96000 columns .* shorter lines"):
        resize_line(np.ones((1, 3000)), 32)


# --- polarity and contrast -------------------------------------------------------------------


def test_ink_is_near_one_whatever_the_polarity():
    x = page()
    dark, light = prepare_line(x, 40), prepare_line(255 - x, 40)
    assert dark.dtype == np.float32 and dark.shape == (40, 120)
    assert dark[20, 12] > 0.9 and dark[2, 2] < 0.1
    np.testing.assert_allclose(light, dark, atol=1e-6)


def test_faint_and_strong_ink_look_alike():
    faint, strong = page(ink=150, paper=200), page(ink=0, paper=255)
    assert prepare_line(faint, 32)[16, 9] > 0.85
    assert prepare_line(strong, 32)[16, 9] > 0.85


def test_the_range_of_floats_does_not_matter():
    x = page().astype(float)
    expected = prepare_line(x, 32)
    for other in (x / 255, x * 1e-6, x * 1e20, -x, x - 300):
        np.testing.assert_allclose(prepare_line(other, 32), expected, atol=0.02)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int64, bool])
@pytest.mark.parametrize("height", [40, 32, 61])
def test_masks_of_0_and_1_read_like_bytes_of_0_and_255(dtype, height):
    """A byte of 1 is nearly black, and a page of them nearly blank."""
    mask = page() < 128
    expected = prepare_line(mask * np.uint8(255), height)
    assert expected.max() == 1 and 0.05 < (expected > 0.5).mean() < 0.5
    np.testing.assert_array_equal(prepare_line(mask.astype(dtype), height), expected)
    scaled = resize_line(mask.astype(dtype), height)
    assert scaled.dtype == np.uint8 and scaled.max() == 255
    np.testing.assert_array_equal(prepare_line(scaled, height), expected)


def test_integers_wider_than_16_bits_reach_to_their_largest():
    x = page()
    for other in (x.astype(np.int64), x.astype(np.int32) * 1000):
        np.testing.assert_allclose(prepare_line(other, 40), prepare_line(x, 40), atol=0.02)


def test_what_shrinking_leaves_of_specks_is_read_alike_from_both_forms():
    x = np.zeros((64, 400), np.uint8)
    x[::7, ::9] = 20
    assert resize_line(x, 16).max() == 1
    np.testing.assert_array_equal(prepare_line(resize_line(x, 16), 16), prepare_line(x, 16))


def test_bold_ink_that_fills_the_crop_is_still_ink():
    x = np.full((20, 60), 20, np.uint8)
    x[:, :2] = x[:, -2:] = 240
    x[:2] = x[-2:] = 240
    assert prepare_line(x, 20)[10, 30] == 1.0


@pytest.mark.parametrize("value", [0, 1, 127, 255, 0.0, 1.0, -3.5])
def test_a_constant_image_is_all_paper(value):
    x = np.full((10, 30), value, np.uint8 if isinstance(value, int) else np.float64)
    prepared = prepare_line(x, 8)
    assert prepared.shape == (8, 24) and not prepared.any()


def test_grain_of_blank_paper_does_not_become_ink():
    rng = np.random.default_rng(5)
    blank = np.clip(rng.normal(230, 2, (64, 600)), 0, 255).astype(np.uint8)
    assert prepare_line(blank, 32).max() < 0.6


def test_one_dot_on_a_long_line_is_ink():
    x = page(height=32, width=3000, ink=220, paper=220)
    x[20:23, 1500:1503] = 20
    prepared = prepare_line(x, 32)
    assert prepared[21, 1501] == 1.0 and np.median(prepared) < 0.2


def test_dead_pixels_do_not_set_the_scale():
    x = page(ink=120, paper=180)
    x[5, 7], x[33, 90] = 0, 255
    assert prepare_line(x, 40)[20, 12] > 0.85


def test_preparing_what_was_resized_gives_the_same_bits():
    x = page(height=77, width=301)
    once = prepare_line(x, 32)
    assert (prepare_line(resize_line(x, 32), 32) == once).all()


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros((3, 4, 3)), ValueError, r"shape \(3, 4, 3\); give a grey image"),
        (np.zeros((0, 4)), ValueError, "at least one pixel"),
        (np.array([[0.0, np.nan]]), ValueError, "NaN, infinite"),
        (np.array([[0.0, np.inf]]), ValueError, "NaN, infinite"),
        (np.array([["a"]]), TypeError, "grey image of real numbers"),
        (np.array([[1j]]), TypeError, "complex128"),
        (None, TypeError, "object"),
    ],
)
def test_what_is_no_grey_image_is_refused(image, error, message):
    with pytest.raises(error, match=message):
        prepare_line(image, 32)


def test_odd_dtypes_and_layouts_are_read():
    x = page()
    expected = prepare_line(x, 32)
    for other in (x.astype(">u2"), np.asfortranarray(x), x.astype(np.int64), x[:, ::-1][:, ::-1]):
        assert prepare_line(other, 32).shape == expected.shape
    assert (prepare_line(np.asfortranarray(x), 32) == expected).all()
    assert prepare_line(x > 100, 32).max() == 1.0
    with pytest.raises(ValueError, match="height is 0"):
        prepare_line(x, 0)


# --- decoding --------------------------------------------------------------------------------


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff"])
def test_grey_bytes_come_back(tmp_path, suffix):
    x = page()
    loaded = load_line(save(tmp_path / f"a.{suffix}", x))
    assert loaded.dtype == np.uint8 and (loaded == x).all()


def test_jpeg_is_close(tmp_path):
    x = page()
    loaded = load_line(save(tmp_path / "a.jpg", x, quality=95))
    assert np.abs(loaded.astype(int) - x).mean() < 5


def test_colour_palette_and_bilevel(tmp_path):
    rgb = np.zeros((4, 6, 3), np.uint8)
    rgb[:, 3:] = (255, 255, 255)
    for name, image in {
        "rgb": Image.fromarray(rgb),
        "palette": Image.fromarray(rgb).convert("P"),
        "bilevel": Image.fromarray(rgb).convert("1"),
    }.items():
        image.save(tmp_path / f"{name}.png")
        loaded = load_line(tmp_path / f"{name}.png")
        assert (loaded[:, :3] == 0).all() and (loaded[:, 3:] == 255).all(), name


def test_transparency_shows_white_paper(tmp_path):
    rgba = np.zeros((4, 6, 4), np.uint8)  # black, transparent
    rgba[:, 3:, 3] = 255
    save(tmp_path / "rgba.png", rgba)
    palette = Image.fromarray(np.repeat([[0, 0, 0, 1, 1, 1]], 4, axis=0).astype(np.uint8), "L")
    palette = palette.convert("P")
    palette.putpalette([0, 0, 0, 0, 0, 0])
    palette.save(tmp_path / "palette.png", transparency=0)
    save(tmp_path / "la.png", rgba[:, :, [0, 3]])
    for name in ("rgba", "la", "palette"):
        loaded = load_line(tmp_path / f"{name}.png")
        assert (loaded[:, :3] == 255).all() and (loaded[:, 3:] == 0).all(), name


@pytest.mark.parametrize(("top", "ink"), [(65535, 0), (4095, 200), (1023, 10)])
def test_deep_samples_keep_their_highest_bits(tmp_path, top, ink):
    x = np.full((6, 9), top, np.uint16)
    x[2:4, 3:6] = ink
    loaded = load_line(save(tmp_path / "deep.png", x))
    assert loaded[0, 0] == 255 and loaded[2, 3] == ink >> (top.bit_length() - 8)


def test_float_tiff(tmp_path):
    x = np.linspace(0, 3, 20, dtype=np.float32).reshape(4, 5)
    assert load_line(save(tmp_path / "f.tiff", x))[-1, -1] == 255


def test_exif_orientation_is_applied(tmp_path):
    x = page(height=30, width=80)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    Image.fromarray(x).save(tmp_path / "turned.png", exif=exif)
    assert (load_line(tmp_path / "turned.png") == np.rot90(x, -1)).all()


# --- files that cannot be used ---------------------------------------------------------------


def png_of(width, height):
    """A tiny file that claims any size."""

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"not an image at all", "not an image that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image that can be read"),
        (png_of(11_000, 10_000), "more than 100 megapixels.*11000 x 10000"),
        (png_of(60_000, 60_000), "more than 100 megapixels"),
        (png_of(0, 10), "(0 x 10 pixels|damaged|not an image)"),
        (png_of(500, 400), "damaged or cut short"),
    ],
)
def test_unusable_files_are_named(tmp_path, content, message):
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=message) as caught:
        load_line(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(ImageError, match=r"none\.png: no such image"):
        load_line(tmp_path / "none.png")
    with pytest.raises(ImageError, match="is a folder"):
        load_line(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_files_cut_short_are_refused(tmp_path, suffix):
    path = save(tmp_path / f"a.{suffix}", page(60, 400))
    data = path.read_bytes()
    for share in (0.02, 0.3, 0.6, 0.9):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(ImageError, match=rf"a\.{suffix}"):
            load_line(path)


def test_flipped_bytes_never_crash(tmp_path):
    path = save(tmp_path / "a.png", page())
    data = path.read_bytes()
    rng = np.random.default_rng(7)
    for _ in range(150):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            assert load_line(path).ndim == 2
        except ImageError as error:
            assert "a.png: " in str(error)


def test_without_pillow_the_extra_is_named(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", page())
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pip install 'unrolled\[images\]'"):
        images.load_line(path)
