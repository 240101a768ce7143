"""Results too large for the caches are written past them: the same bits as of their parts."""

from __future__ import annotations

import numpy as np
import pytest

from oracles import assert_same_bits
from unrolled.ops import activation, conv, pool, pool_average

LARGE = 1 << 24  # bytes, kStreamBytes in csrc/stream.h
# Rows of windows that are whole vectors, and others; windows of one column and of two.
SHAPES = [(9, 4, 66, 2048), (9, 4, 67, 2032), (9, 4, 131, 997)]


def numbers(shape, seed, dtype="float32"):
    x = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32).astype(dtype)
    assert x.nbytes >= LARGE
    return x


def by_parts(function, *arrays):
    parts = [function(*(array[n : n + 1] for array in arrays)) for n in range(len(arrays[0]))]
    if isinstance(parts[0], tuple):
        return tuple(map(np.concatenate, zip(*parts, strict=True)))
    return np.concatenate(parts)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_relu(isa, dtype):
    shape = (9, 490_001)
    x, grad_y = numbers(shape, 0, dtype), numbers(shape, 1, dtype)
    x[:, 5] = np.nan
    y = activation.relu(x)
    assert_same_bits(y, np.where(x <= 0, 0, x).astype(dtype))
    expected = np.where(y > 0, grad_y, 0).astype(dtype)
    assert_same_bits(activation.relu_backward(grad_y, y), expected)


def check_max_pooling(shape, kernel):
    x = numbers(shape, 2)
    x[3, 1, 4, 7::50] = np.nan

    def forward(x):
        return pool.max_pool2d_with_indices(x, kernel)

    y, window = forward(x)
    expected_y, expected_window = by_parts(forward, x)
    assert_same_bits(y, expected_y)
    assert_same_bits(window, expected_window)
    grad_y = np.random.default_rng(3).standard_normal(y.shape, dtype=np.float32)

    def backward(grad_y, window):
        return pool.max_pool2d_backward(grad_y, window, shape[2:], kernel)

    assert_same_bits(backward(grad_y, window), by_parts(backward, grad_y, window))


@pytest.mark.parametrize("kernel", [2, (2, 1), (3, 2)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_max_pooling_backward(isa, shape, kernel):
    check_max_pooling(shape, kernel)


@pytest.mark.parametrize("shape", [(9, 4, 262, 2048), (9, 4, 262, 2000)], ids=str)
def test_max_pooling_both_ways(threads, shape):
    check_max_pooling(shape, 2)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_average_pooling_backward(isa, shape):
    y_shape = (*shape[:2], shape[2] // 2, shape[3] // 2)
    grad_y = np.random.default_rng(4).standard_normal(y_shape, dtype=np.float32)

    def backward(grad_y):
        return pool_average.avg_pool2d_backward(grad_y, shape[2:], 2)

    assert_same_bits(backward(grad_y), by_parts(backward, grad_y))


@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_convolution(isa, stride):
    x = np.random.default_rng(5).standard_normal((9, 64, 97, 83), dtype=np.float32)
    weight = np.random.default_rng(6).standard_normal((64, 1, 3, 3), dtype=np.float32)
    options = {"padding": 1, "stride": stride, "groups": 64}

    def forward(x):
        return conv.conv2d(x, weight, weight[:, 0, 0, 0], **options)

    def backward(grad_y):
        return conv.conv2d_backward_input(grad_y, weight, x.shape[2:], **options)

    y = forward(x)
    assert_same_bits(y, by_parts(forward, x))
    grad_x = backward(y)
    assert_same_bits(grad_x, by_parts(backward, y))
    together = conv.conv2d_backward(y, x, weight, **options)
    apart = conv.conv2d_backward_weight(y, x, (3, 3), **options)
    for actual, expected in zip(together, (grad_x, *apart), strict=True):
        assert_same_bits(actual, expected)


@pytest.mark.parametrize("shape", [(9, 8, 64, 64), (9, 8, 61, 67), (9, 8, 1, 4096)], ids=str)
def test_winograd_convolution(isa, shape):
    rows = min(shape[2], 3)
    x = np.random.default_rng(7).standard_normal(shape, dtype=np.float32)
    weight = np.random.default_rng(8).standard_normal((40, 8, rows, 3), dtype=np.float32)

    def forward(x):
        return conv.conv2d(x, weight, weight[:, 0, 0, 0], padding=(rows // 2, 1))

    assert_same_bits(forward(x), by_parts(forward, x))
