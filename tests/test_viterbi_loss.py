"""The Viterbi loss: brute force over all alignments, differences, reductions, odd items."""

from __future__ import annotations

import numpy as np
import pytest

from ctc_problems import REDUCTIONS, emissions, random_targets
from layer_gradients import check_gradients
from oracles import alignments, assert_same_bits_as_one_thread, enumerate_alignments
from unrolled import ctc, nn
from unrolled.autograd import Tensor
from unrolled.nn import ViterbiLoss
from unrolled.nn.functional import ctc_loss, viterbi_loss
from unrolled.reference import align as reference

ITEMS = [((9, 7, 5), (3, 2, 0), 4, 0), ((6, 12), (6, 5), 5, -1), ((8, 5), (3, 5), 3, None)]


def problem(frames, lengths, classes, blank, rng, dtype="float64"):
    log_probs = emissions(rng, len(frames), max(frames) + 2, classes, dtype=dtype)
    if blank is None:
        targets = [rng.integers(0, classes, length).tolist() for length in lengths]
    else:
        lengths = [min(length, frame // 2) for length, frame in zip(lengths, frames, strict=True)]
        targets = random_targets(rng, lengths, classes, blank)
    return Tensor(log_probs, requires_grad=True), targets, list(frames)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_the_best_of_all_paths_and_its_gradient_is_that_path(rng, dtype, tolerance):
    for case in range(300):
        T, C = int(rng.integers(1, 6)), int(rng.integers(2, 5))
        blank = None if rng.random() < 0.4 else int(rng.integers(C))
        length = int(rng.integers(blank is None, 4))
        target = [int(c) for c in rng.integers(0, C, length) if c != blank]
        if blank is None and not target:
            continue
        scores = emissions(rng, T, C).round(1 if case % 3 else 6)  # rounded: many ties
        scores[rng.random((T, C)) < 0.1] = -np.inf
        log_probs = Tensor(scores.astype(dtype), requires_grad=True)
        label = f"T={T} C={C} blank={blank} target={target}"
        exact = enumerate_alignments(log_probs.data[None], target, blank)
        loss = viterbi_loss(log_probs, target, blank=blank, reduction="sum", infeasible="inf")
        loss.backward()
        if exact.best_score[0] == -np.inf:
            assert loss.item() == np.inf and not log_probs.grad.any(), label
            continue
        allowed = tolerance("ctc", dtype) * max(1, -exact.best_score[0])
        assert abs(loss.item() + exact.best_score[0]) <= allowed, label
        assert log_probs.grad.dtype == dtype and set(np.unique(log_probs.grad)) <= {-1.0, 0.0}
        np.testing.assert_array_equal(log_probs.grad.sum(axis=1), -1, err_msg=label)
        path = (-log_probs.grad).argmax(axis=1)
        score = log_probs.data[np.arange(T), path].sum(dtype=np.float64)
        assert score == pytest.approx(exact.best_score[0], abs=1e-5), label
        paths = alignments(T, C, target, blank).classes
        assert (path == paths).all(axis=1).any(), label


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("item", range(len(ITEMS)))
def test_gradients_are_those_of_central_differences(item, reduction, rng, tolerance):
    *sizes, blank = ITEMS[item]
    log_probs, targets, lengths = problem(*sizes, blank, rng)
    criterion = ViterbiLoss(blank=blank, reduction=reduction)
    check_gradients(lambda: criterion(log_probs, targets, lengths), [log_probs], rng, tolerance)


def test_through_the_softmax_it_is_the_cross_entropy_of_the_path(rng, tolerance):
    scores = Tensor(rng.standard_normal((2, 7, 4)), requires_grad=True)
    targets, lengths = [[1, 1], [3, 2, 1]], [7, 5]

    def compute():
        return viterbi_loss(scores.log_softmax(), targets, lengths, reduction="none")

    check_gradients(compute, [scores], rng, tolerance)


@pytest.mark.parametrize("item", range(len(ITEMS)))
def test_it_agrees_with_the_chapter(item, rng):
    *sizes, blank = ITEMS[item]
    log_probs, targets, lengths = problem(*sizes, blank, rng)
    losses = viterbi_loss(log_probs, targets, lengths, blank=blank, reduction="none")
    losses.sum().backward()
    for n, (target, length) in enumerate(zip(targets, lengths, strict=True)):
        if blank is not None:
            continue
        y = np.exp(log_probs.data[n, :length])
        states, _, _ = reference.viterbi_chapter(y, target)
        symbols = [target[state] for state in states]
        loss, _ = reference.viterbi_loss(log_probs.data[n, :length], symbols)
        assert losses.data[n] == pytest.approx(loss, rel=1e-12)
        by_y = reference.viterbi_gradient(y, symbols)
        np.testing.assert_allclose(log_probs.grad[n, :length], by_y * y, rtol=1e-12)


@pytest.mark.parametrize("item", range(len(ITEMS)))
def test_it_is_never_below_the_sum_over_all_paths(item, rng):
    *sizes, blank = ITEMS[item]
    log_probs, targets, lengths = problem(*sizes, blank, rng)
    best = viterbi_loss(log_probs, targets, lengths, blank=blank, reduction="none").data
    every = ctc_loss(log_probs, targets, lengths, blank=blank, reduction="none").data
    assert (best >= every - 1e-12).all() and (best > every).any()


@pytest.mark.parametrize("path", [[0, 1, 1, 0, 1], [2, 0, 1, 1, 2]])
def test_with_all_probability_on_one_path_both_are_its_own(path):
    with np.errstate(divide="ignore"):
        log_probs = Tensor(np.log(np.eye(3)[path]))
    target = ctc.compress(path, blank=0)
    for loss in (viterbi_loss, ctc_loss):
        assert loss(log_probs, target).item() == 0


def test_reductions_are_those_of_ctc(rng):
    log_probs, targets, lengths = problem((9, 7, 5), (3, 2, 0), 4, 0, rng)
    losses = viterbi_loss(log_probs, targets, lengths, reduction="none").data
    expected = {
        "sum": losses.sum(),
        "mean": (losses / [3, 2, 1]).mean(),
        "batch_mean": losses.mean(),
        "frame_mean": losses.sum() / 21,
    }
    for reduction, value in expected.items():
        found = viterbi_loss(log_probs, targets, lengths, reduction=reduction).item()
        assert found == pytest.approx(value, rel=1e-14), reduction


def test_the_gradient_from_above_is_used(rng):
    log_probs, targets, lengths = problem((9, 7, 5), (3, 2, 0), 4, 0, rng)
    (0 * viterbi_loss(log_probs, targets, lengths)).backward()
    assert not log_probs.grad.any()
    log_probs.grad = None
    weights = np.array([2.0, 0.0, -1.0])
    (viterbi_loss(log_probs, targets, lengths, reduction="none") * weights).sum().backward()
    np.testing.assert_array_equal(log_probs.grad.sum(axis=(1, 2)), -weights * lengths)


def test_padding_is_never_read_and_has_no_gradient(rng):
    log_probs, targets, lengths = problem((9, 7, 5), (3, 2, 0), 4, 0, rng)
    clean = viterbi_loss(log_probs, targets, lengths).item()
    for item, length in zip(log_probs.data, lengths, strict=True):
        item[length:] = np.nan
    loss = viterbi_loss(log_probs, targets, lengths)
    loss.backward()
    assert loss.item() == clean
    for grad, length in zip(log_probs.grad, lengths, strict=True):
        assert not grad[length:].any() and grad[:length].any()


def test_padded_targets_and_lists_are_the_same(rng):
    log_probs, targets, lengths = problem((9, 7, 5), (3, 2, 0), 4, 0, rng)
    padded = np.full((3, 5), 99)
    for row, target in zip(padded, targets, strict=True):
        row[: len(target)] = target
    ends = np.array([len(target) for target in targets], np.int32)
    found = ViterbiLoss()(log_probs, padded, np.array(lengths, np.int32), ends).item()
    assert found == ViterbiLoss()(log_probs, targets, lengths).item()


def test_items_without_an_alignment():
    log_probs = Tensor(np.full((2, 3, 3), np.log(1 / 3)), requires_grad=True)
    targets = [[1, 1, 2], [1]]
    with pytest.raises(ValueError, match="item 0: 3 frames are too few for its target, which need"):
        viterbi_loss(log_probs, targets)
    assert viterbi_loss(log_probs, targets, infeasible="inf", reduction="none").data[0] == np.inf
    loss = ViterbiLoss(infeasible="zero", reduction="none")(log_probs, targets)
    loss.sum().backward()
    assert loss.data[0] == 0 and loss.data[1] == pytest.approx(3 * np.log(3))
    assert not log_probs.grad[0].any() and log_probs.grad[1].sum() == -3


@pytest.mark.parametrize(
    ("options", "targets", "message"),
    [
        ({}, [[0]], r"targets of item 0: position 0 is the blank \(class 0\)"),
        ({}, [[3]], "targets of item 0: class 3 at position 0 must lie in 0 .. 2"),
        ({"reduction": "average"}, [[1]], "reduction must be one of"),
        ({"infeasible": "ignore"}, [[1]], "infeasible must be one of"),
        ({"blank": None}, [[]], "its target is empty"),
        ({"blank": 3}, [[1]], "blank must be one of the 3 classes"),
    ],
)
def test_wrong_arguments_are_named(options, targets, message):
    with pytest.raises(ValueError, match=message):
        ViterbiLoss(**options)(np.zeros((1, 4, 3)), targets)


def test_one_item_and_no_item():
    one = np.log(np.full((4, 3), 1 / 3))
    assert viterbi_loss(one, [1], reduction="none").shape == ()
    nothing = Tensor(np.zeros((0, 4, 3)), requires_grad=True)
    loss = viterbi_loss(nothing, [])
    loss.backward()
    assert loss.item() == 0 and nothing.grad.shape == (0, 4, 3)
    assert viterbi_loss(np.zeros((1, 0, 3)), [[]]).item() == 0


def test_the_same_bits_on_any_number_of_threads_and_alone(rng, threads):
    log_probs, targets, lengths = problem((40, 33, 21, 40), (15, 7, 10, 4), 6, 0, rng, "float32")

    def run():
        log_probs.grad = None
        loss = viterbi_loss(log_probs, targets, lengths, reduction="none")
        loss.sum().backward()
        return loss.data, log_probs.grad

    assert_same_bits_as_one_thread(run, threads)
    losses, grads = run()
    for n in range(4):
        alone = Tensor(log_probs.data[n : n + 1], requires_grad=True)
        loss = viterbi_loss(alone, targets[n : n + 1], lengths[n : n + 1], reduction="none")
        loss.sum().backward()
        assert loss.data[0] == losses[n] and np.array_equal(alone.grad[0], grads[n])


def test_the_module_can_be_built_again():
    criterion = nn.build(ViterbiLoss(blank=None, reduction="sum", infeasible="zero").config())
    assert (criterion.blank, criterion.reduction, criterion.infeasible) == (None, "sum", "zero")
