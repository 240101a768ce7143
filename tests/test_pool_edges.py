"""Pooling: edge cases, layouts, bits, derivatives, layers, and arguments that do not fit."""

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
from pool_problems import Configuration, backward, forward
from unrolled import nn, ops
from unrolled.autograd import Tensor
from unrolled.ops import pool, pool_adaptive, pool_average
from unrolled.reference import pool as reference

CASES = [
    Configuration("max", 1, (2, 3, 41), (3,), {"stride": 2, "dilation": 3, "ceil_mode": True}, ""),
    Configuration("max", 2, (2, 3, 9, 37), ((2, 3),), {"padding": 1, "dilation": 2}, ""),
    Configuration("average", 1, (2, 3, 41), (4,), {"stride": 3, "padding": 2}, ""),
    Configuration(
        "average", 2, (2, 3, 9, 37), (3,), {"stride": 2, "padding": 1, "ceil_mode": True}, ""
    ),
    Configuration(
        "average", 2, (2, 3, 9, 37), ((3, 5),), {"padding": 1, "count_include_pad": False}, ""
    ),
    Configuration("adaptive average", 1, (2, 3, 41), (7,), {}, ""),
    Configuration("adaptive average", 2, (2, 3, 9, 36), ((4, 12),), {}, ""),
    Configuration("adaptive max", 1, (2, 3, 41), (7,), {}, ""),
    Configuration("adaptive max", 2, (2, 3, 9, 36), ((3, 9),), {}, ""),
    Configuration("adaptive max", 2, (2, 3, 40, 36), (2,), {}, ""),  # places beyond a byte
]
DTYPES = ["float32", "float64"]


def each_case(function):
    named = [f"{c.kind} {c.axes}d {c.arguments[0]}" for c in CASES]
    return pytest.mark.parametrize("case", CASES, ids=named)(function)


@each_case
@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_change_no_bit(isa, case, dtype, rng):
    x = rng.standard_normal(case.shape).astype(dtype)
    expected = forward(ops, case, x)
    gradient = backward(ops, case, *expected)
    layouts = [unusual_layouts(array) for array in (x, *expected)]
    for (name, x_), *outputs in zip(*layouts, strict=True):
        assert_same_bits(forward(ops, case, x_), expected, name)
        assert_same_bits(backward(ops, case, *(array for _, array in outputs)), gradient, name)


