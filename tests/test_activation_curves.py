"""Activations with a gradient each: accuracy, extremes, random configurations."""

from __future__ import annotations

from functools import cache

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
from unrolled import nn
from unrolled.autograd import Tensor
from unrolled.ops import activation as kernels
from unrolled.reference import activation as reference

DTYPES = ["float32", "float64"]
wide_long_double = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="this platform's long double is no wider"
)

# Name -> draws its parameters.
CURVES = {
    "leaky_relu": lambda rng: {"negative_slope": float(rng.uniform(-0.5, 1.5))},
    "elu": lambda rng: {"alpha": float(rng.uniform(-0.5, 2))},
    "gelu": lambda rng: {"approximate": str(rng.choice(["none", "tanh"]))},
    "silu": lambda rng: {},
    "softplus": lambda rng: {
        "beta": float(rng.uniform(0.1, 3)),
        "threshold": float(rng.choice([20.0, 1.0, 60.0])),
    },
}
FROM_OUTPUT = ["tanh", "sigmoid"]
# In units of the last place: the bounds of csrc/kernels/math.h, and a rounding or two for the rest.
ULP = {"elu": 3, "gelu": 9, "silu": 5, "softplus": 5}


def normal_cdf(x):
    """Evaluate in extended precision: the series around 0, a continued fraction in the tails."""
    x = x.astype(np.longdouble)
    a = np.abs(x)
    density = np.exp(-a * a / 2) / np.sqrt(2 * np.longdouble(np.pi) + np.longdouble(2.449e-16))
    series = term = np.minimum(a, 2)
    for n in range(1, 40):
        term = term * np.minimum(a, 2) ** 2 / (2 * n + 1)
        series = series + term
    fraction = np.maximum(a, 2)
    for n in range(120, 0, -1):
        fraction = np.maximum(a, 2) + n / fraction
    tail = np.where(a < 2, np.longdouble(0.5) - density * series, density / fraction)
    return np.where(x < 0, tail, 1 - tail)


def exact(name, x):
    """Evaluate in extended precision: 11 bits more than float64."""
    x = x.astype(np.longdouble)
    if name == "elu":
        return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    if name == "silu":
        return x * np.where(x >= 0, 1, np.exp(-np.abs(x))) / (1 + np.exp(-np.abs(x)))
    if name == "softplus":
        return np.where(x > 20, x, np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))
    return x * normal_cdf(x)


@cache
def samples_and_values(name, dtype):
    edge = 15 if dtype == "float32" else 40
    sweep = np.linspace(-edge, edge, 20_001)
    near_zero = np.geomspace(np.finfo(dtype).tiny, 1.0, 3_001)
    dense = np.concatenate([sweep, near_zero, -near_zero]).astype(dtype)
    x = np.concatenate([strided_bit_patterns(dtype, 20_000), dense])
    return x, exact(name, x)


def test_the_judge_of_gelu_agrees_with_the_mathematics_library():
    x = np.linspace(-30, 30, 4001)
    assert_close(normal_cdf(x), reference.normal_cdf(x), 1e-15)
    below = x[x < 0]
    ratio = normal_cdf(below) / reference.normal_cdf(below)
    assert np.abs(ratio - 1).max() < 1e-12  # math.erfc rounds its argument


@wide_long_double
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ULP)
@pytest.mark.filterwarnings("ignore:(over|under)flow encountered")
def test_error_in_units_of_the_last_place(isa, dtype, name):
    x, expected = samples_and_values(name, dtype)
    y = getattr(kernels, name)(x)
    # A subnormal factor has lost digits before it is multiplied with x, which is below 750 there.
    lost = 750 * np.finfo(dtype).smallest_subnormal / np.spacing(np.abs(expected).astype(dtype))
    error = np.maximum(ulp_error(y, expected) - lost, 0)
    worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
    assert error[worst] <= ULP[name], (
        f"{name}({x[worst]!r}) is {y[worst]!r}, {float(error[worst]):.2f} ulp from "
        f"{expected[worst]!r}"
    )


