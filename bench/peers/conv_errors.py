"""Errors of a convolution against PyTorch in float64, relative in the l2 norm."""

from __future__ import annotations

import numpy as np

from bench.peers.conv_cases import ConvCase
from bench.peers.conv_sides import our_functions, torch_conv

NAMES = ("y", "grad_x", "grad_weight", "grad_bias")


def errors(case: ConvCase, algorithm: str) -> dict[str, object]:
    """Of ours and of PyTorch's float32, and whether ours pass the gate of the algorithm."""
    exact = _torch_results(case, "float64")
    forward, backward = our_functions(case, algorithm)
    x, weight, bias, grad_y = case.arrays()
    results = [forward(x, weight, bias), *backward(grad_y, x, weight)]
    mine = {name: _error(*pair) for name, *pair in zip(NAMES, results, exact, strict=True)}
    peer = _torch_results(case, "float32")
    theirs = {name: _error(*pair) for name, *pair in zip(NAMES, peer, exact, strict=True)}
    gate = case.gate(algorithm)
    passed = all(mine[name] <= gate for name in NAMES[:3])
    return {"case": case.name, "ours": mine, "torch": theirs, "gate": gate, "passed": passed}


def _error(actual: np.ndarray, exact: np.ndarray) -> float:
    difference = actual.astype(np.float64) - exact
    return float(np.linalg.norm(difference.ravel()) / np.linalg.norm(exact.ravel()))


def _torch_results(case: ConvCase, dtype: str) -> list[np.ndarray]:
    import torch

    conv, (*tensors, grad_y) = torch_conv(case, dtype)
    inputs = [tensor.requires_grad_() for tensor in tensors]
    y = conv(*inputs)
    grads = torch.autograd.grad(y, inputs, grad_y)
    return [tensor.detach().numpy() for tensor in (y, *grads)]
