"""Softmax and its logarithm."""

from __future__ import annotations

import numpy as np
import pytest

from oracles import (
    assert_close,
    assert_same_bits,
    assert_same_bits_as_one_thread,
    numeric_gradient,
    unusual_layouts,
)
from unrolled.ops import softmax as kernels
from unrolled.reference import softmax as reference

DTYPES = ["float32", "float64"]
NAMES = ["softmax", "log_softmax"]
WIDTHS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 19, 35, 100, 1031]


def pair(name):
    forward, backward = getattr(kernels, name), getattr(kernels, f"{name}_backward")
    return forward, backward


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1, 30])
def test_agrees_with_the_reference(isa, dtype, name, scale, rng, tolerance):
    forward, backward = pair(name)
    limit = tolerance("softmax", dtype)
    for width in WIDTHS:
        x = (scale * rng.standard_normal((5, width))).astype(dtype)
        y, expected = forward(x), getattr(reference, name)(x)
        assert y.dtype == dtype
        assert_close(y, expected, limit, f"C={width}")
        grad_y = rng.standard_normal(y.shape).astype(dtype)
        grad_x = backward(grad_y, y)
        assert grad_x.dtype == dtype
        error = np.abs(grad_x - getattr(reference, f"{name}_backward")(grad_y, y)).max()
        assert error <= limit * np.abs(grad_y).sum(axis=-1).max(), f"C={width}: {error}"


@pytest.mark.parametrize("shape", [(7,), (2, 3, 4), (1, 1), (2, 0, 3), (0, 4)], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_any_leading_dimensions(isa, shape, name, rng, tolerance):
    forward, backward = pair(name)
    x = rng.standard_normal(shape).astype(np.float32)
    y = forward(x)
    assert y.shape == backward(x, y).shape == shape
    assert_close(y, getattr(reference, name)(x), tolerance("softmax", "float32"))


@pytest.mark.parametrize("name", NAMES)
def test_gradient_agrees_with_central_differences(isa, name, rng, tolerance):
    forward, backward = pair(name)
    x, grad_y = rng.standard_normal((3, 9)), rng.standard_normal((3, 9))
    actual = backward(grad_y, forward(x))
    expected = numeric_gradient(lambda v: np.sum(grad_y * forward(v)), x)
    assert_close(actual, expected, tolerance("differences", "float64"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_pytorch(isa, dtype, name, rng, tolerance):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    forward, backward = pair(name)
    x, grad_y = (3 * rng.standard_normal((4, 5, 33)).astype(dtype) for _ in range(2))
    tensor = torch.tensor(x, requires_grad=True)
    peer = getattr(torch.nn.functional, name)(tensor, -1)
    peer.backward(torch.tensor(grad_y))
    limit = tolerance("softmax", dtype)
    assert_close(forward(x), peer.detach().numpy(), limit)
    assert_close(backward(grad_y, forward(x)), tensor.grad.numpy(), limit)


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_logits_neither_overflow_nor_vanish(isa, dtype):
    big = float(np.finfo(dtype).max) / 4
    x = np.array([[big, -big, 0], [-big, -big, -big], [1e4, 1e4 + 1, 0], [-1e4, 0, 0]], dtype)
    y = kernels.log_softmax(x)
    assert np.isfinite(y).all()
    assert np.array_equal(y[0], np.array([0, -2 * big, -big], dtype))
    p = kernels.softmax(x)
    assert np.array_equal(p[0], [1, 0, 0])
    assert np.abs(p.sum(axis=-1) - 1).max() < 1e-6


@pytest.mark.parametrize("dtype", DTYPES)
def test_masked_classes_have_no_probability(isa, dtype):
    x = np.zeros((2, 21), dtype)
    x[0, ::2] = -np.inf
    y = kernels.log_softmax(x)
    np.testing.assert_array_equal(y[0, ::2], -np.inf)
    assert_close(y[0, 1::2], np.full(10, -np.log(10)), 1e-6)
    assert_close(kernels.softmax(x)[0, :2], [0, 0.1], 1e-6)
    gradient = kernels.log_softmax_backward(np.ones_like(x), y)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_a_nan_spoils_its_own_row_alone(isa, dtype, name):
    x = np.zeros((3, 40), dtype)
    x[1, 37] = np.nan
    y = pair(name)[0](x)
    assert np.isnan(y[1]).all()
    assert np.isfinite(y[[0, 2]]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_same_bits_on_any_number_of_threads_and_alone(isa, threads, dtype, name, rng):
    forward, backward = pair(name)
    x = rng.standard_normal((401, 67)).astype(dtype)
    assert_same_bits_as_one_thread(lambda: (forward(x), backward(x, forward(x))), threads)
    assert_same_bits(forward(x[123]), forward(x)[123])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_layouts_change_no_bit(isa, dtype, name, rng):
    forward, backward = pair(name)
    x = rng.standard_normal((3, 5, 18)).astype(dtype)
    expected = forward(x)
    for layout, x_ in unusual_layouts(x):
        assert_same_bits(forward(x_), expected, layout)
        assert_same_bits(backward(x_, expected), backward(x, expected), layout)


@pytest.mark.parametrize("dtype", ["float16", "int32"])
def test_other_numbers_become_float32(dtype):
    y = kernels.softmax(np.array([0, 0, 1], dtype))
    assert y.dtype == np.float32


@pytest.mark.parametrize("name", NAMES)
def test_wrong_shapes_name_the_argument(name):
    forward, backward = pair(name)
    with pytest.raises(ValueError, match=r"\bx\b"):
        forward(np.float32(1))
    with pytest.raises(ValueError, match=r"\b(grad_y|y)\b"):
        backward(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(TypeError, match=r"\bx\b"):
        forward(np.ones(3, complex))
