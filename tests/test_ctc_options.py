"""Options of the CTC loss: no blanks, label priors and their running estimate, path entropy."""

from __future__ import annotations

import numpy as np
import pytest

from ctc_problems import REDUCTIONS, emissions, random_targets
from layer_gradients import check_gradients
from oracles import alignments, assert_close, assert_same_bits_as_one_thread, enumerate_alignments
from unrolled import ctc, nn
from unrolled.autograd import Tensor, no_grad
from unrolled.ctc import path_entropy
from unrolled.nn import CTCLoss
from unrolled.nn.functional import ctc_loss

FRAMES, CLASSES = (9, 6, 4), 4


def problem(rng, blank=0, dtype="float64"):
    log_probs = emissions(rng, len(FRAMES), max(FRAMES) + 1, CLASSES, dtype=dtype)
    if blank is None:
        targets = [[0, 3, 3], [1], [2, 2, 1, 0]]
    else:
        targets = random_targets(rng, (3, 2, 0), CLASSES, blank)
    return Tensor(log_probs, requires_grad=True), targets, list(FRAMES)


# Without blanks


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_without_blanks_gradients_are_those_of_central_differences(reduction, rng, tolerance):
    log_probs, targets, lengths = problem(rng, blank=None)
    criterion = CTCLoss(blank=None, reduction=reduction)
    check_gradients(lambda: criterion(log_probs, targets, lengths), [log_probs], rng, tolerance)


def test_without_blanks_it_is_the_sum_over_every_expansion(rng):
    log_probs, targets, lengths = problem(rng, blank=None)
    found = CTCLoss(blank=None, reduction="none")(log_probs, targets, lengths).data
    for n, (target, length) in enumerate(zip(targets, lengths, strict=True)):
        exact = enumerate_alignments(log_probs.data[n : n + 1, :length], target, None)
        assert found[n] == pytest.approx(exact.loss[0], rel=1e-12)


# Priors


@pytest.mark.parametrize("blank", [0, 3, None])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [0.0, 0.3, 1.5])
def test_priors_are_divided_out_of_every_frame(blank, dtype, scale, rng, tolerance):
    """Scores then lie above 0, where no log probability is."""
    log_probs, targets, lengths = problem(rng, blank, dtype)
    priors = np.array([-0.1, -5.0, -2.5, -9.0])
    loss = ctc_loss(
        log_probs, targets, lengths, blank=blank, log_priors=priors, prior_scale=scale,
        reduction="none",
    )  # fmt: skip
    loss.sum().backward()
    scores = log_probs.data.astype(np.float64) - scale * priors
    for n, (target, length) in enumerate(zip(targets, lengths, strict=True)):
        exact = enumerate_alignments(scores[n : n + 1, :length], target, blank)
        assert_close(loss.data[n], exact.loss[0], 4 * tolerance("ctc", dtype), scale=10.0)
        limit = 1e-5 if dtype == "float32" else 1e-10
        assert_close(-log_probs.grad[n, :length], exact.occupation[0], limit)
        assert not log_probs.grad[n, length:].any()


def test_a_prior_that_is_the_same_for_all_moves_no_gradient(rng):
    log_probs, targets, lengths = problem(rng)
    grads = []
    for priors in (None, np.full(CLASSES, -1.5)):
        log_probs.grad = None
        ctc_loss(log_probs, targets, lengths, log_priors=priors).backward()
        grads.append(log_probs.grad)
    assert_close(grads[1], grads[0], 1e-12)


def test_the_prior_of_the_blank_gives_symbols_more_frames(rng):
    log_probs = np.log(np.full((1, 12, 3), [0.8, 0.1, 0.1]))
    occupied = []
    for priors in (None, np.log([0.8, 0.1, 0.1])):
        x = Tensor(log_probs, requires_grad=True)
        ctc_loss(x, [[1, 2]], reduction="sum", log_priors=priors).backward()
        occupied.append(-x.grad[0, :, 1:].sum())
    assert occupied[0] < 3 < 4 < occupied[1]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("blank", [1, None])
def test_with_all_options_gradients_are_those_of_central_differences(
    blank, reduction, rng, tolerance
):
    log_probs, targets, lengths = problem(rng, blank)
    criterion = CTCLoss(
        blank, reduction, log_priors=[-0.5, -1.0, -3.0, -2.0], prior_scale=0.7, entropy_weight=0.4
    )
    check_gradients(lambda: criterion(log_probs, targets, lengths), [log_probs], rng, tolerance)


