"""Convolution: arguments that do not fit are named, with what was found and what is needed."""

from __future__ import annotations

import numpy as np
import pytest

import unrolled as ur
from oracles import assert_same_bits
from unrolled.ops.pool import max_pool2d
from unrolled.ops.pool_average import avg_pool2d

X1, W1, Y1 = np.ones((2, 4, 9)), np.ones((6, 4, 3)), np.ones((2, 6, 7))
X2, W2, Y2 = np.ones((2, 4, 5, 6)), np.ones((6, 4, 3, 3)), np.ones((2, 6, 3, 4))
T1, T2 = np.ones((4, 3, 3)), np.ones((4, 3, 3, 3))  # weights (C, K / groups, ...)
NAN, INF = float("nan"), float("inf")

WRONG_VALUES = [
    # the kernel and the padded input
    (lambda: ur.conv1d(X1, np.ones((6, 4, 10))), r"kernel spans 10 .* only 9"),
    (lambda: ur.conv1d(X1, W1, dilation=5), r"kernel spans 11 .* only 9"),
    (lambda: ur.conv2d(X2, np.ones((6, 4, 3, 8))), r"kernel spans 8 columns"),
    (lambda: ur.conv2d(X2, W2, dilation=(4, 1), padding=(1, 0)), r"kernel spans 9 rows.* only 7"),
    (lambda: ur.conv2d_backward_input(Y2, W2, (2, 6)), r"kernel spans 3 rows"),
    (lambda: ur.conv2d_backward_weight(Y2, X2, (6, 3)), r"kernel spans 6 rows"),
    (lambda: ur.conv1d(np.ones((1, 1, 0)), np.ones((1, 1, 1))), "kernel spans 1 .* only 0"),
    (lambda: ur.conv1d(X1, np.ones((6, 4, 0))), "kernel"),
    # channels and groups
    (lambda: ur.conv1d(X1, W1[:, :3]), r"x has 4 channels.*needs 3"),
    (lambda: ur.conv2d(X2, W2, groups=2), r"x has 4 channels.*groups=2 needs 8"),
    (lambda: ur.conv2d(X2, np.ones((5, 2, 3, 3)), groups=2), r"groups=2 .* 5 output channels"),
    (lambda: ur.conv2d(X2, W2, groups=0), "groups must lie in 1"),
    (lambda: ur.conv2d_backward(Y2, X2, W2[:, :3]), r"x has 4 channels"),
    (lambda: ur.conv2d_backward(Y2, X2, W2, groups=2), r"x has 4 channels"),
    (lambda: ur.conv2d_backward_input(Y2[:, :5], W2[:5, :2], (5, 6), groups=2), "groups=2"),
    (lambda: ur.conv2d_backward_weight(Y2, X2[:, :3], (3, 3), groups=2), r"3 channels of x"),
    (lambda: ur.conv2d_backward_weight(Y2[:, :5], X2, (3, 3), groups=2), r"5 channels of grad_y"),
    (lambda: ur.conv2d_backward_weight(Y2[:1], X2, (3, 3)), r"grad_y has 1 items, x has 2"),
    (lambda: ur.conv_transpose2d(X2, T2[:3]), r"x has 4 channels.*needs 3"),
    (lambda: ur.conv_transpose2d(X2[:, :3], T2[:3], groups=2), r"groups=2 .* 3 input channels"),
    (lambda: ur.conv_transpose2d_backward(Y2, X2, T2[:3]), "x has 4 channels"),
    (lambda: ur.conv_transpose2d(X2, T2, np.ones(4)), r"bias must have shape \(3,\)"),
    # axes and shapes
    (lambda: ur.conv1d(X2, W1), r"x must have the axes \(N, C, L\)"),
    (lambda: ur.conv1d(X1[0], W1), r"x must have the axes \(N, C, L\)"),
    (lambda: ur.conv1d(X1, W2), r"weight must have the axes \(K, C / groups, S\)"),
    (lambda: ur.conv1d(X1, W1, np.ones(4)), r"bias must have shape \(6,\)"),
    (lambda: ur.conv1d_backward(Y1[:, :, 1:], X1, W1), r"grad_y must have shape \(2, 6, 7\)"),
    (lambda: ur.conv1d_backward(Y2, X1, W1), r"grad_y must have the axes \(N, K, OL\)"),
    (lambda: ur.conv1d_backward_input(Y1, W1, 8), r"grad_y must have shape \(2, 6, 6\)"),
    (lambda: ur.conv_transpose1d(X1[0], T1), r"x must have the axes \(N, C, L\)"),
    (lambda: ur.conv_transpose1d_backward(X1[:, :3], X1, T1), r"grad_y .* \(2, 3, 11\)"),
    (lambda: ur.conv_transpose1d_backward_weight(np.ones((1, 3, 11)), X1, 3), "grad_y has 1 items"),
    (lambda: ur.conv_transpose1d_backward_input(np.ones((2, 3, 11)), T1, 8), "grad_y"),
    # options
    (lambda: ur.conv2d(X2, W2, padding="same", stride=2), "'same' needs stride 1"),
    (lambda: ur.conv2d(X2, W2, padding="full"), "padding must be .*'same' or 'valid'.*'full'"),
    (lambda: ur.conv2d(X2, W2, padding_mode="circular"), "padding_mode .*reflect.*'circular'"),
    (lambda: ur.conv2d(X2, W2, padding=5, padding_mode="reflect"), "padding of 5 .* smaller"),
    (lambda: ur.conv2d_backward(Y2, X2, W2, padding=5, padding_mode="reflect"), "padding of 5"),
    (lambda: ur.conv2d(X2, W2, algorithm="fft"), "algorithm .*winograd-f2.*'fft'"),
    (lambda: ur.conv1d(X1, W1, algorithm="winograd-f2"), "algorithm 'winograd-f2' is for 3x3"),
    (lambda: ur.conv2d(X2, W2, activation="gelu"), "activation must be None or 'relu'"),
    (lambda: ur.conv2d(X2, W2, dilation=0), "dilation must lie in 1"),
    (lambda: ur.conv1d(X1, W1, padding=2**62), "padding must lie in"),
    (lambda: ur.conv2d(X2, W2, padding=2**30), "padding .*far too large"),
    (lambda: ur.conv_transpose2d(X2, T2, output_padding=1), "output_padding must be smaller"),
    (lambda: ur.conv_transpose2d(X2, T2, stride=2, output_padding=(0, 2)), "output_padding"),
    (lambda: ur.conv_transpose2d(X2, T2, padding=4), r"padding .* leaves nothing of y"),
    (lambda: ur.conv_transpose1d(X1[:, :, :0], T1), "at least one element"),
    (lambda: ur.conv_transpose2d(X2, T2, stride=2**30), "far too large"),
]
WRONG_KINDS = [
    (lambda: ur.conv2d(X2, W2, padding=NAN), "padding"),
    (lambda: ur.conv2d(X2, W2, padding=(0, INF)), "padding"),
    (lambda: ur.conv2d(X2, W2, padding=[1, 1, 1]), "padding"),
    (lambda: ur.conv1d(X1, W1, padding=(1, 1)), "padding"),
    (lambda: ur.conv1d(X1, W1, stride=INF), "stride"),
    (lambda: ur.conv1d(X1, W1, dilation=1.5), "dilation"),
    (lambda: ur.conv1d(X1, W1, groups=1.5), "groups"),
    (lambda: ur.conv1d(X1, W1, groups=(1, 1)), "groups"),
    (lambda: ur.conv1d(X1, "weights"), "weight"),
    (lambda: ur.conv1d(X1, W1 * 1j), "weight"),
    (lambda: ur.conv_transpose1d(X1, T1, output_padding=0.5), "output_padding"),
]


