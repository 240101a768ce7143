"""Batch normalisation."""

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
from unrolled.ops import norm as kernels
from unrolled.reference import norm as reference

DTYPES = ["float32", "float64"]
SHAPES = [
    (2, 1),
    (5, 3),
    (1, 2, 4),
    (3, 4, 7),
    (2, 3, 1, 1),
    (2, 15, 3, 3),
    (2, 3, 1, 15),
    (2, 3, 4, 4),
    (2, 3, 1, 17),
    (3, 5, 5, 7),
    (4, 16, 3, 5),
    (2, 2, 2, 3, 4),
    (33, 3, 2),  # more rows than are summed at once
    (7, 300),  # more columns than one task has
    (1, 2, 2050),  # more than one piece of a run
]


def problem(shape, dtype, rng):
    C = shape[1]
    x = rng.standard_normal(shape) * rng.uniform(0.5, 2, C).reshape(-1, *[1] * (len(shape) - 2))
    weight, bias = rng.standard_normal(C), rng.standard_normal(C)
    grad_y = rng.standard_normal(shape)
    return [array.astype(dtype) for array in (x, weight, bias, grad_y)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("affine", [True, False], ids=["affine", "plain"])
def test_training_agrees_with_the_reference(isa, dtype, shape, affine, rng, tolerance):
    x, weight, bias, grad_y = problem(shape, dtype, rng)
    if not affine:
        weight = bias = None
    results = kernels.batch_norm(x, weight, bias)
    expected = reference.batch_norm(x, weight, bias)
    _, mean, var = expected
    # Two nearly equal values a channel: the rounding of the mean grows by 1 / deviation.
    growth = 1 + 3 * np.max((1 + np.abs(mean)) / np.sqrt(var + 1e-5))
    limit = tolerance("norm", dtype) * growth
    for name, actual, wanted in zip(("y", "mean", "var"), results, expected, strict=True):
        assert actual.dtype == dtype, name
        assert_close(actual, wanted, limit, name, scale=1.0)
    statistics = mean.astype(dtype), var.astype(dtype)
    gradients = kernels.batch_norm_backward(grad_y, x, weight, *statistics)
    wanted = reference.batch_norm_backward(grad_y, x, weight, *statistics)
    for name, actual, e in zip(("x", "weight", "bias"), gradients, wanted, strict=True):
        assert actual.dtype == dtype, name
        assert_close(actual, e, limit, f"gradient by {name}", scale=np.abs(grad_y).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_inference_agrees_with_the_reference(isa, dtype, shape, rng, tolerance):
    x, weight, bias, _ = problem(shape, dtype, rng)
    mean = rng.standard_normal(shape[1]).astype(dtype)
    var = rng.uniform(0.1, 3, shape[1]).astype(dtype)
    y, mean_out, var_out = kernels.batch_norm(x, weight, bias, mean=mean, var=var, eps=1e-3)
    expected, _, _ = reference.batch_norm(x, weight, bias, mean=mean, var=var, eps=1e-3)
    assert_close(y, expected, tolerance("norm", dtype))
    assert np.array_equal(mean_out, mean)
    assert np.array_equal(var_out, var)


def test_gradients_agree_with_central_differences(isa, rng, tolerance):
    x, weight, bias, grad_y = problem((3, 4, 2, 3), "float64", rng)

    def total(x, weight, bias):
        return np.sum(grad_y * kernels.batch_norm(x, weight, bias, eps=1e-3)[0])

    _, mean, var = kernels.batch_norm(x, weight, bias, eps=1e-3)
    actual = kernels.batch_norm_backward(grad_y, x, weight, mean, var, eps=1e-3)
    expected = (
        numeric_gradient(lambda v: total(v, weight, bias), x),
        numeric_gradient(lambda v: total(x, v, bias), weight),
        numeric_gradient(lambda v: total(x, weight, v), bias),
    )
    for a, e in zip(actual, expected, strict=True):
        assert_close(a, e, tolerance("differences", "float64"))


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
def test_200_random_configurations_agree_with_the_reference(isa, training, rng, tolerance):
    for number in range(200):
        dtype = DTYPES[number % 2]
        N, C = int(rng.integers(4, 40)), int(rng.integers(1, 20))
        shape = (N, C, *rng.integers(1, 9, rng.integers(0, 3)))
        x, weight, bias, grad_y = problem(shape, dtype, rng)
        weight, bias = (None if rng.random() < 0.3 else array for array in (weight, bias))
        eps = float(rng.choice([1e-5, 1e-3, 0.1]))
        given = {}
        if not training:
            given["mean"] = rng.standard_normal(C).astype(dtype)
            given["var"] = rng.uniform(0.1, 3, C).astype(dtype)
        label = f"{number}: {dtype} {shape} eps={eps} {weight is None} {bias is None}"
        actual = kernels.batch_norm(x, weight, bias, eps=eps, **given)
        expected = reference.batch_norm(x, weight, bias, eps=eps, **given)
        limit = 3 * tolerance("norm", dtype)
        for a, e in zip(actual, expected, strict=True):
            assert a.dtype == dtype, label
            assert_close(a, e, limit, label, scale=1.0)
        rest = (weight, *(a.astype(dtype) for a in expected[1:]))
        actual = kernels.batch_norm_backward(grad_y, x, *rest, eps=eps, training=training)
        expected = reference.batch_norm_backward(grad_y, x, *rest, eps=eps, training=training)
        for a, e in zip(actual, expected, strict=True):
            assert a.dtype == dtype, label
            assert_close(a, e, limit, f"gradient of {label}", scale=np.abs(grad_y).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 7), (2, 3, 30)], ids=str)