def test_the_running_estimate_follows_the_frames_seen_in_training(rng):
    log_probs, targets, lengths = problem(rng)
    start = np.log([0.7, 0.1, 0.1, 0.1])
    criterion = CTCLoss(log_priors=start, prior_scale=0.5, prior_momentum=0.9)
    fixed = CTCLoss(log_priors=start, prior_scale=0.5)
    log_probs.data[1, lengths[1] :] = np.nan  # padding is not read
    expected = fixed(log_probs, targets, lengths).item()
    assert criterion(log_probs, targets, lengths).item() == expected  # by the priors before it
    frames = np.concatenate([log_probs.data[n, :t] for n, t in enumerate(lengths)])
    mean = 0.9 * np.exp(start) + 0.1 * np.exp(frames).mean(axis=0)
    np.testing.assert_allclose(np.exp(criterion.log_priors), mean, rtol=1e-12)
    for _ in range(200):
        criterion(log_probs, targets, lengths)
    np.testing.assert_allclose(np.exp(criterion.log_priors), np.exp(frames).mean(axis=0), rtol=1e-6)
    assert np.array_equal(fixed.log_priors, start)


def test_it_learns_nothing_from_validation(rng):
    log_probs, targets, lengths = problem(rng)
    criterion = CTCLoss(log_priors=np.zeros(CLASSES), prior_momentum=0.5)
    with no_grad():
        criterion(log_probs, targets, lengths)
    criterion(log_probs.detach(), targets, lengths)
    criterion.eval()(log_probs, targets, lengths)
    assert not criterion.log_priors.any()
    criterion.train()(log_probs, targets, lengths)
    assert criterion.log_priors.all()


def test_a_class_that_never_comes_keeps_a_finite_prior():
    log_probs = np.log([[[0.5, 0.5, 1e-300]]])
    criterion = CTCLoss(log_priors=np.zeros(3), prior_momentum=0.0)
    criterion(Tensor(log_probs, requires_grad=True), [[1]])
    np.testing.assert_allclose(criterion.log_priors, [np.log(0.5), np.log(0.5), -20])


def test_the_estimate_is_part_of_the_state(rng, tmp_path):
    log_probs, targets, lengths = problem(rng)
    criterion = CTCLoss(log_priors=np.zeros(CLASSES), prior_momentum=0.5, entropy_weight=0.1)
    criterion(log_probs, targets, lengths)
    criterion.save(tmp_path / "loss")
    again = nn.build(criterion.config())
    assert (again.prior_momentum, again.entropy_weight) == (0.5, 0.1)
    again.load_state_dict(criterion.state_dict())
    assert np.array_equal(again.log_priors, criterion.log_priors)


# Entropy


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_entropy_is_that_of_all_alignments(rng, dtype):
    for case in range(300):
        T, C = int(rng.integers(1, 6)), int(rng.integers(2, 5))
        blank = None if rng.random() < 0.4 else int(rng.integers(C))
        target = [int(c) for c in rng.integers(0, C, rng.integers(0, 4)) if c != blank]
        scores = emissions(rng, T, C).astype(dtype)
        scores[rng.random((T, C)) < 0.1] = -np.inf
        paths = alignments(T, C, target, blank).classes
        logs = scores.astype(np.float64)[np.arange(T), paths].sum(axis=1)
        logs = logs[logs > -np.inf]
        expected = 0.0
        if len(logs):
            shares = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
            expected = -(shares * np.log(np.maximum(shares, 1e-300))).sum()
        found = path_entropy(scores, target, blank=blank)
        label = f"case {case}: T={T} C={C} blank={blank} target={target}"
        assert found == pytest.approx(expected, abs=1e-12), label


