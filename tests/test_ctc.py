"""CTC loss, its gradients, and reading the best path."""

from __future__ import annotations

import math
import warnings
import zlib
from functools import cache

import numpy as np
import pytest

from oracles import (
    assert_close,
    assert_same_bits,
    assert_same_bits_as_one_thread,
    brute_force_ctc,
    numeric_gradient,
    unusual_layouts,
)
from unrolled import ctc
from unrolled.reference import ctc as reference
from unrolled.reference.softmax import log_softmax

DTYPES = ["float32", "float64"]
REDUCTIONS = ["none", "sum", "mean", "batch_mean", "frame_mean"]
WRT = ["log_probs", "logits"]


def emissions(rng, *shape, dtype="float64", scale=2.0):
    return log_softmax(scale * rng.standard_normal(shape)).astype(dtype)


def random_targets(rng, lengths, classes, blank, repeats=0.3):
    """Return targets without blanks in which some symbols stand twice."""
    symbols = [c for c in range(classes) if c != blank % classes]
    targets = []
    for length in lengths:
        target: list[int] = []
        for _ in range(length):
            again = target and rng.random() < repeats
            target.append(target[-1] if again else int(rng.choice(symbols)))
        targets.append(target)
    return targets


# (frames of each item, target lengths, C, blank); 2L + 1 states stand around every lane width.
PROBLEMS = [
    ((1, 1), (0, 1), 2, 0),
    ((7, 5, 3), (1, 2, 0), 3, 0),
    ((12, 12), (3, 4), 5, 2),
    ((20, 17, 30), (7, 8, 9), 6, -1),
    ((40, 40), (15, 16), 11, 10),
    ((45, 60), (17, 33), 35, 0),
    ((9, 0, 4, 8), (2, 0, 0, 3), 16, 7),
]


@cache
def data(problem):
    frames, lengths, classes, blank = problem
    rng = np.random.default_rng(zlib.crc32(repr(problem).encode()))
    log_probs = emissions(rng, len(frames), max(frames) + 1, classes, dtype="float32")
    return log_probs, random_targets(rng, lengths, classes, blank)


@cache
def expected(problem, wrt):
    """Return each item's loss and gradient."""
    log_probs, targets = data(problem)
    frames, _, _, blank = problem
    return reference.loss_and_grad(
        log_probs, targets, frames, blank=blank, reduction="none", wrt=wrt
    )


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


def torch_loss(logits, targets, frames, blank, reduction, zero_infinity=False):
    """Return PyTorch's loss and its gradient by the logits."""
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    tensor = torch.tensor(logits, requires_grad=True)
    log_probs = torch.nn.functional.log_softmax(tensor, -1).transpose(0, 1)
    lengths = torch.tensor([len(row) for row in targets])
    loss = torch.nn.functional.ctc_loss(
        log_probs,
        torch.tensor([token for row in targets for token in row], dtype=torch.long),
        torch.tensor(frames),
        lengths,
        blank=blank,
        reduction=reduction,
        zero_infinity=zero_infinity,
    )
    loss.sum().backward()
    return loss.detach().numpy(), tensor.grad.numpy()


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


def test_an_empty_target_is_all_blanks(isa, rng):
    log_probs = emissions(rng, 3, 5, 4)
    loss, grad = ctc.loss_and_grad(log_probs, [[], [1], []], [5, 4, 2], reduction="none")
    assert_close(loss[[0, 2]], [-log_probs[0, :, 0].sum(), -log_probs[2, :2, 0].sum()], 1e-14)
    wanted = np.zeros((5, 4))
    wanted[:, 0] = -1
    assert_close(grad[0], wanted, 1e-14)


@pytest.mark.parametrize(
    "targets", [[[], []], np.zeros((2, 0), np.int64), np.zeros((2, 3), np.int64)]
)
def test_all_targets_may_be_empty(targets, rng):
    log_probs = emissions(rng, 2, 5, 4)
    loss, _ = ctc.loss_and_grad(log_probs, targets, target_lengths=[0, 0])
    assert_close(loss, -log_probs[:, :, 0].sum() / 2, 1e-14)  # length 0 counts as 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_repeats_need_a_blank_between_them(isa, dtype, rng):
    log_probs = emissions(rng, 3, 3, dtype=dtype)
    loss, grad = ctc.loss_and_grad(log_probs, [1, 1], reduction="sum")
    path = (1, 0, 1)  # the only one
    assert_close(loss, -sum(float(log_probs[t, c]) for t, c in enumerate(path)), 1e-6)
    assert_close(grad, -np.eye(3)[list(path)], 1e-6)
    assert ctc.loss(log_probs[:2], [1, 1], infeasible="inf") == np.inf
    assert np.isfinite(ctc.loss(emissions(rng, 5, 3), [2, 2, 2]))  # 3 and 2 repeats
    assert ctc.loss(emissions(rng, 4, 3), [2, 2, 2], infeasible="inf") == np.inf