def test_a_constant_channel_without_eps_gives_its_bias(isa, dtype, shape):
    x, bias = np.full(shape, 0.5, dtype), np.arange(3).astype(dtype)
    y, mean, var = kernels.batch_norm(x, None, bias, eps=0.0)
    assert np.array_equal(y, np.broadcast_to(bias.reshape(1, 3, *[1] * (x.ndim - 2)), shape))
    gradients = kernels.batch_norm_backward(x, x, None, mean, var, eps=0.0)
    assert all(np.isfinite(array).all() for array in gradients)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(8, 5), (4, 3, 19), (3, 17, 6, 5)], ids=str)
def test_agrees_with_pytorch(isa, dtype, shape, rng, tolerance):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    x, weight, bias, grad_y = problem(shape, dtype, rng)
    tensors = [torch.tensor(array, requires_grad=True) for array in (x, weight, bias)]
    peer = torch.nn.functional.batch_norm(tensors[0], None, None, *tensors[1:], training=True)
    peer.backward(torch.tensor(grad_y))
    y, mean, var = kernels.batch_norm(x, weight, bias)
    limit = tolerance("norm", dtype)
    assert_close(y, peer.detach().numpy(), limit)
    gradients = kernels.batch_norm_backward(grad_y, x, weight, mean, var)
    for actual, tensor in zip(gradients, tensors, strict=True):
        assert_close(actual, tensor.grad.numpy(), limit)


@pytest.mark.parametrize(("dtype", "limit"), [("float32", 1e-4), ("float64", 1e-9)])
@pytest.mark.parametrize("shape", [(200, 3), (50, 3, 6), (8, 3, 6, 6), (2, 3, 3000)], ids=str)
@pytest.mark.parametrize("offset", [1e3, 3e4])
def test_a_large_mean_does_not_eat_the_variance(isa, dtype, limit, offset, shape, rng):
    """The mean of squares minus the square of the mean would lose every digit here."""
    x = (offset + rng.standard_normal(shape)).astype(dtype)
    _, mean, var = kernels.batch_norm(x, None, None)
    assert_close(mean, reference.batch_norm(x, None, None)[1], limit, "mean")
    assert_close(var, reference.batch_norm(x, None, None)[2], limit, "var")


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_constant_channel_has_no_variance(isa, dtype):
    x = np.full((3, 2, 5, 7), 0.1, dtype)
    y, mean, var = kernels.batch_norm(x, None, None)
    rounding = 8 * 0.1 * float(np.finfo(dtype).eps)
    assert np.abs(mean - 0.1).max() <= rounding
    assert 0 <= var.min() <= var.max() <= rounding**2
    assert np.abs(y).max() <= rounding / np.sqrt(1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_on_any_number_of_threads(isa, threads, dtype, rng):
    for shape in [(7, 11, 13, 17), (50, 900)]:
        x, weight, bias, grad_y = problem(shape, dtype, rng)

        def both(x=x, weight=weight, bias=bias, grad_y=grad_y):
            y, mean, var = kernels.batch_norm(x, weight, bias)
            return y, mean, var, *kernels.batch_norm_backward(grad_y, x, weight, mean, var)

        assert_same_bits_as_one_thread(both, threads)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_item_has_the_same_bits_alone_in_inference(isa, dtype, rng):
    x, weight, bias, _ = problem((4, 5, 3, 9), dtype, rng)
    mean, var = np.zeros(5, dtype), np.full(5, 2, dtype)
    together, _, _ = kernels.batch_norm(x, weight, bias, mean=mean, var=var)
    for n in range(4):
        alone, _, _ = kernels.batch_norm(x[n : n + 1], weight, bias, mean=mean, var=var)
        assert_same_bits(alone[0], together[n])


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_change_no_bit(isa, dtype, rng):
    x, weight, bias, grad_y = problem((3, 4, 5, 2), dtype, rng)
    expected = kernels.batch_norm(x, weight, bias)
    gradients = kernels.batch_norm_backward(grad_y, x, weight, *expected[1:])
    layouts = [unusual_layouts(array) for array in (x, weight, bias, grad_y)]
    for (name, x_), (_, weight_), (_, bias_), (_, grad_) in zip(*layouts, strict=True):
        assert_same_bits(kernels.batch_norm(x_, weight_, bias_), expected, name)
        actual = kernels.batch_norm_backward(grad_, x_, weight_, *expected[1:])
        assert_same_bits(actual, gradients, name)


def test_integers_become_float32():
    y, mean, _ = kernels.batch_norm(np.arange(6).reshape(3, 2), None, None)
    assert y.dtype == np.float32
    assert mean.tolist() == [2, 3]


X, ONES = np.ones((2, 3, 4)), np.ones(3)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: kernels.batch_norm(np.ones(3), ONES, ONES), "x"),
        (lambda: kernels.batch_norm(X, np.ones(4), ONES), "weight"),
        (lambda: kernels.batch_norm(X, ONES, np.ones((1, 3))), "bias"),
        (lambda: kernels.batch_norm(X, ONES, ONES, mean=np.ones(2), var=ONES), "mean"),
        (lambda: kernels.batch_norm(X, ONES, ONES, mean=ONES, var=np.ones(2)), "var"),
        (lambda: kernels.batch_norm(X, ONES, ONES, mean=ONES), "mean|var"),
        (lambda: kernels.batch_norm(X, ONES, ONES, eps=-1.0), "eps"),
        (lambda: kernels.batch_norm(np.ones((0, 3, 4)), ONES, ONES), "x"),
        (lambda: kernels.batch_norm_backward(X[:1], X, ONES, ONES, ONES), "grad_y"),
    ],
)
def test_wrong_arguments_are_named(call, named):
    with pytest.raises(ValueError, match=rf"\b({named})\b"):
        call()
