"""Max pooling against PyTorch, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.ops.pool import max_pool2d_backward, max_pool2d_with_indices


@pytest.mark.parametrize("shape", [(32, 32, 28, 28), (32, 64, 32, 256)], ids=str)
def bench_max_pool2d(side_by_side, shape):
    import torch

    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    grad_y = np.ones((*shape[:2], shape[2] // 2, shape[3] // 2), np.float32)
    tensor, grad = torch.from_numpy(x).requires_grad_(), torch.from_numpy(grad_y)

    def ours():
        _, window = max_pool2d_with_indices(x, 2)
        max_pool2d_backward(grad_y, window, shape[2:], 2)

    def theirs():
        y = torch.nn.functional.max_pool2d(tensor, 2)
        torch.autograd.grad(y, tensor, grad)

    side_by_side(ours, theirs)
