"""Activations, and the accuracy of the vector mathematics in units of the last place."""

from __future__ import annotations

import numpy as np
import pytest

from oracles import (
    assert_close,
    assert_same_bits,
    assert_same_bits_as_one_thread,
    numeric_gradient,
    strided_bit_patterns,
    ulp_error,
    unusual_layouts,
)
from unrolled.ops import activation as kernels
from unrolled.reference import activation as reference

DTYPES = ["float32", "float64"]
NAMES = ["exp", "tanh", "sigmoid"]
LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 35, 64, 100]
# The bounds stated in csrc/kernels/math.h, in units of the last place.
ULP = {
    ("exp", "float32"): 2,
    ("tanh", "float32"): 4,
    ("sigmoid", "float32"): 4,
    ("exp", "float64"): 4,
    ("tanh", "float64"): 4,
    ("sigmoid", "float64"): 4,
}


def exact(name, x):
    """Evaluate in extended precision: 11 bits more than float64."""
    x = x.astype(np.longdouble)
    if name == "sigmoid":
        shrunk = np.exp(-np.abs(x))
        return np.where(x >= 0, 1, shrunk) / (1 + shrunk)
    return getattr(np, name)(x)


def samples(name, dtype):
    """Return many bit patterns, and a dense sweep of where the function is neither 0 nor flat."""
    edge = {"exp": 110, "tanh": 12, "sigmoid": 110}[name] * (1 if dtype == "float32" else 7)
    sweep = np.linspace(-edge, edge, 200_001)
    near_zero = np.geomspace(np.finfo(dtype).tiny, 1.0, 50_001)
    dense = np.concatenate([sweep, near_zero, -near_zero]).astype(dtype)
    return np.concatenate([strided_bit_patterns(dtype, 300_000), dense])


@pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="this platform's long double is no wider"
)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.filterwarnings("ignore:underflow encountered")
def test_error_in_units_of_the_last_place(isa, dtype, name):
    x = samples(name, dtype)
    y, expected = getattr(kernels, name)(x), exact(name, x)
    assert y.dtype == dtype
    overflows = ~np.isfinite(expected.astype(dtype))
    assert np.array_equal(y[overflows], expected[overflows].astype(dtype))
    error = ulp_error(y[~overflows], expected[~overflows])
    worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
    assert error[worst] <= ULP[name, dtype], (
        f"{name}({x[~overflows][worst]!r}) is {y[~overflows][worst]!r}, "
        f"{float(error[worst]):.2f} ulp from {expected[~overflows][worst]!r}"
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values(isa, dtype):
    info = np.finfo(dtype)
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, info.max, -info.max], dtype)
    subnormal = np.array([info.smallest_subnormal, -info.smallest_subnormal, info.tiny], dtype)
    expected = {
        "exp": [1, 1, np.inf, 0, np.nan, np.inf, 0],
        "tanh": [0, -0.0, 1, -1, np.nan, 1, -1],
        "sigmoid": [0.5, 0.5, 1, 0, np.nan, 1, 0],
    }
    for name, wanted in expected.items():
        y = getattr(kernels, name)(x)
        np.testing.assert_array_equal(y, np.array(wanted, dtype), err_msg=name)
    assert np.signbit(kernels.tanh(x)[:2]).tolist() == [False, True]
    assert np.array_equal(kernels.exp(subnormal), np.ones(3))
    assert np.array_equal(kernels.tanh(subnormal), subnormal)
    assert np.array_equal(kernels.sigmoid(subnormal), np.full(3, 0.5))


@pytest.mark.parametrize("dtype", DTYPES)
def test_results_never_leave_their_range(isa, dtype):
    x = samples("sigmoid", dtype)
    assert np.abs(kernels.tanh(x)).max() <= 1
    y = kernels.sigmoid(x)
    assert (y.min(), y.max()) == (0, 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*NAMES, "relu"])
def test_a_value_does_not_depend_on_its_place(isa, dtype, name, rng):
    """The tail of an array takes the same steps as its middle."""
    function = getattr(kernels, name)
    values = rng.standard_normal(100).astype(dtype)
    expected = function(values)
    for length in LENGTHS:
        assert_same_bits(function(values[:length]), expected[:length], f"length {length}")
        assert_same_bits(function(values[3 : 3 + length]), expected[3 : 3 + length])


@pytest.mark.parametrize("dtype", DTYPES)
def test_relu_and_its_gradient(isa, dtype, rng):
    for length in LENGTHS:
        x = rng.standard_normal((2, length)).astype(dtype)
        grad_y = rng.standard_normal((2, length)).astype(dtype)
        y = kernels.relu(x)
        assert y.dtype == dtype
        assert np.array_equal(y, reference.relu(x))
        grad_x = kernels.relu_backward(grad_y, y)
        assert grad_x.dtype == dtype
        assert np.array_equal(grad_x, reference.relu_backward(grad_y, y))


