"""The GRU's kernel on both sides of the reset: differences, many units, and the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from oracles import assert_close, assert_same_bits, assert_same_bits_as_one_thread
from recurrent_reference import (
    DIFFERENCES,
    PASSES,
    Layer,
    assert_all_close,
    contract,
    differences,
    draws_like,
)
from unrolled.ops.gru import gru, gru_backward

KERNEL = {"gru": (gru, gru_backward)}
MANY = {"T": 5, "D": 7, "H": 150}  # units: several panels of n at every vector length

either_side = pytest.mark.parametrize("reset_after", [True, False])
either_mask = pytest.mark.parametrize("mask", [False, True], ids=["", "mask"])


def layer_of(reset_after, lengths=(5, 0, 2, 4, 1), **sizes):
    return Layer("gru", (("reset_after", reset_after),), lengths, **{**MANY, **sizes})


def problem(layer, rng, dtype=np.float64):
    x, weights, states, mask = layer.inputs(rng)
    upstream = [rng.standard_normal((layer.N, layer.T, layer.directions * layer.H)), *states]
    weights = [tuple(None if w is None else w.astype(dtype) for w in entry) for entry in weights]
    mask = None if mask is None else mask.astype(dtype)
    states, upstream = ([array.astype(dtype) for array in arrays] for arrays in (states, upstream))
    return (x.astype(dtype), weights, states, mask), upstream


@either_mask
@either_side
@pytest.mark.parametrize("biases", [(True, True), (True, False), (False, True)], ids=str)
def test_gradients_agree_with_differences(isa, rng, reset_after, mask, biases):
    layer = layer_of(reset_after, (3, 0, 2, 1), T=4, D=2, H=3, mask=mask, biases=biases)
    x, weights, states, mask = layer.inputs(rng)
    x[np.arange(4) >= np.array(layer.lengths)[:, None]] = 0.0
    results, saved = layer.run(x, weights, states, mask, KERNEL)
    upstream = draws_like(rng, results)

    def value():
        return contract(upstream, layer.run(x, weights, states, mask, KERNEL)[0])

    expected = differences(value, [x, weights, states])
    found = layer.backward(upstream, saved, KERNEL)
    assert_all_close(found, expected, DIFFERENCES, str(layer))


@either_mask
@either_side
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_units_agree_with_the_reference(isa, rng, tolerance, reset_after, mask, dtype):
    layer = layer_of(reset_after, mask=mask)
    inputs, upstream = problem(layer, rng, dtype)
    found, saved = layer.run(*inputs, KERNEL)
    expected, kept = layer.run(*inputs, PASSES)
    limit = tolerance("lstm", dtype)
    assert_all_close(found, expected, limit)
    back, should = (layer.backward(upstream, s, p) for s, p in ((saved, KERNEL), (kept, PASSES)))
    assert_all_close(back, should, limit)
    for name, array in kept.states().items():
        assert_close(saved.states()[name], array, limit, name)


@either_mask
@either_side
def test_a_sequence_has_the_same_bits_alone_and_in_a_batch(isa, rng, reset_after, mask):
    layer = layer_of(reset_after, mask=mask)
    (x, weights, [h0], given), (grad, grad_h) = problem(layer, rng, np.float32)

    def passes(own, end=None):
        options = {"lengths": [layer.lengths[n] for n in own]} if end is None else {}
        masked = None if given is None else given[:, own]
        output, h_n, saved = gru(
            x[own, :end], weights, h0=h0[:, own], hidden_mask=masked,
            reset_after=reset_after, **options,
        )  # fmt: skip
        grad_x, _, grad_h0 = gru_backward(grad[own, :end], grad_h[:, own], saved)
        return [output, grad_x], [h_n, grad_h0, *saved.states().values()]

    by_item, by_direction = passes(list(range(layer.N)))
    for n, end in enumerate(layer.lengths):
        alone, alone_by_direction = passes([n], end)
        assert_same_bits([array[0] for array in alone], [array[n, :end] for array in by_item])
        assert_same_bits(
            [array[:, 0] for array in alone_by_direction],
            [array[:, n, :end] if array.ndim == 4 else array[:, n] for array in by_direction],
        )


@either_mask
@either_side
def test_same_bits_on_any_number_of_threads(isa, threads, rng, reset_after, mask):
    layer = layer_of(reset_after, tuple(range(12)), T=11, mask=mask)
    inputs, upstream = problem(layer, rng, np.float32)

    def both():
        results, saved = layer.run(*inputs, KERNEL)
        return results, layer.backward(upstream, saved, KERNEL)

    assert_same_bits_as_one_thread(both, threads)


@either_side
@pytest.mark.parametrize("garbage", [np.nan, np.inf])
def test_padding_is_never_read_and_is_zero_in_the_results(isa, rng, reset_after, garbage):
    layer = layer_of(reset_after, mask=True)
    inputs, upstream = problem(layer, rng)
    padded = np.arange(layer.T) >= np.array(layer.lengths)[:, None]
    runs = []
    for value in (0.0, garbage):
        inputs[0][padded] = upstream[0][padded] = value
        results, saved = layer.run(*inputs, KERNEL)
        runs.append([*results, *layer.backward(upstream, saved, KERNEL)])
    assert_same_bits(runs[1], runs[0])
    assert not runs[1][0][padded].any()
    assert not runs[1][2][padded].any()


def test_an_open_reset_makes_both_sides_the_same(isa, rng):
    layer = layer_of(True)
    x, weights, [h0], _ = layer.inputs(rng)
    opened = np.concatenate([np.full(layer.H, 1e3), np.zeros(2 * layer.H)])
    weights = [(w_ih, w_hh, b_ih + opened, b_hh) for w_ih, w_hh, b_ih, b_hh in weights]
    after, before = (gru(x, weights, h0=h0, reset_after=side)[0] for side in (True, False))
    assert_close(before, after, 1e-14)
