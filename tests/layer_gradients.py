"""Gradients of modules against central differences."""

from __future__ import annotations

import numpy as np

from oracles import assert_close, numeric_gradient
from unrolled.autograd import Tensor, no_grad


def outputs_of(result):
    """Flatten what a layer returns into a list of tensors."""
    return (
        [result] if isinstance(result, Tensor) else [t for part in result for t in outputs_of(part)]
    )


def check_gradients(compute, tensors, rng, tolerance):
    """Compare ``backward()`` with differences of random combinations of all outputs."""
    upstream = [rng.standard_normal(output.shape) for output in outputs_of(compute())]

    def total():
        outputs = outputs_of(compute())
        return sum(((y * g).sum() for y, g in zip(outputs, upstream, strict=True)), Tensor(0.0))

    for tensor in tensors:
        tensor.grad = None
    total().backward()
    for position, tensor in enumerate(tensors):
        held = tensor.data

        def along(point, tensor=tensor):
            tensor.data = point
            with no_grad():
                return total().item()

        expected = numeric_gradient(along, held)
        tensor.data = held
        assert_close(tensor.grad, expected, tolerance("differences", np.float64), str(position))
