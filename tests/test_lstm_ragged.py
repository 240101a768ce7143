"""Ragged batches of the LSTM: order, padding, true ends, and the same bits throughout."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_problems import DTYPES, RAGGED, Problem, data, run, typed
from oracles import assert_same_bits, assert_same_bits_as_one_thread
from unrolled.ops import lstm as kernels


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
