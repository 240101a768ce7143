"""Errors of a recurrent layer against PyTorch in float64, relative in the l2 norm."""

from __future__ import annotations

import numpy as np

from bench.peers.recurrent_cases import RecurrentCase
from bench.peers.recurrent_sides import our_layer, torch_layer

NAMES = ("y", "grad_x", "grad_weight", "grad_bias")
GATES = {"y": 1e-6, "grad_x": 2e-6, "grad_weight": 2e-6, "grad_bias": 2e-6}


def errors(case: RecurrentCase) -> dict[str, object]:
    """Of ours and of PyTorch's float32, the largest of the weights and of the biases."""
    exact, peer = (_torch_results(case, dtype) for dtype in ("float64", "float32"))
    mine = _errors(_our_results(case), exact)
    theirs = _errors(peer, exact)
    passed = all(mine[name] <= gate for name, gate in GATES.items())
    return {
        "case": case.name,
        "ours": mine,
        "torch": theirs,
        "gate": max(GATES.values()),
        "passed": passed,
    }


def _errors(actual: dict[str, np.ndarray], exact: dict[str, np.ndarray]) -> dict[str, float]:
    worst = dict.fromkeys(NAMES, 0.0)
    for name, value in exact.items():
        difference = actual[name].astype(np.float64) - value
        error = float(np.linalg.norm(difference.ravel()) / np.linalg.norm(value.ravel()))
        kind = name if name in NAMES else f"grad_{name.split('_')[0]}"
        worst[kind] = max(worst[kind], error)
    return worst


def _our_results(case: RecurrentCase) -> dict[str, np.ndarray]:
    import unrolled

    layer = our_layer(case)
    array, grad = case.arrays()
    x = unrolled.Tensor(array, requires_grad=True)
    output, _ = layer(x)
    output.backward(grad)
    grads = {name: parameter.grad for name, parameter in layer.named_parameters()}
    return {"y": output.numpy(), "grad_x": x.grad, **grads}


def _torch_results(case: RecurrentCase, dtype: str) -> dict[str, np.ndarray]:
    import torch

    layer = torch_layer(case, dtype)
    array, grad = (torch.from_numpy(a).to(getattr(torch, dtype)) for a in case.arrays())
    x = array.requires_grad_()
    output, _ = layer(x)
    names, parameters = zip(*layer.named_parameters(), strict=True)
    grads = torch.autograd.grad(output, (x, *parameters), grad)
    tensors = {"y": output, "grad_x": grads[0], **dict(zip(names, grads[1:], strict=True))}
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}