@each_case
@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_on_any_number_of_threads_and_in_any_batch(isa, threads, case, dtype, rng):
    x = rng.standard_normal(case.shape).astype(dtype)
    x = np.repeat(x, 200_000 // x.size, axis=0)  # several tasks of 32,768 elements

    def both(x):
        outputs = forward(ops, case, x)
        return (*outputs, backward(ops, case, *outputs))

    assert_same_bits_as_one_thread(lambda: both(x), threads)
    for whole, alone in zip(both(x), both(x[9:10]), strict=True):
        assert_same_bits(whole[9:10], alone)


@each_case
def test_levels_agree_on_bits_of_maxima(case, rng):
    from unrolled import _core

    x = rng.standard_normal(case.shape).astype(np.float32)
    level, results = _core.isa(), []
    for name in _core.isa_levels():
        _core.set_isa(name)
        outputs = forward(ops, case, x)
        results.append((*outputs, backward(ops, case, *outputs)))
    _core.set_isa(level)
    for result in results[1:]:
        if "max" in case.kind:
            assert_same_bits(result[:2], results[0][:2])
        for array, expected in zip(result, results[0], strict=True):
            assert_close(array, expected, 1e-6)


@each_case
def test_gradients_agree_with_central_differences(case, rng, tolerance):
    case = case._replace(shape=(1, 1, *case.shape[2:]))
    x = rng.permutation(np.prod(case.shape)).reshape(case.shape) / 10.0  # no ties
    y, *window = forward(ops, case, x)
    grad_y = rng.standard_normal(y.shape)
    actual = backward(ops, case, grad_y, *window)
    expected = numeric_gradient(lambda v: np.sum(grad_y * forward(ops, case, v)[0]), x)
    assert_close(actual, expected, tolerance("differences", "float64"))


@each_case
def test_empty_batches_and_no_channels(isa, case, rng):
    for shape in ((0, 3), (2, 0)):
        y, *window = forward(ops, case, np.ones((*shape, *case.shape[2:]), np.float32))
        assert y.shape[:2] == shape
        grad_x = backward(ops, case, y, *window)
        assert grad_x.shape == (*shape, *case.shape[2:])


def test_images_of_one_pixel(isa):
    x = np.full((1, 1, 1, 1), 3.0)
    assert pool.max_pool2d(x, 2, padding=1).item() == 3
    assert pool_average.avg_pool2d(x, 2, padding=1).item() == 0.75
    assert pool_average.avg_pool2d(x, 2, padding=1, count_include_pad=False).item() == 3
    assert pool_adaptive.adaptive_max_pool2d(x, 2).ravel().tolist() == [3, 3, 3, 3]
    assert pool_adaptive.adaptive_avg_pool2d_backward(np.ones((1, 1, 2, 2)), (1, 1)).item() == 4


def test_integers_become_float32(isa):
    x = np.arange(8).reshape(1, 1, 8)
    for y in (
        pool.max_pool1d(x, 2),
        pool_average.avg_pool1d(x, 2),
        pool_adaptive.adaptive_avg_pool1d(x, 3),
    ):
        assert y.dtype == np.float32


def test_a_window_of_padding_alone_has_no_winner(isa):
    """PyTorch's result; the gradient has nowhere to go."""
    x = np.arange(4.0).reshape(1, 1, 4)
    y, window = pool.max_pool1d_with_indices(x, 2, padding=1, dilation=5)
    assert y.tolist() == [[[-np.inf]]]
    assert not pool.max_pool1d_backward(np.ones_like(y), window, 4, 2, padding=1, dilation=5).any()


@pytest.mark.parametrize("stride", [50, 2**31 - 1])
def test_a_stride_beyond_the_image_finds_one_window(isa, stride):
    x = np.arange(20.0).reshape(1, 1, 4, 5)
    for ceil_mode in (False, True):
        options = {"stride": stride, "ceil_mode": ceil_mode}
        assert pool.max_pool2d(x, 2, **options).tolist() == [[[[6]]]]
        assert pool_average.avg_pool2d(x, 2, **options).tolist() == [[[[3]]]]


def test_with_ceil_mode_a_window_may_be_larger_than_the_input(isa):
    x = np.arange(3.0).reshape(1, 1, 3)
    options = {"stride": 2, "ceil_mode": True}
    assert pool.max_pool1d(x, 4, **options).tolist() == [[[2]]]
    assert pool_average.avg_pool1d(x, 4, **options).tolist() == [[[1]]]
    assert pool_average.avg_pool1d(x, 2**30, stride=2**30, ceil_mode=True).tolist() == [[[1]]]
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    peer = torch.nn.functional.max_pool1d(torch.tensor(x), 4, **options)
    assert peer.tolist() == [[[2]]]


X1, X2 = np.ones((2, 3, 9)), np.ones((2, 3, 5, 6))
Y2, PLACES = np.ones((2, 3, 2, 3)), np.zeros((2, 3, 2, 3), np.uint8)
WRONG_VALUES = [
    (lambda: pool.max_pool1d(X1, 10), r"kernel_size \(10,\) spans 10 elements.* only 9"),
    (lambda: pool.max_pool1d(X1, 3, dilation=5), "spans 11 elements.* only 9"),
    (lambda: pool.max_pool2d(X2, (2, 7)), "spans 7 columns.* only 6"),
    (lambda: pool_average.avg_pool2d(X2, (6, 2)), "spans 6 rows.* only 5"),
    (lambda: pool_average.avg_pool2d(X2, 2, padding=2), "padding must be at most half"),
    (lambda: pool_average.avg_pool1d(X1, 3, padding=2), "padding must be at most half"),
    (lambda: pool.max_pool1d(X1, 3, padding=-1), "padding must lie in 0"),
    (lambda: pool.max_pool1d(X1, 3, dilation=0), "dilation must lie in 1"),
    (lambda: pool.max_pool1d(np.ones((1, 1, 300)), 257), "at most 256 elements"),
    (lambda: pool.max_pool2d(np.ones((1, 1, 20, 20)), 17), "at most 256 elements.*289"),
    (lambda: pool_average.avg_pool2d(X2, 0), "kernel_size must lie in 1"),
    (lambda: pool_average.avg_pool2d(X2, 2, divisor_override=0), "divisor_override must lie in 1"),
    (lambda: pool.max_pool1d(X2, 2), r"x must have the axes \(N, C, L\)"),
    (lambda: pool_average.avg_pool2d(X1, 2), r"x must have the axes \(N, C, H, W\)"),
    (lambda: pool_adaptive.adaptive_avg_pool1d(X1[0], 2), r"x must have the axes \(N, C, L\)"),
    (lambda: pool_adaptive.adaptive_avg_pool2d(X2, 0), "output_size must lie in 1"),
    (lambda: pool_adaptive.adaptive_max_pool2d(X2, (2, -1)), "output_size must lie in 1"),
    (lambda: pool_adaptive.adaptive_max_pool2d(X2, 2**31 - 1), "output_size has far too many"),
    (lambda: pool_adaptive.adaptive_avg_pool1d(X1[..., :0], 2), "no element"),
    (lambda: pool.max_pool2d(X2[:, :, :0], 1), "no element"),
    (lambda: pool_average.avg_pool2d_backward(Y2, (5, 6), 3), "grad_y must have shape"),
    (lambda: pool_average.avg_pool2d_backward(Y2[0], (5, 6), 2), r"grad_y .* \(N, C, OH, OW\)"),
    (lambda: pool.max_pool2d_backward(Y2, PLACES[:1], (5, 6), 2), "window must have shape"),
    (lambda: pool.max_pool2d_backward(Y2, PLACES + np.uint8(9), (5, 6), 2), r"\bwindow\b"),
    (lambda: pool_adaptive.adaptive_max_pool2d_backward(Y2, PLACES[:1], (5, 6)), "window"),
    (
        lambda: pool_adaptive.adaptive_max_pool2d_backward(Y2, PLACES + np.uint8(9), (5, 6)),
        "window",
    ),
    (
        lambda: pool_adaptive.adaptive_max_pool2d_backward(Y2, PLACES - np.int32(1), (5, 6)),
        "window",
    ),
    (lambda: pool_adaptive.adaptive_max_pool2d_backward(Y2, PLACES, (90, 90)), "window must be"),
    (lambda: pool_adaptive.adaptive_avg_pool2d_backward(Y2, (0, 6)), "input_size must lie in 1"),
    (lambda: pool_adaptive.adaptive_avg_pool2d_backward(Y2[:, :, :0], (5, 6)), "grad_y"),
    (lambda: nn.MaxPool2d(17), "at most 256"),
    (lambda: nn.MaxPool1d(0), "kernel_size"),
    (lambda: nn.AvgPool1d(2, padding=-1), "padding"),
    (lambda: nn.AvgPool2d(2, divisor_override=0), "divisor_override"),
    (lambda: nn.AdaptiveAvgPool2d((1, 2, 3)), "output_size"),
    (lambda: nn.AdaptiveMaxPool1d(0), "output_size"),
]
WRONG_KINDS = [
    (lambda: pool.max_pool2d(X2, 2.5), "kernel_size"),
    (lambda: pool.max_pool2d(X2, 2, ceil_mode="no"), "ceil_mode"),
    (lambda: pool.max_pool1d(X1, (2, 2)), "kernel_size"),
    (lambda: pool_average.avg_pool2d(X2, 2, count_include_pad=1), "count_include_pad"),
    (lambda: pool_average.avg_pool2d(X2, 2, divisor_override=2.5), "divisor_override"),
    (lambda: pool_adaptive.adaptive_avg_pool2d(X2, 2.5), "output_size"),
    (lambda: pool_adaptive.adaptive_avg_pool2d(X2, (2, 2, 2)), "output_size"),
    (lambda: pool.max_pool2d_backward(Y2, PLACES.astype(int), (5, 6), 2), "window"),
    (lambda: pool_adaptive.adaptive_max_pool2d_backward(Y2, PLACES * 1.0, (5, 6)), "window"),
    (lambda: pool.max_pool1d("x", 2), "x"),
    (lambda: nn.MaxPool2d(2, ceil_mode=None), "ceil_mode"),
]


@pytest.mark.parametrize(("call", "message"), WRONG_VALUES)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("call", "named"), WRONG_KINDS)
def test_wrong_kinds_are_named(call, named):
    with pytest.raises(TypeError, match=rf"^{named} must be"):
        call()


