"""Activations against PyTorch, forward and backward, on a million elements."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.ops import activation


@pytest.mark.parametrize("name", ["leaky_relu", "elu", "gelu", "silu", "softplus"])
def bench_activation(side_by_side, name):
    import torch

    rng = np.random.default_rng(0)
    x, grad_y = (rng.standard_normal(1 << 20).astype(np.float32) for _ in range(2))
    tensor, grad = torch.from_numpy(x).requires_grad_(), torch.from_numpy(grad_y)
    forward, backward = getattr(activation, name), getattr(activation, f"{name}_backward")

    def ours():
        forward(x)
        backward(grad_y, x)

    def theirs():
        torch.autograd.grad(getattr(torch.nn.functional, name)(tensor), tensor, grad)

    side_by_side(ours, theirs)
