"""PyTorch's CTC loss over ours: the values, gradients and shapes of PyTorch's own."""

from __future__ import annotations

import copy
import subprocess
import sys

import numpy as np
import pytest

from ctc_problems import random_targets

torch = pytest.importorskip("torch", reason="unrolled.compat.torch works on PyTorch's tensors")

from unrolled.compat.torch import CTCLoss, ctc_loss  # noqa: E402 (needs PyTorch)

REDUCTIONS = ("none", "mean", "sum")


def problem(rng):
    """Draw sizes, options and arguments; some targets are impossible, some are empty."""
    T, N, C = (int(rng.integers(low, high)) for low, high in ((1, 12), (1, 5), (2, 7)))
    blank = int(rng.integers(0, C))
    frames = rng.integers(0, T + 1, N)
    lengths = rng.integers(0, min(T, 6) + 1, N)
    targets = random_targets(rng, lengths, C, blank)
    scores = rng.choice([0.5, 2.0, 30.0]) * rng.standard_normal((T, N, C))
    if rng.random() < 0.8:
        scores = torch.from_numpy(scores).log_softmax(-1).numpy()
    if rng.random() < 0.3:
        scores[rng.random(scores.shape) < 0.2] = -np.inf  # masked classes
    return scores, targets, frames, lengths, blank


def as_arguments(rng, targets, frames, lengths):
    """Pass targets and lengths in one of the forms that PyTorch takes."""
    if rng.random() < 0.5:
        given = torch.tensor([token for row in targets for token in row], dtype=torch.long)
    else:
        width = max(*lengths, 1) + int(rng.integers(0, 3))
        given = torch.from_numpy(rng.integers(0, 2, (len(targets), width)))  # padding of any kind
        for row, target in zip(given, targets, strict=True):
            row[: len(target)] = torch.tensor(target, dtype=torch.long)
    given = given.to([torch.int32, torch.int64][int(rng.integers(2))])
    if rng.random() < 0.5:
        return given, tuple(map(int, frames)), tuple(map(int, lengths))
    return given, torch.from_numpy(frames), torch.from_numpy(lengths)


def value_and_grad(function, scores, arguments, upstream, **options):
    leaf = torch.from_numpy(scores).clone().requires_grad_()
    loss = function(leaf, *arguments, **options)
    weights = upstream[: loss.numel()].reshape(loss.shape).to(loss.dtype)
    (grad,) = torch.autograd.grad((loss * weights).sum(), leaf)
    return loss.detach().numpy(), grad.numpy()


@pytest.mark.filterwarnings("ignore:.*normalised")  # some are not, on purpose
@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_random_configurations_agree_with_pytorch(reduction, zero_infinity, rng):
    seen = {"impossible": 0, "ragged": 0}
    for number in range(200):
        scores, targets, frames, lengths, blank = problem(rng)
        arguments = as_arguments(rng, targets, frames, lengths)
        upstream = torch.from_numpy(rng.standard_normal(len(frames)))
        options = {"blank": blank, "reduction": reduction, "zero_infinity": zero_infinity}
        found = value_and_grad(ctc_loss, scores, arguments, upstream, **options)
        peer = torch.nn.functional.ctc_loss
        loss, grad = value_and_grad(peer, scores, arguments, upstream, **options)
        context = f"configuration {number}: {scores.shape}, {targets}, {frames}, {options}"
        np.testing.assert_allclose(found[0], loss, rtol=1e-10, atol=1e-10, err_msg=context)
        plain = value_and_grad(
            peer, scores, arguments, torch.ones(len(frames)), blank=blank, reduction="none"
        )[0]
        impossible = np.isinf(plain)
        grad[:, impossible] = 0  # NaN in PyTorch, without zero_infinity
        grad[np.isneginf(scores)] = 0  # NaN in PyTorch where the target has a masked class
        assert np.isfinite(found[1]).all(), context
        np.testing.assert_allclose(found[1], grad, rtol=1e-10, atol=1e-10, err_msg=context)
        seen["impossible"] += impossible.any()
        seen["ragged"] += len(set(frames)) > 1
    assert min(seen.values()) > 20


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_lower_precisions_are_those_of_float64_rounded(dtype, rng):
    rounded = torch.from_numpy(rng.standard_normal((30, 3, 8))).log_softmax(2).to(dtype)
    targets = torch.tensor(random_targets(rng, (6, 6, 6), 8, 0))
    arguments = (targets, (30, 25, 28), (6, 4, 5))
    exact = rounded.double().requires_grad_()
    torch.nn.functional.ctc_loss(exact, *arguments).backward()
    leaf = rounded.clone().requires_grad_()
    loss = ctc_loss(leaf, *arguments)
    loss.backward()
    assert loss.dtype == torch.float32 and leaf.grad.dtype == leaf.dtype
    wanted = torch.nn.functional.ctc_loss(exact, *arguments)
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-6)
    rounding = torch.finfo(leaf.dtype).eps
    assert (leaf.grad.double() - exact.grad).abs().max() <= 2 * rounding * exact.grad.abs().max()


