"""Layer normalisation."""

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
from unrolled import nn
from unrolled.autograd import Tensor
from unrolled.ops import norm as kernels
from unrolled.reference import norm as reference

DTYPES = ["float32", "float64"]


def configuration(rng, number):
    """Draw shapes, affine parameters and eps; every size around the lane width comes."""
    dtype = DTYPES[number % 2]
    leading = tuple(rng.integers(0, 6, rng.integers(0, 3)))
    shape = (int(rng.integers(1, 40)),) if rng.random() < 0.6 else tuple(rng.integers(1, 7, 2))
    x, grad_y = (rng.standard_normal((*leading, *shape)).astype(dtype) for _ in range(2))
    x = (x * rng.uniform(0.5, 3) + rng.uniform(-2, 2)).astype(dtype)
    weight, bias = (
        rng.standard_normal(shape).astype(dtype) if rng.random() < 0.7 else None for _ in range(2)
    )
    eps = float(rng.choice([1e-5, 1e-3, 0.1]))
    label = f"{number}: {dtype} {leading} {shape} eps={eps} {weight is None} {bias is None}"
    return label, shape, x, weight, bias, eps, grad_y


def test_200_random_configurations_agree_with_the_reference(isa, rng, tolerance):
    for number in range(200):
        label, shape, x, weight, bias, eps, grad_y = configuration(rng, number)
        actual = kernels.layer_norm(x, shape, weight, bias, eps=eps)
        expected = reference.layer_norm(x, shape, weight, bias, eps=eps)
        # Two nearly equal values a row: the rounding of the mean grows by 1 / deviation.
        limit = 4 * tolerance("norm", x.dtype) * (1 + np.max(expected[2], initial=0))
        for a, e in zip(actual, expected, strict=True):
            assert a.dtype == x.dtype, label
            assert_close(a, e, limit, label, scale=1.0)
        statistics = [array.astype(x.dtype) for array in expected[1:]]
        actual = kernels.layer_norm_backward(grad_y, x, shape, weight, *statistics)
        expected = reference.layer_norm_backward(grad_y, x, shape, weight, *statistics)
        scale = np.abs(grad_y).max(initial=1.0)
        for a, e in zip(actual, expected, strict=True):
            assert a.dtype == x.dtype, label
            assert_close(a, e, limit, f"gradient of {label}", scale=scale)


def test_200_random_configurations_agree_with_pytorch(rng, tolerance):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    for number in range(200):
        label, shape, array, weight, bias, eps, upstream = configuration(rng, number)
        if weight is None:
            bias = None  # PyTorch 2.13 has no bias without a weight
        ours = [None if a is None else Tensor(a, requires_grad=True) for a in (array, weight, bias)]
        theirs = [
            None if a is None else torch.tensor(a, requires_grad=True)
            for a in (array, weight, bias)
        ]
        y = nn.functional.layer_norm(ours[0], shape, *ours[1:], eps=eps)
        expected = torch.nn.functional.layer_norm(theirs[0], shape, *theirs[1:], eps=eps)
        y.backward(upstream)
        expected.backward(torch.tensor(upstream))
        deviation = np.sqrt(array.var(axis=tuple(range(-len(shape), 0))) + eps).min(initial=1.0)
        limit = 10 * tolerance("norm", array.dtype) / deviation
        assert_close(y.data, expected.detach().numpy(), limit, label, scale=1.0)
        scale = np.abs(upstream).max(initial=1.0)
        for a, e in zip(ours, theirs, strict=True):
            if a is not None:
                assert_close(a.grad, e.grad.numpy(), limit, f"gradient of {label}", scale=scale)


@pytest.mark.parametrize("rows", [1, 5, 70])
def test_gradients_agree_with_central_differences(isa, rows, rng, tolerance):
    x, grad_y = rng.standard_normal((2, rows, 6))
    weight, bias = rng.standard_normal((2, 6))

    def total(x, weight, bias):
        return np.sum(grad_y * kernels.layer_norm(x, 6, weight, bias, eps=1e-3)[0])

    _, mean, inverse = kernels.layer_norm(x, 6, weight, bias, eps=1e-3)
    actual = kernels.layer_norm_backward(grad_y, x, 6, weight, mean, inverse)
    expected = (
        numeric_gradient(lambda v: total(v, weight, bias), x),
        numeric_gradient(lambda v: total(x, v, bias), weight),
        numeric_gradient(lambda v: total(x, weight, v), bias),
    )
    for a, e in zip(actual, expected, strict=True):
        assert_close(a, e, tolerance("differences", "float64"))


