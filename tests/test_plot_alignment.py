"""Pictures of alignments: what stands in them, whole and cut out."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib (unrolled[plot])")

from matplotlib.colors import to_hex

from alignment_problems import LABELS, words_at
from unrolled import plot
from unrolled.align import Alignment, slice_words
from unrolled.plot.alignment_strip import DOUBT
from unrolled.plot.label_rows import arrange, name_place


@pytest.fixture
def speech(rng):
    """Emissions of 60 frames, and an alignment of "ab cd" with a doubtful second word."""
    target = np.array([2, 3, 1, 4, 5])
    states = np.repeat(np.arange(11), [6, 4, 2, 7, 3, 6, 5, 9, 1, 8, 9]).astype(np.int32)
    log_probs = np.log(rng.dirichlet(np.ones(len(LABELS)), states.size))
    scores = np.full(states.size, -0.05)
    scores[33:50] = -5.0
    alignment = Alignment(
        states, -1.0, target, 0, scores, labels=LABELS, separator=1, seconds_per_frame=0.02
    )
    return alignment, log_probs


def names_on(axis):
    return [text.get_text() for text in axis.texts]


def test_the_path_lies_over_the_probability_of_its_tokens(speech, tmp_path):
    alignment, log_probs = speech
    path = tmp_path / "alignment.png"
    figure = plot.alignment(alignment, log_probs, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    trellis, strip, probability = figure.axes[:3]
    expected = np.exp(log_probs)[:, alignment.target].T
    np.testing.assert_allclose(trellis.images[0].get_array(), expected, rtol=1e-6)
    assert trellis.images[0].get_extent() == [0, 1.2, 5, 0]
    assert [label.get_text() for label in trellis.get_yticklabels()] == ["a", "b", "|", "c", "d"]
    across, down = trellis.lines[0].get_data()
    for frame, state in enumerate(alignment.states):
        assert across[2 * frame : 2 * frame + 2] == pytest.approx(
            [0.02 * frame, 0.02 * frame + 0.02]
        )
        assert list(down[2 * frame : 2 * frame + 2]) == [state / 2] * 2
    assert names_on(strip) == ["a", "b", "c", "d", "ab", "cd"]
    assert probability.get_xlim() == (0, 1.2) and probability.get_xlabel() == "seconds"
    boxes = [path.vertices for part in probability.collections[1:] for path in part.get_paths()]
    heights = {round(box[0, 0] / 0.02): box[1, 1] for box in boxes}
    np.testing.assert_allclose(
        [heights[frame] for frame in range(60)], np.exp(alignment.frame_scores)
    )


def test_a_cut_out_shows_its_frames_and_tokens_alone(speech):
    alignment, log_probs = speech
    figure = plot.alignment(alignment, log_probs, start=8, end=30)
    trellis, strip, probability = figure.axes[:3]
    assert [label.get_text() for label in trellis.get_yticklabels()] == ["a", "b", "|"]
    np.testing.assert_allclose(
        trellis.images[0].get_array(), np.exp(log_probs)[8:30, [2, 3, 1]].T, rtol=1e-6
    )
    assert names_on(strip) == ["a", "b", "ab"]
    assert probability.get_xlim() == pytest.approx((0.16, 0.6))
    for start, end in ((30, 30), (60, None), (5, 2)):
        with pytest.raises(ValueError, match="must leave one of 60 frames"):
            plot.alignment(alignment, start=start, end=end)


def test_doubtful_words_are_red(speech):
    alignment, _ = speech
    scores = np.full(60, -0.05)
    texts = ["a", "b", "c", "d"]
    alignment = alignment.replace(word_slices=slice_words(texts, [1, 2, 1, 1]), frame_scores=scores)
    figure = plot.alignment(alignment)
    assert "suspicious" not in figure.axes[1].get_title(loc="left")
    scores[33:42] = -5.0
    strip, probability = plot.alignment(alignment.replace(frame_scores=scores)).axes
    red = [text.get_text() for text in strip.texts if to_hex(text.get_color()) == DOUBT.lower()]
    assert red == ["c"] and "suspicious in red" in probability.get_title(loc="left")


def test_guesses_are_hatched():
    target = np.array([2, 28])
    alignment = Alignment(
        np.array([0, 1, 2, 3, 4], np.int32), -1.0, target, 0, np.zeros(5), star=28,
        labels=LABELS, word_slices=slice_words(["a", "12"], [1, 1]),
    )  # fmt: skip
    figure = plot.alignment(alignment, np.log(np.full((5, 28), 1 / 28)))
    trellis, strip, _ = figure.axes[:3]
    assert names_on(strip) == ["a", "<star>", "a", "12"]
    assert [bool(boxes.get_hatch()) for boxes in strip.collections] == [False, True] * 2
    assert trellis.images[0].get_array()[1].max() == 0  # a wildcard has no probability of its own


def test_posteriors_can_stand_behind_the_path(speech, rng):
    alignment, _ = speech
    posterior = rng.random((60, 11))
    figure = plot.alignment(alignment.replace(posterior=np.ones(60)), posterior=posterior)
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), posterior[:, 1::2].T)
    assert "posterior" in figure.axes[2].get_title(loc="left")


def test_pixels_and_frames_are_named():
    pixels = words_at(("a", 0, 4), seconds_per_frame=None, stride=4.0, offset=2.0)
    figure = plot.alignment(pixels)
    assert figure.axes[1].get_xlim() == (2, 18) and "pixels" in figure.axes[1].get_xlabel()
    frames = plot.alignment(words_at(("a", 0, 4), seconds_per_frame=None))
    assert frames.axes[1].get_xlabel() == "frame"


def test_a_trellis_without_blanks_and_one_without_path():
    log_probs = np.log(np.full((4, 3), 1 / 3))
    plain = Alignment(np.array([0, 0, 1, 1], np.int32), -1.0, np.array([2, 1]), None, log_probs)
    figure = plot.alignment(plain, log_probs)
    assert list(figure.axes[0].lines[0].get_ydata()) == [0.5] * 4 + [1.5] * 4
    nowhere = plain.replace(states=np.full(4, -1, np.int32), score=-np.inf)
    assert not plot.alignment(nowhere, log_probs).axes[0].lines
    empty = plain.replace(target=np.array([], np.int64), blank=0, states=np.zeros(4, np.int32))
    assert plot.alignment(empty, log_probs).axes


def test_wrong_shapes_are_refused(speech):
    alignment, log_probs = speech
    with pytest.raises(ValueError, match=r"log_probs must be \(60, C\)"):
        plot.alignment(alignment, log_probs[:59])
    with pytest.raises(ValueError, match=r"posterior must be \(60, 11\)"):
        plot.alignment(alignment, posterior=np.zeros((60, 5)))


def test_long_alignments_are_pooled_by_their_peaks(rng):
    frames, length = 5000, 1500
    states = np.sort(rng.integers(0, 2 * length + 1, frames)).astype(np.int32)
    log_probs = np.log(rng.dirichlet(np.ones(8), frames))
    target = rng.integers(1, 8, length)
    alignment = Alignment(states, -1.0, target, 0, log_probs, separator=1, labels="-|abcdef")
    figure = plot.alignment(alignment, log_probs)
    picture = figure.axes[0].images[0].get_array()
    assert picture.shape == (1200, 2400)
    np.testing.assert_allclose(picture.max(), np.exp(log_probs[:, 1:]).max(), rtol=1e-6)
    assert len(figure.axes[0].get_yticklabels()) <= 46
    assert 20 < len(names_on(figure.axes[1])) < 300


def test_of_very_long_alignments_the_path_alone_is_shown(rng):
    states = np.sort(rng.integers(0, 16001, 9000)).astype(np.int32)
    log_probs = np.log(np.full((9000, 3), 1 / 3))
    alignment = Alignment(states, -1.0, rng.integers(1, 3, 8000), 0, log_probs)
    axis = plot.alignment(alignment, log_probs).axes[0]
    assert axis.get_title(loc="left") == "path through the tokens"
    assert axis.images[0].get_array().max() == 0
    assert len(axis.lines[0].get_xdata()) <= 2 * 4800


def test_names_never_cover_each_other(rng):
    for _ in range(100):
        middles = np.sort(rng.uniform(0, 10, 60))
        names = [name_place("w" * int(rng.integers(1, 9)), x, 9.0, "k") for x in middles.tolist()]
        rows = arrange(names, 10.0, 3)
        assert len(rows) <= 3
        for row in rows:
            edges = [(name.middle - name.width / 2, name.middle + name.width / 2) for name in row]
            flat = [edge for pair in edges for edge in pair]
            assert flat == sorted(flat) and flat[0] >= 0 and flat[-1] <= 10 + 1e-9


def test_matplotlib_is_asked_for_by_its_name(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="unrolled\\[plot\\]"):
        words_at(("a", 0, 4)).plot()
