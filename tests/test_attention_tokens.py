"""Decoders that attend and read tokens: what embeddings give the gates is looked up."""

from __future__ import annotations

import numpy as np
import pytest

from attention_problems import FEEDINGS, Decoding, random_decoding
from oracles import assert_same_bits, assert_same_bits_as_one_thread
from recurrent_reference import draws_like
from unrolled import nn
from unrolled.autograd import Tensor
from unrolled.models import Seq2Seq
from unrolled.nn.functional import cross_entropy
from unrolled.ops.attention_decoder import attention_decoder, attention_decoder_backward

CONFIGURATIONS = 60
V = 7


def both_ways(problem, rng, dtype):
    """Run a problem whose inputs are rows of an embedding: over these, and over the tokens."""
    _, memory, layers, output, weights, (h0, c0, output0), mask = problem.inputs(rng)
    embedding = rng.standard_normal((V, problem.E)).astype(dtype)
    ids = rng.integers(0, V, (problem.N, problem.T))
    (first, *rest), *others = [
        [None if w is None else w.astype(dtype) for w in layer] for layer in layers
    ]
    options = {
        "cell": problem.cell, "feeding": problem.feeding, "score": problem.score,
        "weights": weights, "h0": h0, "c0": c0, "output0": output0,
        "lengths": problem.lengths, "memory_lengths": problem.memory_lengths, "dropout_mask": mask,
    }  # fmt: skip
    memory, output = memory.astype(dtype), [part.astype(dtype) for part in output]
    plain = attention_decoder(embedding[ids], memory, [[first, *rest], *others], output, **options)
    read, fed = first[:, : problem.E], np.ascontiguousarray(first[:, problem.E :])
    nothing = np.empty((*ids.shape, 0), dtype)
    tokens = (ids, embedding @ read.T)
    looked = attention_decoder(
        nothing, memory, [[fed, *rest], *others], output, tokens=tokens, **options
    )
    return plain, looked, embedding, ids, read


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tokens_give_what_their_embeddings_give(isa, dtype, tolerance):
    rng = np.random.default_rng(3)
    limit = tolerance("attention", dtype)
    for _ in range(CONFIGURATIONS):
        problem = random_decoding(rng)
        plain, looked, embedding, ids, read = both_ways(problem, rng, dtype)
        for one, other in zip(plain[:2], looked[:2], strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=10 * limit, err_msg=str(problem))
        upstream = iter(draws_like(rng, [*plain[:2], *(p for p in plain[2] if p is not None)]))
        given = (
            *(next(upstream), next(upstream)),
            tuple(None if part is None else next(upstream) for part in plain[2]),
        )
        of_x = attention_decoder_backward(*given, plain[3])
        of_tokens = attention_decoder_backward(*given, looked[3])
        by_token = np.zeros_like(embedding)
        np.add.at(by_token, ids, of_x.x)
        weight = np.concatenate([of_tokens.table.T @ embedding, of_tokens.layers[0][0]], axis=1)
        pairs = [
            (of_tokens.table @ read, by_token),
            (weight, of_x.layers[0][0]),
            (of_tokens.memory, of_x.memory),
            *zip(of_tokens.layers[0][1:], of_x.layers[0][1:], strict=True),
        ]
        for found, expected in pairs:
            if expected is not None:
                scale = max(1.0, float(np.abs(expected).max(initial=0)))
                np.testing.assert_allclose(
                    found, expected, rtol=0, atol=30 * limit * scale, err_msg=str(problem)
                )
        assert of_tokens.x is None


@pytest.mark.parametrize("feeding", ["none", *FEEDINGS])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_run_tokens_is_forward_of_the_embeddings(rng, cell, feeding):
    decoder = nn.AttentionDecoder(cell, 5, 8, 6, 2, score="additive", feeding=feeding)
    words = nn.Embedding(V, 5)
    ids, memory = rng.integers(0, V, (4, 9)), rng.standard_normal((4, 7, 6)).astype(np.float32)
    lengths = {"memory_lengths": [7, 3, 1, 5], "lengths": [9, 0, 4, 8]}
    results = []
    for run in (
        lambda: decoder.run_tokens(ids, words, memory, **lengths),
        lambda: decoder(words(ids), memory, **lengths),
    ):
        parameters = [*decoder.parameters(), *words.parameters()]
        for parameter in parameters:
            parameter.grad = None
        output, _, weights = run()
        (output * output).sum().backward()
        results.append((output.data, weights.data, [p.grad for p in parameters]))
    (output, weights, grads), (expected, expected_weights, right) = results
    assert_same_bits([output, weights], [expected, expected_weights])
    for grad, other in zip(grads, right, strict=True):
        np.testing.assert_allclose(np.asarray(grad), np.asarray(other), rtol=0, atol=1e-5)


def test_same_bits_on_any_number_of_threads(rng):
    import unrolled

    lengths = tuple(range(12))
    problem = Decoding("gru", "context", "additive", T=11, S=11, E=20, H=70, M=70, K=40)
    problem = problem._replace(lengths=lengths, memory_lengths=lengths[::-1])
    before = unrolled.get_num_threads()

    def run():
        _, looked, *_ = both_ways(problem, np.random.default_rng(1), np.float32)
        grad = np.ones_like(looked[0])
        g = attention_decoder_backward(grad, None, (None,) * 3, looked[3])
        return [looked[0], looked[1], g.table, g.memory, g.layers[0][0]]

    try:
        assert_same_bits_as_one_thread(run, 2)
    finally:
        unrolled.set_num_threads(before)


def test_wrong_tokens_are_told():
    layer = (np.ones((6, 4)), np.ones((6, 2)), None, None)
    memory, output = np.ones((1, 3, 4)), (np.ones((2, 6)), np.zeros(2))
    options = {
        "cell": "gru",
        "feeding": "context",
        "score": "general",
        "weights": [np.ones((2, 4))],
    }

    def run(x, ids, table):
        return attention_decoder(x, memory, [layer], output, tokens=(ids, table), **options)

    nothing, table = np.empty((1, 2, 0)), np.ones((5, 6))
    assert run(nothing, [[0, 4]], table)[0].shape == (1, 2, 2)
    with pytest.raises(ValueError, match=r"ids must lie in 0 \.\. 4"):
        run(nothing, [[0, 5]], table)
    with pytest.raises(ValueError, match=r"ids must lie in 0 \.\. 4"):
        run(nothing, [[-1, 0]], table)
    with pytest.raises(TypeError, match="ids must be integers"):
        run(nothing, [[0.0, 1.0]], table)
    with pytest.raises(ValueError, match="table"):
        run(nothing, [[0, 1]], np.ones((5, 4)))
    with pytest.raises(ValueError, match="ids"):
        run(nothing, [[0, 1, 2]], table)


def test_a_model_without_dropout_learns_the_same(rng):
    """`Seq2Seq` looks embeddings up where nothing drops them."""
    from unrolled.lm import Vocabulary

    letters = Vocabulary(list("ab"), unit="char")
    model = Seq2Seq(letters, letters, attention="additive", feeding="context", hidden=12)
    ids = rng.integers(0, len(letters), (6, 8))
    grads = []
    for p in (0.0, 1e-12):  # so small that nothing is dropped, but the other way is taken
        model.dropout.p = p
        for parameter in model.parameters():
            parameter.grad = None
        scores = model(ids, ids)
        cross_entropy(scores.reshape(-1, len(letters)), ids.reshape(-1)).backward()
        grads.append([np.asarray(parameter.grad) for parameter in model.parameters()])
        assert isinstance(scores, Tensor)
    for one, other in zip(*grads, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
