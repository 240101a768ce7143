"""What the LSTM accepts in which layout, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_problems import DTYPES, Problem, data, run, typed
from oracles import assert_same_bits, unusual_layouts
from unrolled.ops import lstm as kernels


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_change_no_bit(isa, dtype):
    problem = Problem((3, 5), 5, 4, 6, 1)
    x, weights, h0, c0, upstream = typed(data(problem), dtype)
    *results, saved = run(kernels.lstm, problem, dtype)
    gradients = kernels.lstm_backward(*upstream, saved)
    arrays = (x, *weights[0], h0, c0, *upstream)
    for variants in zip(*(unusual_layouts(array) for array in arrays), strict=True):
        name = variants[0][0]
        x_, *entry, h0_, c0_, grad_output, grad_h, grad_c = (array for _, array in variants)
        *actual, saved_ = kernels.lstm(
            x_, [tuple(entry)], h0=h0_, c0=c0_, lengths=np.array([3, 5], np.int32)
        )
        assert_same_bits(actual, results, name)
        assert_same_bits(
            kernels.lstm_backward(grad_output, grad_h, grad_c, saved_), gradients, name
        )


@pytest.mark.parametrize(("N", "T"), [(0, 4), (3, 0), (0, 0)])
def test_no_items_or_no_frames(isa, N, T):
    problem = Problem((3, 5), 5, 4, 6, 2)
    weights = data(problem)[1]
    h0 = np.ones((2, N, 6), np.float32)
    output, h_n, c_n, saved = kernels.lstm(np.ones((N, T, 4), np.float32), weights, h0=h0)
    assert output.shape == (N, T, 12)
    assert_same_bits((h_n, c_n), (h0, np.zeros_like(h0)))
    grad_x, grad_weights, grad_h0, _ = kernels.lstm_backward(output, h_n, c_n, saved)
    assert grad_x.shape == (N, T, 4)
    assert not any(array.any() for entry in grad_weights for array in entry)
    assert_same_bits(grad_h0, h_n)


X, IH, HH, B = np.ones((2, 5, 3)), np.ones((16, 3)), np.ones((16, 4)), np.ones(16)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: kernels.lstm(X[0], [(IH, HH, B, B)]), "x"),
        (lambda: kernels.lstm(X, []), "weights"),
        (lambda: kernels.lstm(X, [(IH, HH, B, B)] * 3), "weights"),
        (lambda: kernels.lstm(X, [(IH[:, :2], HH, B, B)]), "weight_ih"),
        (lambda: kernels.lstm(X, [(IH[:15], HH, B, B)]), "weight_ih"),
        (lambda: kernels.lstm(X, [(IH, HH[:, :3], B, B)]), "weight_hh|weight_ih"),
        (lambda: kernels.lstm(X, [(IH, HH, B[:4], B)]), "bias_ih"),
        (lambda: kernels.lstm(X, [(IH, HH, B, B[:4])]), "bias_hh"),
        (lambda: kernels.lstm(X, [(IH, HH, B, B)], h0=np.ones((2, 2, 4))), "h0"),
        (lambda: kernels.lstm(X, [(IH, HH, B, B)], c0=np.ones((1, 3, 4))), "c0"),
        (lambda: kernels.lstm(X, [(IH, HH, B, B)], lengths=[5, 6]), "lengths"),
        (lambda: kernels.lstm(X, [(IH, HH, B, B)], lengths=[5, -1]), "lengths"),
        (lambda: kernels.lstm(X, [(IH, HH, B, B)], lengths=[5]), "lengths"),
    ],
)
def test_wrong_shapes_name_the_argument(call, named):
    with pytest.raises(ValueError, match=rf"\b({named})"):
        call()


def test_a_wrong_length_names_its_item():
    with pytest.raises(ValueError, match=r"lengths of item 1\b"):
        kernels.lstm(X, [(IH, HH, B, B)], lengths=[5, 6])


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: kernels.lstm(X.astype(complex), [(IH, HH, B, B)]), "x"),
        (lambda: kernels.lstm(X, [(IH, HH, B, B)], lengths=[2.5, 3.0]), "lengths"),
    ],
)
def test_wrong_kinds_name_the_argument(call, named):
    with pytest.raises(TypeError, match=rf"\b{named}\b"):
        call()


@pytest.mark.parametrize("which", ["grad_output", "grad_h_n", "grad_c_n"])
def test_upstream_gradients_of_wrong_shape_are_named(which):
    saved = kernels.lstm(X, [(IH, HH, B, B)])[3]
    upstream = {
        "grad_output": np.ones((2, 5, 4)),
        "grad_h_n": np.ones((1, 2, 4)),
        "grad_c_n": np.ones((1, 2, 4)),
    }
    upstream[which] = upstream[which][..., :3]
    with pytest.raises(ValueError, match=which):
        kernels.lstm_backward(*upstream.values(), saved)