def test_entropy_is_the_expected_divergence_less_the_loss(rng):
    log_probs = emissions(rng, 60, 6)
    target = random_targets(rng, (17,), 6, 0)[0]
    found = ctc.forward_backward(log_probs, target)
    entropy = path_entropy(log_probs, target)
    assert entropy == pytest.approx(found.expected_divergence - found.loss, rel=1e-9)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_the_weighted_entropy_is_taken_off(reduction, rng):
    log_probs, targets, lengths = problem(rng)
    plain = ctc_loss(log_probs, targets, lengths, reduction=reduction).data
    found = ctc_loss(log_probs, targets, lengths, reduction=reduction, entropy_weight=0.2).data
    entropies = path_entropy(log_probs.data, targets, lengths)
    sizes = {
        "none": np.ones(3),
        "sum": np.ones(3),
        "mean": 3 * np.maximum([len(target) for target in targets], 1),
        "batch_mean": np.full(3, 3),
        "frame_mean": np.full(3, sum(FRAMES)),
    }[reduction]
    less = 0.2 * entropies / sizes
    assert_close(found, plain - (less if reduction == "none" else less.sum()), 1e-12)


def test_long_items_neither_overflow_nor_vanish(rng):
    log_probs = emissions(rng, 1, 2000, 8, scale=4.0)
    target = random_targets(rng, (300,), 8, 0)
    x = Tensor(log_probs, requires_grad=True)
    ctc_loss(x, target, reduction="sum", entropy_weight=0.5).backward()
    assert np.isfinite(x.grad).all()
    step = 1e-5
    direction = rng.standard_normal(log_probs.shape)
    values = [
        ctc_loss(log_probs + sign * step * direction, target, reduction="sum", entropy_weight=0.5)
        for sign in (1, -1)
    ]
    numeric = (values[0].item() - values[1].item()) / (2 * step)
    assert (x.grad * direction).sum() == pytest.approx(numeric, rel=1e-6)


def test_items_without_an_alignment_have_no_entropy():
    log_probs = Tensor(np.full((2, 3, 3), np.log(1 / 3)), requires_grad=True)
    options = {"reduction": "none", "entropy_weight": 0.5}
    loss = ctc_loss(log_probs, [[1, 1, 2], [1]], infeasible="zero", **options)
    loss.sum().backward()
    assert loss.data[0] == 0 and loss.data[1] != 0
    assert not log_probs.grad[0].any() and log_probs.grad[1].any()
    assert ctc_loss(log_probs, [[1, 1, 2], [1]], infeasible="inf", **options).data[0] == np.inf


def test_the_gradient_from_above_is_used(rng):
    log_probs, targets, lengths = problem(rng)
    (0 * ctc_loss(log_probs, targets, lengths, entropy_weight=0.5)).backward()
    assert not log_probs.grad.any()


def test_one_item_without_the_axis_of_the_batch(rng):
    log_probs, targets, _ = problem(rng)
    options = {"log_priors": [-0.5, -1.0, -3.0, -2.0], "entropy_weight": 0.5, "reduction": "none"}
    whole = ctc_loss(log_probs.data[:1], targets[:1], **options)
    one = Tensor(log_probs.data[0], requires_grad=True)
    alone = ctc_loss(one, targets[0], **options)
    alone.backward()
    assert alone.shape == () and alone.item() == whole.data[0] and one.grad.shape == one.shape


def test_the_same_bits_on_any_number_of_threads(rng, threads):
    log_probs = emissions(rng, 5, 60, 7, dtype="float32")
    targets = random_targets(rng, (20, 3, 11, 0, 17), 7, 0)

    def run():
        x = Tensor(log_probs, requires_grad=True)
        loss = ctc_loss(x, targets, [60, 31, 60, 2, 50], reduction="none", entropy_weight=0.3)
        loss.sum().backward()
        return loss.data, x.grad

    assert_same_bits_as_one_thread(run, threads)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"log_priors": [0.0, -np.inf, 0.0]}, "log_priors holds -inf for class 1"),
        ({"log_priors": [[0.0]]}, r"log_priors must be \(C\)"),
        ({"prior_momentum": 0.9}, "prior_momentum needs log_priors to start from"),
        ({"log_priors": [0.0, 0.0], "prior_momentum": 1.1}, r"prior_momentum must lie in \[0, 1\]"),
        ({"prior_scale": -0.1}, "prior_scale must be a finite number of at least 0"),
        ({"entropy_weight": np.nan}, "entropy_weight must be a finite number of at least 0"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        CTCLoss(**options)


def test_priors_of_other_classes_are_named(rng):
    log_probs, targets, lengths = problem(rng)
    with pytest.raises(ValueError, match=r"log_priors must be \(4\), one .* got \(3,\)"):
        CTCLoss(log_priors=np.zeros(3))(log_probs, targets, lengths)
