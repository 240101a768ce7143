"""Convolution against PyTorch: forward, and forward with all three gradients."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.ops.conv import conv2d, conv2d_backward

# N, C, H, W, K, kernel, stride, padding
CASES = [
    (32, 1, 28, 28, 32, 3, 1, 1),
    (32, 32, 28, 28, 64, 3, 1, 1),
    (32, 64, 14, 14, 128, 3, 1, 1),
    (1, 64, 56, 56, 64, 3, 1, 1),
    (32, 256, 14, 14, 256, 1, 1, 0),
    (4, 3, 224, 224, 64, 7, 2, 3),
]


def _problem(case):
    import torch

    n, c, h, w, k, r, stride, padding = case
    rng = np.random.default_rng(0)
    x, weight, bias = (
        rng.standard_normal(s).astype(np.float32) for s in ((n, c, h, w), (k, c, r, r), (k,))
    )
    tensors = [torch.from_numpy(array) for array in (x, weight, bias)]
    rows, columns = ((size + 2 * padding - r) // stride + 1 for size in (h, w))
    work = n * k * rows * columns * c * r * r
    return x, weight, bias, tensors, {"stride": stride, "padding": padding}, work


def _name(case):
    n, c, h, w, k, r, stride, padding = case
    return f"{n}x{c}x{h}x{w}-to-{k}-k{r}s{stride}p{padding}"


@pytest.mark.parametrize("case", CASES, ids=_name)
def bench_conv2d_forward(side_by_side, case):
    import torch

    x, weight, bias, tensors, options, work = _problem(case)
    peer = torch.nn.functional.conv2d
    side_by_side(
        lambda: conv2d(x, weight, bias, **options), lambda: peer(*tensors, **options), work=work
    )


@pytest.mark.parametrize("case", CASES, ids=_name)
def bench_conv2d_forward_backward(side_by_side, case):
    import torch

    x, weight, bias, tensors, options, work = _problem(case)
    grad_y = np.ones_like(conv2d(x, weight, bias, **options))
    grad = torch.from_numpy(grad_y)
    for tensor in tensors:
        tensor.requires_grad_()

    def ours():
        conv2d(x, weight, bias, **options)
        conv2d_backward(grad_y, x, weight, **options)

    def theirs():
        y = torch.nn.functional.conv2d(*tensors, **options)
        torch.autograd.grad(y, tensors, grad)

    side_by_side(ours, theirs, work=3 * work)
