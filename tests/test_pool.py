"""Max pooling."""

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
from unrolled.ops import pool as kernels
from unrolled.reference import pool as reference

DTYPES = ["float32", "float64"]
# size, kernel_size, stride, padding
PROBLEMS = [
    ((6, 8), 2, None, 0),
    ((7, 9), 2, None, 0),  # the last row and column are left out
    ((7, 9), (2, 1), None, 0),
    ((7, 9), (1, 2), None, 0),
    ((7, 9), 3, 1, 1),
    ((7, 9), 3, 2, 1),
    ((7, 9), (3, 2), (1, 3), (1, 0)),
    ((7, 9), 2, 5, 1),
    ((7, 9), (7, 9), None, 0),
    ((3, 3), 5, 2, 2),
    ((1, 1), 1, None, 0),
    ((2, 15), 2, None, 0),
    ((2, 16), 2, None, 0),
    ((2, 31), 2, None, 0),
    ((2, 33), 2, None, 0),
    ((4, 35), (2, 1), None, 0),
    ((4, 70), 2, None, 0),
    ((5, 67), 3, 2, 1),
]


def options(stride, padding):
    return {"stride": stride, "padding": padding}


def numbers(rng, shape, dtype, special):
    x = rng.standard_normal(shape).astype(dtype)
    if special == "ties":
        x = np.round(x)
    if special == "nan":
        x[rng.random(shape) < 0.3] = np.nan
    if special == "-inf":
        x[rng.random(shape) < 0.8] = -np.inf
    return x


SPECIAL = ["plain", "ties", "nan", "-inf"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("size", "kernel", "stride", "padding"), PROBLEMS)
@pytest.mark.parametrize("special", SPECIAL)
def test_agrees_with_the_reference(
    isa, dtype, size, kernel, stride, padding, special, rng, tolerance
):
    x = numbers(rng, (2, 2, *size), dtype, special)
    named = options(stride, padding)
    y, window = kernels.max_pool2d_with_indices(x, kernel, **named)
    expected, expected_window = reference.max_pool2d_with_indices(x, kernel, **named)
    assert y.dtype == dtype
    assert window.dtype == np.uint8
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(window, expected_window)
    assert_same_bits(kernels.max_pool2d(x, kernel, **named), y)
    grad_y = rng.standard_normal(y.shape).astype(dtype)
    grad_x = kernels.max_pool2d_backward(grad_y, window, size, kernel, **named)
    wanted = reference.max_pool2d_backward(grad_y, window, size, kernel, **named)
    assert grad_x.dtype == dtype
    assert_close(grad_x, wanted, tolerance("pool", dtype))


