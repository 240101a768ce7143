"""Two-dimensional convolution."""

from __future__ import annotations

import zlib
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from oracles import (
    assert_close,
    assert_same_bits,
    assert_same_bits_as_one_thread,
    numeric_gradient,
    unusual_layouts,
)
from unrolled.ops import conv as kernels
from unrolled.reference import conv as reference

DTYPES = ["float32", "float64"]


class Problem(NamedTuple):
    N: int
    C: int
    K: int
    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: object = 1
    padding: object = 0

    def __str__(self):
        sizes = f"N{self.N}C{self.C}K{self.K}-{self.size[0]}x{self.size[1]}"
        return f"{sizes}-k{self.kernel[0]}x{self.kernel[1]}-s{self.stride}-p{self.padding}"


KERNELS = [
    Problem(2, 3, 4, (7, 6), kernel, stride, padding)
    for kernel in [(1, 1), (3, 3), (2, 3), (5, 1)]
    for stride in (1, 2, 3)
    for padding in (0, 1, 2)
]
OTHERS = [
    Problem(1, 1, 1, (1, 1), (1, 1)),
    Problem(1, 1, 1, (1, 1), (1, 1), 5, 3),  # padding and stride larger than the kernel
    Problem(1, 2, 3, (1, 9), (1, 3), 1, (0, 1)),
    Problem(2, 2, 3, (9, 1), (3, 1), (2, 1), (1, 0)),
    Problem(1, 1, 2, (3, 3), (3, 3)),  # one output pixel
    Problem(1, 2, 2, (5, 8), (3, 2), (1, 2), (2, 1)),
    Problem(2, 1, 2, (8, 8), (3, 3), 3),  # rows and columns that no window reaches
    Problem(1, 15, 17, (4, 4), (3, 3), 1, 1),
    Problem(1, 16, 16, (3, 5), (1, 1)),
    Problem(1, 17, 15, (4, 4), (3, 3), 2, 1),
    Problem(1, 3, 35, (5, 5), (3, 3), 1, 1),
    Problem(1, 1, 3, (3, 15), (3, 3), 1, 1),
    Problem(1, 1, 3, (3, 16), (3, 3), 1, 1),
    Problem(1, 2, 3, (3, 17), (3, 3), 1, 1),
    Problem(1, 1, 2, (4, 35), (3, 3), 1, 1),
    Problem(3, 60, 2, (4, 4), (3, 3), 1, 1),  # more than 512 taps
    Problem(0, 2, 3, (4, 4), (3, 3), 1, 1),
]
SELECTED = [KERNELS[k] for k in (0, 10, 13, 17, 23, 35)] + OTHERS[5:9]


@cache
def data(problem):
    """Return x, weight, bias and grad_y in float64, rounded to float32 so that both types agree."""
    rng = np.random.default_rng(zlib.crc32(str(problem).encode()))
    (H, W), (R, S) = problem.size, problem.kernel
    shapes = [(problem.N, problem.C, H, W), (problem.K, problem.C, R, S), (problem.K,)]
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    y = reference.conv2d(*arrays, stride=problem.stride, padding=problem.padding)
    arrays.append(rng.standard_normal(y.shape).astype(np.float32))
    return arrays, y


@cache
def expected_gradients(problem):
    (x, weight, _, grad_y), _ = data(problem)
    return reference.conv2d_backward(
        grad_y, x, weight, stride=problem.stride, padding=problem.padding
    )


