"""Forced alignment: the engine against the reference, brute force and the rule in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from align_problems import (
    assert_same_path,
    best_path,
    core_align,
    normal_log_probs,
    quantised,
    random_target,
)
from oracles import (
    alignments,
    assert_same_bits_as_one_thread,
    enumerate_alignments,
    unusual_layouts,
)
from unrolled import ctc
from unrolled.align import forced_align
from unrolled.reference import align as reference

DTYPES = (np.float32, np.float64)
LANES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257)


def random_case(rng, frames=12, classes=5, labels=6):
    T, C = int(rng.integers(1, frames + 1)), int(rng.integers(2, classes + 1))
    L = int(rng.integers(0, min(T, labels) + 1))
    blank = [0, C - 1, None][rng.integers(3)]
    penalty = float(rng.integers(0, 12) / 8) if rng.random() < 0.3 and blank is not None else np.inf
    masked = 0.2 if rng.random() < 0.3 else 0.0
    return quantised(rng, T, C, masked=masked), random_target(rng, L, C, blank), blank, penalty


@pytest.mark.parametrize("dtype", DTYPES)
def test_agrees_with_the_reference(isa, dtype, rng):
    for case in range(200):
        log_probs, target, blank, penalty = random_case(rng)
        wanted = reference.align(
            log_probs, target, blank=blank, skip_penalty=None if penalty == np.inf else penalty
        )
        actual = core_align(log_probs.astype(dtype), target, blank, penalty)
        label = f"case {case}: {log_probs.shape} {target} {blank} {penalty}"
        assert_same_path(actual, (np.array(wanted[0]), wanted[1]), label)


def test_the_rule_in_numpy_agrees_with_the_reference(rng):
    """The rule is what the larger tests compare with."""
    for case in range(200):
        log_probs, target, blank, penalty = random_case(rng)
        wanted = reference.align(
            log_probs, target, blank=blank, skip_penalty=None if penalty == np.inf else penalty
        )
        actual = best_path(log_probs, target, blank, penalty)
        assert_same_path(actual, (np.array(wanted[0]), wanted[1]), f"case {case}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_agrees_with_brute_force(isa, dtype, rng):
    for case in range(60):
        log_probs, target, blank, _ = random_case(rng, frames=5, classes=3, labels=4)
        paths = alignments(*log_probs.shape, target.tolist(), blank)
        every = enumerate_alignments(log_probs[None], target.tolist(), blank)
        states, score = core_align(log_probs.astype(dtype), target, blank)
        wanted = every.best_score[0]
        assert score == pytest.approx(wanted, abs=1e-5), f"case {case}"
        if wanted > -np.inf:
            assert tuple(states) in every.best_states(0, paths), f"case {case}"


@pytest.mark.parametrize("labels", LANES)
def test_block_widths(isa, labels, rng):
    """Labels and frames around lanes, blocks and tiles; blanks or none; all kinds of memory."""
    for frames in {labels, labels + 1, labels + 17, 2 * labels + 63, 257 + labels}:
        for blank in (0, None):
            log_probs = quantised(rng, frames, 7)
            target = random_target(rng, labels, 7, blank)
            wanted = best_path(log_probs, target, blank)
            for memory in (0, 1, 2):
                actual = core_align(log_probs.astype(np.float32), target, blank, memory=memory)
                assert_same_path(actual, wanted, f"T {frames} blank {blank} memory {memory}")


@pytest.mark.parametrize(
    "frames", [1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 800]
)
def test_tile_heights(isa, frames, rng):
    labels = min(frames, 40)
    log_probs, target = quantised(rng, frames, 7), random_target(rng, labels, 7, 0)
    wanted = best_path(log_probs, target)
    for memory in (0, 1, 2):
        actual = core_align(log_probs.astype(np.float32), target, memory=memory)
        assert_same_path(actual, wanted, f"memory {memory}")


@pytest.mark.parametrize(
    "classes", [2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 129, 400, 3000]
)
def test_numbers_of_classes(isa, classes, rng):
    """Tables in registers, columns, and columns of the classes in use alone."""
    for labels in (1, 40):
        log_probs = quantised(rng, 150, classes)
        for blank in (0, classes - 1, None):
            target = random_target(rng, labels, classes, blank)
            actual = core_align(log_probs.astype(np.float32), target, blank)
            assert_same_path(actual, best_path(log_probs, target, blank), f"{labels} {blank}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_penalties_and_memory(isa, dtype, rng):
    for case in range(40):
        log_probs = quantised(rng, 90 + case, 4)
        target, penalty = random_target(rng, 40, 4, 0), case / 8
        wanted = best_path(log_probs, target, 0, penalty)
        for memory in (0, 1, 2):
            actual = core_align(log_probs.astype(dtype), target, 0, penalty, memory)
            assert_same_path(actual, wanted, f"penalty {penalty} memory {memory}")


def test_float64_keeps_its_digits(isa, rng):
    log_probs = normal_log_probs(rng, 700, 9, dtype=np.float64)
    target = random_target(rng, 150, 9, 0)
    for memory in (0, 1, 2):
        states, score = core_align(log_probs, target, memory=memory)
        wanted, wanted_score = best_path(log_probs, target)
        assert abs(score - wanted_score) <= 1e-12 * abs(wanted_score)
        np.testing.assert_array_equal(states, wanted)


def test_a_batch_is_its_items(isa, rng):
    """Ragged; what is not to be read holds NaN, or -1 and blanks in targets (B11)."""
    frames, lengths = [70, 64, 9, 130, 1, 0], [20, 30, 9, 1, 0, 0]
    log_probs = np.full((6, 130, 6), np.nan, np.float32)
    targets = np.full((6, 35), -1)
    targets[1::2] = 0
    for n, (T, L) in enumerate(zip(frames, lengths, strict=True)):
        log_probs[n, :T] = quantised(rng, T, 6)
        targets[n, :L] = random_target(rng, L, 6, 0)
    targets[2, :9] = [1, 2, 3, 4, 5, 4, 3, 2, 1]
    batch = forced_align(log_probs, targets, frames, lengths)
    for n, (T, L) in enumerate(zip(frames, lengths, strict=True)):
        wanted = best_path(log_probs[n, :T], targets[n, :L])
        assert_same_path((batch[n].states, batch[n].score), wanted, f"item {n}")
        alone = forced_align(log_probs[n, :T], targets[n, :L])
        assert_same_path((alone.states, alone.score), wanted, f"item {n} alone")


@pytest.mark.parametrize("shape", [(8, 200, 60), (1, 6000, 1500), (3, 300, 290)], ids=str)
def test_same_bits_on_any_number_of_threads(shape, threads, rng):
    N, T, L = shape
    log_probs = np.stack([normal_log_probs(rng, T, 30) for _ in range(N)])
    targets = [random_target(rng, L, 30, 0).tolist() for _ in range(N)]

    def run():
        alignments = forced_align(log_probs, targets, infeasible="none")
        return np.stack([a.states for a in alignments]), np.array([a.score for a in alignments])

    assert_same_bits_as_one_thread(run, threads)


def test_the_score_is_the_sum_along_the_path(rng):
    log_probs = normal_log_probs(rng, 300, 12)
    alignment = forced_align(log_probs, random_target(rng, 80, 12, 0))
    along = log_probs[np.arange(300), alignment.path].astype(np.float64)
    assert alignment.score == pytest.approx(along.sum(), rel=1e-14)


def test_viterbi_is_at_most_the_sum_of_all_paths(rng):
    """Equal where one path has all the mass (B12)."""
    for _ in range(50):
        log_probs = normal_log_probs(rng, 20, 5, dtype=np.float64)
        target = random_target(rng, int(rng.integers(0, 8)), 5, 0)
        assert forced_align(log_probs, target).score <= -ctc.loss(log_probs, target) + 1e-12
    certain = np.full((4, 3), -np.inf)
    certain[np.arange(4), [1, 1, 0, 2]] = 0.0
    assert forced_align(certain, [1, 2]).score == -ctc.loss(certain, [1, 2]) == 0.0


def test_any_layout_and_type(rng):
    log_probs = quantised(rng, 30, 6).astype(np.float32)
    target = random_target(rng, 9, 6, 0)
    wanted = forced_align(log_probs, target)
    layouts = dict(unusual_layouts(log_probs))
    layouts["float16"] = log_probs.astype(np.float16)
    layouts["long double"] = log_probs.astype(np.longdouble)
    layouts["lists"] = log_probs.tolist()
    for name, layout in layouts.items():
        actual = forced_align(layout, target.tolist())
        assert_same_path((actual.states, actual.score), (wanted.states, wanted.score), name)


def test_an_empty_target_is_all_blank(rng):
    """Trap B3."""
    log_probs = quantised(rng, 9, 4)
    alignment = forced_align(log_probs.astype(np.float32), [])
    assert alignment.states.tolist() == [0] * 9
    assert alignment.score == log_probs[:, 0].sum()
    assert alignment.spans == []


@pytest.mark.parametrize("blank", [0, None])
def test_no_frames(blank):
    alignment = forced_align(np.zeros((0, 3), np.float32), [], blank=blank)
    assert alignment.score == 0.0
    assert alignment.states.size == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_as_many_frames_as_the_target_needs(dtype, rng):
    """T = L + repeats: one path there is (B4); one frame and one label."""
    for target in ([1], [1, 2, 3], [1, 1], [2, 2, 2, 1], list(range(1, 6)) * 30):
        needed = ctc.required_frames(target)
        log_probs = quantised(rng, needed, 6).astype(dtype)
        alignment = forced_align(log_probs, target)
        assert_same_path((alignment.states, alignment.score), best_path(log_probs, target))
        assert ctc.compress(alignment.path, blank=0) == target


def test_repeats_stay_apart(rng):
    """Trap B5."""
    alignment = forced_align(np.log(np.eye(3)[[1, 1, 0, 1, 1, 2]] * 0.9 + 0.03), [1, 1, 2])
    assert [(span.start, span.end) for span in alignment.spans] == [(0, 2), (3, 5), (5, 6)]
