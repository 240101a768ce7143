"""Upsampling: nearest element and linear interpolation."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from oracles import (
    assert_close,
    assert_same_bits,
    assert_same_bits_as_one_thread,
    numeric_gradient,
    unusual_layouts,
)
from unrolled import nn
from unrolled.autograd import Tensor
from unrolled.ops import upsample as kernels
from unrolled.reference import upsample as reference

DTYPES = ["float32", "float64"]


def configuration(rng, number):
    """Draw an input, and options that enlarge, shrink or keep each of its axes."""
    axes = 1 + int(rng.random() < 0.6)
    mode = ["nearest", "linear" if axes == 1 else "bilinear"][number // 2 % 2]
    inputs = tuple(int(n) for n in rng.integers(1, 12, axes))
    x = rng.standard_normal((*rng.integers(0, 4, 2), *inputs)).astype(DTYPES[number % 2])
    options = {"mode": mode}
    if mode != "nearest":
        options["align_corners"] = [None, False, True][int(rng.integers(3))]
    one = rng.random() < 0.3
    if rng.random() < 0.5:
        sizes = [int(n) for n in rng.integers(1, 30, axes)]
        options["size"] = sizes[0] if one else tuple(sizes)
    else:
        factors = [float(rng.choice([1.0, 2.0, 3.0, 1.3, 2.7])) for _ in range(axes)]
        if min(inputs) > 1 and rng.random() < 0.3:
            factors[0] = 0.6
        options["scale_factor"] = factors[0] if one else tuple(factors)
        options["recompute_scale_factor"] = [None, True, False][int(rng.integers(3))]
    return x, options, f"{number}: {x.dtype} {x.shape} {options}"


def test_200_random_configurations_agree_with_the_reference(isa, rng, tolerance):
    for number in range(200):
        x, options, label = configuration(rng, number)
        y, expected = kernels.interpolate(x, **options), reference.interpolate(x, **options)
        assert y.dtype == x.dtype
        limit = tolerance("upsample", x.dtype)
        assert_close(y, expected, limit, label, scale=1.0)
        grad_y = rng.standard_normal(y.shape).astype(x.dtype)
        grad_x = kernels.interpolate_backward(grad_y, x.shape[2:], **options)
        expected = reference.interpolate_backward(grad_y, x.shape[2:], **options)
        assert grad_x.dtype == x.dtype
        assert_close(grad_x, expected, limit, f"gradient of {label}", scale=1.0)


def test_200_random_configurations_agree_with_pytorch(rng):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    for number in range(200):
        array, options, label = configuration(rng, number)
        if array.size == 0:
            array = np.ones((1, 2, *array.shape[2:]), array.dtype)  # PyTorch refuses no channels
        x, peer_x = Tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
        if array.ndim == 3 and options["mode"] == "nearest":
            options.pop("scale_factor", None)  # PyTorch's gradient is not that of its forward pass
            options = {"mode": "nearest", "size": options.get("size", 17)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about recompute_scale_factor
            expected = torch.nn.functional.interpolate(peer_x, **options)
        y = nn.functional.interpolate(x, **options)
        upstream = rng.standard_normal(y.shape).astype(array.dtype)
        y.backward(upstream)
        expected.backward(torch.tensor(upstream))
        # PyTorch computes positions in float32 for float32.
        limit = 1e-5 if array.dtype == np.float32 else 1e-13
        assert_close(y.data, expected.detach().numpy(), limit, label, scale=1.0)
        assert_close(x.grad, peer_x.grad.numpy(), limit, f"gradient of {label}", scale=1.0)


@pytest.mark.parametrize("inputs", range(1, 40))
def test_nearest_picks_what_pytorch_picks(inputs):
    """Where a position is a whole number, one rounding decides."""
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    for dtype in DTYPES:
        x = np.arange(inputs, dtype=dtype).reshape(1, 1, -1)
        for size in range(1, 81):
            expected = torch.nn.functional.interpolate(torch.tensor(x), size).numpy()
            np.testing.assert_array_equal(kernels.interpolate(x, size), expected, f"{size}")
        for factor in (1.5, 1 / 3 + 1, 2.2, 7.7):
            if int(inputs * factor) in (inputs, 2 * inputs):
                continue  # here its passes disagree with each other
            options = {"scale_factor": factor, "recompute_scale_factor": False}
            expected = torch.nn.functional.interpolate(torch.tensor(x), **options).numpy()
            np.testing.assert_array_equal(kernels.interpolate(x, **options), expected)


@pytest.mark.parametrize(
    "options",
    [
        {"size": (5, 7)},
        {"scale_factor": (2.5, 0.7), "mode": "bilinear"},
        {"size": (1, 9), "mode": "bilinear", "align_corners": True},
    ],
    ids=str,
)
def test_gradient_agrees_with_central_differences(isa, options, rng, tolerance):
    x = rng.standard_normal((2, 2, 3, 4))
    grad_y = rng.standard_normal(kernels.interpolate(x, **options).shape)
    actual = kernels.interpolate_backward(grad_y, (3, 4), **options)
    expected = numeric_gradient(lambda v: np.sum(grad_y * kernels.interpolate(v, **options)), x)
    assert_close(actual, expected, tolerance("differences", "float64"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_bits_depend_on_neither_threads_nor_the_batch_nor_layout(isa, threads, dtype, mode, rng):
    x = rng.standard_normal((5, 7, 19, 23)).astype(dtype)
    grad_y = rng.standard_normal((5, 7, 40, 41)).astype(dtype)

    def both():
        y = kernels.interpolate(x, (40, 41), mode=mode)
        return y, kernels.interpolate_backward(grad_y, (19, 23), (40, 41), mode=mode)

    assert_same_bits_as_one_thread(both, threads)
    y, grad_x = both()
    assert_same_bits(kernels.interpolate(x[2:3], (40, 41), mode=mode)[0], y[2])
    alone = kernels.interpolate_backward(grad_y[2:3], (19, 23), (40, 41), mode=mode)
    assert_same_bits(alone[0], grad_x[2])
    small = x[:2, :2, :4, :5]
    expected = kernels.interpolate(small, scale_factor=1.5, mode=mode)
    for layout, other in unusual_layouts(small):
        assert_same_bits(kernels.interpolate(other, scale_factor=1.5, mode=mode), expected, layout)


def test_neighbours_of_weight_zero_are_never_read():
    x = np.array([[[1.0, np.inf, 3.0]]], np.float32)
    y = kernels.interpolate(x, 5, mode="linear", align_corners=True)
    np.testing.assert_array_equal(y, [[[1, np.inf, np.inf, np.inf, 3]]])
    assert_same_bits(kernels.interpolate(x, 3, mode="linear"), x)


X = np.zeros((1, 2, 3, 4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.interpolate(X, 2, mode="cubic"), "mode must be one of"),
        (lambda: kernels.interpolate(X, 2, mode="linear"), "x must have 3 axes"),
        (lambda: kernels.interpolate(X[0], 2, mode="bilinear"), "x must have 4 axes"),
        (lambda: kernels.interpolate(X[0, 0], 2), "x must have 3 or 4 axes"),
        (lambda: kernels.interpolate(X), "exactly one"),
        (lambda: kernels.interpolate(X, 2, 2.0), "exactly one"),
        (lambda: kernels.interpolate(X, (2, 2, 2)), "size"),
        (lambda: kernels.interpolate(X, 2.5), "size must be whole"),
        (lambda: kernels.interpolate(X, 0), "at least 1"),
        (lambda: kernels.interpolate(X, scale_factor=0.1), "at least 1"),
        (lambda: kernels.interpolate(X, scale_factor=-2), "positive"),
        (lambda: kernels.interpolate(X, scale_factor=float("nan")), "positive"),
        (lambda: kernels.interpolate(X, scale_factor=(1, 2, 3)), "scale_factor"),
        (lambda: kernels.interpolate(X, scale_factor=1e30), "scale_factor"),
        (lambda: kernels.interpolate(X, 2, align_corners=True), "align_corners"),
        (lambda: kernels.interpolate(X, 2, recompute_scale_factor=True), "recompute"),
        (lambda: kernels.interpolate(X[..., :0], 2), "nothing to resample"),
        (lambda: kernels.interpolate_backward(X, (2, 2), (5, 5)), "grad_y must end"),
        (lambda: nn.Upsample(), "exactly one"),
        (lambda: nn.Upsample(2, mode="area"), "mode"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_module_is_built_again_from_its_config(rng):
    layer = nn.Upsample(scale_factor=(2, 1.5), mode="bilinear", align_corners=True)
    x = rng.standard_normal((1, 2, 3, 4)).astype(np.float32)
    assert_same_bits(nn.build(layer.config())(x).data, layer(x).data)


def test_a_wrong_gradient_is_seen(monkeypatch, rng, tolerance):
    """The judge itself: a planted fault must not pass."""
    backward = kernels.interpolate_backward
    monkeypatch.setattr(kernels, "interpolate_backward", lambda *a, **k: backward(*a, **k) * 1.0001)
    with pytest.raises(AssertionError):
        test_gradient_agrees_with_central_differences(None, {"size": (5, 7)}, rng, tolerance)