def test_gradient_through_log_softmax_agrees_with_differences(rng):
    logits = torch.from_numpy(rng.standard_normal((5, 2, 4))).requires_grad_()
    targets = torch.tensor([[1, 1], [2, 3]])

    def losses(x):
        return ctc_loss(x.log_softmax(2), targets, (5, 4), (2, 2), reduction="none")

    assert torch.autograd.gradcheck(losses, logits)


def test_float32_keeps_its_digits_over_long_items(rng):
    """PyTorch's own is off by a thousandth."""
    scores = torch.from_numpy(3 * rng.standard_normal((2000, 1, 12))).float().log_softmax(2)
    arguments = (torch.tensor(random_targets(rng, (300,), 12, 0)), (2000,), (300,))
    upstream = torch.ones(1)
    exact = value_and_grad(
        torch.nn.functional.ctc_loss, scores.double().numpy(), arguments, upstream
    )
    found = value_and_grad(ctc_loss, scores.numpy(), arguments, upstream)
    assert found[0] == pytest.approx(exact[0], rel=1e-6)
    assert np.abs(found[1] - exact[1]).max() <= 1e-5 / 300


def test_unbatched(rng):
    scores = torch.from_numpy(rng.standard_normal((8, 5))).log_softmax(1)
    for reduction in REDUCTIONS:
        arguments = (torch.tensor([1, 1, 2]), torch.tensor(8), torch.tensor(3))
        found = ctc_loss(scores, *arguments, reduction=reduction)
        wanted = torch.nn.functional.ctc_loss(scores, *arguments, reduction=reduction)
        assert found.shape == wanted.shape == ()
        assert found.item() == pytest.approx(wanted.item(), rel=1e-12)


def test_frames_beyond_the_length_may_hold_nan(rng):
    scores = torch.from_numpy(rng.standard_normal((6, 2, 4))).log_softmax(2)
    scores[4:, 1] = float("nan")
    leaf = scores.requires_grad_()
    ctc_loss(leaf, torch.tensor([[1, 2], [3, 1]]), (6, 4), (2, 2)).backward()
    assert (leaf.grad[4:, 1] == 0).all() and leaf.grad.isfinite().all()
    assert (leaf.grad[:4, 1] != 0).any()


@pytest.mark.parametrize("zero_infinity", [False, True])
def test_impossible_targets_do_not_spoil_the_batch(zero_infinity, rng):
    leaf = torch.from_numpy(rng.standard_normal((6, 2, 4))).log_softmax(2).requires_grad_()
    arguments = (torch.tensor([[1, 2], [3, 3]]), (6, 2), (2, 2))
    loss = ctc_loss(leaf, *arguments, zero_infinity=zero_infinity)
    assert loss.isinf() == (not zero_infinity)
    (loss * loss).backward()  # brings inf from above
    assert leaf.grad.isfinite().all() == zero_infinity  # the possible item shares the mean
    assert (leaf.grad[:, 1] == 0).all()


def test_a_gradient_of_inf_from_above_is_not_hidden(rng):
    leaf = torch.from_numpy(rng.standard_normal((6, 1, 4))).log_softmax(2).requires_grad_()
    (ctc_loss(leaf, torch.tensor([[1, 2]]), (6,), (2,)) * torch.inf).backward()
    assert leaf.grad.isinf().any()


def test_upstream_gradient_of_zero_gives_zero(rng):
    leaf = torch.from_numpy(rng.standard_normal((6, 2, 4))).log_softmax(2).requires_grad_()
    losses = ctc_loss(leaf, torch.tensor([[1], [2]]), (6, 6), (1, 1), reduction="none")
    (losses * torch.tensor([0.0, 3.0])).sum().backward()
    assert (leaf.grad[:, 0] == 0).all() and (leaf.grad[:, 1] != 0).any()


