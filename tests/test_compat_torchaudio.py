"""torchaudio's forced alignment over ours: values, order, shapes and dtypes of torchaudio's own."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest

from ctc_problems import random_targets
from unrolled.compat.torchaudio import TokenSpan, forced_align, merge_tokens
from unrolled.reference.softmax import log_softmax


def best_path(log_probs, target, blank):
    """Find torchaudio's path: `skip` if it is strictly best, `step` if better than `stay`.

    The last label is the end unless the last blank is strictly better. Sums in float64.
    """
    T, L = len(log_probs), len(target)
    symbols = np.full(2 * L + 1, blank)
    symbols[1::2] = target
    emissions = log_probs[:, symbols].astype(np.float64)
    skips = np.zeros(symbols.size, bool)
    skips[3::2] = symbols[3::2] != symbols[1:-2:2]
    score = np.full(symbols.size, -np.inf)
    score[:2] = emissions[0, :2]
    back = np.zeros((T, symbols.size), int)
    for t in range(1, T):
        step = np.concatenate([[-np.inf], score[:-1]])
        skip = np.where(skips, np.concatenate([[-np.inf] * 2, score])[: symbols.size], -np.inf)
        back[t] = np.where((skip > step) & (skip > score), 2, step > score)
        score = np.choose(back[t], [score, step, skip]) + emissions[t]
    ends = (2 * L, max(2 * L - 1, 0))
    state = ends[0] if score[ends[0]] > score[ends[1]] else ends[1]
    path = [state]
    for t in range(T - 1, 0, -1):
        path.append(path[-1] - back[t, path[-1]])
    return symbols[path[::-1]]


def problem(rng, batch, quantised):
    T, C = int(rng.integers(6, 30)), int(rng.integers(2, 7))
    blank = int(rng.integers(0, C))
    lengths = rng.integers(0, 6, batch)
    targets = random_targets(rng, lengths, C, blank)
    scores = 2 * rng.standard_normal((batch, T, C))
    log_probs = np.round(scores) / 2 if quantised else log_softmax(scores)
    needed = [len(row) + sum(a == b for a, b in pairwise(row)) for row in targets]
    frames = np.array([rng.integers(min(max(n, 1), T), T + 1) for n in needed])
    possible = np.array(needed) <= T
    return log_probs, targets, frames, lengths, blank, possible


def padded(rng, targets, width, classes):
    rows = rng.integers(-1, classes, (len(targets), width))  # anything, the blank too
    for row, target in zip(rows, targets, strict=True):
        row[: len(target)] = target
    return rows


@pytest.mark.parametrize("quantised", [False, True], ids=["smooth", "ties"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_batches_have_torchaudios_paths(dtype, quantised, rng):
    """Scores in halves make ties common, and are exact in both precisions."""
    checked = 0
    while checked < 200:
        batch = int(rng.integers(1, 5))
        log_probs, targets, frames, lengths, blank, possible = problem(rng, batch, quantised)
        if not possible.all():
            continue
        rows = padded(rng, targets, int(lengths.max()) + 1, log_probs.shape[2])
        log_probs = log_probs.astype(dtype)
        paths, scores = forced_align(log_probs, rows, frames, lengths, blank)
        assert paths.dtype == rows.dtype and scores.dtype == dtype
        assert paths.shape == scores.shape == log_probs.shape[:2]
        for item, (target, T) in enumerate(zip(targets, frames, strict=True)):
            wanted = best_path(log_probs[item, :T], target, blank)
            context = f"case {checked}: {target}, blank {blank}, {T} frames"
            np.testing.assert_array_equal(paths[item, :T], wanted, err_msg=context)
            frame_scores = log_probs[item, np.arange(T), wanted]
            np.testing.assert_array_equal(scores[item, :T], frame_scores, err_msg=context)
            assert (paths[item, T:] == blank).all() and (scores[item, T:] == 0).all()
        checked += 1


def test_an_item_alone_has_the_path_it_has_in_a_batch(rng):
    log_probs = log_softmax(rng.standard_normal((3, 20, 5)))
    targets = np.array([[1, 1, 2], [3, 4, 1], [2, 2, 2]])
    paths, scores = forced_align(log_probs, targets)
    for item in range(3):
        alone = forced_align(log_probs[item : item + 1], targets[item : item + 1])
        np.testing.assert_array_equal(alone[0][0], paths[item])
        np.testing.assert_array_equal(alone[1][0], scores[item])


def test_empty_targets_are_all_blank():
    """torchaudio fails on them."""
    log_probs = np.log([[[0.2, 0.8], [0.5, 0.5]]])
    paths, scores = forced_align(log_probs, np.zeros((1, 0), np.int64))
    assert paths.tolist() == [[0, 0]]
    np.testing.assert_allclose(scores, np.log([[0.2, 0.5]]))


def test_as_many_frames_as_the_target_needs():
    scores = np.zeros((1, 3, 2))
    assert forced_align(scores, [[1, 1]])[0].tolist() == [[1, 0, 1]]
    assert forced_align(scores[:, :1], [[1]])[0].tolist() == [[1]]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"targets": [[1, 0]]}, ValueError, "item 0: position 1 is the blank"),
        ({"targets": [[1, 3]]}, ValueError, "item 0: class 3"),
        ({"targets": [[1, -2]]}, ValueError, "item 0: class -2"),
        ({"targets": [[1.0, 2.0]]}, TypeError, "targets must be whole numbers"),
        ({"targets": [1, 2]}, ValueError, r"targets \(B, L\)"),
        ({"log_probs": np.zeros((4, 3))}, ValueError, r"log_probs must be \(B, T, C\)"),
        ({"targets": [[1, 1, 1]]}, ValueError, "item 0.*5"),
        ({"input_lengths": [5]}, ValueError, "input_lengths of item 0 is 5"),
        ({"target_lengths": [3]}, ValueError, "target_lengths"),
        ({"blank": 3}, ValueError, "blank"),
    ],
)
def test_bad_arguments_are_named(changes, error, message):
    arguments = {"log_probs": np.zeros((1, 4, 3)), "targets": [[1, 2]]}
    with pytest.raises(error, match=message):
        forced_align(**(arguments | changes))


def test_blanks_beyond_the_length_of_a_target_are_padding():
    scores = np.zeros((2, 4, 3))
    forced_align(scores, [[1, 2], [1, 0]], None, [2, 1])
    with pytest.raises(ValueError, match="blank"):
        forced_align(scores, [[1, 2], [1, 0]], None, [2, 2])


def test_merging_repeats_and_dropping_blanks():
    spans = merge_tokens(np.array([0, 3, 3, 0, 3, 1, 1, 1]), np.arange(8.0))
    assert spans == [TokenSpan(3, 1, 3, 1.5), TokenSpan(3, 4, 5, 4.0), TokenSpan(1, 5, 8, 6.0)]
    assert [len(span) for span in spans] == [2, 1, 3]
    assert all(type(span.token) is int and type(span.score) is float for span in spans)
    assert merge_tokens([2, 2, 1], [0.0, 1.0, 2.0], blank=2) == [TokenSpan(1, 2, 3, 2.0)]
    assert merge_tokens([0, 0], [0.0, 0.0]) == merge_tokens([], []) == []


def test_merging_refuses_other_shapes():
    with pytest.raises(ValueError, match="same length, got 2 and 3"):
        merge_tokens([1, 1], [0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="one axis"):
        merge_tokens([[1, 1]], [[0.0, 0.0]])


class TestTensors:
    """Tensors in give tensors out."""

    @pytest.fixture
    def torch(self):
        return pytest.importorskip("torch", reason="tensors are PyTorch's")

    @pytest.mark.parametrize("targets_dtype", ["int32", "int64"])
    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
    def test_dtypes_are_those_of_the_arguments(self, dtype, targets_dtype, torch, rng):
        log_probs = torch.from_numpy(rng.standard_normal((2, 9, 4))).log_softmax(2)
        log_probs = log_probs.to(getattr(torch, dtype))
        targets = torch.tensor([[1, 2, 2], [3, 0, 0]]).to(getattr(torch, targets_dtype))
        lengths = (torch.tensor([9, 7]), torch.tensor([3, 1]))
        paths, scores = forced_align(log_probs, targets, *lengths)
        assert paths.dtype == targets.dtype and scores.dtype == log_probs.dtype
        wanted = forced_align(log_probs.double().numpy(), targets.numpy(), *lengths)
        assert paths.tolist() == wanted[0].tolist() and scores.tolist() == wanted[1].tolist()

    def test_scores_carry_the_gradient_back(self, torch, rng):
        log_probs = torch.from_numpy(rng.standard_normal((2, 6, 4))).requires_grad_()
        paths, scores = forced_align(log_probs, torch.tensor([[1], [2]]), torch.tensor([6, 4]))
        scores.sum().backward()
        wanted = torch.nn.functional.one_hot(paths, 4).double()
        wanted[1, 4:] = 0
        assert torch.equal(log_probs.grad, wanted)
        assert merge_tokens(paths[0], scores[0])[0].token == 1

    def test_other_devices_are_refused(self, torch):
        log_probs = torch.zeros(1, 4, 3, device="meta")
        with pytest.raises(ValueError, match=r"log_probs is on meta.*log_probs\.cpu"):
            forced_align(log_probs, torch.tensor([[1]]))

    @pytest.mark.parametrize("quantised", [False, True], ids=["smooth", "ties"])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_torchaudio_itself_agrees(self, dtype, quantised, torch, rng):
        """Of ties between step and skip, torchaudio 2.11 makes a stay, and loses score by it."""
        if find_spec("torchaudio") is None:
            pytest.skip("needs the peer, of the extra [peers]")
        from bench.peers.torchaudio_library import torchaudio_functional

        peer = torchaudio_functional()
        checked = 0
        while checked < 100:
            log_probs, targets, frames, _, blank, possible = problem(rng, 1, quantised)
            if not possible.all() or not targets[0]:
                continue
            scores = torch.from_numpy(log_probs[:, : frames[0]].astype(dtype))
            arguments = (scores, torch.tensor(targets), None, None, blank)
            wanted, found = peer.forced_align(*arguments), forced_align(*arguments)
            context = f"case {checked}: {targets}, blank {blank}"
            assert found[0].dtype == wanted[0].dtype and found[1].dtype == wanted[1].dtype
            assert found[1].double().sum() >= wanted[1].double().sum(), context
            if not quantised:
                assert torch.equal(found[0], wanted[0]), context
                assert torch.equal(found[1], wanted[1]), context
            ours = merge_tokens(wanted[0][0], wanted[1][0], blank)
            theirs = peer.merge_tokens(wanted[0][0], wanted[1][0], blank)
            places = [[(s.token, s.start, s.end) for s in spans] for spans in (ours, theirs)]
            assert places[0] == places[1], context
            means = [[span.score for span in spans] for spans in (ours, theirs)]
            assert means[0] == pytest.approx(means[1], rel=1e-5, abs=1e-6), context
            checked += 1
