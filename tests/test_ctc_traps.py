"""What went wrong in other implementations of the CTC loss, each once: A1 to A22."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest

from ctc_problems import DTYPES, WRT, emissions, random_targets
from oracles import (
    assert_close,
    assert_same_bits,
    assert_same_bits_as_one_thread,
    brute_force_ctc,
    numeric_gradient,
)
from unrolled import Tensor, ctc, nn
from unrolled.reference import ctc as reference
from unrolled.reference.softmax import log_softmax

EACH = {"reduction": "none"}


def through_module(log_probs, targets, *lengths, upstream=None, **options):
    """Return the loss and the gradient that `nn.CTCLoss` gives on a tensor."""
    x = Tensor(log_probs, requires_grad=True)
    loss = nn.CTCLoss(**options)(x, targets, *lengths)
    loss.backward(upstream)
    return loss.data, x.grad


def test_a01_an_empty_target_is_all_blanks(isa, rng):
    log_probs = emissions(rng, 3, 6, 4)
    targets, frames = [[], [1, 2], []], [6, 6, 4]
    wanted = [-log_probs[0, :, 0].sum(), -log_probs[2, :4, 0].sum()]
    for loss, grad in (
        ctc.loss_and_grad(log_probs, targets, frames, **EACH),
        through_module(log_probs, targets, frames, upstream=np.ones(3), **EACH),
    ):
        assert_close(loss[[0, 2]], wanted, 1e-14)
        assert_close(grad[0], -np.eye(4)[[0] * 6], 1e-14)
        assert_close(grad[2], -np.eye(4)[[0] * 4 + [0, 0]] * (np.arange(6) < 4)[:, None], 1e-14)


@pytest.mark.parametrize(
    ("targets", "lengths"),
    [([[], []], None), (np.zeros((2, 0)), None), (np.zeros((2, 0), np.int32), [0, 0])],
)
def test_a02_all_targets_may_be_empty(targets, lengths, rng):
    log_probs = emissions(rng, 2, 5, 3)
    wanted = -log_probs[:, :, 0].sum(axis=1)
    loss, grad = ctc.loss_and_grad(log_probs, targets, None, lengths, **EACH)
    assert_close(loss, wanted, 1e-14)
    assert_close(grad, -np.eye(3)[[[0] * 5] * 2], 1e-14)
    assert_close(through_module(log_probs, targets, None, lengths)[0], wanted.mean(), 1e-14)


@pytest.mark.parametrize("wrt", WRT)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a03_repeats_count_among_the_frames_that_a_target_needs(isa, dtype, wrt, rng, tolerance):
    log_probs = emissions(rng, 2, 5, 4, dtype=dtype)
    for target in ([1, 1, 2, 2], [3, 3, 3]):
        needed = ctc.required_frames(target)
        path = [1, 0, 1, 2, 0, 2] if len(target) == 4 else [3, 0, 3, 0, 3]
        assert needed == len(path)
        long = np.concatenate([log_probs, log_probs], axis=1)
        # Exactly enough: one path, the blanks compulsory.
        loss, grad = ctc.loss_and_grad(long, [target, [1]], [needed, 5], wrt=wrt, **EACH)
        wanted = -sum(float(long[0, t, c]) for t, c in enumerate(path))
        assert_close(loss[0], wanted, tolerance("ctc", dtype))
        softmax = np.exp(long[0, :needed]) if wrt == "logits" else 0
        assert_close(grad[0, :needed], softmax - np.eye(4)[path], 1e-6)
        # One frame less: no path, whatever the policy a gradient of 0.
        with pytest.raises(ValueError, match=rf"item 0: {needed - 1} frames .* needs {needed}"):
            ctc.loss_and_grad(long, [target, [1]], [needed - 1, 5], wrt=wrt)
        for policy, value in (("inf", np.inf), ("zero", 0.0)):
            options = {"wrt": wrt, "infeasible": policy, **EACH}
            loss, grad = ctc.loss_and_grad(long, [target, [1]], [needed - 1, 5], **options)
            assert loss[0] == value
            assert not grad[0].any()
            assert np.isfinite(loss[1]) and np.isfinite(grad).all()


@pytest.mark.parametrize("target", [[1, 1], [1, 1, 1], [1, 2, 2, 1], [2, 2, 1, 1]])
def test_a04_equal_neighbours_keep_their_blank(isa, target, rng, tolerance):
    log_probs = emissions(rng, 6, 3)
    wanted, occupied = brute_force_ctc(log_probs, target, 0)
    loss, grad = ctc.loss_and_grad(log_probs, target, reduction="sum")
    assert_close(loss, wanted, tolerance("ctc", "float64"))
    assert_close(grad, -occupied, tolerance("ctc", "float64"))
    no_blank = np.where(np.arange(3) == 0, -np.inf, log_probs)
    assert ctc.loss(log_softmax(no_blank), target, infeasible="inf") == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrt", WRT)
def test_a05_masked_classes_give_no_nan(isa, dtype, wrt, rng, tolerance):
    """-inf minus -inf is none of the sums; the posterior of what is masked is 0."""
    logits = rng.standard_normal((40, 9, 5))
    masked = rng.random(logits.shape) < 0.3
    masked[:, :, 0] &= rng.random((40, 9)) < 0.3
    logits[masked] = -np.inf
    logits[np.isneginf(logits).all(axis=-1)] = 0
    log_probs = log_softmax(logits).astype(dtype)
    targets = random_targets(rng, [2, 3, 0, 1] * 10, 5, 0)
    options = {"wrt": wrt, "infeasible": "inf", **EACH}
    loss, grad = ctc.loss_and_grad(log_probs, targets, **options)
    assert not np.isnan(loss).any() and np.isfinite(grad).all()
    assert not grad[np.isneginf(log_probs)].any()
    wanted, wanted_grad = reference.loss_and_grad(log_probs, targets, **options)
    assert 0 < np.isinf(wanted).sum() < 40
    assert_close(loss, wanted, tolerance("ctc", dtype))
    assert_close(grad, wanted_grad, tolerance("ctc", dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a06_logits_over_hundreds_stay_finite(isa, dtype, rng, tolerance):
    logits = rng.uniform(-500, 500, (4, 12, 6)).astype(dtype)
    targets = random_targets(rng, (3, 4, 0, 5), 6, 0)
    loss, grad = ctc.loss_and_grad(logits, targets, wrt="logits", **EACH)
    wanted, wanted_grad = reference.loss_and_grad(logits, targets, wrt="logits", **EACH)
    assert wanted.max() > 1000
    assert np.isfinite(loss).all() and np.isfinite(grad).all()
    assert_close(loss, wanted, tolerance("ctc", dtype))
    assert_close(grad, wanted_grad, tolerance("ctc", dtype))


@pytest.mark.parametrize("height", [5.0, 12.0, 20.0, 40.0, 90.0])
def test_a07_a_confident_loss_is_never_below_zero(isa, height, rng):
    path = np.repeat([0, 1, 0, 1, 2, 0, 3], rng.integers(1, 30, 7))
    log_probs = log_softmax(height * np.eye(5)[path]).astype(np.float32)
    loss = ctc.loss(log_probs, ctc.compress(path, blank=0), reduction="sum")
    wanted = ctc.loss(log_probs.astype(np.float64), ctc.compress(path, blank=0), reduction="sum")
    if height >= 20:  # colder than that, float32 rows sum to more than 1 or less by chance
        assert loss >= 0
    assert_close(loss, wanted, 6e-8 * len(path), scale=1.0)  # a rounding of float32 a frame
    certain = np.where(np.eye(5)[path] > 0, 0.0, -np.inf).astype(np.float32)
    assert ctc.loss(certain, ctc.compress(path, blank=0)) == 0


@pytest.mark.parametrize("wrt", WRT)
def test_a08_both_gradients_are_what_their_names_say(isa, wrt, rng):
    scores = emissions(rng, 2, 6, 4) if wrt == "log_probs" else rng.standard_normal((2, 6, 4))
    targets, frames = [[1, 1, 3], [2]], [6, 4]

    def loss(scores):
        return ctc.loss_and_grad(scores, targets, frames, reduction="sum", wrt=wrt)[0]

    _, grad = ctc.loss_and_grad(scores, targets, frames, reduction="sum", wrt=wrt)
    assert_close(grad, numeric_gradient(loss, scores), 2e-7)
    sums = grad[0].sum(axis=-1)  # free numbers: -1 a frame; through the softmax: 0
    assert_close(sums, np.full(6, -1.0 if wrt == "log_probs" else 0.0), 1e-12, scale=1.0)


@pytest.mark.parametrize("wrt", WRT)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("garbage", [np.nan, np.inf, -np.inf, 1e30])
def test_a09_frames_beyond_the_end_get_exactly_zero(isa, dtype, wrt, garbage, rng):
    log_probs = emissions(rng, 3, 8, 5, dtype=dtype)
    targets, frames = [[1, 2], [3, 3], []], [8, 5, 2]
    alone = [
        ctc.loss_and_grad(log_probs[n, :end], targets[n], wrt=wrt, reduction="sum")
        for n, end in enumerate(frames)
    ]
    for n, end in enumerate(frames):
        log_probs[n, end:] = garbage
    loss, grad = ctc.loss_and_grad(log_probs, targets, frames, wrt=wrt, **EACH)
    for n, end in enumerate(frames):
        assert_same_bits((loss[n], grad[n, :end]), alone[n])
        assert grad[n, end:].tobytes() == bytes(grad[n, end:].nbytes)


def test_a10_the_gradient_from_above_is_used(rng):
    log_probs = emissions(rng, 3, 7, 4)
    targets = [[1], [2, 3], [3, 3]]
    _, each = ctc.loss_and_grad(log_probs, targets, **EACH)
    weights = np.array([0.0, 2.0, -0.5])
    _, grad = through_module(log_probs, targets, upstream=weights, **EACH)
    assert_close(grad, weights[:, None, None] * each, 1e-14)
    x = Tensor(log_probs, requires_grad=True)
    (nn.CTCLoss(reduction="sum")(x, targets) * 0.0).backward()
    assert not x.grad.any()


def test_a11_the_mean_divides_by_each_target_first(rng):
    log_probs = emissions(rng, 3, 7, 4)
    targets = [[1, 2, 3], [2], []]
    each = ctc.loss(log_probs, targets, **EACH)
    wanted = (each[0] / 3 + each[1] + each[2]) / 3  # an empty target counts as one symbol
    assert_close(ctc.loss(log_probs, targets), wanted, 1e-14)
    assert_close(through_module(log_probs, targets)[0], wanted, 1e-14)
    assert_close(ctc.loss(log_probs, targets, reduction="sum"), each.sum(), 1e-14)
    assert_close(ctc.loss(log_probs, targets, reduction="batch_mean"), each.mean(), 1e-14)
    assert_close(ctc.loss(log_probs, targets, reduction="frame_mean"), each.sum() / 21, 1e-14)


@pytest.mark.parametrize("blank", [0, 2, 4, -1, -5])
def test_a12_the_blank_may_be_any_class(isa, blank, rng, tolerance):
    log_probs = emissions(rng, 5, 5)
    symbols = [c for c in range(5) if c != blank % 5]
    target = [symbols[0], symbols[3], symbols[3]]
    wanted, occupied = brute_force_ctc(log_probs, target, blank % 5)
    for loss, grad in (
        ctc.loss_and_grad(log_probs, target, blank=blank, reduction="sum"),
        through_module(log_probs, target, blank=blank, reduction="sum"),
    ):
        assert_close(loss, wanted, tolerance("ctc", "float64"))
        assert_close(grad, -occupied, tolerance("ctc", "float64"))


@pytest.mark.parametrize(("blank", "target"), [(0, [1, 0, 2]), (-1, [1, 3]), (2, [2])])
def test_a13_a_blank_in_a_target_is_refused(blank, target, rng):
    log_probs = emissions(rng, 2, 9, 4)
    place = target.index(blank % 4)
    for function in (ctc.loss, ctc.loss_and_grad, nn.functional.ctc_loss):
        with pytest.raises(ValueError, match=rf"item 1.*position {place} is the blank"):
            function(log_probs, [[1], target], blank=blank)


def test_a14_logits_in_the_place_of_log_probabilities_are_noticed(rng):
    """Rows whose sum is far from 1; without blanks a loss below 0 alone would prove nothing."""
    log_probs = emissions(rng, 2, 6, 4)
    for function in (ctc.loss, ctc.loss_and_grad, nn.functional.ctc_loss):
        with pytest.warns(UserWarning, match="normalised"):
            function(log_probs + 4, [[1], [2]])
    with pytest.warns(UserWarning, match="normalised"):
        ctc.forward_backward(log_probs[0] + 4, [1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ctc.loss_and_grad(log_probs + 4, [[1], [2]], wrt="logits")
        ctc.loss(log_probs.astype(np.float16), [[1], [2]])
        certain = np.where(np.arange(3) == 1, 0.0, -np.inf) + np.zeros((5, 1))
        assert ctc.loss(certain, [1, 1], blank=None) < 0


@pytest.mark.parametrize("filler", [-1, 0, 2, 999])
def test_a15_what_pads_targets_is_never_read(filler, rng):
    log_probs = emissions(rng, 3, 9, 5)
    padded = np.array([[1, 2, 3], [4, filler, filler], [filler] * 3])
    wanted = ctc.loss_and_grad(log_probs, [[1, 2, 3], [4], []])
    assert_same_bits(ctc.loss_and_grad(log_probs, padded, target_lengths=[3, 1, 0]), wanted)
    lists = [list(row) for row in padded.tolist()]
    assert_same_bits(ctc.loss_and_grad(log_probs, lists, target_lengths=[3, 1, 0]), wanted)


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint8, list, tuple])
def test_a16_integers_of_any_kind_are_targets_and_lengths(kind, rng):
    log_probs = emissions(rng, 2, 9, 6)
    wanted = ctc.loss_and_grad(log_probs, [[1, 2, 2], [3]], [9, 7])

    def make(values):
        return kind(values) if kind in (list, tuple) else np.array(values, kind)

    padded = make([[1, 2, 2], [3, 0, 0]])
    assert_same_bits(ctc.loss_and_grad(log_probs, padded, make([9, 7]), make([3, 1])), wanted)
    one = ctc.loss(log_probs[1, :7], [3])
    for number in (7, np.int32(7), np.array(7), np.array([7])):  # 0-d lengths of one sequence
        assert ctc.loss(log_probs[1], [3], number, np.int64(1)) == one


def test_a17_lengths_beyond_the_array_are_refused_by_item(rng):
    log_probs = emissions(rng, 3, 6, 4)
    for function in (ctc.loss, ctc.loss_and_grad, nn.functional.ctc_loss):
        with pytest.raises(ValueError, match=r"input_lengths of item 1 is 7.*6"):
            function(log_probs, [[1]] * 3, [6, 7, 9])


def test_a18_bits_do_not_depend_on_threads(isa, threads, rng):
    log_probs = emissions(rng, 9, 50, 8, dtype="float32")
    frames = [50, 31, 4, 50, 0, 22, 50, 41, 7]
    targets = random_targets(rng, (9, 8, 1, 20, 0, 3, 14, 10, 2), 8, 0, repeats=0.1)
    for options in ({}, EACH, {"wrt": "logits"}):
        assert_same_bits_as_one_thread(
            lambda options=options: ctc.loss_and_grad(log_probs, targets, frames, **options),
            threads,
        )


def test_a19_single_precision_agrees_with_logarithms_at_20000_frames(rng):
    """Scaled sums in float32 against log space in float64, on the same float32 numbers."""
    log_probs = emissions(rng, 20_000, 6, dtype="float32")
    (target,) = random_targets(rng, (300,), 6, 0)
    loss, grad = ctc.loss_and_grad(log_probs, target, reduction="sum")
    wanted, wanted_grad = ctc.loss_and_grad(log_probs.astype(np.float64), target, reduction="sum")
    assert_close(loss, wanted, 1e-6)
    assert np.abs(grad - wanted_grad).max() <= 2e-5


@pytest.mark.parametrize("T", range(1, 7))
def test_a20_every_path_is_counted_once(isa, T, rng, tolerance):
    """All targets of up to 4 symbols over 3 classes; 10,000 more in `test_trellis_cases.py`."""
    log_probs = emissions(rng, T, 3)
    for length in range(5):
        for target in itertools.product((1, 2), repeat=length):
            wanted, occupied = brute_force_ctc(log_probs, target, 0)
            loss, grad = ctc.loss_and_grad(
                log_probs, list(target), reduction="sum", infeasible="inf"
            )
            assert_close(loss, wanted, tolerance("ctc", "float64"))
            assert_close(grad, -occupied, tolerance("ctc", "float64"))


@pytest.mark.parametrize("blank", [0, -1, None])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a21_alpha_times_beta_sums_to_the_targets_probability_at_every_frame(dtype, blank, rng):
    log_probs = emissions(rng, 200, 12, dtype=dtype)
    (target,) = random_targets(rng, (40,), 12, 0 if blank is None else blank)
    trellis = ctc.forward_backward(log_probs, target, blank=blank)
    at_frames = np.logaddexp.reduce(trellis.log_alpha + trellis.log_beta, axis=1)
    assert_close(at_frames, np.full(200, -trellis.loss), 1e-12)
    assert_close(trellis.posterior.sum(axis=1), np.ones(200), 1e-9)
    assert_close(trellis.loss, ctc.loss(log_probs, target, blank=blank, reduction="sum"), 1e-6)


def test_a22_a_second_derivative_is_refused_in_words(rng):
    """Gradients are arrays, which no tape leads through; `backward` twice adds the first again."""
    x = Tensor(emissions(rng, 2, 5, 4), requires_grad=True)
    loss = nn.CTCLoss(reduction="sum")(x, [[1], [2, 3]])
    loss.backward()
    first = x.grad.copy()
    loss.backward()
    assert_close(x.grad, 2 * first, 1e-15)
    assert type(x.grad) is np.ndarray
    with pytest.raises(ValueError, match="depends on nothing with requires_grad"):
        Tensor(x.grad).sum().backward()
    with pytest.raises(TypeError, match="create_graph"):
        loss.backward(create_graph=True)


def test_a22_so_it_is_where_pytorch_asks_for_one(rng):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    from unrolled.compat.torch import ctc_loss

    x = torch.tensor(emissions(rng, 5, 2, 4), requires_grad=True)
    loss = ctc_loss(x, torch.tensor([[1, 2], [3, 1]]), [5, 5], [2, 2])
    (first,) = torch.autograd.grad(loss, x, create_graph=True)
    with pytest.raises(RuntimeError, match="twice"):
        (loss + (first**2).sum()).backward()


def test_the_probability_of_all_targets_is_one(rng):
    """Every path says exactly one target: the losses of all of them are one distribution."""
    log_probs = emissions(rng, 5, 3)
    total = sum(
        math.exp(-ctc.loss(log_probs, list(target), reduction="sum", infeasible="inf"))
        for length in range(6)
        for target in itertools.product((1, 2), repeat=length)
    )
    assert total == pytest.approx(1.0, abs=1e-12)
