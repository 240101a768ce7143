"""Models of the package give the numbers of the chapter's loops, from the same weights."""

from __future__ import annotations

import numpy as np
import pytest

import unrolled
from chapter_networks import MODULES, entries_of, reference_of
from oracles import assert_close
from unrolled.data.pairs import PairLoader
from unrolled.lm import Vocabulary
from unrolled.models import LanguageModel
from unrolled.models.seq2seq import Seq2Seq
from unrolled.reference import language_model as lm
from unrolled.reference import seq2seq
from unrolled.reference.generate import beam_search
from unrolled.reference.scan import time_delay_layer
from unrolled.reference.softmax import log_softmax

KINDS = sorted(MODULES)
READ = Vocabulary(list("abcd"), unit="char", pad=None, unk=None, sos=None)
WRITTEN = Vocabulary(list("xyz"), unit="char", pad=None, unk=None)
PAIRS = [("abca", "zx"), ("d", "xyzzy"), ("", "y"), ("cc", "")]


def small_pair(cell, **options):
    unrolled.manual_seed(7)
    settings = {"embedding": 3, "hidden": 4, "bidirectional": False, **options}
    model = Seq2Seq(READ, WRITTEN, cell=cell, **settings).double()
    for parameter in model.parameters():  # far from the even distributions of a new model
        parameter.data *= 2
    return model


def ids(source, target):
    return READ.encode(source, eos=True).tolist(), WRITTEN.encode(target, eos=True).tolist()


@pytest.mark.parametrize("cell", KINDS)
@pytest.mark.parametrize(
    "options", [{}, {"encoder_layers": 2, "decoder_layers": 2}, {"feedback": False}], ids=str
)
def test_a_pair_scores_as_the_loops_do(cell, options):
    model = small_pair(cell, **options)
    net = reference_of(model, cell)
    for source, target in PAIRS:
        wanted = seq2seq.log_probability(*ids(source, target), net)
        assert model.score(source, target) == pytest.approx(wanted, rel=1e-11)


@pytest.mark.parametrize("feedback", [True, False])
@pytest.mark.parametrize("cell", KINDS)
def test_a_pair_learns_from_the_gradients_of_the_loops(cell, feedback):
    """The mean over all words of a ragged batch, and its gradients by every weight."""
    model = small_pair(cell, feedback=feedback)
    net = reference_of(model, cell)
    marks = {"start": WRITTEN.sos_id, "end": WRITTEN.eos_id}
    encoded = [READ.encode(s, eos=True) for s, _ in PAIRS], [WRITTEN.encode(t) for _, t in PAIRS]
    (batch,) = PairLoader(*encoded, len(PAIRS), **marks).batches(0)
    loss = model.loss(batch)
    loss.backward()
    runs = [seq2seq.divergence(*ids(*pair), net) for pair in PAIRS]
    words = sum(len(target) + 1 for _, target in PAIRS)
    assert loss.item() == pytest.approx(sum(value for value, _ in runs) / words, rel=1e-11)
    grads = [seq2seq.divergence_backward(saved) for _, saved in runs]

    def mean(part):
        return sum(part(pair) for pair in grads) / words

    for side, layer in enumerate((model.encoder, model.decoder)):
        for k, name in enumerate(("weight_ih", "weight_hh", "bias_ih", "bias_hh")):
            wanted = mean(lambda pair, s=side, k=k: pair[s].layers[0][k])
            assert_close(getattr(layer, f"{name}_l0").grad, wanted, 1e-11, name)
    assert_close(model.source_embedding.weight.grad.T, mean(lambda pair: pair[0].P), 1e-11)
    assert_close(model.output.weight.grad, mean(lambda pair: pair[1].W_o), 1e-11)
    assert_close(model.output.bias.grad, mean(lambda pair: pair[1].b_o), 1e-11)
    if feedback:
        assert_close(model.target_embedding.weight.grad.T, mean(lambda pair: pair[1].P), 1e-11)


def marked(found):
    """List the words of a generation, the end mark included."""
    return found.ids.tolist() + [WRITTEN.eos_id] * found.ended


def likeliest_word(y):
    """Pick a word, but never <sos>, which is word 0."""
    return int(np.argmax(y[1:])) + 1


@pytest.mark.parametrize("feedback", [True, False])
@pytest.mark.parametrize("cell", KINDS)
def test_a_pair_writes_and_searches_as_the_loops_do(cell, feedback):
    model = small_pair(cell, feedback=feedback)
    net = reference_of(model, cell)
    sources = [source for source, _ in PAIRS]
    greedy = model.generate(sources, max_new_tokens=6)
    beams = model.generate(sources, 4, 6, strategy="early_termination")
    for k, source in enumerate(sources):
        H = seq2seq.encode(READ.encode(source, eos=True).tolist(), net.encoder)
        written = seq2seq.decode(H, net, likeliest_word, most=6)
        assert marked(greedy[k]) == written.words
        drawn = [y[word] for y, word in zip(written.y, written.words, strict=True)]
        assert greedy[k].log_probability == pytest.approx(np.log(drawn).sum(), rel=1e-4)
        marks = {"symbols": range(1, 5), "sos": WRITTEN.sos_id, "eos": WRITTEN.eos_id}
        (path, p), *_ = beam_search(
            lambda word, h: lm.step(word, h, net.decoder), H, beamwidth=4, most=6, **marks
        )
        assert (marked(beams[k]), np.exp(beams[k].log_probability)) == (
            list(path),
            pytest.approx(p, rel=1e-4),
        )


