"""Models that write symbols: from one vector, and from a sequence that was read to its end."""

from __future__ import annotations

import numpy as np
import pytest

import unrolled
from oracles import assert_same_bits
from unrolled.generate import Settings
from unrolled.models import EncoderDecoder, SequenceGenerator
from unrolled.models.recurrent import CELLS
from unrolled.models.symbol_decoder import SymbolDecoder

WORDS = ["ab", "cab", "b", "acca"]
OPTIONS = {"epochs": 30, "batch_size": 4, "learning_rate": 2e-2, "progress": False}


def one_hot(word):
    return np.eye(3)[["abc".index(symbol) for symbol in word]]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_one_to_many_every_vector_gets_its_word(cell, layers):
    unrolled.manual_seed(0)
    model = SequenceGenerator("abc", 4, cell=cell, hidden=16, layers=layers)
    history = model.fit(np.repeat(np.eye(4), 8, axis=0), np.repeat(WORDS, 8).tolist(), **OPTIONS)
    assert [g.text for g in model.generate(np.eye(4))] == WORDS
    assert history.column("train_loss")[-1] < 0.5 and not model.training


@pytest.mark.parametrize("cell", CELLS)
def test_many_to_many_delayed_turns_words_around(cell):
    unrolled.manual_seed(0)
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abc"), rng.integers(1, 4))) for _ in range(120)]
    turned = [word[::-1] for word in words]
    model = EncoderDecoder("abc", 3, cell=cell, hidden=24)
    frames = [one_hot(word) for word in words]
    model.fit(frames, turned, valid=(frames, turned), **{**OPTIONS, "epochs": 20})
    found = [g.text == word for g, word in zip(model.generate(frames), turned, strict=True)]
    assert np.mean(found) > 0.9


