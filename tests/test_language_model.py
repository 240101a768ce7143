"""Neural language models: the chain rule, what they see of the past, scores, training."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import unrolled
from language_problems import KINDS, LETTERS, LINES, chain, log_softmax, small_model
from layer_gradients import check_gradients
from unrolled.lm import Vocabulary
from unrolled.models import LanguageModel, language_scores
from unrolled.nn import build

TEXT = "abcd dcba abba cddc\n" * 30


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def random_ids(rng, shape, vocabulary=LETTERS):
    return rng.integers(0, len(vocabulary), shape)


def test_probabilities_of_all_texts_sum_to_one(kind):
    """Over the tokens of each place, so over all texts of a length, by the chain rule."""
    model = small_model(kind, LINES)
    texts = ["".join(text) for text in itertools.product("\nabcd", repeat=3)]
    total = math.fsum(math.exp(model.score(text, eos=False)) for text in texts)
    assert total == pytest.approx(1, abs=1e-5)


def test_a_score_is_the_product_of_conditional_probabilities(kind, rng):
    model = small_model(kind)
    for _ in range(10):
        text = "".join(rng.choice(list("abcd"), rng.integers(0, 9)))
        ids = [2, *(LETTERS.index(c) for c in text), 3]
        assert model.score(text) == pytest.approx(chain(model, ids), abs=1e-4)
        assert model.score(text, eos=False) == pytest.approx(chain(model, ids[:-1]), abs=1e-4)
        assert model.score(text, bos=False) == pytest.approx(chain(model, ids[1:]), abs=1e-4)
        parts = model.log_probs(text)
        assert parts.shape == (len(text) + 1,) and parts.sum() == model.score(text)


def test_only_the_past_is_seen(kind, rng):
    model = small_model(kind)
    ids = random_ids(rng, (2, 9))
    other = ids.copy()
    other[:, 5:] = (other[:, 5:] + 1) % len(LETTERS)
    before, after = model(ids)[0].data, model(other)[0].data
    assert np.array_equal(before[:, :5], after[:, :5])
    assert np.abs(before[:, 5:] - after[:, 5:]).min() > 0


@pytest.mark.parametrize(("kind", "seen"), [("window", 3), ("time-delay", 4)])
def test_windows_see_so_many_tokens(kind, seen, rng):
    model = small_model(kind)
    ids = random_ids(rng, (1, 9))
    for back in range(6):
        other = ids.copy()
        other[0, 8 - back] = (other[0, 8 - back] + 1) % len(LETTERS)
        same = np.array_equal(model(ids)[0].data[:, 8], model(other)[0].data[:, 8])
        assert same == (back >= seen), back


def test_states_carry_on(kind, rng):
    """However a text is cut, also into single tokens."""
    model = small_model(kind)
    ids = random_ids(rng, (3, 11))
    whole, last = model(ids)
    for cuts in ([4], [1, 2, 3], [1] * 10):
        state, parts, start = None, [], 0
        for length in [*cuts, 11 - sum(cuts)]:
            scores, state = model(ids[:, start : start + length], state)
            parts.append(scores.data)
            start += length
        np.testing.assert_allclose(np.concatenate(parts, 1), whole.data, atol=2e-5)
    flat = [part.data for part in (last if isinstance(last, tuple) else [last])]
    again = [part.data for part in (state if isinstance(state, tuple) else [state])]
    for ours, theirs in zip(flat, again, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_the_initial_state_is_what_no_state_means(kind, rng):
    model = small_model(kind)
    ids = random_ids(rng, (2, 4))
    assert np.array_equal(model(ids)[0].data, model(ids, model.initial_state(2))[0].data)


def test_a_text_has_the_same_bits_alone_and_among_others(kind, rng, threads):
    model = small_model(kind)
    texts = ["".join(rng.choice(list("abcd"), n)) for n in (0, 3, 17, 1, 8)]
    encoded = [model.borders.encode(text) for text in texts]
    together = language_scores.log_probs_of(model, encoded)
    for text, found in zip(texts, together, strict=True):
        assert np.array_equal(model.log_probs(text), found)


def test_long_texts_are_measured_in_pieces_with_a_carried_state(kind, rng, monkeypatch):
    model = small_model(kind, LINES)
    text = "".join(rng.choice(list("\nabcd"), 50))
    whole = model.evaluate(text)
    assert whole.log_prob == pytest.approx(
        chain(model, [0, *(LINES.index(c) for c in text)]), abs=1e-3
    )
    monkeypatch.setattr(language_scores, "_FRAMES", 7)
    assert model.evaluate(text).log_prob == pytest.approx(whole.log_prob, abs=1e-3)


def uniform_model(vocabulary):
    model = small_model("lstm", vocabulary)
    model.output.weight.data[:] = 0
    model.output.bias.data[:] = 0
    return model


def test_perplexity_and_bits_of_equal_chances():
    model = uniform_model(LETTERS)
    assert model.perplexity("abc") == pytest.approx(8)
    assert model.perplexity(["abc", ""]) == pytest.approx(8)
    assert model.bits_per_character("abc") == pytest.approx(3)
    found = model.evaluate(["abc", ""])
    assert (found.tokens, found.characters) == (5, 5)
    words = uniform_model(Vocabulary(["to", "be"], pad=None, unk=None))
    assert words.evaluate(["to be", "be"]).tokens == 5
    # 5 tokens of 2 bits over 5 + 2 characters and two ends.
    assert words.bits_per_character(["to be", "be"]) == pytest.approx(10 / 9)


@pytest.mark.parametrize("tied", ["gru", "tied"])
def test_tied_weights_are_one_table(tied, rng):
    model = small_model(tied)
    assert model.output_weight is model.embedding.weight
    names = [name for name, _ in model.named_parameters()]
    assert sum("weight" in name and "embedding" in name for name in names) == 1
    assert not any(name.startswith("output") for name in names)


def in_double(model):
    for parameter in model.parameters():
        parameter.data = parameter.data.astype(np.float64)
    return model


def test_gradients(kind, rng, tolerance):
    model = in_double(small_model(kind, sharp=2.0))
    batch = {"ids": random_ids(rng, (2, 4)), "targets": random_ids(rng, (2, 4))}
    batch["targets"][1, 2:] = -100
    check_gradients(lambda: model.loss(batch)[0], list(model.parameters()), rng, tolerance)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_torch_agrees(cell, rng):
    torch = pytest.importorskip("torch")
    model = small_model(cell, tie=False, layers=2)
    layers = getattr(torch.nn, cell.upper())(4, 6, 2, batch_first=True)
    table, output = torch.nn.Embedding(8, 4), torch.nn.Linear(6, 8)
    theirs = torch.nn.ModuleList([layers, table, output])
    state = {}
    for name, array in model.state_dict().items():
        name = name.replace("reader.layers", "0").replace("embedding", "1").replace("output", "2")
        state[name] = torch.from_numpy(array.copy())
    theirs.load_state_dict(state)
    ids, targets = random_ids(rng, (3, 7)), random_ids(rng, (3, 7))
    scores = output(layers(table(torch.from_numpy(ids)))[0])
    loss = torch.nn.functional.cross_entropy(
        scores.reshape(-1, 8), torch.from_numpy(targets.ravel())
    )
    loss.backward()
    ours, _ = model.loss({"ids": ids, "targets": targets})
    ours.backward()
    assert ours.item() == pytest.approx(loss.item(), abs=1e-5)
    np.testing.assert_allclose(
        model.embedding.weight.grad, table.weight.grad.numpy(), atol=1e-5, rtol=1e-4
    )
    np.testing.assert_allclose(
        model.reader.layers.weight_hh_l0.grad, layers.weight_hh_l0.grad.numpy(), atol=1e-5
    )


def test_log_softmax_of_the_tests():
    assert np.exp(log_softmax([0.0, 0.0])).tolist() == [0.5, 0.5]


def test_saved_and_loaded(kind, tmp_path):
    model = small_model(kind)
    model.save(tmp_path / "model")
    again = unrolled.load(tmp_path / "model")
    assert isinstance(again, LanguageModel) and again.vocabulary == LETTERS
    assert again.eval().score("abcd") == model.score("abcd")
    assert build(model.config()).arguments == model.arguments


def test_borders():
    """Of a vocabulary with <sos> and <eos>; of lines; and of one that has neither."""
    assert small_model().log_probs("ab").shape == (3,)
    lines = small_model(vocabulary=LINES)
    assert lines.score("ab") == pytest.approx(chain(lines, [0, 1, 2, 0]), abs=1e-4)
    bare = small_model(vocabulary=Vocabulary(list("ab"), unit="char", pad=None, sos=None, eos=None))
    assert bare.log_probs("ab", bos=False, eos=False).shape == (1,)
    with pytest.raises(ValueError, match=r"bos=True needs .* build it with sos and eos, or pass"):
        bare.score("ab")
    with pytest.raises(ValueError, match="eos=True needs"):
        bare.score("ab", bos=False)
    assert bare.evaluate("abab").tokens == 3


def test_unknown_tokens():
    assert small_model().score("aXb") < 0
    with pytest.raises(ValueError, match="'X'"):
        small_model(vocabulary=LINES).score("aXb")


@pytest.mark.parametrize("text", ["", [], [""]])
def test_nothing_to_predict(text):
    bare = small_model(vocabulary=Vocabulary(list("ab"), unit="char", pad=None, sos=None, eos=None))
    with pytest.raises(ValueError, match="no token to predict"):
        bare.evaluate(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "transformer"}, "kind must be one of"),
        ({"cell": "tanh"}, "cell must be one of"),
        ({"hidden": 0}, "hidden"),
        ({"window": 0}, "window"),
        ({"dropout": 1.5}, "dropout"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        LanguageModel(LETTERS, **options)


def test_wrong_ids():
    with pytest.raises(ValueError, match=r"ids must be \(N, T\)"):
        small_model()(np.array([1, 2]))
    with pytest.raises(ValueError, match="99"):
        small_model()(np.array([[1, 99]]))


@pytest.mark.parametrize("vocabulary", [LETTERS, LINES])
def test_writing(kind, vocabulary):
    """Scores are those of the model; what is no text is never written; prompts are read."""
    model = small_model(kind, vocabulary)
    prompts = ["ab", "", "dcba"]
    drawn = model.generate(prompts, do_sample=True, seed=1, max_new_tokens=30, stop="a")
    for prompt, one in zip(prompts, drawn, strict=True):
        assert not set(one.tokens) & {"<pad>", "<unk>", "<sos>", "a"}
        ids = model.borders.encode(prompt, eos=False).tolist()
        ids += one.ids.tolist() + [vocabulary.index("a")] * one.ended
        written = chain(model, ids) - chain(model, ids[: len(ids) - len(one.log_probs)])
        assert one.log_probability == pytest.approx(written, abs=1e-3)
    (alone,) = model.generate(["dcba"], num_beams=3, max_new_tokens=9)
    assert alone.tokens == model.generate(prompts, num_beams=3, max_new_tokens=9)[2].tokens
    with pytest.raises(ValueError, match="stop='X' is no token"):
        model.generate("ab", stop="X")


def test_writing_from_nothing():
    bare = small_model(vocabulary=Vocabulary(["a", "b"], unit="char", pad=None, sos=None, eos=None))
    assert len(bare.generate("ab", max_new_tokens=6)[0].tokens) == 6
    for prompts in (None, ["a", ""]):
        with pytest.raises(ValueError, match="give at least one token"):
            bare.generate(prompts)
