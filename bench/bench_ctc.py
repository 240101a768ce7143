"""CTC loss with its gradient against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled import ctc

# T, N, C, L
CASES = [(150, 16, 29, 20), (500, 32, 32, 60), (200, 64, 80, 30)]


@pytest.mark.parametrize("case", CASES, ids=lambda c: "T{}-N{}-C{}-L{}".format(*c))
def bench_ctc_loss_and_grad(side_by_side, case):
    import torch

    frames, n, classes, length = case
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((n, frames, classes)).astype(np.float32)
    targets = rng.integers(1, classes, (n, length))
    log_probs = torch.from_numpy(logits).log_softmax(-1)
    ours_input = log_probs.numpy()
    theirs_input = log_probs.transpose(0, 1).contiguous().requires_grad_()
    labels = torch.from_numpy(targets)
    frame_counts, label_counts = torch.full((n,), frames), torch.full((n,), length)

    def theirs():
        loss = torch.nn.functional.ctc_loss(
            theirs_input, labels, frame_counts, label_counts, reduction="sum"
        )
        torch.autograd.grad(loss, theirs_input)

    side_by_side(lambda: ctc.loss_and_grad(ours_input, targets, reduction="sum"), theirs)
