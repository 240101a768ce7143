"""`ctc.forward_backward`: every array against the reference, what the numbers mean, the picture."""

from __future__ import annotations

import numpy as np
import pytest

from ctc_problems import DTYPES, emissions, random_targets
from oracles import assert_close, assert_same_bits, numeric_gradient
from unrolled import ctc
from unrolled.reference import align, trellis
from unrolled.reference import ctc as reference

# (T, C, L, blank)
SIZES = [
    (1, 2, 0, 0),
    (1, 2, 1, 0),
    (1, 3, 1, None),
    (12, 4, 5, 0),
    (20, 6, 8, -1),
    (20, 6, 8, None),
    (30, 9, 17, 4),
    (33, 3, 33, None),
]


@pytest.fixture(params=SIZES, ids=str)
def problem(request, rng):
    T, C, L, blank = request.param
    (target,) = random_targets(rng, [L], C, 0 if blank is None else blank)
    return emissions(rng, T, C), target, blank


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_array_agrees_with_the_reference(isa, dtype, problem):
    log_probs, target, blank = problem
    log_probs = log_probs.astype(dtype)
    result = ctc.forward_backward(log_probs, target, blank=blank)
    column = None if blank is None else blank % log_probs.shape[1]
    graph = trellis.make_graph(target, blank=column)
    log_y = trellis.arrange(log_probs.astype(np.float64), graph.symbols)
    assert result.states.tolist() == graph.symbols
    assert result.blank == column
    log_alpha = reference.log_forward(log_y, graph)
    log_beta_hat, log_beta = reference.log_backward(log_y, graph)
    assert_close(result.log_alpha, log_alpha, 1e-12)
    assert_close(result.log_beta_hat, log_beta_hat, 1e-12)
    assert_close(result.log_beta, log_beta, 1e-12)
    gamma = np.exp(reference.log_posterior(log_alpha, log_beta))
    assert_close(result.posterior, gamma, 1e-11)
    occupied = reference.occupation(gamma, graph.symbols, log_probs.shape[1])
    assert_close(result.occupation, occupied, 1e-11)
    divergence = reference.expected_divergence(gamma, log_y)
    assert result.expected_divergence == pytest.approx(divergence, rel=1e-11)
    path, score = align.align(log_probs, target, blank=blank)
    assert result.best_states.tolist() == path
    assert result.path.tolist() == [graph.symbols[r] for r in path]
    assert result.best_score == pytest.approx(score, rel=1e-6)
    for name in ("log_alpha", "log_beta", "log_beta_hat", "posterior", "occupation"):
        assert getattr(result, name).dtype == np.float64
    assert result.log_probs.dtype == dtype


def test_the_loss_and_its_gradient_are_those_of_the_loss(problem, tolerance):
    log_probs, target, blank = problem
    result = ctc.forward_backward(log_probs, target, blank=blank)
    loss, grad = ctc.loss_and_grad(log_probs, target, blank=blank, reduction="sum")
    assert_close(result.loss, loss, tolerance("ctc", "float64"))
    assert_close(-result.occupation, grad, tolerance("ctc", "float64"))


def test_the_expected_divergence_is_not_the_loss(rng):
    """It is larger by the entropy of the alignments; only the best one's share makes them equal."""
    log_probs = emissions(rng, 12, 5, scale=1.0)
    result = ctc.forward_backward(log_probs, [1, 2, 2])
    assert result.expected_divergence > result.loss + 1
    assert result.path_entropy == pytest.approx(result.expected_divergence - result.loss)
    path = [0, 1, 1, 0, 2, 0, 2]
    certain = np.where(np.eye(3)[path] > 0, 0.0, -np.inf)
    one = ctc.forward_backward(certain, [1, 2, 2])
    assert (one.loss, one.expected_divergence, one.best_score, one.path_entropy) == (0, 0, 0, 0)
    assert one.path.tolist() == path


def test_their_gradients_agree_with_the_posterior_held_constant(problem):
    log_probs, target, blank = problem
    held = ctc.forward_backward(log_probs, target, blank=blank)

    def divergence(x):
        return -float(np.sum(held.occupation * x))

    def loss(x):
        return ctc.loss(x, target, blank=blank, reduction="sum")

    assert divergence(log_probs) == pytest.approx(held.expected_divergence)
    of_divergence = numeric_gradient(divergence, log_probs)
    assert_close(of_divergence, numeric_gradient(loss, log_probs), 2e-7)
    assert_close(of_divergence, -held.occupation, 2e-7)
    if log_probs.size > 120 or held.path_entropy < 1e-6:
        return
    # Not so where the posterior moves along.
    moving = numeric_gradient(
        lambda x: ctc.forward_backward(x, target, blank=blank).expected_divergence, log_probs
    )
    assert np.abs(moving + held.occupation).max() > 1e-3


def test_the_best_path_never_beats_the_sum_of_all(problem):
    """Trap B12: the score is at most -loss, and equal where one path has all the probability."""
    log_probs, target, blank = problem
    result = ctc.forward_backward(log_probs, target, blank=blank)
    assert result.best_score <= -result.loss + 1e-12
    if result.path_entropy == 0:
        assert result.best_score == pytest.approx(-result.loss)
    if blank is None and ctc.required_frames(target) > len(target):
        return  # equal rows side by side: one sequence of classes is several paths
    sharp = 60 * np.eye(log_probs.shape[1])[result.path]
    sharp -= np.log(np.exp(sharp).sum(axis=1, keepdims=True))
    peaked = ctc.forward_backward(sharp, target, blank=blank)
    assert peaked.best_score == pytest.approx(-peaked.loss, abs=1e-9)


