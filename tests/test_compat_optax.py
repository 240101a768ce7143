"""optax's CTC loss over ours: logits with paddings in, losses and gradients out."""

from __future__ import annotations

import numpy as np
import pytest

from ctc_problems import random_targets
from unrolled.compat.optax import ctc_loss, ctc_loss_and_grad
from unrolled.reference import ctc as reference


def problem(rng, *, anywhere):
    """Draw logits, frames that are padding, labels with theirs; some have no alignment."""
    B, T, K = (int(rng.integers(low, high)) for low, high in ((1, 5), (1, 10), (2, 6)))
    blank = int(rng.integers(0, K))
    lengths = rng.integers(0, min(T, 4) + 1, B)
    targets = random_targets(rng, lengths, K, blank)
    width = int(lengths.max()) + int(rng.integers(0, 3))
    labels = rng.integers(0, K, (B, width))
    for row, target in zip(labels, targets, strict=True):
        row[: len(target)] = target
    frames = (
        (rng.random((B, T)) < 0.25)
        if anywhere
        else np.arange(T) >= rng.integers(1, T + 1, B)[:, None]
    )
    paddings = np.arange(width) >= lengths[:, None]
    return rng.standard_normal((B, T, K)), frames, labels, paddings, targets, blank


@pytest.mark.parametrize("anywhere", [False, True], ids=["right", "anywhere"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_configurations_agree_with_the_reference(dtype, anywhere, rng, tolerance):
    limit = 10 * tolerance("ctc", dtype)
    impossible = 0
    for number in range(200):
        logits, frames, labels, paddings, targets, blank = problem(rng, anywhere=anywhere)
        logits = logits.astype(dtype)
        arguments = (logits, frames.astype(dtype), labels, paddings.astype(int), blank)
        losses, grad = ctc_loss_and_grad(*arguments)
        assert losses.dtype == grad.dtype == dtype
        np.testing.assert_allclose(ctc_loss(*arguments), losses, rtol=limit, atol=limit)
        for item, target in enumerate(targets):
            kept = ~frames[item]
            wanted, wanted_grad = reference.loss_and_grad(
                logits[item : item + 1, kept],
                [target],
                blank=blank,
                reduction="none",
                wrt="logits",
                infeasible="inf",
            )
            context = f"configuration {number}, item {item}: {target}, {kept.sum()} frames"
            if np.isinf(wanted[0]):
                impossible += 1
                assert losses[item] == 1e5, context
                wanted_grad = np.zeros_like(wanted_grad)
            else:
                np.testing.assert_allclose(
                    losses[item], wanted[0], rtol=limit, atol=limit, err_msg=context
                )
            np.testing.assert_allclose(
                grad[item, kept], wanted_grad[0], rtol=0, atol=limit, err_msg=context
            )
            assert (grad[item, frames[item]] == 0).all(), context
    assert impossible > 10


def test_values_of_optax():
    """From optax 0.2.8, whose arithmetic is float32."""
    logits = np.sin(np.arange(3 * 7 * 5)).reshape(3, 7, 5).astype(np.float32)
    frames = np.zeros((3, 7), np.float32)
    frames[1, 5:] = frames[2, [2, 4]] = 1
    labels = np.array([[1, 1, 2], [3, 0, 0], [4, 2, 1]])
    paddings = np.array([[0, 0, 0], [0, 1, 1], [0, 0, 0]], np.float32)
    losses, grad = ctc_loss_and_grad(logits, frames, labels, paddings)
    np.testing.assert_allclose(losses, [7.4313116, 5.802688, 5.723342], rtol=1e-6)
    first_frames = [
        [-0.1150152, -0.4377614, 0.3344404, 0.1551328, 0.0632035],
        [-0.7575592, 0.0672604, 0.0952793, 0.1196248, 0.4753948],
        [-0.2420480, 0.3736624, 0.1860697, 0.0733708, -0.3910549],
    ]
    np.testing.assert_allclose(grad[:, 0], first_frames, rtol=0, atol=1e-6)


def test_log_epsilon_stands_for_the_logarithm_of_zero():
    arguments = (np.zeros((1, 2, 3)), np.zeros((1, 2)), np.array([[1, 1]]), np.zeros((1, 2)))
    assert ctc_loss(*arguments).tolist() == [1e5]
    assert ctc_loss(*arguments, log_epsilon=-50.0).tolist() == [50]
    with pytest.raises(ValueError, match="log_epsilon must be negative"):
        ctc_loss(*arguments, log_epsilon=-np.inf)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"logits": np.zeros((4, 3))}, ValueError, r"logits must have the axes \(B, T, K\)"),
        ({"logits": np.array([[["a"]]])}, TypeError, "logits"),
        (
            {"logit_paddings": np.zeros((1, 3))},
            ValueError,
            r"logit_paddings must have shape \(2, 4",
        ),
        (
            {"logit_paddings": [[0, 0, 0, 1], [0, 0, 0.5, 1]]},
            ValueError,
            "item 1.*position 2 is 0.5",
        ),
        ({"logit_paddings": np.full((2, 4), np.nan)}, ValueError, "logit_paddings of item 0"),
        ({"labels": [[1.5], [2]]}, TypeError, "labels must be whole"),
        ({"labels": [1, 2]}, ValueError, "labels must have 2 axes"),
        ({"labels": [[1, 2], [0, 1]]}, ValueError, "item 1: position 0 is the blank"),
        ({"label_paddings": [[0, 0], [1, 0]]}, ValueError, "label_paddings of item 1.*position 0"),
        ({"blank_id": 3}, ValueError, "blank must be one of the 3"),
    ],
)
def test_bad_arguments_are_named(changes, error, message):
    arguments = {
        "logits": np.zeros((2, 4, 3)),
        "logit_paddings": np.zeros((2, 4)),
        "labels": [[1, 2], [2, 1]],
        "label_paddings": np.zeros((2, 2)),
    }
    with pytest.raises(error, match=message):
        ctc_loss(**(arguments | changes))