@pytest.mark.parametrize("wrt", WRT)
@pytest.mark.parametrize("frames", [2, 0])
def test_an_infeasible_target_raises_and_says_why(wrt, frames, rng):
    log_probs = emissions(rng, 2, 4, 5)
    why = rf"item 1: {frames} frames .* needs 4 \(3 symbols and 1 blank"
    with pytest.raises(ValueError, match=why):
        ctc.loss_and_grad(log_probs, [[1], [1, 1, 3]], [4, frames], wrt=wrt)
    with pytest.raises(ValueError, match=why):
        ctc.loss(log_probs, [[1], [1, 1, 3]], [4, frames])


@pytest.mark.parametrize("wrt", WRT)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("policy", "value"), [("inf", np.inf), ("zero", 0.0)])
def test_infeasible_items_spoil_no_others(isa, wrt, reduction, policy, value, rng, tolerance):
    log_probs = emissions(rng, 3, 4, 5)
    targets = [[1], [1, 1, 3], [2, 4]]
    options = {"wrt": wrt, "reduction": reduction, "infeasible": policy}
    loss, grad = ctc.loss_and_grad(log_probs, targets, [4, 3, 4], **options)
    wanted, wanted_grad = reference.loss_and_grad(log_probs, targets, [4, 3, 4], **options)
    assert_close(loss, wanted, tolerance("ctc", "float64"))
    assert_close(grad, wanted_grad, tolerance("ctc", "float64"))
    assert not grad[1].any()
    if reduction == "none":
        assert loss[1] == value


