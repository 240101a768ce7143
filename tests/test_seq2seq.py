"""`Seq2Seq`: what it computes, scores and writes, in all its forms; faults are named."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import unrolled
from unrolled.data.pairs import pad_ids
from unrolled.lm import Vocabulary
from unrolled.models import Seq2Seq

LETTERS = Vocabulary(list("abc"), unit="char")
FORMS = [
    {},
    {"feedback": False},
    {"cell": "gru", "bidirectional": False},
    {"cell": "rnn", "encoder_layers": 2},
    {"decoder_layers": 2},
    {"encoder_layers": 2, "decoder_layers": 2, "attention": "dot"},
    {"attention": "general", "tie": True},
    {"attention": "general", "feedback": False},
    {"attention": "additive", "cell": "gru"},
    {"attention": "dot", "feeding": "input"},
    {"attention": "general", "feeding": "input", "cell": "gru", "decoder_layers": 2},
    {"attention": "additive", "feeding": "context", "cell": "gru"},
    {"attention": "general", "feeding": "context", "decoder_layers": 2, "feedback": False},
]
forms = pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(map(str, form.values())))


def make(form, vocabulary=LETTERS, seed=0, hidden=8):
    unrolled.manual_seed(seed)
    embedding = hidden if form.get("tie") else 6
    return Seq2Seq(vocabulary, vocabulary, embedding=embedding, hidden=hidden, **form).eval()


def some_words(rng, count, longest=7):
    return ["".join(rng.choice(list("abc"), rng.integers(0, longest + 1))) for _ in range(count)]


@forms
def test_the_score_is_the_chain_rule_step_by_step(form, rng):
    """``P(O_1, ..., O_L | I) = P(O_1 | I) P(O_2 | O_1, I) ...``, and the end mark's."""
    model = make(form).double()
    for source, target in zip(some_words(rng, 3), some_words(rng, 3), strict=True):
        ids = LETTERS.encode(source, eos=True)
        memory, state = model.encode(ids[None])
        total, written = 0.0, LETTERS.sos_id
        for word in LETTERS.encode(target, eos=True):
            scores, state = model.step(np.array([written]), memory, state)
            total += scores.log_softmax().data[0, word]
            written = word
        assert model.score(source, target) == pytest.approx(total, rel=1e-10)


@forms
def test_the_probabilities_of_all_outputs_sum_to_one(form):
    words = Vocabulary(["a", "b"], pad=None, unk=None)
    model = make(form, words).double()
    model.output.bias.data[words.eos_id] += 8  # so that few outputs are longer than five
    texts = [
        list(text) for n in range(6) for text in itertools.product(["a", "b", "<sos>"], repeat=n)
    ]
    total = np.exp(model.scores([["b", "a"]] * len(texts), texts)).sum()
    assert total == pytest.approx(1, abs=1e-6)


@forms
def test_a_pair_has_the_same_score_alone_and_among_others(form, rng, threads):
    model = make(form)
    sources, targets = some_words(rng, 90), some_words(rng, 90)
    together = model.scores(sources, targets)
    alone = [model.score(*pair) for pair in zip(sources, targets, strict=True)]
    assert together.tolist() == alone


@forms
def test_a_source_is_written_the_same_alone_and_among_others(form, rng, threads):
    model = make(form)
    sources = some_words(rng, 12)
    together = model.generate(sources)
    for source, one in zip(sources, together, strict=True):
        (alone,) = model.generate([source])
        assert alone.tokens == one.tokens and alone.score == one.score
        assert alone.log_probs.tobytes() == one.log_probs.tobytes()


@forms
def test_what_is_written_has_the_score_of_the_whole_sequence(form, rng):
    model = make(form)
    model.output.bias.data[LETTERS.eos_id] += 0.5
    sources = some_words(rng, 20)
    written = model.generate(sources, max_new_tokens=12, do_sample=True, seed=1)
    ended = [(s, g) for s, g in zip(sources, written, strict=True) if g.ended]
    assert len(ended) > 5
    for source, generation in ended:
        assert generation.log_probability == pytest.approx(
            model.score(source, generation.tokens), abs=2e-5
        )


def test_attention_is_over_the_source_alone(rng):
    model = make({"attention": "general"})
    for generation in model.generate(["abc", "a", "cabbage".replace("g", "c").replace("e", "b")]):
        assert generation.sources[-1] == "<eos>"
        written = len(generation.tokens) + generation.ended
        assert generation.attention.shape == (written, len(generation.sources))
        np.testing.assert_allclose(generation.attention.sum(axis=1), 1, rtol=1e-5)
    (plain,) = make({}).generate(["abc"])
    assert plain.attention is None


