"""Pictures: what stands in them, and that they reach the file."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib (unrolled[plot])")

from unrolled import plot
from unrolled.data.images import prepare_line
from unrolled.models.reading import make_reading
from unrolled.training import History

CHARSET = "$ab"


@pytest.fixture
def line(rng):
    """An image of 40 columns and 21 frames of two, the last half beyond it, that read "$b"."""
    best = [0] * 4 + [1] * 2 + [0] * 5 + [3] * 3 + [0] * 6
    log_probs = np.log(np.eye(4)[best] * 0.88 + 0.03)
    return rng.random((12, 39)), log_probs


def texts_of(figure):
    return {text.get_text() for axis in figure.axes for text in axis.texts}


def test_a_reading_shows_line_posterior_and_alignment(line, tmp_path):
    image, log_probs = line
    reading = make_reading(log_probs, CHARSET, 2, 39)
    path = tmp_path / "reading.png"
    figure = plot.reading(
        image, log_probs, reading, path, charset=CHARSET, frame_pixels=2, truth="$b"
    )
    assert path.read_bytes().startswith(b"\x89PNG")
    top, middle, bottom = figure.axes[:3]
    assert [axis.get_title(loc="left").split(":")[0] for axis in (top, middle, bottom)] == [
        *("line image", "posterior", "alignment")
    ]
    np.testing.assert_array_equal(top.images[0].get_array(), prepare_line(image, 12))
    np.testing.assert_allclose(middle.images[0].get_array(), np.exp(log_probs[:, 1:]).T)
    np.testing.assert_allclose(middle.images[1].get_array(), np.exp(log_probs[:, :1]).T)
    assert middle.images[0].get_extent() == [0, 40, 3, 0]
    assert [label.get_text() for label in middle.get_yticklabels()] == [r"\$", "a", "b", "blank"]
    assert bottom.get_xlim() == (0, 39) and "pixels" in bottom.get_xlabel()
    assert {r"\$", "b"} == texts_of(figure)
    assert r"\$b   read with 91% confidence (right)" in figure.get_suptitle()
    edges = [patch.get_x() for patch in bottom.patches]
    assert edges == [span.start for span in reading.spans] == [8, 22]


def test_a_wrong_or_empty_reading_is_shown_as_such(line):
    image, log_probs = line
    reading = make_reading(log_probs, CHARSET, 2, 39)
    figure = plot.reading(image, log_probs, reading, charset=CHARSET, truth="ab")
    assert "(the line says ab)" in figure.get_suptitle()
    nothing = make_reading(log_probs[:4], CHARSET, 2, 39)
    figure = plot.reading(image, log_probs[:4], nothing, charset=CHARSET)
    assert figure.get_suptitle() == "(nothing)   read with 91% confidence"


def test_dark_and_light_ink_look_alike(line):
    image, log_probs = line
    ink = (image > 0.8).astype(np.uint8)  # as bytes, 0 and 255 below
    reading = make_reading(log_probs, CHARSET, 2, 39)
    light, dark = (
        plot.reading(pixels, log_probs, reading, charset=CHARSET).axes[0].images[0].get_array()
        for pixels in (255 * ink, 255 - 255 * ink)
    )
    np.testing.assert_array_equal(dark, light)
    np.testing.assert_array_equal(light, ink)


def test_of_many_classes_the_likely_ones_are_shown(rng):
    charset = "".join(map(chr, range(0x400, 0x464)))
    log_probs = np.full((30, 101), -9.0)
    log_probs[:, 0] = -0.5
    log_probs[[3, 9], [80, 41]] = -0.1
    reading = make_reading(log_probs, charset, 4, 120)
    figure = plot.reading(rng.random((32, 120)), log_probs, reading, charset=charset)
    names = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert len(names) == 16 and names[-1] == "blank"
    assert {charset[79], charset[40]} <= set(names)


def test_wrong_shapes_are_named(line):
    image, log_probs = line
    reading = make_reading(log_probs, CHARSET, 2, 39)
    with pytest.raises(ValueError, match=r"image must be \(H, W\)"):
        plot.reading(image[None], log_probs, reading, charset=CHARSET)
    with pytest.raises(ValueError, match=r"log_probs must be \(T, 3\), not \(20, 4\)"):
        plot.reading(image, log_probs, reading, charset="ab")


def test_curves_show_what_was_measured(tmp_path):
    rows = [{"epoch": e, "train_loss": 1 / e, "valid_loss": 2 / e} for e in (1, 2, 3)]
    figure = plot.curves(History(rows), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
    (axis,) = figure.axes
    assert [curve.get_label() for curve in axis.lines] == ["training", "validation"]
    np.testing.assert_allclose(axis.lines[1].get_ydata(), [2, 1, 2 / 3])
    for row in rows[1:]:
        row["character_error_rate"] = 0.1 / row["epoch"]
    error = plot.curves(History(rows)).axes[1]
    np.testing.assert_allclose(error.lines[0].get_xdata(), [2, 3])
    np.testing.assert_allclose(error.lines[0].get_ydata(), [5, 10 / 3])
    with pytest.raises(ValueError, match="history is empty"):
        plot.curves(History())


def test_accuracy_has_a_panel_that_need_not_begin_at_zero():
    rows = [{"epoch": e, "train_loss": 1 / e, "accuracy": 1 - 0.1 / e} for e in (1, 2)]
    loss, accuracy = plot.curves(History(rows)).axes
    assert accuracy.get_title(loc="left") == "accuracy (%)"
    np.testing.assert_allclose(accuracy.lines[0].get_ydata(), [90, 95])
    assert loss.get_ylim()[0] == 0 and accuracy.get_ylim()[0] > 80


def test_a_confusion_matrix_shows_counts_and_shares_of_each_class(tmp_path):
    matrix = [[90, 10, 0], [0, 1000, 1000], [0, 0, 0]]
    path = tmp_path / "confusion.png"
    figure = plot.confusion(matrix, ["cat", "$dog", "eel"], path)
    assert path.read_bytes().startswith(b"\x89PNG")
    axis = figure.axes[0]
    np.testing.assert_allclose(
        axis.images[0].get_array(), [[0.9, 0.1, 0], [0, 0.5, 0.5], [0, 0, 0]]
    )
    cells = {text.get_position(): text.get_text() for text in axis.texts}
    assert cells == {
        (0, 0): "90\n90.0%",
        (1, 0): "10\n10.0%",
        (1, 1): "1,000\n50.0%",
        (2, 1): "1,000\n50.0%",
    }
    for labels in (axis.get_xticklabels(), axis.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["cat", r"\$dog", "eel"]
    assert axis.get_title(loc="left") == "51.90% right (1,090 of 2,100)"
    assert (axis.get_ylabel(), axis.get_xlabel()) == ("is", "taken for")


@pytest.mark.parametrize(("classes", "texts"), [(14, "1\n100.0%"), (20, "1"), (40, None)])
def test_of_many_classes_the_cells_say_less(classes, texts):
    figure = plot.confusion(np.eye(classes, dtype=int), [f"{k}" for k in range(classes)])
    assert texts_of(figure) == (set() if texts is None else {texts})


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((2, 3)), r"matrix has shape \(2, 3\), the 2 classes need \(2, 2\)"),
        ([[1, -1], [0, 1]], "counts of at least 0"),
        ([[0, 0], [0, 0]], "count something"),
    ],
)
def test_wrong_confusion_matrices_are_told(matrix, message):
    with pytest.raises(ValueError, match=message):
        plot.confusion(matrix, ["a", "b"])


def test_without_matplotlib_the_extra_is_named():
    code = (
        "import sys; sys.modules['matplotlib'] = None; sys.modules['matplotlib.figure'] = None\n"
        "from unrolled import plot\n"
        "try: plot.require()\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'unrolled[plot]'" in done.stdout
