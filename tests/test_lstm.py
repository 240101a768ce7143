"""Long short-term memory over ragged batches, in one and two directions."""

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
from unrolled.ops import lstm as kernels
from unrolled.reference import lstm as reference

DTYPES = ["float32", "float64"]


class Problem(NamedTuple):
    lengths: tuple[int, ...] | None
    T: int
    D: int
    H: int
    directions: int
    bias: bool = True
    N: int = 0

    @property
    def items(self):
        return len(self.lengths) if self.lengths is not None else self.N

    def __str__(self):
        bias = "" if self.bias else "-nobias"
        lengths = f"N{self.N}" if self.lengths is None else "-".join(map(str, self.lengths))
        return f"T{self.T}D{self.D}H{self.H}x{self.directions}{bias}[{lengths}]"


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
def data(problem):
    """Return x, weights, h0, c0 and the three upstream gradients, as float32 numbers."""
    rng = np.random.default_rng(zlib.crc32(str(problem).encode()))
    N, T, D, H, directions = problem.items, problem.T, problem.D, problem.H, problem.directions

    def draw(*shape, scale=1.0):
        return (scale * rng.standard_normal(shape)).astype(np.float32)

    weights = [
        (
            draw(4 * H, D, scale=D**-0.5),
            draw(4 * H, H, scale=H**-0.5),
            draw(4 * H) if problem.bias else None,
            draw(4 * H) if problem.bias else None,
        )
        for _ in range(directions)
    ]
    state = (directions, N, H)
    return (
        draw(N, T, D),
        weights,
        draw(*state),
        draw(*state),
        (draw(N, T, directions * H), draw(*state), draw(*state)),
    )


def typed(value, dtype):
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        return type(value)(typed(item, dtype) for item in value)
    return value.astype(dtype)


def run(function, problem, dtype):
    x, weights, h0, c0, _ = typed(data(problem), dtype)
    return function(x, weights, h0=h0, c0=c0, lengths=problem.lengths)


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