def test_the_reference_counts_the_windows_of_pytorch():
    """The count by stepping through the windows, against the formula of the kernels' side."""
    x = np.zeros((1, 1, 11))
    for kernel, stride, padding in np.ndindex(5, 4, 3):
        if 2 * padding > kernel + 1:
            continue
        for ceil_mode in (False, True):
            options = {"stride": stride + 1, "padding": padding, "ceil_mode": ceil_mode}
            y = reference.max_pool1d(x, kernel + 1, **options)
            assert y.shape == pool.max_pool1d(x, kernel + 1, **options).shape


LAYERS = [
    ("MaxPool1d", 1, (3, 2, 1, 2), {"ceil_mode": True}),
    ("MaxPool2d", 2, ((2, 3), (1, 2), 1, (2, 1)), {"ceil_mode": True}),
    ("MaxPool2d", 2, (2,), {}),
    ("AvgPool1d", 1, (3, 2, 1, True, False), {}),
    ("AvgPool2d", 2, ((2, 3), (1, 2), 1, True, False), {}),
    ("AvgPool2d", 2, (3,), {"divisor_override": 5}),
    ("AdaptiveAvgPool1d", 1, (5,), {}),
    ("AdaptiveAvgPool2d", 2, ((3, None),), {}),
    ("AdaptiveAvgPool2d", 2, (1,), {}),
    ("AdaptiveMaxPool1d", 1, (5,), {}),
    ("AdaptiveMaxPool2d", 2, ((None, 4),), {}),
]


