"""Arguments of forced_align: wildcards, penalties, priors, bands, chunks; and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from align_problems import best_path, normal_log_probs, quantised, random_target
from unrolled import ctc
from unrolled.align import forced_align


def same(actual, expected):
    return np.array_equal(actual.states, expected.states) and actual.score == expected.score


def test_star_takes_what_cannot_be_spelt(rng):
    """Class C: nearly as good as the best class of each frame (B8), also in a batch."""
    for score in ("max", 0.0, -2.5):
        log_probs = np.stack([normal_log_probs(rng, 20, 5) for _ in range(2)])
        best = log_probs.max(axis=-1) - np.float32(0.05)
        column = best if score == "max" else np.full((2, 20), score)
        wide = np.concatenate([log_probs, column[..., None].astype(np.float32)], axis=2)
        targets = [[1, 5, 2], [5, 3, 5]]
        actual = forced_align(log_probs, targets, star=5, star_score=score)
        expected = forced_align(wide, targets)
        assert all(same(a, e) for a, e in zip(actual, expected, strict=True))
        assert [span.estimated for span in actual[0].spans] == [False, True, False]


def test_star_by_label_and_within_the_classes(rng):
    log_probs = normal_log_probs(rng, 20, 5)
    labels = ["-", "a", "b", "c", "d"]
    expected = forced_align(log_probs, [1, 5, 2], star=5)
    assert same(forced_align(log_probs, [1, 5, 2], star="<star>", labels=labels), expected)
    replaced = log_probs.copy()
    replaced[:, 4] = log_probs[:, :4].max(axis=1) - np.float32(0.05)
    actual = forced_align(log_probs, [1, 4, 2], star="d", labels=labels)
    assert same(actual, forced_align(replaced, [1, 4, 2]))


def test_log_priors_are_taken_off(rng):
    log_probs = normal_log_probs(rng, 40, 6)
    priors = ctc.estimate_priors(log_probs[None])
    target = random_target(rng, 12, 6, 0)
    actual = forced_align(log_probs, target, log_priors=priors, prior_scale=0.5)
    shifted = log_probs - (0.5 * np.asarray(priors, np.float64)).astype(np.float32)
    assert same(actual, forced_align(shifted, target))
    assert same(
        forced_align(log_probs, target, log_priors=priors, prior_scale=0.0),
        forced_align(log_probs, target),
    )


def test_insert_penalty_lets_blanks_take_what_the_text_has_not(rng):
    """Five frames of a sound that the target has not."""
    frames = [1, 1, 3, 3, 3, 3, 3, 2, 2]
    log_probs = np.log(np.eye(4)[frames] * 0.96 + 0.01).astype(np.float32)
    loose = forced_align(log_probs, [1, 2], insert_penalty=0.5)
    assert loose.path.tolist() == [1, 1, 0, 0, 0, 0, 0, 2, 2]
    changed = log_probs.copy()
    changed[:, 0] = np.maximum(log_probs[:, 0], log_probs[:, 1:].max(axis=1) - 0.5)
    assert same(loose, forced_align(changed, [1, 2]))


def test_skip_penalty_leaves_out_what_is_not_said():
    frames = [1, 1, 0, 0, 2, 2]
    log_probs = np.log(np.eye(4)[frames] * 0.96 + 0.01).astype(np.float32)
    alignment = forced_align(log_probs, [1, 3, 2], skip_penalty=1.0)
    assert alignment.path.tolist() == frames
    assert alignment.spans[1].omitted
    assert alignment.score == pytest.approx(log_probs.max(axis=1).astype(np.float64).sum() - 1.0)
    assert forced_align(log_probs, [1, 3, 2], skip_penalty=50.0).spans[1].omitted is False


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "change", [{}, {"star": 9}, {"insert_penalty": 0.3}, {"log_priors": np.arange(9) / 8}], ids=str
)
def test_chunks_equal_the_whole(dtype, change, rng):
    """However the frames are cut, and empty chunks among them (B10)."""
    log_probs = normal_log_probs(rng, 300, 9, dtype=dtype)
    for blank in (0, -1, None):
        if blank is None and "insert_penalty" in change:
            continue
        target = random_target(rng, 60, 9, 8 if blank == -1 else blank)
        if "star" in change:
            target[7] = 9
        whole = forced_align(log_probs, target, blank=blank, **change)
        for cuts in ([], [1], [100, 100, 250], list(range(1, 300))):
            chunks = iter(np.split(log_probs, cuts))
            joined = forced_align(chunks, target, blank=blank, **change)
            assert same(joined, whole)
            np.testing.assert_array_equal(joined.frame_scores, whole.frame_scores)
            np.testing.assert_array_equal(joined.path, whole.path)


def test_chunks_may_differ_in_precision_but_not_in_classes(rng):
    log_probs = normal_log_probs(rng, 20, 5)
    with pytest.raises(ValueError, match="chunk 1 has 4 classes, the first has 5"):
        forced_align(iter([log_probs, log_probs[:, :4]]), [1])
    with pytest.raises(ValueError, match=r"chunk 0 must have the axes \(t, C\)"):
        forced_align(iter([log_probs[0]]), [1])
    with pytest.raises(ValueError, match="gave no chunk"):
        forced_align(iter([]), [1])
    with pytest.raises(ValueError, match="class 5 at position 1"):
        forced_align(iter([log_probs]), [1, 5])
    with pytest.raises(ValueError, match="position 0 is the blank"):
        forced_align(iter([log_probs]), [0, 1])
    with pytest.raises(ValueError, match="leave input_lengths"):
        forced_align(iter([log_probs]), [1], [20])
    bad = log_probs.copy()
    bad[3, 4] = np.nan
    with pytest.raises(ValueError, match="chunk 1: log_probs at frame 23, class 4, is nan"):
        forced_align(iter([log_probs, bad]), [1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_wide_band_changes_nothing(isa, dtype, rng):
    for _ in range(30):
        T = int(rng.integers(2, 200))
        log_probs = quantised(rng, T, 5).astype(dtype)
        target = random_target(rng, int(rng.integers(1, T + 1)), 5, 0)
        expected = forced_align(log_probs, target, infeasible="none")
        for memory in ("full", "sqrt"):
            actual = forced_align(log_probs, target, band=2 * T, memory=memory, infeasible="none")
            assert same(actual, expected)


def banded(log_probs, target, band):
    """Emissions of one class a label, so that labels out of their band can be masked."""
    T, L = len(log_probs), len(target)
    own = np.full((T, L + 1), -np.inf)
    own[:, 0] = log_probs[:, 0]
    place = (np.arange(L) + 0.5) * T / L - 0.5
    near = np.abs(np.arange(T)[:, None] - place) <= band
    own[:, 1:] = np.where(near, log_probs[:, target], -np.inf)
    return own


def test_a_band_keeps_labels_near_their_place(rng):
    """Where the path keeps off the edges, it is the best of those whose labels lie in the band."""
    kept = 0
    for _ in range(120):
        T, L = 160, 30
        pace = np.repeat(np.arange(L), T // L + 1)[:T]
        target = 1 + np.arange(L) % 6
        log_probs = normal_log_probs(rng, T, 7) + 3 * np.eye(7, dtype=np.float32)[target[pace]]
        band = int(rng.integers(12, 60))
        try:
            actual = forced_align(log_probs, target, band=band)
        except ValueError as error:
            assert "runs along the edge" in str(error)
            continue
        kept += 1
        wanted, _ = best_path(banded(log_probs, target, band), np.arange(1, L + 1))
        np.testing.assert_array_equal(actual.states, wanted)
    assert kept > 40


def test_a_path_along_the_edge_of_its_band_is_refused(rng):
    late = np.log(np.eye(4)[[0] * 60 + [1, 2, 3] * 4] * 0.9 + 0.02)
    target = [1, 2, 3] * 4
    assert forced_align(late, target).spans[0].start == 60
    with pytest.raises(ValueError, match=r"item 0: .* edge of band=10.* wider band"):
        forced_align(late, target, band=10)


def test_what_has_no_path_is_named(rng):
    log_probs = np.stack([normal_log_probs(rng, 6, 4) for _ in range(3)])
    good = [1, 2]
    with pytest.raises(ValueError, match=r"item 1: 3 frames .* needs 4 \(3 symbols and 1 blanks"):
        forced_align(log_probs, [good, [1, 1, 2], good], [6, 3, 6])
    with pytest.raises(ValueError, match=r"item 2: 6 frames .* needs 7 \(7 symbols\)"):
        forced_align(log_probs, [good, good, [1, 2, 3, 1, 2, 3, 1]])
    with pytest.raises(ValueError, match="item 1: its target is empty"):
        forced_align(log_probs, [good, [], good], blank=None)
    log_probs[2, 3] = -np.inf
    with pytest.raises(ValueError, match=r"item 2: every path .* probability 0"):
        forced_align(log_probs, [good, good, good])
    alignments = forced_align(log_probs, [good, good, good], infeasible="none")
    assert [a.is_feasible for a in alignments] == [True, True, False]
    assert alignments[2].states.tolist() == [-1] * 6  # never a random path (B6)
    assert alignments[2].score == -np.inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masks_as_large_as_they_come_are_no_barrier(isa, dtype):
    """Sums of the least float32 overflow: rows in float64 find the path that there is."""
    log_probs = np.full((9, 3), np.finfo(np.float32).min, dtype)
    log_probs[0] = log_probs[-1] = -1.0
    alignment = forced_align(log_probs, [1, 2])
    assert np.isfinite(alignment.score)
    assert ctc.compress(alignment.path, blank=0) == [1, 2]


def test_masks_leave_the_other_digits_alone(isa, rng):
    """A token that is all but impossible in most frames takes no precision from those around it."""
    log_probs = normal_log_probs(rng, 700, 6)
    log_probs[:, 5] = -1e9
    log_probs[350, 5] = -1.0
    target = random_target(rng, 90, 5, 0)
    target[45] = 5
    actual = forced_align(log_probs, target)
    _, wanted = best_path(log_probs, target)
    assert actual.score == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_that_are_no_numbers_are_named(isa, value, dtype, rng):
    log_probs = np.stack([normal_log_probs(rng, 40, 6) for _ in range(2)]).astype(dtype)
    for frame, symbol in ((0, 0), (17, 5), (39, 3)):
        bad = log_probs.copy()
        bad[1, frame, symbol] = value
        with pytest.raises(ValueError, match=f"item 1: log_probs at frame {frame}, class {symbol}"):
            forced_align(bad, [[1, 2], [1, 2]], infeasible="none")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"memory": "little"}, "memory must be one of auto, full, sqrt"),
        ({"infeasible": "zero"}, "infeasible must be one of raise, none"),
        ({"skip_penalty": -1}, "skip_penalty must be a number of at least 0"),
        ({"skip_penalty": "much"}, "skip_penalty must be a number of at least 0, got 'much'"),
        ({"skip_penalty": 1.0, "blank": None}, "skip_penalty needs a blank"),
        ({"insert_penalty": float("nan")}, "insert_penalty must be a number"),
        ({"insert_penalty": 1.0, "blank": None}, "insert_penalty needs a blank"),
        ({"band": 0}, "band must be a whole number of at least 1"),
        ({"band": 1.5}, "band must be a whole number"),
        ({"star": 0}, "star must be 4"),
        ({"star": 5}, "star must be 4"),
        ({"star": 4, "star_score": np.nan}, "star_score must be"),
        ({"star": 4, "star_score": "mean"}, "star_score must be .*got 'mean'"),
        ({"log_priors": np.zeros(3)}, r"log_priors must have shape \(4,\)"),
        ({"log_priors": np.array([0, 0, -np.inf, 0])}, "log_priors of class 2 .* finite"),
        ({"blank": 4}, "blank must be one of the 4 classes"),
        ({"targets": [1, 4]}, "targets of item 0: class 4 at position 1"),
        ({"targets": [1, 0]}, "targets of item 0: position 1 is the blank"),
        ({"input_lengths": [9]}, "input_lengths of item 0 is 9"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(arguments, message):
    arguments = {"targets": [1, 2], **arguments}
    with pytest.raises(ValueError, match=message):
        forced_align(np.zeros((5, 4), np.float32), **arguments)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("blank", [0, 6, None])
def test_posterior_of_the_path(dtype, blank, rng):
    """Of the state at each frame among all paths, and its mean over a span; by chunks too."""
    log_probs = normal_log_probs(rng, 60, 7, dtype=dtype)
    target = random_target(rng, 15, 7, blank)
    alignment = forced_align(log_probs, target, blank=blank, posterior=True)
    every = ctc.forward_backward(log_probs, target, blank=blank).posterior
    wanted = every[np.arange(60), alignment.states]
    np.testing.assert_allclose(alignment.posterior, wanted, atol=1e-5)
    for span in alignment.spans:
        assert span.posterior == pytest.approx(wanted[span.start : span.end].mean(), abs=1e-5)
    chunks = forced_align(iter(np.split(log_probs, 4)), target, blank=blank, posterior=True)
    np.testing.assert_allclose(chunks.posterior, wanted, atol=1e-5)
    assert forced_align(log_probs, target, blank=blank).posterior is None