@forms
def test_padding_is_never_read(form, rng):
    model = make(form)
    sources, lengths = pad_ids([LETTERS.encode(w, eos=True) for w in ("abca", "b", "cc")])
    inputs, ends = pad_ids([LETTERS.encode(w, sos=True) for w in ("a", "abbc", "cb")])
    before = model(sources, inputs, lengths, ends).data
    sources[np.arange(sources.shape[1]) >= lengths[:, None]] = 5
    inputs[np.arange(inputs.shape[1]) >= ends[:, None]] = 6
    assert model(sources, inputs, lengths, ends).data.tobytes() == before.tobytes()


def test_without_feedback_words_are_no_input():
    sources = np.array([LETTERS.encode("ab", eos=True)])
    for attention in (None, "general"):
        model = make({"feedback": False, "attention": attention})
        assert model.target_embedding is None
        one, other = model(sources, [[2, 4, 5]]).data, model(sources, [[2, 6, 6]]).data
        assert one.tobytes() == other.tobytes()
        assert np.ptp(one[0], axis=0).max() > 1e-3  # its state moves on nevertheless


def test_the_decoder_begins_where_the_encoder_ended():
    model = make({"bidirectional": False})
    ids = LETTERS.encode("cab", eos=True)
    output, (h, c) = model.encoder(model.source_embedding(ids[None]))
    memory, (h_0, c_0) = model.encode(ids[None])
    assert memory.data.tobytes() == output.data.tobytes()
    assert h_0.data.tobytes() == h.data.tobytes() == output.data[:, -1].tobytes()
    assert c_0.data.tobytes() == c.data.tobytes()


def test_both_directions_begin_the_decoder_side_by_side():
    model = make({"encoder_layers": 2, "cell": "gru"})
    ids = LETTERS.encode("cab", eos=True)
    _, h = model.encoder(model.source_embedding(ids[None]))
    _, h_0 = model.encode(ids[None])
    assert h_0.shape == (1, 1, 8)
    assert h_0.data[0, 0, :4].tobytes() == h.data[2, 0].tobytes()  # the last layer's ends
    assert h_0.data[0, 0, 4:].tobytes() == h.data[3, 0].tobytes()


@forms
def test_every_parameter_gets_a_gradient(form, rng):
    model = make(form).train()
    sources, lengths = pad_ids([LETTERS.encode(w, eos=True) for w in ("abca", "b", "cc")])
    inputs, ends = pad_ids([LETTERS.encode(w, sos=True) for w in ("a", "abbc", "cb")])
    (model(sources, inputs, lengths, ends) ** 2).sum().backward()
    dead = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    if "feedback" in form and form.get("feeding", "none") == "none":
        assert [name.endswith("weight_ih_l0") for name in dead] == [True]  # it has no input
    else:
        assert dead == []


def test_tied_embeddings_are_the_output_layer(tmp_path):
    model, loose = make(FORMS[6]), make({"attention": "general"})
    assert model.output.weight is model.target_embedding.weight
    again = unrolled.load(_saved(model, tmp_path))
    assert again.output.weight is again.target_embedding.weight
    assert len(list(model.parameters())) == len(list(loose.parameters())) - 1


@forms
def test_saved_and_loaded_it_says_the_same(form, tmp_path):
    model = make(form, seed=4)
    again = unrolled.load(_saved(model, tmp_path))
    assert again.target == LETTERS and not again.training
    assert again.score("abc", "ba") == model.score("abc", "ba")
    assert again.generate(["abc"])[0].tokens == model.generate(["abc"])[0].tokens


def _saved(model, folder):
    model.save(folder)
    return folder


def test_tokens_and_words_as_they_come():
    words = Vocabulary(["the", "cat", "sat"])
    model = Seq2Seq(words, Vocabulary(["le", "chat"], unit="token"), hidden=4, embedding=3).eval()
    assert model.score("the  cat", ["le", "chat"]) == model.score(["the", "cat"], ("le", "chat"))
    (written,) = model.generate(["the cat"], max_new_tokens=3, forced_prefix=["le"])
    assert written.tokens[0] == "le"


def test_settings_for_each_source_are_cut_with_the_sources(monkeypatch):
    monkeypatch.setattr("unrolled.models.seq2seq_writing.AT_ONCE", 3)
    model, sources = make({}), ["a", "b", "c", "ab", "bc", "ca", "abc"]
    prefixes = [[letter] for letter in "abcabca"]
    written = model.generate(sources, forced_prefix=prefixes, max_new_tokens=3)
    assert [one.tokens[0] for one in written] == list("abcabca")
    allowed = np.zeros((7, len(LETTERS)), bool)
    allowed[np.arange(7), [4, 5, 6, 4, 5, 6, 4]] = True
    written = model.generate(sources, allowed=allowed, max_new_tokens=2)
    assert ["".join(one.tokens) for one in written] == ["aa", "bb", "cc", "aa", "bb", "cc", "aa"]
    with pytest.raises(ValueError, match="forced_prefix must be one an item, 7, got 2"):
        model.generate(sources, forced_prefix=prefixes[:2])