def extremes(dtype):
    info = np.finfo(dtype)
    sizes = [0.0, info.smallest_subnormal, info.tiny, 1e-30, 1, 15, 20, 88, 89, 745, 1e10, 1e30]
    return np.array([sign * size for size in [*sizes, info.max] for sign in (1, -1)], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CURVES)
def test_finite_numbers_stay_finite(isa, dtype, name, rng):
    x = extremes(dtype)
    for parameters in [{}, CURVES[name](rng), CURVES[name](rng)]:
        parameters = {**parameters, "negative_slope": 0.3} if name == "leaky_relu" else parameters
        y = getattr(kernels, name)(x, **parameters)
        slope = getattr(kernels, f"{name}_backward")(np.ones_like(x), x, **parameters)
        assert np.isfinite(y).all(), (parameters, x[~np.isfinite(y)])
        assert np.isfinite(slope).all(), (parameters, x[~np.isfinite(slope)])
        assert np.abs(slope).max() <= 2.1  # alpha and the slopes drawn are below


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CURVES)
def test_infinities_and_nan_are_as_in_pytorch(isa, dtype, name):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    x = np.array([np.inf, -np.inf, np.nan] * 9, dtype)
    y = getattr(kernels, name)(x)
    expected = getattr(torch.nn.functional, name)(torch.tensor(x[:3], dtype=torch.float64)).numpy()
    np.testing.assert_array_equal(y, np.tile(expected, 9), err_msg=name)
    slope = getattr(kernels, f"{name}_backward")(np.ones_like(x), x)
    # Comparisons with a NaN are false: leaky_relu's gradient has no use for it, as PyTorch's.
    assert name == "leaky_relu" or np.isnan(slope[2::3]).all()


@pytest.mark.parametrize("name", [*CURVES, *FROM_OUTPUT])
def test_200_random_configurations_agree_with_the_reference(name, isa, rng, tolerance):
    for number in range(200):
        dtype = DTYPES[number % 2]
        shape = tuple(rng.integers(0, 20, rng.integers(1, 4)))
        parameters = CURVES[name](rng) if name in CURVES else {}
        x, grad_y = (
            (scale * rng.standard_normal(shape)).astype(dtype) for scale in (rng.uniform(0.1, 9), 1)
        )
        label = f"{name} {number}: {dtype} {shape} {parameters}"
        y = getattr(kernels, name)(x, **parameters)
        expected = getattr(reference, name)(x, **parameters)
        assert y.dtype == dtype
        limit = tolerance("activation", dtype)
        assert_close(y, expected, limit, label, scale=1.0)
        source = y if name in FROM_OUTPUT else x
        grad_x = getattr(kernels, f"{name}_backward")(grad_y, source, **parameters)
        expected = getattr(reference, f"{name}_backward")(grad_y, source, **parameters)
        assert grad_x.dtype == dtype
        assert_close(grad_x, expected, limit, f"gradient of {label}", scale=4.0)  # grad_y's own