@pytest.mark.parametrize("score", ["dot", "general", "additive"])
@pytest.mark.parametrize("cell", KINDS)
def test_a_decoder_looks_where_the_loop_looks_and_writes_the_same(cell, score):
    options = {"attention": score, "bidirectional": True, "encoder_layers": 2, "decoder_layers": 2}
    model = small_pair(cell, **options)
    decoder = lm.Network(
        model.target_embedding.weight.data.T,
        cell,
        entries_of(model.decoder.recurrent),
        model.output.weight.data,
        model.output.bias.data,
    )
    net = seq2seq.EncoderDecoder(decoder, decoder, WRITTEN.sos_id, WRITTEN.eos_id)
    names = {"dot": (), "general": ("weight",), "additive": ("weight_query", "weight_memory", "v")}
    weights = [getattr(model.decoder.attention, name).data for name in names[score]]
    combining = model.decoder.output
    attending = seq2seq.Attending(score, weights, combining.weight.data, combining.bias.data)
    for source in ("abca", "dd"):
        memory, state = model.encode(READ.encode(source, eos=True)[None])
        parts = state if isinstance(state, tuple) else (state,)
        H = [tuple(part.data[layer, 0] for part in parts) for layer in range(2)]
        written = seq2seq.decode_attending(
            H, memory.data[0], net, attending, likeliest_word, most=6
        )
        (found,) = model.generate([source], max_new_tokens=6)
        assert marked(found) == written.words
        assert_close(found.attention, np.array(written.attention), 1e-4)
        drawn = [y[word] for y, word in zip(written.y, written.words, strict=True)]
        assert found.log_probability == pytest.approx(np.log(drawn).sum(), rel=1e-4)
        if found.ended:
            assert model.score(source, found.text) == pytest.approx(np.log(drawn).sum(), rel=1e-10)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", KINDS)
def test_a_recurrent_language_model_scores_by_the_chain_rule(cell, layers):
    unrolled.manual_seed(8)
    options = {"cell": cell, "embedding": 3, "hidden": 4, "layers": layers}
    model = LanguageModel(WRITTEN, **options).double()
    P = model.embedding.weight.data.T
    output = model.output_weight.data, model.output_bias.data
    net = lm.Network(P, cell, entries_of(model.reader.layers), *output)
    for text in ("xyzzy", "", "zzzx"):
        words = WRITTEN.encode(text, eos=True).tolist()
        wanted = lm.log_probability(words, net, WRITTEN.sos_id)
        assert model.score(text) == pytest.approx(wanted, rel=1e-11)


def test_a_window_model_is_the_perceptron_of_the_loops():
    unrolled.manual_seed(9)
    options = {"kind": "window", "window": 3, "embedding": 2, "hidden": 4, "layers": 2}
    model = LanguageModel(WRITTEN, **options).double()
    first, second = (layer.weight.data for layer in model.reader.layers)
    biases = [layer.bias.data for layer in model.reader.layers]
    weights = [first.transpose(0, 2, 1).reshape(4, -1), second[:, :, 0], model.output_weight.data]
    layers = list(zip(weights, [*biases, model.output_bias.data], strict=True))
    P, sos = model.embedding.weight.data.T, WRITTEN.sos_id
    words, wanted = WRITTEN.encode("zyx", eos=True).tolist(), 0.0
    for t, word in enumerate(words):
        before = [sos, sos, sos, *words[:t]][-3:]
        wanted += np.log(lm.fixed_window(before, P, layers)[word])
    assert model.score("zyx") == pytest.approx(wanted, rel=1e-11)


def test_a_time_delay_model_is_the_time_delay_layers_of_the_reference():
    unrolled.manual_seed(10)
    options = {"kind": "time-delay", "window": 3, "embedding": 2, "hidden": 4, "layers": 2}
    model = LanguageModel(WRITTEN, **options).double()
    sos = WRITTEN.sos_id
    words = WRITTEN.encode("zyxxz", eos=True).tolist()
    read = [sos] * 5 + words[:-1]  # the second layer sees 3 of the first, and that 3 words each
    h = np.stack([lm.embed(word, model.embedding.weight.data.T) for word in read], axis=1)[None]
    for layer in model.reader.layers:
        h = np.maximum(time_delay_layer(h, layer.weight.data, layer.bias.data), 0)
    scores = h[0].T @ model.output_weight.data.T + model.output_bias.data
    wanted = log_softmax(scores)[np.arange(len(words)), words].sum()
    assert model.score("zyxxz") == pytest.approx(wanted, rel=1e-11)


@pytest.mark.parametrize("make", [lambda v: Seq2Seq(v, WRITTEN), lambda v: Seq2Seq(READ, v)])
def test_what_is_no_vocabulary_is_told(make):
    with pytest.raises(TypeError, match=r"must be an unrolled\.lm\.Vocabulary, not str: make it"):
        make("abc")
    with pytest.raises(TypeError, match=r"vocabulary must be an unrolled\.lm\.Vocabulary"):
        LanguageModel("abc")
