"""Max pooling with a ReLU in it, and behind a convolution in one, as arrays."""

from __future__ import annotations

import numpy as np
import pytest

from oracles import assert_close, assert_same_bits
from pool_problems import Configuration, backward, draw, forward, numbers, on_next_level
from unrolled import _core, ops, reference
from unrolled.ops import conv_geometry, conv_pool, pool_geometry

COUNT = 200
X = np.ones((2, 3, 5, 5))
WEIGHT = np.ones((4, 3, 2, 2))


@pytest.fixture(autouse=True)
def level_as_it_was():
    level = _core.isa()
    yield
    _core.set_isa(level)


def with_relu(configuration):
    options = {**configuration.options, "activation": "relu"}
    return Configuration(*configuration[:4], options, configuration.special)


@pytest.mark.parametrize("axes", [1, 2])
def test_200_random_configurations_agree_with_a_relu_behind_the_reference(axes, tolerance):
    for number in range(COUNT):
        rng = np.random.default_rng([axes, number])
        configuration = draw(rng, "max", axes)
        on_next_level(number)
        dtype = ["float32", "float64"][number // 3 % 2]
        label = f"{number}: {configuration} {dtype}"
        x = numbers(rng, configuration, dtype)
        pooled, places = forward(reference, configuration, x)
        y, window = forward(ops, with_relu(configuration), x)
        relu = np.where(pooled <= 0, 0, pooled)
        assert_same_bits(y, relu.astype(dtype), label)
        np.testing.assert_array_equal(window, np.where(pooled > 0, places, 255), err_msg=label)
        grad_y = rng.standard_normal(y.shape).astype(dtype)
        expected = backward(reference, configuration, np.where(relu > 0, grad_y, 0), places)
        actual = backward(ops, with_relu(configuration), grad_y, window)
        assert_close(actual, expected, tolerance("pool", dtype), label)


@pytest.mark.parametrize("order", ["pool first", "ReLU first"])
def test_agrees_with_pytorch(isa, order, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    from torch.nn import functional

    x = np.round(rng.standard_normal((3, 5, 14, 37)), 1).astype(np.float32)
    leaf = torch.from_numpy(x).requires_grad_()
    if order == "pool first":
        theirs = functional.max_pool2d(leaf, 2).relu()
    else:
        theirs = functional.max_pool2d(leaf.relu(), 2)
    y, window = ops.pool.max_pool2d_with_indices(x, 2, activation="relu")
    assert_same_bits(y, theirs.detach().numpy() + 0)  # their zeros may be negative
    grad_y = rng.standard_normal(y.shape).astype(np.float32)
    theirs.backward(torch.from_numpy(grad_y))
    grad_x = ops.pool.max_pool2d_backward(grad_y, window, (14, 37), 2, activation="relu")
    assert_same_bits(grad_x + 0, leaf.grad.numpy() + 0)


def options(pooling=2, activation="relu", padding_mode="zeros", **convolution):
    values = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1, "algorithm": "auto"}
    values |= convolution
    return conv_pool.ConvPool(
        conv_geometry.Options(padding_mode=padding_mode, **values),
        pool_geometry.Options(pooling, None, 0),
        activation,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("channels", "filters"), [(1, 9), (3, 17), (6, 20)])
def test_a_convolution_and_its_pooling_agree_with_the_reference(
    isa, channels, filters, dtype, rng, tolerance
):
    x = rng.standard_normal((3, channels, 10, 14)).astype(dtype)
    weight = rng.standard_normal((filters, channels, 3, 3)).astype(dtype)
    bias = rng.standard_normal(filters).astype(dtype)
    y, window = conv_pool.conv2d_max_pool(x, weight, bias, options())
    images = reference.conv.conv2d(x, weight, bias, padding=1)
    pooled, places = reference.pool.max_pool2d_with_indices(images, 2)
    limit = tolerance("winograd", dtype)
    assert_close(y, np.where(pooled <= 0, 0, pooled), limit)
    np.testing.assert_array_equal(window, np.where(pooled > 0, places, 255))
    grad_y = rng.standard_normal(y.shape).astype(dtype)
    between = reference.pool.max_pool2d_backward(
        np.where(pooled > 0, grad_y, 0), places, (10, 14), 2
    )
    expected = reference.conv.conv2d_backward(between, x, weight, padding=1)
    actual = conv_pool.conv2d_max_pool_backward(grad_y, window, x, weight, options())
    for gradient, theirs in zip(actual, expected, strict=True):
        assert_close(gradient, theirs, limit)
    wanted = (False, True, False)
    some = conv_pool.conv2d_max_pool_backward(grad_y, window, x, weight, options(), wanted)
    assert some[0] is None
    assert some[2] is None
    assert_same_bits(some[1], actual[1])


def test_an_empty_batch():
    y, window = conv_pool.conv2d_max_pool(X[:0], WEIGHT, None, options())
    assert y.shape == window.shape == (0, 4, 3, 3)
    gradients = conv_pool.conv2d_max_pool_backward(y, window, X[:0], WEIGHT, options())
    assert [gradient.shape for gradient in gradients] == [(0, 3, 5, 5), WEIGHT.shape, (4,)]
    assert not any(gradient.any() for gradient in gradients)


def run(*arguments, **chosen):
    return conv_pool.conv2d_max_pool(*arguments, options(**chosen))


def run_backward(y_shape, place, x=X):
    window = np.full(y_shape, place, np.uint8)
    return conv_pool.conv2d_max_pool_backward(np.ones(y_shape), window, x, WEIGHT, options())


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: run(X[0], WEIGHT, None), "x"),
        (lambda: run(X, WEIGHT[:, :2], None), "x"),
        (lambda: run(X, WEIGHT, np.ones(3)), "bias"),
        (lambda: run(X, WEIGHT, None, padding_mode="reflect"), "padding_mode"),
        (lambda: run(X, WEIGHT, None, activation="gelu"), "activation"),
        (lambda: run(X, WEIGHT, None, pooling=7), "kernel_size"),
        (lambda: run(np.ones((1, 3, 20, 20)), WEIGHT, None, pooling=16), "kernel_size"),
        (lambda: run_backward((2, 4, 2, 2), 0), "grad_y"),
        (lambda: run_backward((2, 4, 3, 3), 4), "window"),
        (lambda: run_backward((2, 4, 3, 3), 254), "window"),
        (lambda: ops.pool.max_pool2d(X, 2, activation="tanh"), "activation"),
        (
            lambda: ops.pool.max_pool2d(np.ones((1, 1, 16, 16)), 16, activation="relu"),
            "kernel_size",
        ),
        (lambda: ops.matmul.linear(X[0, 0], np.ones((2, 5)), activation="tanh"), "activation"),
    ],
)
def test_wrong_arguments_are_named(call, named):
    with pytest.raises(ValueError, match=rf"\b{named}\b"):
        call()
    if named == "window":  # where no image is made by itself, too
        with pytest.raises(ValueError, match=r"\bwindow\b"):
            ops.pool.max_pool2d_backward(
                np.ones((1, 1, 2, 2)),
                np.full((1, 1, 2, 2), 4, np.uint8),
                (4, 4),
                2,
                activation="relu",
            )