@pytest.mark.parametrize(("name", "axes", "arguments", "options"), LAYERS)
def test_layers_agree_with_pytorch_and_survive_their_config(name, axes, arguments, options, rng):
    x = rng.standard_normal((2, 3, 13, 17)[: axes + 2]).astype(np.float32)
    layer = getattr(nn, name)(*arguments, **options)
    tensor = Tensor(x, requires_grad=True)
    y = layer(tensor)
    grad_y = rng.standard_normal(y.shape).astype(np.float32)
    y.backward(grad_y)
    again = nn.build(layer.config())
    assert_same_bits(again(x).data, y.data)
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    peer_x = torch.tensor(x, requires_grad=True)
    peer = getattr(torch.nn, name)(*arguments, **options)(peer_x)
    peer.backward(torch.tensor(grad_y))
    assert_close(y.data, peer.detach().numpy(), 1e-6)
    assert_close(tensor.grad, peer_x.grad.numpy(), 1e-6)


def test_functionals_take_the_layers_arguments(rng):
    x1, x2 = rng.standard_normal((2, 3, 13)), rng.standard_normal((2, 3, 9, 13))
    F = nn.functional
    for given, layer in [
        (F.max_pool1d(x1, 3, padding=1), nn.MaxPool1d(3, padding=1)),
        (F.avg_pool1d(x1, 3, stride=2), nn.AvgPool1d(3, 2)),
        (F.adaptive_avg_pool1d(x1, 4), nn.AdaptiveAvgPool1d(4)),
        (F.adaptive_max_pool1d(x1, 4), nn.AdaptiveMaxPool1d(4)),
        (F.max_pool2d(x2, 3, dilation=2), nn.MaxPool2d(3, dilation=2)),
        (F.avg_pool2d(x2, 3, ceil_mode=True), nn.AvgPool2d(3, ceil_mode=True)),
        (F.adaptive_avg_pool2d(x2, 4), nn.AdaptiveAvgPool2d(4)),
        (F.adaptive_max_pool2d(x2, (4, None)), nn.AdaptiveMaxPool2d((4, None))),
    ]:
        x = x1 if given.ndim == 3 else x2
        assert_same_bits(layer(x).data, given.data)


def test_the_receptive_field_knows_the_layers():
    field = nn.receptive_field(
        [nn.Conv1d(1, 1, 3), nn.AvgPool1d(2), nn.MaxPool1d(3, 1, padding=1, dilation=2)]
    )
    assert (field.size, field.stride, field.offset) == ((12,), (2,), (-2,))
    field = nn.receptive_field([nn.AvgPool2d((2, 3)), nn.MaxPool2d(2)])
    assert (field.size, field.stride) == ((4, 6), (4, 6))
    with pytest.raises(ValueError, match="AdaptiveAvgPool2d mixes positions"):
        nn.receptive_field(nn.AdaptiveAvgPool2d(2))
