"""Random configurations of convolutions, and the judges they are put before."""

from __future__ import annotations

import math
import warnings
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from oracles import assert_close
from unrolled import _core
from unrolled.ops import conv, conv_transpose
from unrolled.reference import conv as reference
from unrolled.reference import conv_transpose as reference_transpose

BLOCKS, BLOCK = 8, 26  # more than 200 configurations, in parts that name themselves when they fail
GRADIENTS = ("grad_x", "grad_weight", "grad_bias")


class Configuration(NamedTuple):
    """One convolution; `options` is what functions and layers of every library take."""

    N: int
    C: int
    K: int
    size: tuple
    kernel: tuple
    options: dict

    @property
    def axes(self):
        return len(self.size)


@contextmanager
def on_level(level):
    """Run a block on one instruction set."""
    before = _core.isa()
    _core.set_isa(level)
    try:
        yield
    finally:
        _core.set_isa(before)


def levels_for(number):
    """Return the level in use and one that changes with the configuration."""
    levels = _core.isa_levels()
    return sorted({_core.isa(), levels[number % len(levels)]})


def pick(rng, choices):
    return choices[int(rng.integers(len(choices)))]


def one_or_each(rng, axes, low, high):
    """Draw one number for all axes, or one for each; plain Python, as users write it."""
    if axes == 1 or rng.random() < 0.4:
        return int(rng.integers(low, high))
    return tuple(int(v) for v in rng.integers(low, high, axes))


def draw(rng, axes):
    """Draw a convolution that fits: every option, alone and with others."""
    while True:
        configuration = _draw(rng, axes)
        try:
            output_size(configuration)
        except ValueError:
            continue
        return configuration


def _draw(rng, axes):
    groups = pick(rng, [1, 1, 2, 3])
    C, K = groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4))
    if rng.random() < 0.2:  # depthwise
        groups = C
        K = C * int(rng.integers(1, 3))
    options = {
        "stride": one_or_each(rng, axes, 1, 4) if rng.random() < 0.6 else 1,
        "padding": pick(rng, [0, "same", "valid", one_or_each(rng, axes, 0, 4)]),
        "dilation": one_or_each(rng, axes, 1, 4) if rng.random() < 0.5 else 1,
        "groups": groups,
        "padding_mode": pick(rng, ["zeros", "zeros", "reflect", "replicate"]),
    }
    if options["padding"] == "same":
        options["stride"] = 1
    size = tuple(int(v) for v in rng.integers(1, 9 if axes == 2 else 20, axes))
    kernel = tuple(int(v) for v in rng.integers(1, 5 if axes == 2 else 7, axes))
    return Configuration(int(rng.integers(1, 4)), C, K, size, kernel, options)


def output_size(configuration):
    """Return the size of y, by the reference."""
    x = np.zeros((1, configuration.C, *configuration.size))
    groups = configuration.options["groups"]
    weight = np.zeros((groups, configuration.C // groups, *configuration.kernel))
    return _functions(reference, "conv", configuration)[0](x, weight, **configuration.options).shape


def draw_transpose(rng, axes):
    """Draw a transposed convolution that leaves something of y."""
    while True:
        groups = pick(rng, [1, 1, 2, 3])
        C, K = groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4))
        kernel = tuple(int(v) for v in rng.integers(1, 5, axes))
        size = tuple(int(v) for v in rng.integers(1, 7 if axes == 2 else 12, axes))
        stride, dilation = (
            tuple(int(v) for v in rng.integers(1, high, axes)) for high in (4, pick(rng, [2, 4]))
        )
        padding = tuple(int(v) for v in rng.integers(0, 3, axes))
        most = np.maximum(stride, dilation)
        more = tuple(int(rng.integers(0, m)) if rng.random() < 0.5 else 0 for m in most)
        parts = zip(size, kernel, stride, dilation, padding, more, strict=True)
        if min((n - 1) * s - 2 * p + (k - 1) * d + m + 1 for n, k, s, d, p, m in parts) < 1:
            continue
        options = {"stride": stride, "padding": padding, "output_padding": more}
        options["dilation"] = dilation
        if axes == 1:
            options = {name: value[0] for name, value in options.items()}
        options["groups"] = groups
        return Configuration(int(rng.integers(1, 4)), C, K, size, kernel, options)