RAGGED = Problem((7, 0, 19, 1, 13, 19, 2), 21, 10, 17, 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sequence_has_the_same_bits_alone_and_in_a_batch(isa, dtype):
    x, weights, h0, c0, _ = typed(data(RAGGED), dtype)
    output, h_n, c_n, _ = run(kernels.lstm, RAGGED, dtype)
    for n, end in enumerate(RAGGED.lengths):
        alone = kernels.lstm(x[n : n + 1, :end], weights, h0=h0[:, n : n + 1], c0=c0[:, n : n + 1])
        assert_same_bits(alone[0][0], output[n, :end], f"output {n}")
        assert_same_bits(alone[1][:, 0], h_n[:, n], f"h_n {n}")
        assert_same_bits(alone[2][:, 0], c_n[:, n], f"c_n {n}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_order_of_the_batch_changes_no_bit(isa, dtype, rng):
    x, weights, h0, c0, _ = typed(data(RAGGED), dtype)
    order = rng.permutation(RAGGED.items)
    lengths = np.array(RAGGED.lengths)
    plain = kernels.lstm(x, weights, h0=h0, c0=c0, lengths=lengths)
    moved = kernels.lstm(
        x[order], weights, h0=h0[:, order], c0=c0[:, order], lengths=lengths[order]
    )
    assert_same_bits(moved[0], plain[0][order])
    assert_same_bits(moved[1:3], [plain[1][:, order], plain[2][:, order]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("garbage", [np.nan, np.inf, 1e30])
def test_padding_is_never_read_and_is_zero_in_the_results(isa, dtype, garbage):
    x, weights, h0, c0, (grad_output, *grad_states) = typed(data(RAGGED), dtype)
    padded = np.arange(RAGGED.T)[None, :] >= np.array(RAGGED.lengths)[:, None]
    clean = kernels.lstm(x, weights, h0=h0, c0=c0, lengths=RAGGED.lengths)
    gradients = kernels.lstm_backward(grad_output, *grad_states, clean[3])
    x[padded] = garbage
    grad_output[padded] = garbage
    dirty = kernels.lstm(x, weights, h0=h0, c0=c0, lengths=RAGGED.lengths)
    assert_same_bits(dirty[:3], clean[:3])
    assert_same_bits(kernels.lstm_backward(grad_output, *grad_states, dirty[3]), gradients)
    assert not dirty[0][padded].any()
    assert not gradients[0][padded].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_last_state_stands_at_each_true_end(isa, dtype):
    H = RAGGED.H
    _, _, h0, c0, _ = typed(data(RAGGED), dtype)
    output, h_n, c_n, _ = run(kernels.lstm, RAGGED, dtype)
    for n, end in enumerate(RAGGED.lengths):
        if end == 0:
            assert_same_bits((h_n[:, n], c_n[:, n]), (h0[:, n], c0[:, n]), "length 0")
            continue
        assert_same_bits(h_n[0, n], output[n, end - 1, :H], "forward")
        assert_same_bits(h_n[1, n], output[n, 0, H:], "backward")


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_empty_sequence_passes_its_gradient_on(isa, dtype):
    problem = Problem((0, 3, 1, 0), 4, 3, 5, 2)
    _, _, grad_h, grad_c = (None, None, *typed(data(problem)[4][1:], dtype))
    saved = run(kernels.lstm, problem, dtype)[3]
    _, _, grad_h0, grad_c0 = kernels.lstm_backward(
        typed(data(problem)[4][0], dtype), grad_h, grad_c, saved
    )
    for n in (0, 3):
        assert_same_bits((grad_h0[:, n], grad_c0[:, n]), (grad_h[:, n], grad_c[:, n]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "problem", [RAGGED, Problem(None, 9, 33, 40, 1, N=6), Problem(None, 5, 8, 64, 2, N=1)], ids=str
)
def test_same_bits_on_any_number_of_threads(isa, threads, dtype, problem):
    upstream = typed(data(problem)[4], dtype)

    def both():
        *results, saved = run(kernels.lstm, problem, dtype)
        return results, kernels.lstm_backward(*upstream, saved)

    assert_same_bits_as_one_thread(both, threads)


@pytest.mark.parametrize("dtype", DTYPES)
def test_backward_leaves_what_was_saved_alone(isa, dtype):
    upstream = typed(data(RAGGED)[4], dtype)
    saved = run(kernels.lstm, RAGGED, dtype)[3]
    first = kernels.lstm_backward(*upstream, saved)
    assert_same_bits(kernels.lstm_backward(*upstream, saved), first)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sequence_in_two_halves_equals_the_whole(isa, dtype):
    problem = Problem(None, 12, 5, 9, 1, N=3)
    x, weights, h0, c0, _ = typed(data(problem), dtype)
    whole = kernels.lstm(x, weights, h0=h0, c0=c0)
    head = kernels.lstm(x[:, :7], weights, h0=h0, c0=c0)
    tail = kernels.lstm(x[:, 7:], weights, h0=head[1], c0=head[2])
    assert_same_bits(np.concatenate([head[0], tail[0]], axis=1), whole[0])
    assert_same_bits(tail[1:3], whole[1:3])


@pytest.mark.parametrize("dtype", DTYPES)
def test_saturated_gates_stay_finite(isa, dtype):
    problem = Problem((6, 4), 6, 3, 18, 2)
    x, weights, h0, c0, upstream = typed(data(problem), dtype)
    *results, saved = kernels.lstm(1e6 * x, weights, h0=h0, c0=c0, lengths=problem.lengths)
    gradients = kernels.lstm_backward(*upstream, saved)
    for array in (*results, gradients[0], *gradients[2:], *gradients[1][0], *gradients[1][1]):
        assert np.isfinite(array).all()
    assert np.abs(results[0]).max() <= 1


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