def test_draws_depend_on_the_source_and_its_number_not_on_the_cut(monkeypatch, rng):
    model, sources = make({"attention": "dot"}), some_words(rng, 9)
    options = {"do_sample": True, "seed": 7, "max_new_tokens": 6}
    expected = [one.tokens for one in model.generate(sources, **options)]
    monkeypatch.setattr("unrolled.models.seq2seq_writing.AT_ONCE", 2)
    assert [one.tokens for one in model.generate(sources, **options)] == expected
    assert expected != [one.tokens for one in model.generate(sources, **{**options, "seed": 8})]


def test_the_longest_it_has_learned_ends_what_it_writes():
    model = make({})
    model.output.bias.data[LETTERS.eos_id] = -50
    assert [len(one.tokens) for one in model.generate(["a"])] == [20]
    model.fit(["a", "b"], ["abc", "c"], epochs=1, batch_size=2, learning_rate=0.0, progress=False)
    assert [len(one.tokens) for one in model.generate(["a"])] == [4]


def test_errors_are_counted_against_the_closest_target():
    model = make({"feedback": False, "bidirectional": False})
    model.output.bias.data[:] = [0, 0, 0, 0, 50, 0, 0]  # it writes "a" for ever
    errors = model.evaluate(["b", "c", "b", "ab"], ["aaa", "ab", "bb", "aab"], max_new_tokens=3)
    assert (errors.words, errors.wrong_words, errors.symbols, errors.errors) == (3, 2, 3 + 2 + 3, 3)
    assert errors.word_error_rate == 2 / 3 and errors.symbol_error_rate == 3 / 8


FAULTS = [
    ({"target": Vocabulary(["a"], sos=None)}, "target has no <sos>"),
    ({"target": Vocabulary(["a"], eos=None)}, "target has no <eos>"),
    ({"cell": "lstm2"}, "cell must be one of"),
    ({"attention": "luong"}, "attention must be one of None, 'dot'"),
    ({"attention": "dot", "feeding": "both"}, "feeding must be one of"),
    ({"feeding": "input"}, "feeding='input' needs attention"),
    ({"hidden": 7}, "hidden is 7; a bidirectional encoder"),
    ({"hidden": 0}, "hidden must be an integer of at least 1"),
    ({"embedding": 0}, "embedding must be"),
    ({"encoder_layers": 0}, "encoder_layers must be"),
    ({"decoder_layers": 1.5}, "decoder_layers must be"),
    ({"dropout": 1.5}, "dropout must lie in"),
    ({"tie": True}, "tie=True needs embedding == hidden, not 128 and 256"),
    ({"tie": True, "embedding": 256, "feedback": False}, "tie=True needs feedback=True"),
]


@pytest.mark.parametrize(("arguments", "message"), FAULTS)
def test_arguments_that_cannot_be_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Seq2Seq(**{"source": LETTERS, "target": LETTERS, **arguments})


STRICT = Vocabulary(list("abc"), unit="char", unk=None)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.generate("abc"), TypeError, "sources must be a list of texts"),
        (lambda m: m.generate(3), TypeError, "sources must be a list"),
        (lambda m: m.generate(["ab", "axb"]), ValueError, r"sources\[1\]: token 'x' \(number 1"),
        (lambda m: m.generate(["ab", 7]), TypeError, r"sources\[1\]: "),
        (lambda m: m.score("ab", "ad"), ValueError, r"targets\[0\]: token 'd'"),
        (lambda m: m.scores(["ab"], ["a", "b"]), ValueError, "equally many, got 1 and 2"),
        (lambda m: m.evaluate([], []), ValueError, "sources is empty"),
        (lambda m: m.generate(["a"], num_beams=0), ValueError, "num_beams must lie in"),
        (lambda m: m.generate(["a"], beams=3), TypeError, "beams"),
        (lambda m: m.evaluate(["a"], ["a"], num_beams=2, num_return_sequences=2), ValueError,
         "leave num_return_sequences out"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, error, message):
    model = make({}, STRICT)
    with pytest.raises(error, match=message):
        call(model)


def test_an_empty_source_needs_an_end_mark():
    model = Seq2Seq(Vocabulary(["a"], eos=None), LETTERS, hidden=4, embedding=3)
    with pytest.raises(ValueError, match=r"sources\[1\] is empty, and the source vocabulary"):
        model.generate([["a"], []])
    assert make({}).generate([""])[0].score < 0
    assert make({}).generate([]) == [] and make({}).scores([], []).shape == (0,)
