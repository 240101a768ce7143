"""Convolution: edge cases, layouts, bits, and sizes beyond 31 bits."""

from __future__ import annotations

import numpy as np
import pytest

import unrolled as ur
from oracles import (
    assert_close,
    assert_same_bits,
    assert_same_bits_as_one_thread,
    numeric_gradient,
    unusual_layouts,
)
from unrolled.ops.activation import relu, relu_backward

X1, W1 = np.ones((2, 4, 9)), np.ones((6, 4, 3))
X2, W2 = np.ones((2, 4, 5, 6)), np.ones((6, 4, 3, 3))
T2 = np.ones((4, 3, 3, 3))  # weight (C, K / groups, ...)
NAN, INF = float("nan"), float("inf")
MODES = ["zeros", "reflect", "replicate"]


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_batch_has_empty_outputs_and_gradients_of_zero(isa, mode):
    for convolve, backward, x, weight in (
        (ur.conv1d, ur.conv1d_backward, X1, W1),
        (ur.conv2d, ur.conv2d_backward, X2, W2),
    ):
        options = {"padding": 1, "padding_mode": mode}
        y = convolve(x[:0], weight, np.ones(6), **options)
        assert y.shape == (0, 6, *x.shape[2:])
        grads = backward(y, x[:0], weight, **options)
        assert [g.shape for g in grads] == [(0, *x.shape[1:]), weight.shape, (6,)]
        assert not any(g.any() for g in grads)
    y = ur.conv_transpose2d(X2[:0], T2, np.ones(3), stride=2)
    grads = ur.conv_transpose2d_backward(y, X2[:0], T2, stride=2)
    assert [g.shape for g in grads] == [(0, 4, 5, 6), (4, 3, 3, 3), (3,)]
    assert not any(g.any() for g in grads)


def test_no_channels_leave_the_bias(isa):
    x, weight, bias = np.ones((2, 0, 4)), np.ones((3, 0, 2)), np.arange(3.0)
    assert np.array_equal(ur.conv1d(x, weight, bias), np.tile(bias[:, None], (2, 1, 3)))
    grads = ur.conv1d_backward(np.ones((2, 3, 3)), x, weight)
    assert [g.shape for g in grads] == [(2, 0, 4), (3, 0, 2), (3,)]
    assert np.array_equal(grads[2], [6, 6, 6])


@pytest.mark.parametrize("mode", MODES[::2])
def test_images_of_one_pixel(isa, mode):
    """Every tap but the middle one lies on the border: zeros, or copies of the pixel."""
    x, weight = np.full((1, 1, 1, 1), 2.0), np.arange(9.0).reshape(1, 1, 3, 3)
    y = ur.conv2d(x, weight, padding=1, padding_mode=mode)
    assert y.tolist() == [[[[8.0 if mode == "zeros" else 72.0]]]]
    grads = ur.conv2d_backward(np.ones((1, 1, 1, 1)), x, weight, padding=1, padding_mode=mode)
    assert grads[0].item() == (4 if mode == "zeros" else 36)
    assert np.count_nonzero(grads[1]) == (1 if mode == "zeros" else 9)


@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize("channels", [1, 3, 8])
def test_a_gradient_that_is_not_finite_shows_where_its_taps_reach_alone(isa, channels, value, rng):
    """Few channels take all phases of the stride at once, with zeros where a phase has no tap."""
    grad, weight = rng.random((3, 4, 7, 9)), 1 + rng.random((4, channels, 3, 3))
    bad = grad.copy()
    bad[1, 2, 3, 4] = value
    options = {"input_size": (15, 19), "stride": 2}
    found = ur.conv2d_backward_input(bad, weight, **options)
    expected = ur.conv2d_backward_input(grad, weight, **options)
    reached = np.zeros(found.shape, bool)
    reached[1, :, 6:9, 8:11] = True
    np.testing.assert_array_equal(found[reached], np.full(9 * channels, value))
    assert_close(found[~reached], expected[~reached], 4e-15)
    assert_same_bits(found[::2], expected[::2])


