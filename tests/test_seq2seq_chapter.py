"""The chapter: words, language models, encoder and decoder, and training through both of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from chapter_networks import (
    EOS,
    MODULES,
    SOS,
    SOURCE,
    TARGET,
    H,
    K,
    M,
    N,
    arrays_of,
    draw_network,
    draw_pair,
    gradients_of,
    modules_of,
    state_to_modules,
)
from oracles import assert_close
from recurrent_reference import DIFFERENCES, EXACT, assert_all_close, differences
from unrolled import Tensor, nn
from unrolled.reference import language_model as lm
from unrolled.reference import seq2seq
from unrolled.reference.generate import likeliest

KINDS = sorted(MODULES)


def test_one_hot_words_are_equally_long_and_equally_far_apart():
    vectors = lm.one_hot(range(N), N)
    assert vectors.tolist() == np.eye(N).tolist()
    pairs = itertools.combinations(vectors, 2)
    assert {round(float(np.linalg.norm(a - b)), 12) for a, b in pairs} == {round(2**0.5, 12)}


def test_a_projected_word_is_a_column_of_the_projection(rng):
    P = rng.standard_normal((M, N))
    for word in range(N):
        assert lm.embed(word, P).tolist() == P[:, word].tolist()
        assert_close(nn.functional.linear(Tensor(np.eye(N)[word]), Tensor(P)).data, P[:, word], 0)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_language_model_of_modules_gives_the_same_distributions(kind, depth, rng):
    net = draw_network(rng, kind, depth, output=N)
    layer, output = modules_of(net)
    words = rng.integers(0, N, 6).tolist()
    h, state = layer(np.asarray(net.P).T[words][None])
    run = lm.forward(words, net)
    assert_close(run.y, output(h).softmax().data[0], EXACT)
    after = state if isinstance(state, tuple) else (state,)
    for part, wanted in zip(zip(*run.states[5], strict=True), after, strict=True):
        assert_close(np.stack(part), wanted.data[:, 0], EXACT)


@pytest.mark.parametrize("kind", KINDS)
def test_the_chain_rule_adds_up_and_all_texts_together_have_probability_one(kind, rng):
    net = draw_network(rng, kind, words=3, output=3)
    words = [2, 1, 0]
    run = lm.forward([1, *words[:-1]], net)
    wanted = sum(np.log(run.y[t, word]) for t, word in enumerate(words))
    assert lm.log_probability(words, net, sos=1) == pytest.approx(wanted, rel=1e-12)
    texts = itertools.product(range(3), repeat=4)
    total = sum(np.exp(lm.log_probability(text, net, sos=1)) for text in texts)
    assert total == pytest.approx(1, rel=1e-12)


def test_with_an_end_mark_texts_of_all_lengths_share_the_probability(rng):
    """Without <eos> those of every length would sum to 1 alone."""
    net, eos = draw_network(rng, "gru", words=3, output=3), 0
    short = [(*body, eos) for n in range(5) for body in itertools.product([1, 2], repeat=n)]
    open_ones = itertools.product([1, 2], repeat=5)
    total = sum(np.exp(lm.log_probability(text, net, sos=1)) for text in (*short, *open_ones))
    assert total == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_back_through_a_language_model(kind, depth, rng):
    net = draw_network(rng, kind, depth, output=N)
    words, targets = [1, 4, 2, 2], [4, 2, 2, 0]
    initial = [tuple(rng.standard_normal(H) for _ in part) for part in lm.start(net)]

    def divergence():
        return lm.cross_entropy(lm.forward(words, net, initial).y, targets, [0, 2, 3])[0]

    run = lm.forward(words, net, initial)
    grad = lm.backward(lm.cross_entropy(run.y, targets, [0, 2, 3])[1], net, run)
    assert_all_close(gradients_of(grad), differences(divergence, arrays_of(net)), DIFFERENCES)
    by_start = differences(divergence, [list(part) for part in initial])
    assert_all_close([list(part) for part in grad.initial], by_start, DIFFERENCES)


def test_gradients_of_states_and_outputs_join_those_of_the_divergence(rng):
    net = draw_network(rng, "lstm", 2, output=N)
    words, weights = [1, 0, 3], rng.standard_normal((3, H))
    last = [tuple(rng.standard_normal(H) for _ in part) for part in lm.start(net)]

    def value():
        run = lm.forward(words, net)
        pairs = zip(itertools.chain(*last), itertools.chain(*run.states[2]), strict=True)
        return np.sum(weights * run.h) + sum(float(a @ b) for a, b in pairs)

    grad = lm.backward(None, net, lm.forward(words, net), dh=weights, last=last)
    wanted = differences(value, arrays_of(net))
    assert_all_close([grad.P, grad.layers], wanted[:2], DIFFERENCES)


def test_a_fixed_window_is_a_perceptron_on_the_embeddings_of_its_words(rng):
    P, words = rng.standard_normal((M, N)), [3, 0]
    hidden = nn.Linear(2 * M, H).double()
    output = nn.Linear(H, N).double()
    layers = [(part.weight.data, part.bias.data) for part in (hidden, output)]
    x = np.concatenate([np.eye(N)[word] @ P.T for word in words])
    wanted = output(hidden(x[None]).tanh()).softmax().data[0]
    assert_close(lm.fixed_window(words, P, layers), wanted, EXACT)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_the_decoder_starts_where_the_encoder_stops(kind, depth, rng):
    net = draw_pair(rng, kind, depth)
    states = seq2seq.encode(SOURCE, net.encoder)
    encoder, _ = modules_of(net.encoder)
    decoder, output = modules_of(net.decoder)
    _, state = encoder(np.asarray(net.encoder.P).T[SOURCE][None])
    parts = state if isinstance(state, tuple) else (state,)
    for part, wanted in zip(zip(*states, strict=True), parts, strict=True):
        assert_close(np.stack(part), wanted.data[:, 0], EXACT)
    h, _ = decoder(np.asarray(net.decoder.P).T[[SOS, *TARGET[:-1]]][None], state)
    log_probs = output(h).log_softmax().data[0]
    wanted = log_probs[np.arange(len(TARGET)), TARGET].sum()
    assert seq2seq.log_probability(SOURCE, TARGET, net) == pytest.approx(wanted, rel=1e-12)
    assert seq2seq.divergence(SOURCE, TARGET, net)[0] == pytest.approx(-wanted, rel=1e-12)


@pytest.mark.parametrize("feedback", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_both_loops_write_what_the_modules_write_step_by_step(kind, feedback, rng):
    net = draw_pair(rng, kind, 2, feedback)
    written = seq2seq.decode(seq2seq.encode(SOURCE, net.encoder), net, likeliest, most=7)
    decoder, output = modules_of(net.decoder)
    state, word, words = state_to_modules(seq2seq.encode(SOURCE, net.encoder)), SOS, []
    while word != EOS and len(words) < 7:
        x = np.asarray(net.decoder.P)[:, word] if feedback else np.zeros(M)
        h, state = decoder.step(x[None], state)
        y = output(h).softmax().data[0]
        assert_close(written.y[len(words)], y, EXACT)
        word = int(y.argmax())
        words.append(word)
    assert written.words == words


def test_without_feedback_what_was_drawn_changes_nothing(rng):
    net = draw_pair(rng, "gru", feedback=False)
    H_end = seq2seq.encode(SOURCE, net.encoder)
    runs = [seq2seq.decode(H_end, net, lambda y, w=word: w, most=5) for word in (0, 1)]
    assert runs[0].words == [0] * 5 and runs[1].words == [1] * 5
    assert np.array_equal(runs[0].y, runs[1].y)
    fed = seq2seq.decode(H_end, draw_pair(rng, "gru"), lambda y: 0, most=5)
    assert not np.array_equal(fed.y[1], fed.y[0])


def test_writing_stops_at_the_end_mark_and_never_later(rng):
    net = draw_pair(rng, "lstm")
    script = iter([1, 0, EOS, 2])
    written = seq2seq.decode(seq2seq.encode(SOURCE, net.encoder), net, lambda y: next(script), 9)
    assert written.words == [1, 0, EOS] and len(written.y) == 3
    wanted = np.exp(seq2seq.log_probability(SOURCE, [1, 0, EOS], net))
    drawn = [y[word] for y, word in zip(written.y, written.words, strict=True)]
    assert np.prod(drawn) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("positions", [None, [1, 3]])
@pytest.mark.parametrize("feedback", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_back_through_the_decoder_into_the_encoder(kind, feedback, positions, rng):
    net = draw_pair(rng, kind, 1 if positions or kind == "lstm" else 2, feedback)

    def divergence():
        return seq2seq.divergence(SOURCE, TARGET, net, positions)[0]

    grads = seq2seq.divergence_backward(seq2seq.divergence(SOURCE, TARGET, net, positions)[1])
    for grad, part in zip(grads, (net.encoder, net.decoder), strict=True):
        wanted = differences(divergence, arrays_of(part))
        assert_all_close(gradients_of(grad), wanted, DIFFERENCES)
        assert all(np.any(weight) for layer in grad.layers for weight in layer[1:])


def test_words_that_were_drawn_may_be_fed_in_place_of_the_right_ones(rng):
    net = draw_pair(rng, "gru")
    drawn = [0, 3, 1]
    value, saved = seq2seq.divergence(SOURCE, TARGET, net, fed=drawn)
    run = lm.forward([SOS, *drawn], net.decoder, seq2seq.encode(SOURCE, net.encoder))
    assert value == pytest.approx(lm.cross_entropy(run.y, TARGET)[0], rel=1e-12)
    assert value != pytest.approx(seq2seq.divergence(SOURCE, TARGET, net)[0])
    grads = seq2seq.divergence_backward(saved)
    for grad, part in zip(grads, (net.encoder, net.decoder), strict=True):
        wanted = differences(
            lambda: seq2seq.divergence(SOURCE, TARGET, net, fed=drawn)[0], arrays_of(part)
        )
        assert_all_close(gradients_of(grad), wanted, DIFFERENCES)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tape_goes_back_the_same_way(kind, rng):
    net = draw_pair(rng, kind)
    encoder, _ = modules_of(net.encoder)
    decoder, output = modules_of(net.decoder)
    P_in, P_out = (
        Tensor(np.asarray(part.P).T.copy(), requires_grad=True)
        for part in (net.encoder, net.decoder)
    )
    _, state = encoder(P_in[np.array(SOURCE)].reshape(1, -1, M))
    h, _ = decoder(P_out[np.array([SOS, *TARGET[:-1]])].reshape(1, -1, M), state)
    loss = nn.functional.cross_entropy(output(h).reshape(-1, K), np.array(TARGET), reduction="sum")
    loss.backward()
    of_encoder, of_decoder = seq2seq.divergence_backward(seq2seq.divergence(SOURCE, TARGET, net)[1])
    for grad, layer, P in ((of_encoder, encoder, P_in), (of_decoder, decoder, P_out)):
        assert_close(P.grad.T, grad.P, EXACT)
        for name, wanted in zip(
            ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"),
            grad.layers[0],
            strict=True,
        ):
            assert_close(getattr(layer, name).grad, wanted, EXACT, name)
    assert_close(output.weight.grad, of_decoder.W_o, EXACT)
    assert_close(output.bias.grad, of_decoder.b_o, EXACT)
