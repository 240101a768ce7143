"""CTC loss and its gradients against the reference, brute force, differences and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from ctc_problems import (
    DTYPES,
    PROBLEMS,
    REDUCTIONS,
    WRT,
    data,
    emissions,
    expected,
    random_targets,
    torch_loss,
)
from oracles import (
    assert_close,
    assert_same_bits,
    assert_same_bits_as_one_thread,
    brute_force_ctc,
    numeric_gradient,
)
from unrolled import ctc


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrt", WRT)
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_agrees_with_the_reference(isa, dtype, wrt, problem, tolerance):
    log_probs, targets = data(problem)
    frames, _, _, blank = problem
    options = {"blank": blank, "reduction": "none"}
    losses, grad = ctc.loss_and_grad(log_probs.astype(dtype), targets, frames, wrt=wrt, **options)
    wanted_losses, wanted_grad = expected(problem, wrt)
    assert grad.dtype == dtype
    limit = tolerance("ctc", dtype)
    assert_close(losses, wanted_losses, limit, "loss")
    assert_close(grad, wanted_grad, limit, "gradient")
    if wrt == "log_probs":
        only = ctc.loss(log_probs.astype(dtype), targets, frames, **options)
        assert_same_bits(only, losses, "loss alone")


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("wrt", WRT)
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_reductions_weigh_losses_and_gradients_alike(reduction, wrt, problem, tolerance):
    log_probs, targets = data(problem)
    frames, lengths, _, blank = problem
    N, L = len(frames), max(*lengths, 1)
    weights = {
        "none": np.ones(N),
        "sum": np.ones(N),
        "mean": 1 / (N * np.maximum(lengths, 1)),  # an empty target counts as one symbol
        "batch_mean": np.full(N, 1 / N),
        "frame_mean": np.full(N, 1 / sum(frames)),
    }[reduction]
    padded = np.array([row + [blank] * (L - len(row)) for row in targets])
    options = {"blank": blank, "reduction": reduction, "wrt": wrt}
    loss, grad = ctc.loss_and_grad(log_probs, padded, frames, lengths, **options)
    losses, gradients = expected(problem, wrt)
    assert isinstance(loss, np.ndarray if reduction == "none" else float)
    wanted = losses if reduction == "none" else np.dot(weights, losses)
    assert_close(loss, wanted, tolerance("ctc", "float32"))
    assert_close(grad, weights[:, None, None] * gradients, tolerance("ctc", "float32"))


@pytest.mark.parametrize("T", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_agrees_with_brute_force_over_all_paths(isa, T, classes, rng, tolerance):
    limit = tolerance("ctc", "float64")
    for blank in (0, classes - 1):
        for _ in range(4):
            log_probs = emissions(rng, T, classes)
            length = int(rng.integers(0, T + 1))
            target = random_targets(rng, [length], classes, blank)[0]
            wanted, occupied = brute_force_ctc(log_probs, target, blank)
            loss, grad = ctc.loss_and_grad(
                log_probs, target, blank=blank, reduction="sum", infeasible="inf"
            )
            assert_close(loss, wanted, limit, f"loss of {target}")
            assert_close(grad, -occupied, limit, f"gradient of {target}")


@pytest.mark.parametrize("reduction", ["sum", "mean", "batch_mean", "frame_mean"])
@pytest.mark.parametrize("wrt", WRT)
def test_gradient_agrees_with_central_differences(isa, reduction, wrt, rng, tolerance):
    """By the log probabilities as free numbers, and by logits through the softmax inside."""
    scores = emissions(rng, 3, 6, 4) if wrt == "log_probs" else rng.standard_normal((3, 6, 4))
    targets, frames = [[1, 1], [2], [3, 1, 2]], [6, 4, 5]

    def value(scores):
        return ctc.loss_and_grad(scores, targets, frames, reduction=reduction, wrt=wrt)[0]

    _, grad = ctc.loss_and_grad(scores, targets, frames, reduction=reduction, wrt=wrt)
    wanted = numeric_gradient(value, scores)
    assert_close(grad, wanted, tolerance("differences", "float64"))


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("blank", [0, 3, 8])
def test_agrees_with_pytorch(isa, reduction, blank, rng, tolerance):
    frames = [30, 22, 9, 14]
    logits = 2 * rng.standard_normal((4, 30, 9))
    targets = random_targets(rng, (8, 5, 3, 0), 9, blank)
    wanted, wanted_grad = torch_loss(logits, targets, frames, blank, reduction)
    options = {"blank": blank, "reduction": reduction, "wrt": "logits"}
    for dtype in DTYPES:
        limit = tolerance("ctc", dtype)
        loss, grad = ctc.loss_and_grad(logits.astype(dtype), targets, frames, **options)
        assert_close(loss, wanted, limit)
        assert_close(grad, wanted_grad, limit)


@pytest.mark.parametrize("dtype", DTYPES)
def test_long_sequences_keep_their_digits(isa, dtype, rng, tolerance):
    """Plain float32 in log space loses a thousandth of the gradient at 1,000 frames."""
    logits = (3 * rng.standard_normal((1, 2000, 40))).astype(dtype)
    targets = random_targets(rng, (500,), 40, 0)
    loss, grad = ctc.loss_and_grad(logits, targets, reduction="sum", wrt="logits")
    wanted, wanted_grad = torch_loss(logits.astype("float64"), targets, [2000], 0, "sum")
    assert_close(loss, wanted, tolerance("ctc", dtype))
    assert_close(grad, wanted_grad, tolerance("ctc", dtype))


def test_normalised_input_is_left_as_it_is(isa, rng, tolerance):
    log_probs = emissions(rng, 2, 8, 5)
    targets = [[1, 2], [3]]
    by_log_probs = ctc.loss_and_grad(log_probs, targets)
    by_logits = ctc.loss_and_grad(log_probs, targets, wrt="logits")
    assert_close(by_logits[0], by_log_probs[0], 1e-13)
    shifted = ctc.loss_and_grad(log_probs + 70, targets, wrt="logits")
    assert_close(shifted[0], by_logits[0], 1e-12)
    assert_close(shifted[1], by_logits[1], 1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_posterior_of_every_frame_sums_to_one(isa, dtype, rng):
    """alpha times beta over P(target) sums to 1 whatever the frame; softmax minus it to 0."""
    log_probs = emissions(rng, 2, 300, 30, dtype=dtype)
    targets, frames = random_targets(rng, (60, 20), 30, 0), [300, 170]
    for wrt, total in (("log_probs", -1.0), ("logits", 0.0)):
        _, grad = ctc.loss_and_grad(log_probs, targets, frames, reduction="sum", wrt=wrt)
        for n, end in enumerate(frames):
            sums = grad[n, :end].astype(np.float64).sum(axis=-1)
            assert np.abs(sums - total).max() < 1e-6


def test_blank_may_be_any_class(isa, rng, tolerance):
    """Moving the blank's column moves nothing else."""
    log_probs = emissions(rng, 2, 10, 5)
    targets = [[1, 2, 2], [4]]
    loss, grad = ctc.loss_and_grad(log_probs, targets)
    for blank, named in ((2, 2), (4, 4), (4, -1), (2, -3)):
        order = [*range(1, blank + 1), 0, *range(blank + 1, 5)]  # old class at each new place
        moved = [[order.index(token) for token in row] for row in targets]
        other, other_grad = ctc.loss_and_grad(log_probs[:, :, order], moved, blank=named)
        assert_close(other, loss, 1e-14)
        assert_close(other_grad, grad[:, :, order], 1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrt", WRT)
def test_same_bits_on_any_number_of_threads_and_alone(isa, threads, dtype, wrt, rng):
    log_probs = emissions(rng, 7, 60, 12, dtype=dtype)
    frames = [60, 41, 5, 33, 0, 59, 17]
    targets = random_targets(rng, (12, 15, 2, 9, 0, 17, 3), 12, 0, repeats=0.1)
    options = {"reduction": "none", "wrt": wrt}
    assert_same_bits_as_one_thread(
        lambda: ctc.loss_and_grad(log_probs, targets, frames, **options), threads
    )
    assert_same_bits_as_one_thread(
        lambda: ctc.loss_and_grad(log_probs, targets, frames, wrt=wrt), threads
    )
    losses, grad = ctc.loss_and_grad(log_probs, targets, frames, **options)
    for n, end in enumerate(frames):
        one, one_grad = ctc.loss_and_grad(log_probs[n : n + 1, :end], targets[n : n + 1], **options)
        assert_same_bits((one[0], one_grad[0]), (losses[n], grad[n, :end]))
