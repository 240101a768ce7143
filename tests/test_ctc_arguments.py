"""What CTC loss accepts as targets and lengths, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from ctc_problems import DTYPES, emissions
from oracles import assert_same_bits, unusual_layouts
from unrolled import ctc
from unrolled.reference.softmax import log_softmax


@pytest.mark.parametrize("filler", [-1, 0, 2, 999])
def test_targets_beyond_their_length_are_never_read(filler, rng):
    log_probs = emissions(rng, 3, 9, 5)
    padded = np.array([[1, 2, 3], [4, filler, filler], [filler] * 3])
    wanted = ctc.loss_and_grad(log_probs, [[1, 2, 3], [4], []])
    assert_same_bits(ctc.loss_and_grad(log_probs, padded, target_lengths=[3, 1, 0]), wanted)


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
