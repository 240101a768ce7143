"""Attention, alone and inside of a decoder, against the reference and differences; its bits."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from attention_problems import (
    CELLS,
    FEEDINGS,
    KERNEL,
    REFERENCE,
    SCORES,
    Attending,
    Decoding,
    filled,
    random_attending,
    random_decoding,
)
from oracles import arrays_in, assert_close, assert_same_bits, assert_same_bits_as_one_thread
from recurrent_reference import DIFFERENCES, assert_all_close, contract, differences, draws_like

CONFIGURATIONS = 200  # of each kind
SCALE = 0.1  # of the terms of a gradient, which nearly vanishes where one position has all weight
DRAWS = {"attention": random_attending, "decoder": random_decoding}
every_score = pytest.mark.parametrize("score", SCORES)
every_feeding = pytest.mark.parametrize("feeding", FEEDINGS)
PROBLEMS = {
    **{f"attention {score}": Attending(score) for score in SCORES},
    **{
        f"{cell} {feeding} {score}": Decoding(cell, feeding, score, 2, mask=True)
        for cell, feeding, score in [
            ("lstm", "input", "general"),
            ("lstm", "context", "additive"),
            ("gru", "input", "additive"),
            ("gru", "context", "dot"),
            ("gru_reset_before", "context", "general"),
            ("tanh", "input", "dot"),
        ]
    },
}
every_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def converted(value, dtype):
    if isinstance(value, (list, tuple)):
        return [converted(item, dtype) for item in value]
    return None if value is None else np.asarray(value, dtype)


@cache
def cases(kind):
    """Draw problems with their data, in float32 numbers, and what the reference makes of them."""
    rng, found = np.random.default_rng(11), []
    for _ in range(CONFIGURATIONS):
        problem = DRAWS[kind](rng)
        inputs = converted(converted(problem.inputs(rng), np.float32), np.float64)
        inputs = problem.padded(inputs, np.nan)
        results, saved = problem.run(inputs, REFERENCE)
        upstream = converted(converted(draws_like(rng, results), np.float32), np.float64)
        found.append(
            (problem, inputs, upstream, results, problem.backward(upstream, saved, REFERENCE))
        )
    return found


def assert_each_close(actual, expected, limit, label):
    for k, (a, e) in enumerate(zip(arrays_in(actual), arrays_in(expected), strict=True)):
        assert_close(a, e, limit, f"{label}[{k}]", SCALE)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", DRAWS)
def test_random_configurations_agree_with_the_reference(isa, kind, dtype, tolerance):
    limit = tolerance("attention", dtype)
    for problem, inputs, upstream, results, gradients in cases(kind):
        found, saved = problem.run(converted(inputs, dtype))
        assert_each_close(found, results, limit, f"{problem}: results")
        back = problem.backward(converted(upstream, dtype), saved)
        assert_each_close(back, gradients, limit, f"{problem}: gradients")
        assert {array.dtype for array in arrays_in([found, back])} == {np.dtype(dtype)}


def test_the_configurations_have_every_option():
    attending = [problem for problem, *_ in cases("attention")]
    decoding = [problem for problem, *_ in cases("decoder")]
    for wanted in (
        *(lambda p, s=s: p.score == s for s in SCORES),
        lambda p: p.lengths is not None and 0 in p.lengths,
        lambda p: p.query_lengths is not None and 0 in p.query_lengths,
    ):
        assert sum(bool(wanted(problem)) for problem in attending) >= 10
    for wanted in (
        *(lambda p, c=c, f=f: (p.cell, p.feeding) == (c, f) for c in CELLS for f in FEEDINGS),
        *(lambda p, s=s: p.score == s for s in SCORES),
        lambda p: p.layers == 3 and p.mask,
        lambda p: p.lengths is not None and 0 in p.lengths,
        lambda p: p.memory_lengths is not None and 0 in p.memory_lengths,
        lambda p: not p.state,
    ):
        assert sum(bool(wanted(problem)) for problem in decoding) >= 10


@pytest.mark.parametrize("passes", [KERNEL, REFERENCE], ids=["kernel", "reference"])
@every_problem
def test_gradients_agree_with_differences(rng, problem, passes):
    inputs = problem.padded(problem.inputs(rng), 0.0)
    *varied, mask = inputs if isinstance(problem, Decoding) else (*inputs, None)
    given = (lambda: [*varied, mask]) if isinstance(problem, Decoding) else (lambda: varied)
    results, saved = problem.run(given(), passes)
    upstream = draws_like(rng, results)

    def value():
        return contract(upstream, problem.run(given(), passes)[0])

    expected = differences(value, varied)
    assert_all_close(problem.backward(upstream, saved, passes), expected, DIFFERENCES, str(problem))


def sizes_of(problem):
    """Return the true queries or steps, and the true positions, of each item."""
    if isinstance(problem, Attending):
        return problem.query_lengths, problem.lengths
    return problem.lengths, problem.memory_lengths


@every_problem
@pytest.mark.parametrize("garbage", [np.nan, np.inf])
def test_padding_is_never_read_and_is_zero_in_the_results(isa, rng, problem, garbage):
    inputs = problem.inputs(rng)
    own, of_memory = sizes_of(problem)
    upstream = draws_like(rng, problem.run(problem.padded(inputs, 0.0))[0])
    runs = []
    for value in (0.0, garbage):
        results, saved = problem.run(problem.padded(inputs, value))
        by_position = filled(upstream[1].swapaxes(1, 2), of_memory, value).swapaxes(1, 2)
        given = [filled(upstream[0], own, value), filled(by_position, own, value), *upstream[2:]]
        runs.append([results, problem.backward(given, saved)])
    assert_same_bits(runs[1], runs[0])
    (first, attended, *_), (grad_first, grad_memory, *_) = runs[1]
    outside = np.arange(first.shape[1]) >= np.array(own)[:, None]
    beyond = np.arange(attended.shape[2]) >= np.array(of_memory)[:, None]
    assert not first[outside].any()
    assert not attended[outside].any()
    assert not attended.swapaxes(1, 2)[beyond].any()
    assert not grad_first[outside].any()
    assert not grad_memory[beyond].any()
    inside = ~outside & (np.array(of_memory) > 0)[:, None]
    np.testing.assert_allclose(attended.sum(2)[inside], 1, rtol=1e-12)


def large(problem):
    """Return a problem of the same kind whose sizes are worth threads."""
    lengths = tuple(range(12))
    if isinstance(problem, Attending):
        H = 40
        return problem._replace(
            Q=11, S=11, H=H, M=H, K=30, lengths=lengths, query_lengths=lengths[::-1]
        )
    return problem._replace(
        T=11, S=11, E=20, H=70, M=70, K=40, lengths=lengths, memory_lengths=lengths[::-1]
    )


@pytest.mark.parametrize("count", [2, 7])
@every_problem
def test_same_bits_on_any_number_of_threads(rng, problem, count):
    import unrolled

    problem, before = large(problem), unrolled.get_num_threads()
    inputs = converted(problem.inputs(rng), np.float32)
    upstream = converted(draws_like(rng, problem.run(inputs)[0]), np.float32)

    def both():
        results, saved = problem.run(inputs)
        return results, problem.backward(upstream, saved)

    try:
        assert_same_bits_as_one_thread(both, count)
    finally:
        unrolled.set_num_threads(before)


@every_problem
def test_an_item_has_the_same_bits_alone_and_in_a_batch(isa, rng, problem):
    problem = large(problem)
    inputs = converted(problem.inputs(rng), np.float32)
    results, saved = problem.run(inputs)
    upstream = converted(draws_like(rng, results), np.float32)
    grads = problem.backward(upstream, saved)
    for n in range(problem.N):
        own, end, memory_end = alone(problem, n)
        found, kept = own.run(cut(problem, inputs, n, end, memory_end))
        given = [upstream[0][n : n + 1, :end], upstream[1][n : n + 1, :end, :memory_end]]
        for part in upstream[2:]:
            given.append(part[n : n + 1] if part.ndim == 2 else part[:, n : n + 1])
        back = own.backward(given, kept)
        pairs = [
            (found[0][0], results[0][n, :end]),
            (found[1][0], results[1][n, :end, :memory_end]),
            (back[0][0], grads[0][n, :end]),
            (back[1][0], grads[1][n, :memory_end]),
        ]
        if isinstance(problem, Decoding):
            states = zip([*found[2], *back[5]], [*results[2], *grads[5]], strict=True)
            pairs += [(a[..., 0, :], b[..., n, :]) for a, b in states if a is not None]
        for a, b in pairs:
            assert_same_bits([a], [b], f"item {n}")


def alone(problem, n):
    """Return the problem of item n without padding, and its true sizes."""
    end, memory_end = (lengths[n] for lengths in sizes_of(problem))
    if isinstance(problem, Attending):
        own = problem._replace(Q=end, S=memory_end, lengths=(memory_end,), query_lengths=(end,))
    else:
        own = problem._replace(T=end, S=memory_end, lengths=(end,), memory_lengths=(memory_end,))
    return own, end, memory_end


def cut(problem, inputs, n, end, memory_end):
    first, memory, *others = inputs
    inputs = [first[n : n + 1, :end], memory[n : n + 1, :memory_end], *others]
    if isinstance(problem, Decoding):
        h0, c0, output0 = inputs[5]
        inputs[5] = [
            h0[:, n : n + 1],
            None if c0 is None else c0[:, n : n + 1],
            None if output0 is None else output0[n : n + 1],
        ]
        inputs[6] = inputs[6][:, n : n + 1, :end]
    return inputs


@every_score
def test_hand_computed_weights(isa, score):
    """One query, two positions: the softmax of the scores, written out."""
    query, memory = np.array([[[1.0, -2.0]]]), np.array([[[0.5, 1.0], [2.0, -1.0]]])
    weights = {
        "dot": [],
        "general": [np.array([[1.0, 2.0], [0.0, -1.0]])],
        "additive": [np.eye(2), 2 * np.eye(2), np.array([1.0, 0.5])],
    }[score]
    scores = {
        "dot": [0.5 - 2.0, 2.0 + 2.0],
        "general": [2.5 + 2.0, 0.0 - 2.0],
        "additive": [np.tanh(2.0) + 0.5 * np.tanh(0.0), np.tanh(5.0) + 0.5 * np.tanh(-4.0)],
    }[score]
    expected = np.exp(scores) / np.exp(scores).sum()
    context, attended, _ = KERNEL[0][0](query, memory, score=score, weights=weights)
    np.testing.assert_allclose(attended[0, 0], expected, rtol=1e-12)
    np.testing.assert_allclose(context[0, 0], expected @ memory[0], rtol=1e-12)


@pytest.mark.parametrize(
    "problem", [Attending(lengths=(0, 4, 0)), Decoding(memory_lengths=(0, 4, 0))]
)
def test_a_memory_without_positions_gives_zeros(isa, rng, problem):
    results, saved = problem.run(problem.inputs(rng))
    assert not results[1][0].any()
    gradients = problem.backward(draws_like(rng, results), saved)
    assert all(np.isfinite(array).all() for array in arrays_in([results, gradients]))
    assert not gradients[1][0].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_additive_scores_of_any_size(isa, dtype, tolerance):
    """Parts too large for exp(2x), alone and in sums near 0, of queries, of keys, and of both."""
    sizes = [0.0, 0.5, 9, 20, 33, 34, 43, 44, 45, 60, 90, 330, 334, 335, 354, 356, 710, 1e4]
    parts = np.array([*sizes, *(-size for size in sizes)])
    query = np.broadcast_to(parts[:, None], (len(parts), len(parts), 1))
    memory = np.stack([parts, np.zeros_like(parts)], 1)[..., None]
    weights = [np.ones((1, 1)), np.ones((1, 1)), np.ones(1)]
    problem = Attending(Q=len(parts), S=2, H=1, M=1, K=1, lengths=None, query_lengths=None)
    results, saved = problem.run([query, memory, weights], REFERENCE)
    np.testing.assert_allclose(
        np.log(results[1][..., 0] / results[1][..., 1]),
        np.tanh(parts[:, None] + parts) - np.tanh(parts),
        atol=1e-12,
    )
    upstream = [np.ones_like(results[0]), np.zeros_like(results[1])]
    expected = problem.backward(upstream, saved, REFERENCE)
    found, kept = problem.run(converted([query, memory, weights], dtype))
    back = problem.backward(converted(upstream, dtype), kept)
    limit = tolerance("attention", dtype)
    assert_each_close(found, results, limit, "results")
    assert_each_close(back, expected, limit, "gradients")