@pytest.mark.parametrize(("dtype", "limit"), [("float32", 3e-4), ("float64", 1e-9)])
@pytest.mark.parametrize("offset", [1e3, 3e4])
def test_a_large_mean_does_not_eat_the_variance(isa, dtype, limit, offset, rng):
    x = (offset + rng.standard_normal((4, 500))).astype(dtype)
    _, mean, inverse = kernels.layer_norm(x, 500)
    expected = reference.layer_norm(x, 500)
    assert_close(mean, expected[1], limit)
    assert_close(inverse, expected[2], limit)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_constant_row_gives_the_bias(isa, dtype):
    bias = np.arange(7).astype(dtype)
    for eps in (1e-5, 0.0):
        y, mean, inverse = kernels.layer_norm(np.full((3, 7), 0.5, dtype), 7, None, bias, eps=eps)
        assert np.array_equal(y, np.tile(bias, (3, 1)))
        gradients = kernels.layer_norm_backward(y, y, 7, None, mean, inverse)
        assert all(np.isfinite(array).all() for array in gradients)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_depend_on_neither_threads_nor_the_other_rows_nor_layout(isa, threads, dtype, rng):
    x, grad_y = rng.standard_normal((2, 700, 67)).astype(dtype)
    weight, bias = rng.standard_normal((2, 67)).astype(dtype)

    def both():
        y, mean, inverse = kernels.layer_norm(x, 67, weight, bias)
        gradients = kernels.layer_norm_backward(grad_y, x, 67, weight, mean, inverse)
        return y, mean, inverse, *gradients

    assert_same_bits_as_one_thread(both, threads)
    together = both()
    alone, mean, inverse = kernels.layer_norm(x[123], 67, weight, bias)
    assert_same_bits(alone, together[0][123])
    grad_x, _, _ = kernels.layer_norm_backward(grad_y[123], x[123], 67, weight, mean, inverse)
    assert_same_bits(grad_x, together[3][123])
    small = x[:5, :8]
    expected = kernels.layer_norm(small, (5, 8))
    gradients = kernels.layer_norm_backward(small, small, (5, 8), small, *expected[1:])
    for layout, other in unusual_layouts(small):
        assert_same_bits(kernels.layer_norm(other, (5, 8)), expected, layout)
        actual = kernels.layer_norm_backward(other, other, (5, 8), other, *expected[1:])
        assert_same_bits(actual, gradients, layout)


def test_an_empty_batch_has_gradients_of_zero(isa):
    x = np.ones((0, 5), np.float32)
    y, mean, inverse = kernels.layer_norm(x, 5)
    grad_x, grad_weight, grad_bias = kernels.layer_norm_backward(x, x, 5, None, mean, inverse)
    assert (y.shape, grad_x.shape) == ((0, 5), (0, 5))
    assert not grad_weight.any()
    assert not grad_bias.any()


X, ONES = np.ones((2, 3, 4)), np.ones(4)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: kernels.layer_norm(X, 3), "normalized_shape"),
        (lambda: kernels.layer_norm(X, (2, 4)), "normalized_shape"),
        (lambda: kernels.layer_norm(X, ()), "normalized_shape"),
        (lambda: kernels.layer_norm(X, (1, 2, 3, 4)), "normalized_shape"),
        (lambda: kernels.layer_norm(np.ones((3, 0)), 0), "normalized_shape"),
        (lambda: kernels.layer_norm(X, 4, np.ones(3)), "weight"),
        (lambda: kernels.layer_norm(X, (3, 4), None, ONES), "bias"),
        (lambda: kernels.layer_norm(X, 4, eps=-1), "eps"),
        (lambda: kernels.layer_norm_backward(X[:1], X, 4, None, X, X), "grad_y"),
        (lambda: kernels.layer_norm_backward(X, X, 4, None, X, X[..., :1]), "mean"),
        (lambda: kernels.layer_norm_backward(X, X, 4, None, X[..., :1], X), "inverse"),
        (lambda: nn.LayerNorm(0), "normalized_shape"),
        (lambda: nn.LayerNorm((2, 1.5)), "normalized_shape"),
        (lambda: nn.LayerNorm((3, 5))(X), "normalized_shape"),
    ],
)
def test_wrong_arguments_are_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"elementwise_affine": False}], ids=str)
def test_the_module_agrees_with_pytorchs(options, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    layer, peer = nn.LayerNorm((3, 4), eps=1e-3, **options), None
    peer = torch.nn.LayerNorm((3, 4), eps=1e-3, **options)
    assert list(layer.state_dict()) == list(peer.state_dict())
    layer.load_state_dict({name: 2 + tensor for name, tensor in peer.state_dict().items()})
    peer.load_state_dict({name: 2 + tensor for name, tensor in peer.state_dict().items()})
    x = rng.standard_normal((5, 3, 4)).astype(np.float32)
    assert_close(layer(x).data, peer(torch.tensor(x)).detach().numpy(), 1e-5)
    assert_same_bits(nn.build(layer.config()).double()(x).data.shape, x.shape)


def test_a_wrong_gradient_is_seen(monkeypatch, rng, tolerance):
    """The judge itself: a planted fault must not pass."""
    backward = kernels.layer_norm_backward

    def wrong(*arguments):
        grad_x, grad_weight, grad_bias = backward(*arguments)
        return grad_x, 1.0001 * grad_weight, grad_bias

    monkeypatch.setattr(kernels, "layer_norm_backward", wrong)
    with pytest.raises(AssertionError):
        test_gradients_agree_with_central_differences(None, 5, rng, tolerance)