@pytest.mark.parametrize(("call", "message"), WRONG_VALUES)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("call", "named"), WRONG_KINDS)
def test_wrong_kinds_are_named(call, named):
    with pytest.raises(TypeError, match=rf"^{named} must be"):
        call()


@pytest.mark.parametrize(
    ("call", "good", "bad", "named"),
    [
        (lambda stride: ur.conv2d(X2, W2, stride=stride), 1, 1.0, "stride"),
        (lambda stride: max_pool2d(X2, 2, stride=stride), 1, 1.0, "stride"),
        (lambda mode: avg_pool2d(X2, 2, ceil_mode=mode), True, 1, "ceil_mode"),
    ],
)
def test_what_is_refused_does_not_depend_on_earlier_calls(call, good, bad, named):
    """Checks are remembered, and Python calls these arguments equal."""
    call(good)
    with pytest.raises(TypeError, match=rf"^{named} must be"):
        call(bad)


def test_options_may_be_lists_arrays_and_numpy_numbers():
    expected = ur.conv2d(X2, W2, stride=(1, 2), padding=(2, 1))
    y = ur.conv2d(X2, W2, stride=np.array([1, 2]), padding=[2, np.int8(1)], groups=np.int64(1))
    assert_same_bits(y, expected)
    assert_same_bits(ur.conv1d(X1, W1, stride=(2,)), ur.conv1d(X1, W1, stride=2))
