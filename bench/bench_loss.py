"""Cross entropy with its gradient against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.ops.loss import cross_entropy_and_grad


@pytest.mark.parametrize("shape", [(128, 10), (256, 100), (256, 1000), (8, 20, 64, 64)], ids=str)
def bench_cross_entropy(side_by_side, shape):
    import torch

    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    target = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    tensor, classes = torch.from_numpy(x).requires_grad_(), torch.from_numpy(target)

    def theirs():
        torch.autograd.grad(torch.nn.functional.cross_entropy(tensor, classes), tensor)

    side_by_side(lambda: cross_entropy_and_grad(x, target), theirs)