def test_the_zero_policy_is_pytorchs_zero_infinity(rng, tolerance):
    logits = rng.standard_normal((2, 4, 5))
    targets = [[1, 1, 3, 3], [2, 4]]
    wanted, wanted_grad = torch_loss(logits, targets, [4, 4], 0, "mean", zero_infinity=True)
    loss, grad = ctc.loss_and_grad(logits, targets, [4, 4], wrt="logits", infeasible="zero")
    assert_close(loss, wanted, tolerance("ctc", "float64"))
    assert_close(grad, wanted_grad, tolerance("ctc", "float64"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_masked_classes_have_no_part(isa, dtype, rng, tolerance):
    logits = rng.standard_normal((1, 12, 6))
    logits[0, :, 4] = -np.inf  # never wanted
    logits[0, 2:5, 1] = -np.inf  # wanted, but not here
    logits[0, 7, 0] = -np.inf  # no blank here
    log_probs = log_softmax(logits).astype(dtype)
    for wrt in WRT:
        loss, grad = ctc.loss_and_grad(log_probs, [[1, 3, 3]], reduction="sum", wrt=wrt)
        assert np.isfinite(loss)
        assert np.isfinite(grad).all()
        assert not grad[np.isneginf(log_probs)].any()
        one = brute_log_space(log_probs[0], [1, 3, 3])
        assert_close(loss, one, tolerance("ctc", dtype))


def brute_log_space(log_probs, target):
    """Count paths state by state in plain probabilities: fit for a dozen frames."""
    symbols, skips = reference.extend_with_blanks(target, 0)
    alpha = np.zeros(len(symbols))
    alpha[0] = 1.0
    p = np.exp(np.asarray(log_probs, np.float64))
    for t, row in enumerate(p):
        arrive = alpha + np.concatenate([[0.0], alpha[:-1]])
        arrive[2:] += np.where(skips[2:], alpha[:-2], 0.0)
        if t == 0:
            arrive = np.where(np.arange(len(symbols)) < 2, 1.0, 0.0)
        alpha = arrive * row[symbols]
    return -math.log(alpha[-2:].sum())


@pytest.mark.parametrize("wrt", WRT)
def test_a_target_that_only_masked_classes_reach_is_infeasible(isa, wrt, rng):
    log_probs = emissions(rng, 2, 6, 4)
    log_probs[1, :, 2] = -np.inf
    log_probs[1] = log_softmax(log_probs[1])
    targets = [[1, 2], [2, 3]]
    with pytest.raises(ValueError, match=r"item 1: .*target.*-inf"):
        ctc.loss_and_grad(log_probs, targets, wrt=wrt)
    for policy, value in (("inf", np.inf), ("zero", 0.0)):
        loss, grad = ctc.loss_and_grad(
            log_probs, targets, reduction="none", infeasible=policy, wrt=wrt
        )
        assert loss[1] == value
        assert not grad[1].any()
        assert np.isfinite(loss[0])
        assert grad[0].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrt", WRT)
def test_cold_logits_stay_finite(isa, dtype, wrt, rng, tolerance):
    """Probabilities far below the smallest double must not become zeros."""
    logits = (400 * rng.standard_normal((2, 15, 7))).astype(dtype)
    scores = logits if wrt == "logits" else log_softmax(logits).astype(dtype)
    targets = [[1, 1, 2, 5], [3, 6]]
    loss, grad = ctc.loss_and_grad(scores, targets, reduction="none", wrt=wrt)
    wanted, wanted_grad = reference.loss_and_grad(scores, targets, reduction="none", wrt=wrt)
    assert np.isfinite(wanted).all()
    assert wanted.max() > 800
    assert_close(loss, wanted, tolerance("ctc", dtype))
    assert_close(grad, wanted_grad, tolerance("ctc", dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_confident_alignment_never_gives_a_negative_loss(isa, dtype):
    log_probs = log_softmax(50 * np.eye(4)[[0, 1, 1, 0, 2, 3, 3]]).astype(dtype)
    loss, grad = ctc.loss_and_grad(log_probs, [1, 2, 3], reduction="sum")
    assert loss >= 0
    assert np.isfinite(grad).all()
    certain = np.where(np.eye(4)[[0, 1, 1, 0, 2, 3, 3]] > 0, 0.0, -np.inf).astype(dtype)
    loss, grad = ctc.loss_and_grad(certain, [1, 2, 3], reduction="sum")
    assert loss == 0
    assert_close(grad, -np.exp(certain), 1e-7)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("garbage", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("wrt", WRT)
def test_frames_beyond_the_end_are_never_read(isa, dtype, garbage, wrt, rng):
    log_probs = emissions(rng, 4, 9, 5, dtype=dtype)
    targets, frames = [[1, 2], [3], [4, 4], []], [9, 3, 5, 0]
    clean = ctc.loss_and_grad(log_probs, targets, frames, wrt=wrt)
    padded = np.arange(9)[None, :] >= np.array(frames)[:, None]
    log_probs[padded] = garbage
    dirty = ctc.loss_and_grad(log_probs, targets, frames, wrt=wrt)
    assert_same_bits(dirty, clean)
    assert np.isfinite(dirty[0])
    assert not dirty[1][padded].any()


@pytest.mark.parametrize("filler", [-1, 0, 2, 999])
def test_targets_beyond_their_length_are_never_read(filler, rng):
    log_probs = emissions(rng, 3, 9, 5)
    padded = np.array([[1, 2, 3], [4, filler, filler], [filler] * 3])
    wanted = ctc.loss_and_grad(log_probs, [[1, 2, 3], [4], []])
    assert_same_bits(ctc.loss_and_grad(log_probs, padded, target_lengths=[3, 1, 0]), wanted)


def test_a_nan_in_a_frame_that_is_read_shows(isa):
    """It must not vanish in a maximum."""
    log_probs = np.full((1, 6, 3), -np.log(3))
    log_probs[0, 3] = np.nan
    loss = ctc.loss(log_probs, [[1, 2]])
    assert np.isnan(loss)


def test_unnormalised_input_is_taken_as_it_is(rng, tolerance):
    """Logits in the place of log probabilities give a loss below 0: the sum over paths itself."""
    scores = emissions(rng, 2, 6, 4) + 4.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        loss, grad = ctc.loss_and_grad(scores, [[1, 2], [3]], reduction="none")
    wanted, wanted_grad = reference.loss_and_grad(scores, [[1, 2], [3]], reduction="none")
    assert wanted.max() < 0
    assert_close(loss, wanted, tolerance("ctc", "float64"))
    assert_close(grad, wanted_grad, tolerance("ctc", "float64"))


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


def test_one_sequence_without_a_batch(isa, rng):
    log_probs = emissions(rng, 8, 5, dtype="float32")
    for reduction in ("sum", "mean"):
        loss, grad = ctc.loss_and_grad(log_probs, [1, 2, 2], reduction=reduction)
        batch_loss, batch_grad = ctc.loss_and_grad(
            log_probs[None], [[1, 2, 2]], reduction=reduction
        )
        assert grad.shape == (8, 5)
        assert_same_bits((loss, grad), (batch_loss, batch_grad[0]))
    assert ctc.loss(log_probs, [], reduction="sum") == pytest.approx(-log_probs[:, 0].sum())


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


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_change_no_bit(isa, dtype, rng):
    log_probs = emissions(rng, 3, 9, 6, dtype=dtype)
    targets = np.array([[1, 2, 2], [3, 4, 0], [5, 0, 0]])
    frames, lengths = np.array([9, 7, 5]), np.array([3, 2, 1])
    wanted = ctc.loss_and_grad(log_probs, targets, frames, lengths)
    arrays = (log_probs, targets, frames, lengths)
    for variants in zip(*(unusual_layouts(array) for array in arrays), strict=True):
        actual = ctc.loss_and_grad(*(array for _, array in variants))
        assert_same_bits(actual, wanted, variants[0][0])


@pytest.mark.parametrize(
    "kind", ["int8", "uint8", "int16", "int32", "uint32", "int64", "list", "tuple", "arrays"]
)
def test_any_integers_are_accepted_as_targets_and_lengths(kind, rng):
    log_probs = emissions(rng, 2, 9, 6)
    wanted = ctc.loss_and_grad(log_probs, [[1, 2, 2], [3]], [9, 7])
    targets, frames, lengths = [[1, 2, 2], [3, 0, 0]], [9, 7], [3, 1]
    if kind == "tuple":
        targets, frames, lengths = tuple(map(tuple, targets)), (9, 7), (3, 1)
    elif kind == "arrays":
        ragged = [np.array([1, 2, 2], np.int32), np.array([3], np.uint8)]
        assert_same_bits(ctc.loss_and_grad(log_probs, ragged, frames), wanted)
        frames = lengths = None
        log_probs, targets = log_probs, ragged
        wanted = ctc.loss_and_grad(log_probs, [[1, 2, 2], [3]])
    elif kind != "list":
        targets, frames, lengths = (np.array(v, kind) for v in (targets, frames, lengths))
    assert_same_bits(ctc.loss_and_grad(log_probs, targets, frames, lengths), wanted)


def test_lists_of_different_lengths_may_come_with_their_lengths(rng):
    log_probs = emissions(rng, 2, 9, 6)
    wanted = ctc.loss(log_probs, [[1, 2, 2], [3]])
    assert ctc.loss(log_probs, [[1, 2, 2], [3]], [9, 9], [3, 1]) == wanted


def test_lengths_of_one_sequence_may_be_plain_numbers(rng):
    log_probs = emissions(rng, 9, 6)
    wanted = ctc.loss(log_probs[:7], [1, 2])
    for number in (int, np.int32, np.array):
        assert ctc.loss(log_probs, [1, 2, 0], number(7), number(2)) == wanted


@pytest.mark.parametrize("dtype", ["float16", "int64"])
def test_other_numbers_become_float32(dtype):
    log_probs = np.array([[-1, -1, -2], [-2, -1, -1], [-1, -3, -1]], dtype)
    loss, grad = ctc.loss_and_grad(log_probs, [1, 2])
    wanted, wanted_grad = ctc.loss_and_grad(log_probs.astype(np.float32), [1, 2])
    assert grad.dtype == np.float32
    assert_same_bits((loss, grad), (wanted, wanted_grad))


def test_an_empty_batch():
    losses, grad = ctc.loss_and_grad(np.zeros((0, 5, 3), np.float32), [], reduction="none")
    assert losses.shape == (0,)
    assert grad.shape == (0, 5, 3)
    assert ctc.loss(np.zeros((0, 5, 3), np.float32), [], reduction="sum") == 0


P = log_softmax(np.zeros((2, 6, 4)))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: ctc.loss(P, [[1, 0], [2]]), r"targets of item 0.*blank"),
        (lambda: ctc.loss(P, [[1], [2, 3]], blank=3), r"targets of item 1.*blank"),
        (lambda: ctc.loss(P, [[1], [2, 4]]), r"targets of item 1"),
        (lambda: ctc.loss(P, [[1], [-2]]), r"targets of item 1"),
        (lambda: ctc.loss(P, [[1]]), "targets"),
        (lambda: ctc.loss(P, [[1], [2], [3]]), "targets"),
        (lambda: ctc.loss(P, [[1], [2]], blank=4), "blank"),
        (lambda: ctc.loss(P, [[1], [2]], blank=-5), "blank"),
        (lambda: ctc.loss(P, [[1], [2]], [6, 7]), r"input_lengths of item 1"),
        (lambda: ctc.loss(P, [[1], [2]], [6, -1]), r"input_lengths of item 1"),
        (lambda: ctc.loss(P, [[1], [2]], [6]), "input_lengths"),
        (lambda: ctc.loss(P, np.array([[1], [2]]), None, [1, 2]), r"target_lengths of item 1"),
        (lambda: ctc.loss(P, np.array([[1], [2]]), None, [1, -1]), r"target_lengths of item 1"),
        (lambda: ctc.loss(P, np.array([[1], [2]]), None, [1]), "target_lengths"),
        (lambda: ctc.loss(P, [[1], [2]], reduction="average"), "reduction"),
        (lambda: ctc.loss(P, [[1], [2]], infeasible="ignore"), "infeasible"),
        (lambda: ctc.loss_and_grad(P, [[1], [2]], wrt="probs"), "wrt"),
        (lambda: ctc.loss(P[0, 0], [1]), "log_probs"),
        (lambda: ctc.loss(P[None], [[[1]]]), "log_probs"),
        (lambda: ctc.loss(np.zeros((2, 6, 0)), [[], []]), "log_probs|blank"),
    ],
)
def test_wrong_arguments_are_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: ctc.loss(P.astype(complex), [[1], [2]]), "log_probs"),
        (lambda: ctc.loss(P, [[1.5], [2.0]]), "targets"),
        (lambda: ctc.loss(P, ["a", "b"]), "targets"),
        (lambda: ctc.loss(P, [[1], [2]], [6.0, 5.5]), "input_lengths"),
        (lambda: ctc.loss(P, [[1], [2]], blank=0.5), "blank"),
    ],
)
def test_wrong_kinds_are_named(call, named):
    with pytest.raises(TypeError, match=named):
        call()