def test_without_blanks_equal_neighbours_are_counted_more_than_once():
    """Rows 1, 1 share their frames in 4 ways that look alike, so their sum exceeds 1."""
    certain = np.where(np.arange(3) == 1, 0.0, -np.inf) + np.zeros((5, 1))
    result = ctc.forward_backward(certain, [1, 1], blank=None)
    assert result.loss == pytest.approx(-np.log(4))
    assert result.best_score == 0
    assert result.path_entropy == pytest.approx(np.log(4))


def test_masked_classes_have_no_posterior(rng):
    log_probs = emissions(rng, 10, 4)
    log_probs[:5, 2] = -np.inf
    log_probs[3, 0] = -np.inf
    result = ctc.forward_backward(log_probs, [1, 2])
    assert np.isfinite(result.posterior).all() and np.isfinite(result.expected_divergence)
    assert not result.occupation[np.isneginf(log_probs)].any()
    assert_close(result.posterior.sum(axis=1), np.ones(10), 1e-12)


def test_one_bit_is_as_good_as_another_thread_or_layout(threads, rng):
    log_probs = emissions(rng, 40, 7)
    first = ctc.forward_backward(log_probs, [1, 2, 3])
    again = ctc.forward_backward(np.asfortranarray(log_probs), np.array([1, 2, 3], np.uint8))
    for name in ("log_alpha", "log_beta", "posterior", "occupation", "best_states"):
        assert_same_bits(getattr(again, name), getattr(first, name), name)


@pytest.mark.parametrize(
    ("log_probs", "target", "named"),
    [
        (np.zeros((1, 3, 4)), [[1]], r"\(T, C\) of one item"),
        (np.full((3, 4), np.log(0.25)), [1, 1, 2], "needs 4"),
        (np.full((3, 4), np.log(0.25)), [1, 0], "position 1 is the blank"),
        (np.full((3, 4), np.log(0.25)), [4], "class 4"),
        (
            np.where(np.arange(4) == 3, np.nan, np.log(0.25)) + np.zeros((3, 1)),
            [1],
            "class 3, is nan",
        ),
        (np.where(np.arange(4) == 1, -np.inf, np.log(1 / 3)) + np.zeros((3, 1)), [1], "-inf"),
    ],
)
def test_a_target_without_a_trellis_is_refused(log_probs, target, named):
    with pytest.raises(ValueError, match=named):
        ctc.forward_backward(log_probs, target)


def test_nothing_said_in_no_time_is_certain():
    result = ctc.forward_backward(np.zeros((0, 3)), [])
    assert (result.loss, result.expected_divergence, result.best_score) == (0, 0, 0)
    assert result.posterior.shape == (0, 1) and result.path.shape == (0,)


class TestPicture:
    """What stands in the picture of a trellis."""

    @pytest.fixture(autouse=True)
    def needs_matplotlib(self):
        pytest.importorskip("matplotlib", reason="needs matplotlib (unrolled[plot])")

    def test_posterior_names_and_path(self, rng, tmp_path):
        result = ctc.forward_backward(emissions(rng, 9, 4), [1, 3, 3])
        path = tmp_path / "trellis.png"
        figure = result.plot(path, labels=["", "a", "b", "$"])
        assert path.read_bytes().startswith(b"\x89PNG")
        axis = figure.axes[0]
        symbols, blanks = (np.ma.getdata(image.get_array()) for image in axis.images)
        np.testing.assert_array_equal(symbols[1::2], result.posterior.T[1::2])
        np.testing.assert_array_equal(blanks[::2], result.posterior.T[::2])
        names = [label.get_text() for label in axis.get_yticklabels()]
        assert names == ["blank", "a", "blank", r"\$", "blank", r"\$", "blank"]
        line = axis.lines[0].get_xydata()
        np.testing.assert_array_equal(line[:, 0], np.arange(9) + 0.5)
        np.testing.assert_array_equal(line[:, 1], result.best_states + 0.5)
        assert f"{result.loss:.3f}" in figure.get_suptitle()
        assert f"{result.expected_divergence:.3f}" in figure.get_suptitle()

    def test_without_blanks_and_with_many_states(self, rng):
        figure = ctc.forward_backward(emissions(rng, 9, 4), [1, 0, 2], blank=None).plot()
        assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["1", "0", "2"]
        (target,) = random_targets(rng, [70], 9, 0)
        many = ctc.forward_backward(emissions(rng, 200, 9), target).plot()
        ticks = many.axes[0].get_yticklabels()
        assert [int(label.get_text()) for label in ticks] == target[::2]

    def test_what_cannot_be_shown_is_refused(self, rng):
        with pytest.raises(ValueError, match="labels must name all 4 classes, got 3"):
            ctc.forward_backward(emissions(rng, 9, 4), [1]).plot(labels="abc")
        with pytest.raises(ValueError, match="without frames"):
            ctc.forward_backward(np.zeros((0, 3)), []).plot()