def typed(problem, dtype):
    return [array.astype(dtype) for array in data(problem)[0]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("problem", KERNELS + OTHERS, ids=str)
def test_forward_agrees_with_the_reference(isa, dtype, problem, tolerance):
    x, weight, bias, _ = typed(problem, dtype)
    options = {"stride": problem.stride, "padding": problem.padding}
    y = kernels.conv2d(x, weight, bias, **options)
    assert y.dtype == dtype
    assert_close(y, data(problem)[1], tolerance("conv", dtype))
    without = kernels.conv2d(x, weight, **options)
    expected = data(problem)[1] - np.asarray(bias, np.float64)[:, None, None]
    assert_close(without, expected, tolerance("conv", dtype), "no bias")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("problem", KERNELS + OTHERS, ids=str)
def test_backward_agrees_with_the_reference(isa, dtype, problem, tolerance):
    x, weight, _, grad_y = typed(problem, dtype)
    options = {"stride": problem.stride, "padding": problem.padding}
    gradients = kernels.conv2d_backward(grad_y, x, weight, **options)
    names = ("grad_x", "grad_weight", "grad_bias")
    for name, actual, expected in zip(names, gradients, expected_gradients(problem), strict=True):
        assert actual.dtype == dtype, name
        assert_close(actual, expected, tolerance("conv", dtype), name)
    grad_x = kernels.conv2d_backward_input(grad_y, weight, problem.size, **options)
    assert_same_bits(grad_x, gradients[0], "conv2d_backward_input")
    others = kernels.conv2d_backward_weight(grad_y, x, problem.kernel, **options)
    assert_same_bits(others, gradients[1:], "conv2d_backward_weight")


@pytest.mark.parametrize("problem", SELECTED[:4], ids=str)
def test_gradients_agree_with_central_differences(isa, problem, tolerance):
    x, weight, bias, grad_y = typed(problem, "float64")
    options = {"stride": problem.stride, "padding": problem.padding}

    def total(x, weight, bias):
        return np.sum(grad_y * kernels.conv2d(x, weight, bias, **options))

    gradients = kernels.conv2d_backward(grad_y, x, weight, **options)
    expected = (
        numeric_gradient(lambda v: total(v, weight, bias), x),
        numeric_gradient(lambda v: total(x, v, bias), weight),
        numeric_gradient(lambda v: total(x, weight, v), bias),
    )
    for actual, wanted in zip(gradients, expected, strict=True):
        assert_close(actual, wanted, tolerance("differences", "float64"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "problem", [*SELECTED, Problem(2, 24, 40, (12, 33), (3, 3), 1, 1)], ids=str
)
def test_agrees_with_pytorch(isa, dtype, problem, rng, tolerance):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    (H, W), (R, S) = problem.size, problem.kernel
    shapes = [(problem.N, problem.C, H, W), (problem.K, problem.C, R, S), (problem.K,)]
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    options = {"stride": problem.stride, "padding": problem.padding}
    peer = torch.nn.functional.conv2d(*tensors, **options)
    grad_y = rng.standard_normal(peer.shape).astype(dtype)
    peer.backward(torch.tensor(grad_y))
    limit = tolerance("conv", dtype)
    assert_close(kernels.conv2d(*arrays, **options), peer.detach().numpy(), limit)
    gradients = kernels.conv2d_backward(grad_y, *arrays[:2], **options)
    for actual, tensor in zip(gradients, tensors, strict=True):
        assert_close(actual, tensor.grad.numpy(), limit)


THREADED = [
    Problem(5, 7, 9, (13, 21), (3, 3), 1, 1),
    Problem(1, 20, 33, (32, 70), (3, 3), 1, 1),  # one image: only a split inside it helps
    Problem(3, 9, 8, (17, 19), (3, 2), 2, 1),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("problem", THREADED, ids=str)
def test_same_bits_on_any_number_of_threads(isa, threads, dtype, problem, rng):
    (H, W), (R, S) = problem.size, problem.kernel
    options = {"stride": problem.stride, "padding": problem.padding}
    x = rng.standard_normal((problem.N, problem.C, H, W)).astype(dtype)
    weight = rng.standard_normal((problem.K, problem.C, R, S)).astype(dtype)
    grad_y = rng.standard_normal(kernels.conv2d(x, weight, **options).shape).astype(dtype)
    assert_same_bits_as_one_thread(
        lambda: (
            kernels.conv2d(x, weight, weight[:, 0, 0, 0], **options),
            *kernels.conv2d_backward(grad_y, x, weight, **options),
        ),
        threads,
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_image_has_the_same_bits_alone_and_in_a_batch(isa, dtype, rng):
    x = rng.standard_normal((4, 5, 9, 18)).astype(dtype)
    weight = rng.standard_normal((6, 5, 3, 3)).astype(dtype)
    y = kernels.conv2d(x, weight, padding=1)
    grad_x = kernels.conv2d_backward_input(y, weight, (9, 18), padding=1)
    for n in range(4):
        one = kernels.conv2d(x[n : n + 1], weight, padding=1)
        assert_same_bits(one[0], y[n])
        alone = kernels.conv2d_backward_input(one, weight, (9, 18), padding=1)
        assert_same_bits(alone[0], grad_x[n])


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_change_no_bit(isa, dtype):
    problem = SELECTED[2]
    x, weight, bias, grad_y = typed(problem, dtype)
    options = {"stride": problem.stride, "padding": problem.padding}
    expected = kernels.conv2d(x, weight, bias, **options)
    gradients = kernels.conv2d_backward(grad_y, x, weight, **options)
    layouts = [list(unusual_layouts(array)) for array in (x, weight, bias, grad_y)]
    for (name, x_), (_, weight_), (_, bias_), (_, grad_) in zip(*layouts, strict=True):
        assert_same_bits(kernels.conv2d(x_, weight_, bias_, **options), expected, name)
        actual = kernels.conv2d_backward(grad_, x_, weight_, **options)
        assert_same_bits(actual, gradients, name)


def test_images_with_channels_last_in_memory(isa, rng, tolerance):
    pixels = rng.standard_normal((2, 6, 7, 3)).astype(np.float32)
    x = pixels.transpose(0, 3, 1, 2)
    weight = rng.standard_normal((4, 3, 3, 3)).astype(np.float32)
    assert_same_bits(kernels.conv2d(x, weight), kernels.conv2d(x.copy(), weight))


def test_the_filter_is_not_flipped(isa):
    x = np.zeros((1, 1, 3, 4), np.float32)
    x[0, 0, 1, 2] = 1
    weight = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)
    y = kernels.conv2d(x, weight)
    assert np.array_equal(y[0, 0], [[5, 4], [2, 1]])


@pytest.mark.parametrize("dtype", ["float16", "int8", "uint8", "int64"])
def test_other_numbers_become_float32(dtype):
    x = np.arange(32).reshape(1, 2, 4, 4).astype(dtype)
    weight = np.arange(8).reshape(1, 2, 2, 2).astype(dtype)
    y = kernels.conv2d(x, weight)
    assert y.dtype == np.float32
    assert np.array_equal(y, reference.conv2d(x, weight))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_shows_in_its_windows_alone(isa, value):
    x, weight = np.ones((1, 1, 8, 40), np.float32), np.ones((2, 1, 3, 3), np.float32)
    x[0, 0, 4, 20] = value
    y = kernels.conv2d(x, weight, padding=1)
    touched = np.zeros((8, 40), bool)
    touched[3:6, 19:22] = True
    np.testing.assert_array_equal(y[:, :, touched], np.full((1, 2, 9), value))
    assert np.isfinite(y[:, :, ~touched]).all()


X, WEIGHT, GRAD = np.ones((2, 3, 5, 5)), np.ones((4, 3, 3, 3)), np.ones((2, 4, 3, 3))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: kernels.conv2d(X, np.ones((4, 3, 6, 6))), "weight|kernel"),
        (lambda: kernels.conv2d(X, np.ones((4, 3, 8, 3)), padding=1), "weight|kernel"),
        (lambda: kernels.conv2d(X, np.ones((4, 2, 3, 3))), "weight|x"),
        (lambda: kernels.conv2d(X[0], WEIGHT), "x"),
        (lambda: kernels.conv2d(X, WEIGHT[0]), "weight"),
        (lambda: kernels.conv2d(X, WEIGHT, np.ones(3)), "bias"),
        (lambda: kernels.conv2d(X, WEIGHT, stride=0), "stride"),
        (lambda: kernels.conv2d(X, WEIGHT, stride=(1, -1)), "stride"),
        (lambda: kernels.conv2d(X, WEIGHT, padding=-1), "padding"),
        (lambda: kernels.conv2d(X, np.ones((4, 3, 0, 3))), "weight|kernel"),
        (lambda: kernels.conv2d_backward(GRAD[:1], X, WEIGHT), "grad_y"),
        (lambda: kernels.conv2d_backward(GRAD, X, WEIGHT, padding=1), "grad_y"),
        (lambda: kernels.conv2d_backward(GRAD[:, :3], X, WEIGHT), "grad_y"),
        (lambda: kernels.conv2d_backward_input(GRAD, WEIGHT, (9, 5)), "input_size|grad_y"),
        (lambda: kernels.conv2d_backward_weight(GRAD, X, (2, 3)), "kernel_size|grad_y"),
    ],
)
def test_wrong_shapes_name_the_argument(call, named):
    with pytest.raises(ValueError, match=rf"\b({named})\b"):
        call()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: kernels.conv2d(X.astype(complex), WEIGHT), "x"),
        (lambda: kernels.conv2d(X, WEIGHT, stride=1.5), "stride"),
        (lambda: kernels.conv2d(X, WEIGHT, padding=None), "padding"),
        (lambda: kernels.conv2d(X, WEIGHT, padding=(1, 1, 1)), "padding"),
    ],
)
def test_wrong_kinds_name_the_argument(call, named):
    with pytest.raises(TypeError, match=rf"\b{named}\b"):
        call()


@pytest.mark.parametrize(("stride", "padding"), [(2**62, 2**61), (1, 2**62)])
def test_sizes_that_overflow_are_refused(stride, padding):
    with pytest.raises((ValueError, MemoryError)):
        kernels.conv2d(X, WEIGHT, stride=stride, padding=padding)