def test_second_derivatives_are_refused(rng):
    leaf = torch.from_numpy(rng.standard_normal((6, 1, 4))).log_softmax(2).requires_grad_()
    loss = 2 * ctc_loss(leaf, torch.tensor([[1]]), (6,), (1,))
    (grad,) = torch.autograd.grad(loss, leaf, create_graph=True)
    with pytest.raises(RuntimeError, match="cannot be differentiated twice"):
        (loss + grad.square().sum()).backward()


def test_no_gradient_is_made_where_none_is_wanted(rng, monkeypatch):
    from unrolled import ctc

    monkeypatch.setattr(ctc, "loss_and_grad", None)
    scores = torch.from_numpy(rng.standard_normal((6, 1, 4))).log_softmax(2)
    assert not ctc_loss(scores, torch.tensor([[1]]), (6,), (1,)).requires_grad
    with torch.no_grad():
        ctc_loss(scores.requires_grad_(), torch.tensor([[1]]), (6,), (1,))


def test_the_module_has_the_options_of_pytorchs():
    ours, theirs = CTCLoss(2, "sum", True), torch.nn.CTCLoss(2, "sum", True)
    log_probs = torch.zeros(5, 1, 3).log_softmax(2)
    arguments = (log_probs, torch.tensor([[0, 1]]), (5,), (2,))
    assert isinstance(ours, torch.nn.Module)
    assert ours(*arguments).item() == pytest.approx(theirs(*arguments).item(), rel=1e-6)
    assert repr(copy.deepcopy(ours)) == "CTCLoss(blank=2, reduction='sum', zero_infinity=True)"
    assert ours.state_dict() == theirs.state_dict() == {}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"log_probs": np.zeros((4, 2, 3))}, TypeError, r"log_probs must be a torch\.Tensor"),
        ({"log_probs": torch.zeros(4, 2, 3, device="meta")}, ValueError, r"meta.*log_probs\.cpu"),
        ({"log_probs": torch.zeros(4, 2, 3, dtype=torch.long)}, TypeError, "floating point"),
        ({"log_probs": torch.zeros(4)}, ValueError, r"\(T, N, C\) or \(T, C\)"),
        ({"log_probs": torch.zeros(0, 2, 3)}, ValueError, "must not be empty"),
        ({"targets": [[1], [2]]}, TypeError, r"targets must be a torch\.Tensor"),
        ({"targets": torch.tensor([[1.5], [2.0]])}, TypeError, "targets must be whole"),
        ({"targets": torch.tensor([1, 2, 1])}, ValueError, "one after the other: 2 symbols"),
        ({"targets": torch.tensor([[1], [0]])}, ValueError, "item 1: position 0 is the blank"),
        ({"targets": torch.tensor([[3], [1]])}, ValueError, "item 0: class 3"),
        ({"targets": torch.tensor([[1]])}, ValueError, "targets"),
        ({"input_lengths": (4, 5)}, ValueError, "input_lengths of item 1 is 5"),
        ({"input_lengths": (-1, 4)}, ValueError, "input_lengths of item 0 is -1"),
        ({"input_lengths": (4,)}, ValueError, "input_lengths must have one length an item: 2"),
        ({"input_lengths": (4.0, 4.0)}, TypeError, "input_lengths must be whole"),
        ({"target_lengths": (1, 2)}, ValueError, "target_lengths of item 1 is 2"),
        ({"target_lengths": (1, -1)}, ValueError, "target_lengths of item 1 is -1"),
        ({"blank": 3}, ValueError, "blank must be one of the 3 classes"),
        ({"reduction": "avg"}, ValueError, "reduction must be one of none, mean, sum"),
    ],
)
def test_bad_arguments_are_named(changes, error, message):
    arguments = {
        "log_probs": torch.zeros(4, 2, 3).log_softmax(2),
        "targets": torch.tensor([[1], [2]]),
        "input_lengths": (4, 4),
        "target_lengths": (1, 1),
    }
    with pytest.raises(error, match=message):
        ctc_loss(**(arguments | changes))


def test_pytorch_is_imported_by_this_module_alone():
    program = (
        "import sys, unrolled, unrolled.compat\n"
        "import unrolled.compat.torchaudio, unrolled.compat.optax\n"
        "assert 'torch' not in sys.modules\n"
        "sys.modules['torch'] = None\n"
        "unrolled.compat.torch\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert "pip install torch" in done.stderr.splitlines()[-1]