@pytest.mark.parametrize(("size", "kernel", "stride", "padding"), PROBLEMS[3:8])
def test_gradient_agrees_with_central_differences(
    isa, size, kernel, stride, padding, rng, tolerance
):
    x = rng.permutation(6 * size[0] * size[1]).reshape(2, 3, *size) / 10.0  # no ties
    named = options(stride, padding)
    y, window = kernels.max_pool2d_with_indices(x, kernel, **named)
    grad_y = rng.standard_normal(y.shape)
    actual = kernels.max_pool2d_backward(grad_y, window, size, kernel, **named)
    expected = numeric_gradient(
        lambda v: np.sum(grad_y * kernels.max_pool2d(v, kernel, **named)), x
    )
    assert_close(actual, expected, tolerance("differences", "float64"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("size", "kernel", "stride", "padding"), PROBLEMS)
@pytest.mark.parametrize("special", SPECIAL)
def test_agrees_with_pytorch(isa, dtype, size, kernel, stride, padding, special, rng, tolerance):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    x = numbers(rng, (2, 3, *size), dtype, special)
    tensor = torch.tensor(x, requires_grad=True)
    peer = torch.nn.functional.max_pool2d(tensor, kernel, stride, padding)
    grad_y = rng.standard_normal(peer.shape).astype(dtype)
    peer.backward(torch.tensor(grad_y))
    y, window = kernels.max_pool2d_with_indices(x, kernel, **options(stride, padding))
    np.testing.assert_array_equal(y, peer.detach().numpy())
    grad_x = kernels.max_pool2d_backward(grad_y, window, size, kernel, **options(stride, padding))
    assert_close(grad_x, tensor.grad.numpy(), tolerance("pool", dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_of_equal_values_the_first_wins_and_of_nans_the_last(isa, dtype):
    x = np.array([[[[1, 1], [1, 1]]], [[[0, np.nan], [np.nan, 9]]], [[[-np.inf] * 2] * 2]], dtype)
    y, window = kernels.max_pool2d_with_indices(x, 2)
    np.testing.assert_array_equal(y.ravel(), [1, np.nan, -np.inf])
    assert window.ravel().tolist() == [0, 2, 0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_padding_never_wins(isa, dtype):
    x = np.full((1, 1, 3, 20), -1e30, dtype)
    y, window = kernels.max_pool2d_with_indices(x, 3, stride=2, padding=1)
    assert np.array_equal(y, np.full(y.shape, -1e30, dtype))
    grad_x = kernels.max_pool2d_backward(np.ones_like(y), window, (3, 20), 3, stride=2, padding=1)
    assert grad_x.sum() == y.size


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_on_any_number_of_threads(isa, threads, dtype, rng):
    x = rng.standard_normal((5, 7, 21, 41)).astype(dtype)
    grad_y = rng.standard_normal((5, 7, 11, 21)).astype(dtype)
    named = {"stride": 2, "padding": 1}

    def both():
        y, window = kernels.max_pool2d_with_indices(x, 3, **named)
        return y, window, kernels.max_pool2d_backward(grad_y, window, (21, 41), 3, **named)

    assert_same_bits_as_one_thread(both, threads)


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_change_no_bit(isa, dtype, rng):
    x = rng.standard_normal((2, 3, 6, 9)).astype(dtype)
    y, window = kernels.max_pool2d_with_indices(x, 3, padding=1)
    grad_x = kernels.max_pool2d_backward(y, window, (6, 9), 3, padding=1)
    layouts = [unusual_layouts(array) for array in (x, y, window)]
    for (name, x_), (_, y_), (_, window_) in zip(*layouts, strict=True):
        assert_same_bits(kernels.max_pool2d_with_indices(x_, 3, padding=1), (y, window), name)
        actual = kernels.max_pool2d_backward(y_, window_, (6, 9), 3, padding=1)
        assert_same_bits(actual, grad_x, name)


def test_empty_batches_and_integers(isa):
    assert kernels.max_pool2d(np.ones((0, 3, 4, 4), np.float32), 2).shape == (0, 3, 2, 2)
    assert kernels.max_pool2d(np.ones((2, 0, 4, 4), np.float32), 2).shape == (2, 0, 2, 2)
    y = kernels.max_pool2d(np.arange(16).reshape(1, 1, 4, 4), 2)
    assert y.dtype == np.float32
    assert y.ravel().tolist() == [5, 7, 13, 15]


X, Y = np.ones((2, 3, 5, 5)), np.ones((2, 3, 2, 2))
WINDOW = np.zeros((2, 3, 2, 2), np.uint8)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: kernels.max_pool2d(X, 6), "kernel_size|kernel"),
        (lambda: kernels.max_pool2d(X, 0), "kernel_size"),
        (lambda: kernels.max_pool2d(X, 2, padding=2), "padding"),
        (lambda: kernels.max_pool2d(X, 2, padding=-1), "padding"),
        (lambda: kernels.max_pool2d(X, 2, stride=0), "stride"),
        (lambda: kernels.max_pool2d(X[0, 0], 2), "x"),
        (lambda: kernels.max_pool2d(np.ones((1, 1, 20, 20)), 17), "kernel_size"),
        (lambda: kernels.max_pool2d_backward(Y, WINDOW[:1], (5, 5), 2), "window|grad_y"),
        (lambda: kernels.max_pool2d_backward(Y, WINDOW, (9, 5), 2), "input_size|grad_y"),
        (lambda: kernels.max_pool2d_backward(Y, WINDOW + np.uint8(4), (5, 5), 2), "window"),
    ],
)
def test_wrong_arguments_are_named(call, named):
    with pytest.raises(ValueError, match=rf"\b({named})\b"):
        call()


def test_positions_that_point_into_the_padding_are_refused():
    """An index from outside must not write outside the image."""
    y, window = kernels.max_pool2d_with_indices(X, 3, stride=2, padding=1)
    window[0, 0, 0, 0] = 0  # row and column -1
    with pytest.raises(ValueError, match=r"\bwindow\b"):
        kernels.max_pool2d_backward(y, window, (5, 5), 3, stride=2, padding=1)
