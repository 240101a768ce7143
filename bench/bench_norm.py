"""Batch and layer normalisation against PyTorch, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.ops.norm import batch_norm, batch_norm_backward, layer_norm, layer_norm_backward


def drawn(shape, features):
    rng = np.random.default_rng(0)
    x, grad_y = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
    return x, grad_y, np.ones(features, np.float32), np.zeros(features, np.float32)


@pytest.mark.parametrize("shape", [(32, 64, 14, 14), (32, 32, 28, 28), (64, 512)], ids=str)
def bench_batch_norm(side_by_side, shape):
    import torch

    x, grad_y, weight, bias = drawn(shape, shape[1])
    tensors = [torch.from_numpy(array).requires_grad_() for array in (x, weight, bias)]
    grad = torch.from_numpy(grad_y)

    def ours():
        _, mean, var = batch_norm(x, weight, bias)
        batch_norm_backward(grad_y, x, weight, mean, var)

    def theirs():
        y = torch.nn.functional.batch_norm(tensors[0], None, None, *tensors[1:], training=True)
        torch.autograd.grad(y, tensors, grad)

    side_by_side(ours, theirs)


@pytest.mark.parametrize("shape", [(32, 64, 128), (4096, 512)], ids=str)
def bench_layer_norm(side_by_side, shape):
    import torch

    x, grad_y, weight, bias = drawn(shape, shape[-1])
    tensors = [torch.from_numpy(array).requires_grad_() for array in (x, weight, bias)]
    grad = torch.from_numpy(grad_y)

    def ours():
        _, mean, inverse = layer_norm(x, shape[-1], weight, bias)
        layer_norm_backward(grad_y, x, shape[-1], weight, mean, inverse)

    def theirs():
        y = torch.nn.functional.layer_norm(tensors[0], shape[-1:], *tensors[1:])
        torch.autograd.grad(y, tensors, grad)

    side_by_side(ours, theirs)
