"""Pictures brought to a network's size: fitted, padded, and light on dark where asked for."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.data.image_files import ImageError, find_images, load_image, load_line
from unrolled.data.image_folders import ImageSet, load_image_folders, split_by_class
from unrolled.data.labels import DataError
from unrolled.data.pictures import fit_picture, prepare_picture, resize_picture

Image = pytest.importorskip("PIL.Image", reason="needs Pillow (unrolled[images])")


def shirt(size=(60, 40), ground=230, cloth=40):
    """A cross on a plain ground, with room around it."""
    height, width = size
    image = np.full(size, ground, np.uint8)
    image[height // 6 : -height // 6, 2 * width // 5 : -2 * width // 5] = cloth
    image[height // 4 : height // 2, width // 6 : -width // 6] = cloth
    return image


# --- scaling ---------------------------------------------------------------------------------


def test_shrinking_by_a_whole_factor_is_the_mean_of_blocks():
    image = np.random.default_rng(0).integers(0, 256, (12, 8, 3)).astype(np.uint8)
    blocks = image.reshape(4, 3, 4, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(resize_picture(image, (4, 4)) - blocks).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("shape", [(1, 1), (500, 3), (3, 500), (28, 28), (29, 27), (7, 7)])
def test_every_shape_is_fitted_whole_and_in_the_middle(shape):
    image = np.full((*shape, 1), 200, np.uint8)
    result = fit_picture(image, (28, 20), 7)[:, :, 0]
    inside = result == 200
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    assert (result[~inside] == 7).all() and inside.sum() == len(rows) * len(columns)
    assert len(rows) == 28 or len(columns) == 20
    scale = min(28 / shape[0], 20 / shape[1])
    assert abs(len(rows) - max(1, shape[0] * scale)) <= 0.5
    assert abs(len(columns) - max(1, shape[1] * scale)) <= 0.5
    assert abs(rows[0] - (27 - rows[-1])) <= 1 and abs(columns[0] - (19 - columns[-1])) <= 1


def test_padding_has_the_colour_of_the_border():
    image = np.zeros((10, 30, 3), np.uint8)
    image[[0, -1]] = image[:, [0, -1]] = (200, 100, 50)
    prepared = prepare_picture(image, (12, 12), 3)
    assert prepared.shape == (3, 12, 12) and prepared[:, 0, 0].tolist() == [200, 100, 50]


def test_colours_become_luma_as_in_pillow_and_grey_is_repeated():
    colours = np.random.default_rng(1).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    grey = np.asarray(Image.fromarray(colours).convert("L"))
    np.testing.assert_array_equal(prepare_picture(colours, (6, 5))[0], grey)
    np.testing.assert_array_equal(prepare_picture(grey, (6, 5), 3), [grey] * 3)
    np.testing.assert_array_equal(prepare_picture(grey[:, :, None], (6, 5)), [grey])


def test_floats_and_booleans_become_bytes():
    image = np.array([[0.0, 0.5], [1.0, 0.2]])
    assert prepare_picture(image, (2, 2))[0].tolist() == [[0, 128], [255, 51]]
    assert prepare_picture(image > 0.4, (2, 2))[0].tolist() == [[0, 255], [255, 0]]


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros(4), ValueError, r"shape \(4,\); give \(height, width\)"),
        (np.zeros((4, 4, 4)), ValueError, r"shape \(4, 4, 4\)"),
        (np.zeros((3, 4, 5)), ValueError, r"shape \(3, 4, 5\)"),
        (np.zeros((0, 4)), ValueError, "at least one pixel"),
        (np.zeros((4, 4), np.int64), TypeError, "dtype int64; give bytes"),
        (np.full((4, 4), 200.0), ValueError, "floats from 200 to 200; bring them to 0 to 1"),
        (np.full((4, 4), np.nan), ValueError, "floats from nan"),
        (np.full((4, 4), "x"), TypeError, "dtype <U1"),
    ],
)
def test_other_arrays_are_refused(image, error, message):
    with pytest.raises(error, match=message):
        prepare_picture(image, (4, 4))


# --- light on dark ---------------------------------------------------------------------------


def test_the_ground_becomes_black_whatever_it_was():
    light = prepare_picture(shirt(), (28, 28), dark_ground=True)[0]
    dark = prepare_picture(255 - shirt(), (28, 28), dark_ground=True)[0]
    np.testing.assert_array_equal(light, dark)
    assert light[0, 0] == light[-1, -1] == 0 and light[14, 14] > 200
    white = prepare_picture(shirt(ground=120, cloth=250), (28, 28), dark_ground=True)[0]
    assert white[0, 0] == 0 and white[14, 14] > 200


def test_what_is_on_the_ground_fills_the_picture():
    for size in ((60, 40), (400, 400), (90, 300)):
        image = np.full(size, 240, np.uint8)
        image[20:50, 10:25] = 30
        image[5, 5] = 0  # a speck
        prepared = prepare_picture(image, (28, 28), dark_ground=True)[0]
        filled = prepared > 100
        assert filled.any(axis=1).all() and filled.any(axis=0).sum() == 14


def test_a_picture_of_the_right_size_on_black_is_left_alone():
    image = np.random.default_rng(2).integers(0, 200, (28, 28)).astype(np.uint8)
    image[:6] = image[-6:] = image[:, :6] = image[:, -6:] = 0
    np.testing.assert_array_equal(prepare_picture(image, (28, 28), dark_ground=True)[0], image)
    inverse = prepare_picture(255 - image, (28, 28), dark_ground=True)[0]
    np.testing.assert_array_equal(inverse, image)


def test_plain_pictures_stay_plain():
    for level in (0, 90, 255):
        for size in ((28, 28), (50, 30)):
            image = np.full(size, level, np.uint8)
            prepared = prepare_picture(image, (28, 28), dark_ground=True)
            assert (prepared == prepared[0, 14, 14]).mean() > 0.5


# --- files and folders -----------------------------------------------------------------------


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def test_files_are_decoded_in_grey_and_in_colour(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    path = save(tmp_path / "a.png", colours)
    np.testing.assert_array_equal(load_image(path, 3), colours)
    np.testing.assert_array_equal(load_image(path), load_line(path))
    grey = save(tmp_path / "b.png", colours[:, :, 0])
    np.testing.assert_array_equal(load_image(grey, 3), np.repeat(colours[:, :, :1], 3, axis=2))
    deep = save(tmp_path / "c.png", colours[:, :, 0].astype(np.uint16) * 256)
    np.testing.assert_array_equal(load_image(deep, 3)[:, :, 1], colours[:, :, 0])
    clear = np.dstack([colours, np.zeros((6, 5), np.uint8)])
    assert (load_image(save(tmp_path / "d.png", clear), 3) == 255).all()


def make_classes(folder, counts, size=(20, 30)):
    rng = np.random.default_rng(0)
    for label, count in counts.items():
        for i in range(count):
            shape = (*size, 3) if i % 2 else size
            save(folder / label / f"{i:02}.png", rng.integers(0, 256, shape).astype(np.uint8))
    return folder


def test_folders_are_classes_and_images_may_lie_deeper(tmp_path):
    folder = make_classes(tmp_path / "data", {"cat": 3, "dog": 2, "Ärger": 1})
    save(folder / "dog" / "more" / "x.JPG", np.zeros((9, 9), np.uint8))
    (folder / "notes.txt").write_text("no class")
    (folder / "cat" / "notes.txt").write_text("no image")
    (folder / ".cache" / "deep").mkdir(parents=True)
    save(folder / "cat" / ".hidden.png", np.zeros((9, 9), np.uint8))
    data = load_image_folders(folder, (8, 12))
    assert data.classes == ("cat", "dog", "Ärger") and len(data) == 7
    assert data.images.shape == (7, 3, 8, 12) and data.images.dtype == np.uint8
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert data.names[5].endswith("x.JPG")
    expected = prepare_picture(load_image(data.names[1], 3), (8, 12), 3)
    np.testing.assert_array_equal(data.images[1], expected)
    grey = load_image_folders(folder, (8, 12), 1)
    assert grey.images.shape == (7, 1, 8, 12)


def test_given_classes_keep_their_order_and_others_are_told(tmp_path):
    folder = make_classes(tmp_path / "data", {"b": 1})
    data = load_image_folders(folder, (8, 8), classes=("c", "b"))
    assert data.labels.tolist() == [1] and data.classes == ("c", "b")
    with pytest.raises(DataError, match=r"data/b: no class of the model; it knows x, y"):
        load_image_folders(folder, (8, 8), classes=("x", "y"))


def test_wrong_folders_are_told(tmp_path):
    with pytest.raises(DataError, match="none: no such folder; name a folder that has one folder"):
        load_image_folders(tmp_path / "none", (8, 8))
    with pytest.raises(DataError, match="has no folder; put the images of each class"):
        load_image_folders(tmp_path, (8, 8))
    one = make_classes(tmp_path / "one", {"cat": 2})
    with pytest.raises(DataError, match="has the single class cat; a classifier needs two"):
        load_image_folders(one, (8, 8))
    empty = make_classes(tmp_path / "empty", {"cat": 2})
    (empty / "dog").mkdir()
    with pytest.raises(DataError, match=r"empty/dog: class without an image; add PNG"):
        load_image_folders(empty, (8, 8))
    parts = make_classes(tmp_path / "parts", {"train/cat": 1, "train/dog": 1, "Test/cat": 1})
    with pytest.raises(DataError, match=r"Test and train look like parts .* such as .*/Test"):
        load_image_folders(parts, (8, 8))


def test_every_unreadable_image_is_named(tmp_path):
    folder = make_classes(tmp_path / "data", {"cat": 2, "dog": 2})
    (folder / "cat" / "00.png").write_bytes(b"no image")
    (folder / "dog" / "01.png").write_bytes((folder / "dog" / "00.png").read_bytes()[:90])
    with pytest.raises(DataError, match="2 problems") as caught:
        load_image_folders(folder, (8, 8))
    assert "cat/00.png: not an image" in str(caught.value)
    assert "dog/01.png: damaged or cut short" in str(caught.value)


def test_a_link_to_a_folder_above_is_not_followed(tmp_path):
    folder = make_classes(tmp_path / "data", {"cat": 2})
    (folder / "cat" / "loop").symlink_to(folder, target_is_directory=True)
    assert len(find_images(folder)) == 2


def test_a_picture_that_no_decoder_takes_is_an_image_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(ImageError, match=r"a\.png"):
        load_image(tmp_path / "a.png", 3)


# --- splitting -------------------------------------------------------------------------------


def test_every_class_gives_its_share_of_the_validation_images():
    labels = np.repeat([0, 1, 2], [100, 40, 3])
    rest, held = split_by_class(labels, 0.2, seed=3)
    assert np.bincount(labels[held]).tolist() == [20, 8, 1]
    assert sorted([*rest, *held]) == list(range(143)) and (np.diff(held) > 0).all()
    np.testing.assert_array_equal(split_by_class(labels, 0.2, seed=3)[1], held)
    assert split_by_class(labels, 0.2, seed=4)[1].tolist() != held.tolist()


def test_too_few_images_to_split_are_told():
    data = ImageSet(
        np.zeros((3, 1, 2, 2), np.uint8), np.array([0, 0, 1]), ("cat", "dog"), ["x"] * 3
    )
    with pytest.raises(ValueError, match=r"class dog has 1 image\(s\), too few"):
        data.split(0.5)
    with pytest.raises(ValueError, match="fraction is 1; it must be between"):
        data.split(1)
    train, valid = ImageSet(data.images[:2], data.labels[:2], data.classes, ["a", "b"]).split(0.5)
    assert {*train.names, *valid.names} == {"a", "b"} and len(train) == len(valid) == 1