def test_the_loss_is_minus_the_log_probability_of_the_whole_text():
    """``P(O_1, ..., O_L | I) = P(O_1 | I) P(O_2 | O_1, I) ...``, and the end mark's."""
    unrolled.manual_seed(3)
    model = EncoderDecoder("abc", 3, hidden=5, layers=2).double()
    inputs, texts = [one_hot("abca"), one_hot("b")], ["ca", "bbb"]
    expected = []
    for frames, word in zip(inputs, texts, strict=True):
        state = model.encoder(frames[None])[1]
        written, total = 3, 0.0
        for k in [*("abc".index(symbol) for symbol in word), 3]:
            output, state = model.decoder.recurrent.step(np.eye(4)[[written]], state)
            total += model.decoder.output(output).log_softmax().data[0, k]
            written = k
        expected.append(total)
    frames, lengths = unrolled.data.sequences.pad(inputs)
    encoded = [model.decoder.encode(word, "text") for word in texts]
    loss = model(frames, lengths, encoded)
    assert loss.item() == pytest.approx(-np.mean(expected), rel=1e-10)
    loss.backward()
    assert all(parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_written_has_its_log_probability(cell):
    unrolled.manual_seed(5)
    model = SequenceGenerator("abc", 2, cell=cell, hidden=6).double()
    vectors = np.random.default_rng(1).standard_normal((20, 2))
    written = model.generate(vectors, max_new_tokens=6, do_sample=True, seed=2)
    ended = [i for i, generation in enumerate(written) if generation.ended]
    assert 5 < len(ended) < 20  # both kinds occur
    for i in ended:
        encoded = [model.decoder.encode(written[i].tokens, "text")]
        loss = model(vectors[i][None, None], np.array([1]), encoded)
        assert written[i].log_probability == pytest.approx(-loss.item(), rel=1e-5)  # float32


def test_alone_and_among_others_the_same_is_written():
    unrolled.manual_seed(2)
    model = EncoderDecoder("abc", 3, hidden=8)
    frames = [one_hot(word) for word in WORDS]
    together = model.generate(frames, num_beams=3, max_new_tokens=7)
    for item, generation in zip(frames, together, strict=True):
        (alone,) = model.generate([item], num_beams=3, max_new_tokens=7)
        assert (alone.tokens, alone.score) == (generation.tokens, generation.score)
        assert_same_bits(alone.log_probs, generation.log_probs)


def test_draws_follow_their_seed_and_beams_give_several():
    unrolled.manual_seed(0)
    model = SequenceGenerator("ab", 1, hidden=3)
    options = {"max_new_tokens": 5, "do_sample": True}
    texts = [
        [g.text for g in model.generate(np.ones((30, 1)), seed=seed, **options)]
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2] and len(set(texts[0])) > 3
    (several,) = model.generate(np.ones((1, 1)), num_beams=4, num_return_sequences=3)
    scores = [generation.score for generation in several]
    assert len({g.text for g in several}) == 3 and scores == sorted(scores, reverse=True)


def test_writing_stops_at_the_most_symbols_and_at_the_mark():
    unrolled.manual_seed(0)
    decoder = SymbolDecoder("ab", cell="lstm", hidden=3, layers=1)
    decoder.output.bias.data[:] = [5, 0, 0]
    written = decoder.generate(None, 2, Settings(max_new_tokens=4))
    assert [g.text for g in written] == ["aaaa", "aaaa"] and not written[0].ended
    decoder.output.bias.data[:] = [0, 0, 50]
    (generation,) = decoder.generate(None, 1, Settings(max_new_tokens=4))
    assert generation.tokens == [] and generation.ended
    assert generation.score == pytest.approx(0, abs=1e-6)


def test_symbols_of_several_characters_are_tokens_of_their_own():
    unrolled.manual_seed(0)
    model = SequenceGenerator(["ab", "a"], 1, hidden=4)
    model.fit(np.ones((40, 1)), [["a", "ab"]] * 40, **OPTIONS)
    (generation,) = model.generate(np.ones((1, 1)))
    assert (generation.tokens, generation.text) == (["a", "ab"], "a ab")
    with pytest.raises(ValueError, match="symbols has '<eos>', which stands for the end"):
        SequenceGenerator(["a", "<eos>"], 1)


@pytest.mark.parametrize("make", [SequenceGenerator, EncoderDecoder])
def test_saved_and_loaded_it_writes_the_same(make, tmp_path):
    unrolled.manual_seed(0)
    model = make(["a", "bc"], 2, hidden=4, layers=2)
    inputs = np.ones((2, 2)) if make is SequenceGenerator else np.ones((2, 5, 2))
    model.fit(inputs, [["bc"], []], **{**OPTIONS, "epochs": 1, "directory": tmp_path / "model"})
    loaded = unrolled.load(tmp_path / "model")
    assert isinstance(loaded, make) and loaded.decoder.symbols == ("a", "bc")
    for again, generation in zip(loaded.generate(inputs), model.generate(inputs), strict=True):
        assert (again.tokens, again.score) == (generation.tokens, generation.score)
    assert model.generate(inputs[:0]) == []


def test_wrong_input_is_told():
    model = SequenceGenerator("ab", 2, hidden=3)
    for inputs, texts, message in (
        (np.ones((2, 3)), ["a", "b"], r"inputs\[0\] has shape \(1, 3\)"),
        (np.ones(2), ["a"], r"inputs has shape \(2,\), needed is \(N, 2\)"),
        (np.ones((2, 2)), ["a"], "equally many, at least one: got 2 and 1"),
        (np.ones((2, 2)), ["a", "bx"], r"texts\[1\] has 'x', which is not among the symbols"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(inputs, texts, **OPTIONS)
    with pytest.raises(ValueError, match="max_new_tokens must lie in 1"):
        model.generate(np.ones((1, 2)), max_new_tokens=0)
    with pytest.raises(ValueError, match="symbols has 'a' twice"):
        EncoderDecoder("aba", 2)