@pytest.mark.parametrize("name", [*CURVES, *FROM_OUTPUT])
def test_200_random_configurations_agree_with_pytorch(name, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    for number in range(200):
        dtype = DTYPES[number % 2]
        shape = tuple(rng.integers(0, 20, rng.integers(1, 4)))
        parameters = CURVES[name](rng) if name in CURVES else {}
        array = (rng.uniform(0.1, 9) * rng.standard_normal(shape)).astype(dtype)
        upstream = rng.standard_normal(shape).astype(dtype)
        x, peer_x = Tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
        y = getattr(nn.functional, name)(x, **parameters)
        expected = getattr(torch.nn.functional, name)(peer_x, **parameters)
        y.backward(upstream)
        expected.backward(torch.tensor(upstream))
        label = f"{name} {number}: {dtype} {shape} {parameters}"
        limit = 2e-6 if dtype == "float32" else 1e-13  # PyTorch's own error in gelu's tail
        assert_close(y.data, expected.detach().numpy(), limit, label, scale=1.0)
        assert_close(x.grad, peer_x.grad.numpy(), limit, f"gradient of {label}", scale=4.0)


@pytest.mark.parametrize("name", [*CURVES, *FROM_OUTPUT])
def test_gradients_agree_with_central_differences(isa, name, rng, tolerance):
    parameters = CURVES[name](rng) if name in CURVES else {}
    x = rng.uniform(-4, 4, 60)
    x[np.abs(x) < 1e-3] = 1.0  # away from the corner, and from softplus' step
    z = parameters.get("beta", 1) * x
    x[np.abs(z - parameters.get("threshold", 20)) < 1e-2] = 0.1
    grad_y = rng.standard_normal(x.shape)
    forward = getattr(kernels, name)
    source = forward(x) if name in FROM_OUTPUT else x
    actual = getattr(kernels, f"{name}_backward")(grad_y, source, **parameters)
    expected = numeric_gradient(lambda v: np.sum(grad_y * forward(v, **parameters)), x)
    assert_close(actual, expected, tolerance("differences", "float64"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CURVES)
def test_bits_depend_on_neither_place_nor_threads_nor_layout(isa, threads, dtype, name, rng):
    forward, backward = getattr(kernels, name), getattr(kernels, f"{name}_backward")
    x = (3 * rng.standard_normal((5, 9, 31, 37))).astype(dtype)
    assert_same_bits_as_one_thread(lambda: (forward(x), backward(x, x)), threads)
    values, expected = x.ravel()[:100], (forward(x).ravel(), backward(x, x).ravel())
    for length in (0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 35):
        part = values[3 : 3 + length]
        assert_same_bits(forward(part), expected[0][3 : 3 + length], f"length {length}")
        assert_same_bits(backward(part, part), expected[1][3 : 3 + length], f"length {length}")
    small = x[:2, :3, :5, :7]
    for layout, other in unusual_layouts(small):
        assert_same_bits(forward(other), forward(small), layout)
        assert_same_bits(backward(other, other), backward(small, small), layout)


def test_wrong_arguments_are_named():
    x = np.ones((2, 3))
    for name in [*CURVES, *FROM_OUTPUT]:
        with pytest.raises(ValueError, match="grad_y must have shape"):
            getattr(kernels, f"{name}_backward")(np.ones(3), x)
    with pytest.raises(ValueError, match="approximate"):
        kernels.gelu(x, "erf")
    with pytest.raises(ValueError, match="approximate"):
        nn.GELU("erf")
    with pytest.raises(ValueError, match="beta"):
        kernels.softplus(x, 0)
    with pytest.raises(ValueError, match="beta"):
        nn.Softplus(beta=0)
    with pytest.raises(TypeError, match=r"\bx\b"):
        kernels.silu(np.ones(3, complex))


@pytest.mark.parametrize(
    "layer",
    [
        nn.LeakyReLU(0.2),
        nn.ELU(0.7),
        nn.GELU("tanh"),
        nn.SiLU(),
        nn.Sigmoid(),
        nn.Tanh(),
        nn.Softplus(2.0, 5.0),
        nn.Softmax(1),
        nn.LogSoftmax(dim=0),
    ],
    ids=repr,
)
def test_modules_agree_with_pytorchs_and_are_built_again_from_their_config(layer, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    x = rng.standard_normal((3, 5)).astype(np.float32)
    peer = getattr(torch.nn, type(layer).__name__)(**layer.arguments)
    again = nn.build(layer.config())
    assert_close(layer(x).data, peer(torch.tensor(x)).numpy(), 1e-6)
    assert_same_bits(again(x).data, layer(x).data)


def test_a_wrong_slope_is_seen(monkeypatch, rng, tolerance):
    """The judge itself: a planted fault must not pass."""
    backward = kernels.silu_backward
    monkeypatch.setattr(kernels, "silu_backward", lambda g, x: backward(g, x) * 1.0001)
    with pytest.raises(AssertionError):
        test_gradients_agree_with_central_differences(None, "silu", rng, tolerance)
