"""Upsampling by two against PyTorch, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.ops.upsample import interpolate, interpolate_backward


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def bench_interpolate(side_by_side, mode):
    import torch

    rng = np.random.default_rng(0)
    x = rng.standard_normal((32, 32, 28, 28)).astype(np.float32)
    grad_y = rng.standard_normal((32, 32, 56, 56)).astype(np.float32)
    tensor, grad = torch.from_numpy(x).requires_grad_(), torch.from_numpy(grad_y)

    def ours():
        interpolate(x, scale_factor=2, mode=mode)
        interpolate_backward(grad_y, (28, 28), scale_factor=2, mode=mode)

    def theirs():
        y = torch.nn.functional.interpolate(tensor, scale_factor=2, mode=mode)
        torch.autograd.grad(y, tensor, grad)

    side_by_side(ours, theirs)