def _functions(module, name, configuration):
    name = f"{name}{configuration.axes}d"
    return getattr(module, name), getattr(module, f"{name}_backward")


class Case(NamedTuple):
    """A configuration with numbers, and what the reference makes of them."""

    configuration: Configuration
    arrays: tuple  # x, weight, bias; float64 rounded to float32, so that both types agree
    grad_y: np.ndarray
    y: np.ndarray
    gradients: tuple
    scales: tuple  # of y and the gradients: what sums of as many products of normal numbers reach

    def __str__(self):
        return str(self.configuration)


def make_case(rng, configuration, transpose=False):
    """Draw the numbers and run the reference."""
    N, C, K, size, kernel, options = configuration
    groups = options["groups"]
    shape = (C, K // groups, *kernel) if transpose else (K, C // groups, *kernel)
    arrays = tuple(_normal(rng, s) for s in ((N, C, *size), shape, (K,)))
    module, name = (reference_transpose, "conv_transpose") if transpose else (reference, "conv")
    forward, backward = _functions(module, name, configuration)
    y = forward(*arrays, **options)
    grad_y = _normal(rng, y.shape)
    gradients = backward(grad_y, *arrays[:2], **options)
    pixels = math.prod(size if transpose else y.shape[2:])
    terms = (C // groups * math.prod(kernel), K // groups * math.prod(kernel), N * pixels)
    scales = tuple(math.sqrt(count) for count in (*terms, terms[2]))
    return Case(configuration, arrays, grad_y, y, gradients, scales)


def _normal(rng, shape):
    return rng.standard_normal(shape).astype(np.float32).astype(np.float64)


def check_kernels(case, dtype, tolerance, transpose=False, **more):
    """Compare y and all gradients with the reference's."""
    module, name = (conv_transpose, "conv_transpose") if transpose else (conv, "conv")
    forward, backward = _functions(module, name, case.configuration)
    arrays = [array.astype(dtype) for array in case.arrays]
    options = {**case.configuration.options, **more}
    y = forward(*arrays, **options)
    gradients = backward(case.grad_y.astype(dtype), *arrays[:2], **options)
    label = f"{case} {dtype} {more or ''} {_core.isa()}"
    assert y.dtype == dtype
    assert_close(y, case.y, tolerance, f"y of {label}", case.scales[0])
    parts = zip(GRADIENTS, gradients, case.gradients, case.scales[1:], strict=True)
    for part, actual, expected, scale in parts:
        assert actual.dtype == dtype
        assert_close(actual, expected, tolerance, f"{part} of {label}", scale)


def check_peer(torch, case, tolerance, transpose=False):
    """Compare PyTorch's layer, in float64, with the reference's numbers, which ours agreed with."""
    _, C, K, _, kernel, options = case.configuration
    kind = "ConvTranspose" if transpose else "Conv"
    layer = getattr(torch.nn, f"{kind}{case.configuration.axes}d")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a copy that an even kernel's "same" needs
        peer = layer(C, K, kernel, **options, dtype=torch.float64)
        x, weight, bias = (torch.tensor(array) for array in case.arrays)
        peer.weight.data, peer.bias.data = weight, bias
        y = peer(x.requires_grad_())
    y.backward(torch.tensor(case.grad_y))
    found = (y.detach(), x.grad, peer.weight.grad, peer.bias.grad)
    wanted = zip(("y", *GRADIENTS), found, (case.y, *case.gradients), case.scales, strict=True)
    for part, theirs, expected, scale in wanted:
        assert_close(expected, theirs.numpy(), tolerance, f"{part} of {case} by PyTorch", scale)