@pytest.mark.parametrize("dtype", DTYPES)
def test_relu_keeps_a_nan(isa, dtype):
    x = np.array([np.nan, 1, -1, np.inf, -np.inf, 0.0] * 5, dtype)
    np.testing.assert_array_equal(kernels.relu(x), [np.nan, 1, 0, np.inf, 0, 0] * 5)
    y = kernels.bias_relu(x.reshape(1, 5, 6), np.zeros(5, dtype))
    np.testing.assert_array_equal(y.ravel(), [np.nan, 1, 0, np.inf, 0, 0] * 5)


BIASED = [(2, 1), (3, 5), (2, 3, 1), (2, 3, 15), (2, 3, 16), (2, 3, 4, 5), (1, 17, 5, 7), (0, 3, 2)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", BIASED, ids=str)
def test_bias_relu_agrees_with_the_reference(isa, dtype, shape, rng, tolerance):
    x, grad_y = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    bias = rng.standard_normal(shape[1]).astype(dtype)
    limit = tolerance("activation", dtype)
    y = kernels.bias_relu(x, bias)
    assert y.dtype == dtype
    assert_close(y, reference.bias_relu(x, bias), limit)
    gradients = kernels.bias_relu_backward(grad_y, y)
    for actual, expected in zip(gradients, reference.bias_relu_backward(grad_y, y), strict=True):
        assert actual.dtype == dtype
        assert_close(actual, expected, limit)


def test_gradients_agree_with_central_differences(isa, rng, tolerance):
    x, bias = rng.standard_normal((2, 3, 4)), rng.standard_normal(3)
    x[np.abs(x + bias[:, None]) < 1e-3] = 1.0  # away from the corner
    grad_y = rng.standard_normal(x.shape)

    def total(x, bias):
        return np.sum(grad_y * kernels.bias_relu(x, bias))

    y = kernels.bias_relu(x, bias)
    grad_x, grad_bias = kernels.bias_relu_backward(grad_y, y)
    limit = tolerance("differences", "float64")
    assert_close(grad_x, numeric_gradient(lambda v: total(v, bias), x), limit)
    assert_close(grad_bias, numeric_gradient(lambda v: total(x, v), bias), limit)
    assert_close(kernels.relu_backward(grad_y, y), grad_x, 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*NAMES, "relu"])
def test_agrees_with_pytorch(isa, dtype, name, rng, tolerance):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    x = (3 * rng.standard_normal((5, 77))).astype(dtype)
    expected = getattr(torch, name)(torch.tensor(x)).numpy()
    assert_close(getattr(kernels, name)(x), expected, tolerance("activation", dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_on_any_number_of_threads(isa, threads, dtype, rng):
    x = rng.standard_normal((9, 13, 23, 31)).astype(dtype)
    bias = rng.standard_normal(13).astype(dtype)

    def everything():
        y = kernels.bias_relu(x, bias)
        singles = [getattr(kernels, name)(x) for name in (*NAMES, "relu")]
        return [y, *kernels.bias_relu_backward(x, y), *singles]

    assert_same_bits_as_one_thread(everything, threads)


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_change_no_bit(isa, dtype, rng):
    x = rng.standard_normal((2, 3, 5, 7)).astype(dtype)
    y = kernels.bias_relu(x, x[0, :, 0, 0])
    gradients = kernels.bias_relu_backward(x, y)
    for name, x_ in unusual_layouts(x):
        for function in (*NAMES, "relu"):
            single = getattr(kernels, function)
            assert_same_bits(single(x_), single(x), f"{function}, {name}")
        assert_same_bits(kernels.bias_relu(x_, x_[0, :, 0, 0]), y, name)
        assert_same_bits(kernels.bias_relu_backward(x_, y), gradients, name)


@pytest.mark.parametrize("dtype", ["float16", "int16", "bool"])
@pytest.mark.parametrize("name", [*NAMES, "relu"])
def test_other_numbers_become_float32(dtype, name):
    y = getattr(kernels, name)(np.array([0, 1], dtype))
    assert y.dtype == np.float32
    assert_close(y, getattr(reference, name)([0, 1]), 1e-6)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: kernels.relu_backward(np.ones(3), np.ones(4)), "grad_y|y"),
        (lambda: kernels.bias_relu(np.ones((2, 3, 4)), np.ones(4)), "bias"),
        (lambda: kernels.bias_relu(np.ones(3), np.ones(3)), "x"),
        (lambda: kernels.bias_relu_backward(np.ones((2, 3)), np.ones((3, 2))), "grad_y|y"),
    ],
)
def test_wrong_shapes_name_the_argument(call, named):
    with pytest.raises(ValueError, match=rf"\b({named})\b"):
        call()


@pytest.mark.parametrize("name", [*NAMES, "relu"])
def test_complex_numbers_are_refused(name):
    with pytest.raises(TypeError, match=r"\bx\b"):
        getattr(kernels, name)(np.ones(3, complex))
