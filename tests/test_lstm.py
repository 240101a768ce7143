"""Long short-term memory against the reference, differences and PyTorch."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from lstm_problems import DTYPES, Problem, data, run, typed
from oracles import assert_close, assert_same_bits, numeric_gradient
from unrolled.ops import lstm as kernels
from unrolled.reference import lstm as reference

PROBLEMS = [
    *(Problem((4, 6, 1), 6, 3, H, 2) for H in (1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 35)),
    *(Problem((3, 5), 5, D, 6, 1) for D in (1, 2, 8, 16, 17, 35)),
    Problem(None, 7, 5, 6, 1, N=1),
    Problem(None, 7, 5, 6, 2, N=9),
    Problem(None, 1, 5, 6, 2, N=4),
    Problem((0, 3, 1, 0), 4, 3, 5, 2),
    Problem((0, 0), 3, 2, 4, 2),
    Problem((2, 9, 9, 5, 7, 1, 3), 12, 4, 10, 2),  # frames that no sequence reaches
    Problem((40, 33), 40, 6, 20, 2),
    Problem((3, 4), 4, 3, 5, 2, bias=False),
    Problem((3, 2), 3, 520, 4, 1),  # more than 512 products in one sum
    Problem((4, 3), 4, 3, 130, 1),
]


@cache
def expected(problem):
    *results, saved = run(reference.lstm, problem, "float64")
    return results, reference.lstm_backward(*data(problem)[4], saved)


def compare(actual, wanted, dtype, limit):
    names = ("output", "h_n", "c_n")
    for name, a, e in zip(names, actual, wanted, strict=True):
        assert a.dtype == dtype, name
        assert_close(a, e, limit, name)


def compare_gradients(actual, wanted, dtype, limit):
    for name, a, e in zip(("x", "weights", "h0", "c0"), actual, wanted, strict=True):
        if name != "weights":
            assert a.dtype == dtype, name
            assert_close(a, e, limit, f"gradient by {name}")
            continue
        assert len(a) == len(e)
        for d, (ours, theirs) in enumerate(zip(a, e, strict=True)):
            parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            for part, one, other in zip(parts, ours, theirs, strict=True):
                assert (one is None) == (other is None), part
                if one is not None:
                    assert one.dtype == dtype, part
                    assert_close(one, other, limit, f"gradient by {part} of direction {d}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_agrees_with_the_reference(isa, dtype, problem, tolerance):
    *results, saved = run(kernels.lstm, problem, dtype)
    wanted, wanted_gradients = expected(problem)
    limit = tolerance("lstm", dtype)
    compare(results, wanted, dtype, limit)
    gradients = kernels.lstm_backward(*typed(data(problem)[4], dtype), saved)
    compare_gradients(gradients, wanted_gradients, dtype, limit)


@pytest.mark.parametrize("dtype", DTYPES)
def test_missing_states_and_gradients_are_zeros(isa, dtype):
    problem = Problem((3, 5), 5, 3, 6, 2)
    x, weights, h0, _, (grad_output, _, _) = typed(data(problem), dtype)
    zeros = np.zeros_like(h0)
    *bare, saved_bare = kernels.lstm(x, weights, lengths=problem.lengths)
    *full, saved = kernels.lstm(x, weights, h0=zeros, c0=zeros, lengths=[3, 5])
    assert_same_bits(bare, full)
    assert_same_bits(
        kernels.lstm_backward(grad_output, None, None, saved_bare),
        kernels.lstm_backward(grad_output, zeros, zeros, saved),
    )


def test_gradients_agree_with_central_differences(isa, tolerance):
    problem = Problem((2, 4, 0), 4, 2, 3, 2)
    x, weights, h0, c0, upstream = typed(data(problem), "float64")

    def total(x=x, weights=weights, h0=h0, c0=c0):
        results = kernels.lstm(x, weights, h0=h0, c0=c0, lengths=problem.lengths)[:3]
        return sum(np.sum(g * y) for g, y in zip(upstream, results, strict=True))

    def by_weight(direction, part):
        def replaced(value):
            changed = [list(entry) for entry in weights]
            changed[direction][part] = value
            return total(weights=[tuple(entry) for entry in changed])

        return numeric_gradient(replaced, weights[direction][part])

    saved = kernels.lstm(x, weights, h0=h0, c0=c0, lengths=problem.lengths)[3]
    actual = kernels.lstm_backward(*upstream, saved)
    wanted = (
        numeric_gradient(lambda v: total(x=v), x),
        [tuple(by_weight(d, part) for part in range(4)) for d in range(2)],
        numeric_gradient(lambda v: total(h0=v), h0),
        numeric_gradient(lambda v: total(c0=v), c0),
    )
    compare_gradients(actual, wanted, "float64", tolerance("differences", "float64"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("directions", [1, 2])
def test_agrees_with_pytorch(isa, dtype, directions, tolerance):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    problem = Problem((4, 11, 1, 7), 11, 9, 18, directions)
    x, weights, h0, c0, upstream = typed(data(problem), dtype)
    peer = torch.nn.LSTM(9, 18, batch_first=True, bidirectional=directions == 2)
    peer = peer.to(getattr(torch, dtype))
    parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    suffixes = ("_l0", "_l0_reverse")[:directions]
    names = [[part + suffix for part in parts] for suffix in suffixes]
    flat = {name: array for row, entry in zip(names, weights, strict=True)
            for name, array in zip(row, entry, strict=True)}  # fmt: skip
    peer.load_state_dict({name: torch.tensor(array) for name, array in flat.items()})
    inputs = [torch.tensor(array, requires_grad=True) for array in (x, h0, c0)]
    packed = pack_padded_sequence(
        inputs[0], problem.lengths, batch_first=True, enforce_sorted=False
    )
    output, states = peer(packed, tuple(inputs[1:]))
    tensors = [pad_packed_sequence(output, batch_first=True)[0], *states]
    torch.autograd.backward(tensors, [torch.tensor(array) for array in upstream])

    *results, saved = run(kernels.lstm, problem, dtype)
    limit = tolerance("lstm", dtype)
    compare(results, [tensor.detach().numpy() for tensor in tensors], dtype, limit)
    grad_weights = [tuple(getattr(peer, n).grad.numpy() for n in row) for row in names]
    grads = [tensor.grad.numpy() for tensor in inputs]
    wanted = (grads[0], grad_weights, grads[1], grads[2])
    compare_gradients(kernels.lstm_backward(*upstream, saved), wanted, dtype, limit)


@pytest.mark.parametrize("dtype", DTYPES)
def test_saturated_gates_stay_finite(isa, dtype):
    problem = Problem((6, 4), 6, 3, 18, 2)
    x, weights, h0, c0, upstream = typed(data(problem), dtype)
    *results, saved = kernels.lstm(1e6 * x, weights, h0=h0, c0=c0, lengths=problem.lengths)
    gradients = kernels.lstm_backward(*upstream, saved)
    for array in (*results, gradients[0], *gradients[2:], *gradients[1][0], *gradients[1][1]):
        assert np.isfinite(array).all()
    assert np.abs(results[0]).max() <= 1