def one_path(classes, width=5, high=-0.1):
    """Return log probabilities (T, C) whose best path is `classes`."""
    log_probs = np.full((len(classes), width), math.log((1 - math.exp(high)) / (width - 1)))
    log_probs[np.arange(len(classes)), classes] = high
    return log_probs


def test_greedy_merges_repeats_and_drops_blanks():
    reading = ctc.greedy(one_path([0, 1, 1, 0, 1, 3, 3, 3, 0, 0, 2]))
    assert reading.tokens == [1, 1, 3, 2]
    assert all(type(token) is int for token in reading.tokens)
    spans = [(span.token, span.start, span.end) for span in reading.spans]
    assert spans == [(1, 1, 3), (1, 4, 5), (3, 5, 8), (2, 10, 11)]
    assert reading.score == pytest.approx(11 * -0.1)
    assert [span.score for span in reading.spans] == pytest.approx([-0.1] * 4)  # a frame


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("blank", [0, 2, -1])
def test_greedy_agrees_with_the_reference(dtype, blank, rng):
    log_probs = emissions(rng, 5, 40, 4, dtype=dtype)
    lengths = [40, 0, 17, 1, 39]
    readings = ctc.greedy(log_probs, lengths, blank=blank)
    assert len(readings) == 5
    for n, (end, reading) in enumerate(zip(lengths, readings, strict=True)):
        tokens, spans, score = reference.greedy(log_probs[n, :end], blank=blank)
        assert reading.tokens == tokens
        assert [(s.token, s.start, s.end) for s in reading.spans] == spans
        assert reading.score == pytest.approx(score, rel=1e-6, abs=1e-12)
        alone = ctc.greedy(log_probs[n, :end], blank=blank)
        assert (alone.tokens, alone.score) == (reading.tokens, reading.score)


def test_greedy_never_reads_padding_and_takes_the_first_of_equals():
    log_probs = np.full((1, 5, 3), -1.0)
    log_probs[0, 3:] = np.nan
    log_probs[0, 1, 0] = -2.0
    (reading,) = ctc.greedy(log_probs, [3])
    assert reading.tokens == [1]
    assert [(span.start, span.end) for span in reading.spans] == [(1, 2)]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: ctc.greedy(P, [6, 7]), r"lengths of item 1"),
        (lambda: ctc.greedy(P, [6]), "lengths"),
        (lambda: ctc.greedy(P, blank=4), "blank"),
        (lambda: ctc.greedy(P[0, 0]), "log_probs"),
    ],
)
def test_greedy_names_wrong_arguments(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_compress_and_expand_are_inverses():
    path = [0, 1, 1, 0, 1, 2]
    assert reference.compress(path, blank=0) == [1, 1, 2]
    assert reference.compress(path) == [0, 1, 0, 1, 2]
    assert reference.expand([0, 1, 0, 1, 2], [1, 2, 1, 1, 1]) == path