@pytest.mark.parametrize("stride", [7, 1000, 2**31 - 1])
def test_a_stride_beyond_the_image_finds_one_position(isa, stride):
    y = ur.conv2d(X2, W2, stride=stride)
    assert_same_bits(y, ur.conv2d(X2[:, :, :3, :3], W2))
    grad_x, grad_weight, _ = ur.conv2d_backward(y, X2, W2, stride=stride)
    assert np.array_equal(grad_weight, np.full(W2.shape, 2 * 36))
    assert not grad_x[:, :, 3:].any()
    assert not grad_x[:, :, :, 3:].any()
    assert np.array_equal(grad_x[:, :, :3, :3], np.full((2, 4, 3, 3), 6 * 36))


def random_problem(rng, dtype, *, transpose=False):
    x = rng.standard_normal((3, 6, 9, 20)).astype(dtype)
    shape = (6, 4, 3, 3) if transpose else (8, 3, 3, 3)
    return x, rng.standard_normal(shape).astype(dtype), rng.standard_normal(8).astype(dtype)


VARIANTS = {
    "dilated": {"dilation": (2, 3), "padding": 2},
    "strided": {"stride": (2, 1), "padding": (0, 1)},
    "mirrored": {"padding": (2, 1), "padding_mode": "reflect"},
    "copied": {"padding": "same", "padding_mode": "replicate"},
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_same_bits_on_any_number_of_threads_and_in_any_batch(isa, threads, dtype, variant, rng):
    x, weight, bias = random_problem(rng, dtype)
    options = {**VARIANTS[variant], "groups": 2}
    y = ur.conv2d(x, weight, bias, **options)
    assert_same_bits_as_one_thread(
        lambda: (
            ur.conv2d(x, weight, bias, **options),
            ur.conv2d_backward(y, x, weight, **options),
        ),
        threads,
    )
    grad_x = ur.conv2d_backward_input(y, weight, x.shape[2:], **options)
    one = slice(1, 2)
    assert_same_bits(ur.conv2d(x[one], weight, bias, **options), y[one])
    alone = ur.conv2d_backward_input(y[one], weight, x.shape[2:], **options)
    assert_same_bits(alone, grad_x[one])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_transposed_has_the_same_bits_on_any_number_of_threads(isa, threads, dtype, rng):
    x, weight, bias = random_problem(rng, dtype, transpose=True)
    options = {"stride": (2, 1), "padding": 1, "output_padding": (1, 0), "groups": 2}
    y = ur.conv_transpose2d(x, weight, bias, **options)
    assert_same_bits_as_one_thread(
        lambda: (
            ur.conv_transpose2d(x, weight, bias, **options),
            ur.conv_transpose2d_backward(y, x, weight, **options),
        ),
        threads,
    )
    one = slice(2, 3)
    assert_same_bits(ur.conv_transpose2d(x[one], weight, bias, **options), y[one])


def test_layouts_change_no_bit(isa, rng):
    x, weight, bias = random_problem(rng, "float32")
    options = {"padding": 2, "padding_mode": "reflect", "groups": 2, "dilation": 2}
    y = ur.conv2d(x, weight, bias, **options)
    grads = ur.conv2d_backward(y, x, weight, **options)
    layouts = [list(unusual_layouts(array)) for array in (x, weight, bias, y)]
    for (name, x_), (_, weight_), (_, bias_), (_, grad_) in zip(*layouts, strict=True):
        assert_same_bits(ur.conv2d(x_, weight_, bias_, **options), y, name)
        assert_same_bits(ur.conv2d_backward(grad_, x_, weight_, **options), grads, name)
    x, weight, bias = x[:, :, 0], weight[:, :, 0], bias
    y = ur.conv1d(x, weight, bias, groups=2)
    grads = ur.conv1d_backward(y, x, weight, groups=2)
    spread = ur.conv_transpose1d(y, weight, groups=2)
    layouts = [list(unusual_layouts(array)) for array in (x, weight, y)]
    for (name, x_), (_, weight_), (_, y_) in zip(*layouts, strict=True):
        assert_same_bits(ur.conv1d(x_, weight_, bias, groups=2), y, name)
        assert_same_bits(ur.conv1d_backward(y_, x_, weight_, groups=2), grads, name)
        assert_same_bits(ur.conv_transpose1d(y_, weight_, groups=2), spread, name)


def test_arguments_are_not_written_into(isa, rng):
    x, weight, bias = random_problem(rng, "float32")
    options = {"padding": 1, "padding_mode": "replicate", "groups": 2, "activation": "relu"}
    arrays = [x, weight, bias]
    copies = [array.copy() for array in arrays]
    y = ur.conv2d(*arrays, **options)
    grad_y = y.copy()
    ur.conv2d_backward(y, x, weight, padding=1, padding_mode="replicate", groups=2)
    ur.conv_transpose2d(y, weight, groups=2)
    assert_same_bits([*arrays, y], [*copies, grad_y])


@pytest.mark.parametrize("value", [NAN, INF])
def test_a_value_that_is_not_finite_shows_in_its_windows_and_its_group_alone(isa, value):
    x, weight = np.ones((2, 4, 8, 40), np.float32), np.ones((6, 2, 3, 3), np.float32)
    x[0, 1, 4, 20] = value
    options = {"padding": 2, "dilation": 2, "groups": 2}
    y = ur.conv2d(x, weight, **options)
    touched = np.zeros(y.shape, bool)
    touched[0, :3, 2:7:2, 18:23:2] = True
    np.testing.assert_array_equal(y[touched], np.full(27, value))
    assert np.isfinite(y[~touched]).all()
    spread = ur.conv_transpose1d(x[:, :, 0], weight[:4, :, 0], groups=2)
    assert np.isfinite(spread).all()  # row 0 has none
    spread = ur.conv_transpose1d(x[:, :, 4], weight[:4, :, 0], groups=2)
    reached = np.zeros(spread.shape, bool)
    reached[0, :2, 20:23] = True
    assert np.array_equal(np.isfinite(spread), ~reached)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_fused_relu_is_that_of_the_output(isa, dtype, rng):
    x, weight, bias = random_problem(rng, dtype)
    x[0, 0, 3, 3] = np.nan  # stays one
    for options in ({"groups": 2, "padding": 1}, {"groups": 2, "stride": 2}):
        plain = ur.conv2d(x, weight, bias, **options)
        assert_same_bits(ur.conv2d(x, weight, bias, activation="relu", **options), relu(plain))
    row, taps = x[:, :, 0], weight[:, :, 0]
    plain = ur.conv1d(row, taps, groups=2)
    assert_same_bits(ur.conv1d(row, taps, groups=2, activation="relu"), relu(plain))
    bias = np.array([-1.0, 1.0])
    nothing_to_sum = ur.conv1d(np.ones((1, 0, 2)), np.ones((2, 0, 1)), bias, activation="relu")
    assert nothing_to_sum.tolist() == [[[0, 0], [1, 1]]]


@pytest.mark.parametrize("mode", MODES)
def test_gradients_agree_with_central_differences(isa, mode, rng, tolerance):
    """Dilation, groups, borders and the ReLU together, apart from the reference."""
    x, weight, bias = (rng.standard_normal(s) for s in ((2, 4, 4, 5), (2, 2, 2, 3), (2,)))
    options = {"padding": (1, 2), "dilation": (2, 1), "groups": 2, "padding_mode": mode}
    forward = {**options, "activation": "relu"}
    y = ur.conv2d(x, weight, bias, **forward)
    upstream = rng.standard_normal(y.shape)

    def total(x, weight, bias):
        return np.sum(upstream * ur.conv2d(x, weight, bias, **forward))

    found = ur.conv2d_backward(relu_backward(upstream, y), x, weight, **options)
    expected = (
        numeric_gradient(lambda v: total(v, weight, bias), x),
        numeric_gradient(lambda v: total(x, v, bias), weight),
        numeric_gradient(lambda v: total(x, weight, v), bias),
    )
    for actual, wanted in zip(found, expected, strict=True):
        assert_close(actual, wanted, tolerance("differences", "float64"))


def test_transposed_gradients_agree_with_central_differences(isa, rng, tolerance):
    x, weight, bias = (rng.standard_normal(s) for s in ((2, 4, 3, 4), (4, 2, 2, 3), (4,)))
    options = {"stride": (1, 2), "padding": (0, 1), "output_padding": (1, 1), "dilation": (3, 1)}
    options["groups"] = 2
    upstream = rng.standard_normal(ur.conv_transpose2d(x, weight, bias, **options).shape)

    def total(x, weight, bias):
        return np.sum(upstream * ur.conv_transpose2d(x, weight, bias, **options))

    found = ur.conv_transpose2d_backward(upstream, x, weight, **options)
    expected = (
        numeric_gradient(lambda v: total(v, weight, bias), x),
        numeric_gradient(lambda v: total(x, v, bias), weight),
        numeric_gradient(lambda v: total(x, weight, v), bias),
    )
    for actual, wanted in zip(found, expected, strict=True):
        assert_close(actual, wanted, tolerance("differences", "float64"))


@pytest.mark.parametrize("name", ["conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"])
def test_single_passes_are_the_parts_of_backward(isa, name, rng):
    axes = int(name[-2])
    x, weight, _ = random_problem(rng, "float32", transpose="transpose" in name)
    if axes == 1:
        x, weight = x[:, :, 0], weight[:, :, 0]
    options = {"stride": 2, "padding": 1, "groups": 2}
    forward, backward = getattr(ur, name), getattr(ur, f"{name}_backward")
    by_input, by_weight = (getattr(ur, f"{name}_backward_{part}") for part in ("input", "weight"))
    grad_y = forward(x, weight, **options)
    gradients = backward(grad_y, x, weight, **options)
    assert_same_bits(by_input(grad_y, weight, x.shape[2:], **options), gradients[0])
    assert_same_bits(by_weight(grad_y, x, weight.shape[2:], **options), gradients[1:])


def zeros_of_untouched_memory(*shape):
    try:
        return np.zeros(shape, np.float32)  # pages that are only read stay one page of zeros
    except MemoryError:
        pytest.skip("needs 8 GiB of addresses")


@pytest.mark.parametrize("N", [1, 65], ids=["one image", "a batch"])
def test_more_than_two_to_the_31_elements_are_right(N):
    """Every offset beyond 31 bits must be computed in 64. The stride spares reading all of x."""
    x = zeros_of_untouched_memory(N, 2**16 // N + 1, 32, 1024 + 8)
    assert x.size > 2**31
    weight = np.zeros((1, x.shape[1], 1, 1), np.float32)
    places = [(0, 0, 0, 0), (N // 2, 777, 0, 500), (N - 1, x.shape[1] - 1, 0, x.shape[3] - 1)]
    for place in places:
        x[place], weight[0, place[1]] = place[1] + 2, 0.5
    y = ur.conv2d(x, weight, stride=(32, 1))
    found = {tuple(map(int, at)): float(y[tuple(at)]) for at in np.argwhere(y)}
    assert found == {(n, 0, 0, column): (c + 2) / 2 for n, c, _, column in places}
    grad_weight, grad_bias = ur.conv2d_backward_weight(np.ones_like(y), x, 1, stride=(32, 1))
    found = {int(c): float(grad_weight[0, c, 0, 0]) for c in np.flatnonzero(grad_weight)}
    assert found == {c: c + 2 for _, c, _, _ in places}
    assert grad_bias[0] == y.size


def test_more_than_two_to_the_31_elements_of_grad_y_are_right():
    grad_y = zeros_of_untouched_memory(65, 1009, 32, 1024 + 8)
    assert grad_y.size > 2**31
    weight = np.ones((1009, 1, 1, 1), np.float32)
    grad_y[64, 1008, 31, 1031] = 3
    grad_x = ur.conv2d_backward_input(grad_y, weight, (32, 1024 + 8))
    assert np.argwhere(grad_x).tolist() == [[64, 0, 31, 1031]]
    assert grad_x.sum() == 3


@pytest.mark.parametrize(
    ("size", "kernel", "stride"),
    [((3, 112, 224), 7, 2), ((16, 64, 64), 1, 1), ((3, 112, 142), 7, 2)],
    ids=["by rows", "by pixels", "no whole lines"],
)
def test_results_beyond_the_caches_have_the_bits_of_images_alone(rng, isa, size, kernel, stride):
    """From 16 MB on they are written past the caches."""
    K, N = 49, 24
    x = rng.standard_normal((N, *size), dtype=np.float32)
    weight = rng.standard_normal((K, size[0], kernel, kernel), dtype=np.float32)
    bias = rng.standard_normal(K, dtype=np.float32)
    options = {"stride": stride, "padding": kernel // 2, "algorithm": "direct"}
    y = ur.conv2d(x, weight, bias, **options)
    assert y.nbytes >= 2**24
    for n in (0, 11, N - 1):
        assert_same_bits(y[n : n + 1], ur.conv2d(x[n : n + 1], weight, bias, **options))
