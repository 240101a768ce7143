"""Training of neural language models: streams, texts, truncation, exact resuming."""

import numpy as np
import pytest

from language_problems import KINDS, small_model
from oracles import assert_same_bits_as_one_thread
from unrolled import random
from unrolled.lm import Vocabulary
from unrolled.models import LanguageModel
from unrolled.models.language_text import StreamLoader, shifted, text_loader
from unrolled.training import TrainingInterrupted

TEXT = "abcd dcba abba cddc\n" * 40
CHARACTERS = Vocabulary.build(TEXT, unit="char", pad=None, sos=None, eos=None)


def new_model(**options):
    random.manual_seed(0)
    return LanguageModel(CHARACTERS, **{"embedding": 6, "hidden": 16, **options})


def fit(model, text=TEXT, **options):
    settings = {"epochs": 3, "batch_size": 4, "frames": 16, "learning_rate": 1e-2}
    return model.fit(text, progress=False, **{**settings, **options})


def test_200_random_streams(rng):
    """Every target is the next token, windows go on where they ended, nothing is read twice."""
    for case in range(200):
        streams, frames = (int(n) for n in rng.integers(1, 7, 2))
        ids = np.arange(int(rng.integers(streams * frames + 1, 150)))
        loader = StreamLoader(ids, streams, frames, seed=case, shift=bool(case % 2))
        where = f"case {case}: {len(ids)} tokens, {streams} streams of {frames}"
        before, seen = None, []
        for number, batch in enumerate(loader.batches(epoch=case % 5)):
            assert batch["ids"].shape == (streams, frames), where
            assert np.array_equal(batch["targets"], batch["ids"] + 1), where
            assert batch["reset"].all() if number == 0 else not batch["reset"].any(), where
            if before is not None:
                assert np.array_equal(batch["ids"][:, 0], before), where
            before = batch["targets"][:, -1]
            seen += batch["ids"].ravel().tolist()
        assert number + 1 == len(loader) == (len(ids) - 1) // (streams * frames), where
        assert len(set(seen)) == len(seen) and max(seen) < len(ids) - 1, where


def test_epochs_begin_at_different_places():
    loader = StreamLoader(np.arange(1000), 2, 60, seed=3)
    firsts = [next(loader.batches(epoch))["ids"][0, 0] for epoch in range(20)]
    assert len(set(firsts)) > 10 and firsts == [
        next(loader.batches(epoch))["ids"][0, 0] for epoch in range(20)
    ]
    assert next(loader.batches(0, 1))["ids"][0, 0] == firsts[0] + 60  # resumed within an epoch


def test_separate_texts_are_padded():
    texts = [np.array(text) for text in ([2, 4, 5, 3], [2, 3], [2, 6, 3])]
    (batch,) = text_loader(texts, 3, shuffle=False).batches(0)
    assert batch["lengths"].tolist() == [1, 2, 3]
    assert batch["targets"].tolist() == [[3, -100, -100], [6, 3, -100], [4, 5, 3]]
    assert shifted([np.array([1])])["targets"].tolist() == [[-100]]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns(kind):
    model = new_model(**KINDS[kind])
    before = model.perplexity(TEXT)
    history = fit(model, epochs=8, valid=TEXT[:60])
    assert model.perplexity(TEXT) < 0.6 * before
    assert history.rows[-1]["valid_loss"] < history.rows[0]["valid_loss"]
    assert not model.training


def test_separate_texts_are_learned():
    texts = ["ab", "abcd", "a", "dcba dcba dcba"] * 8
    random.manual_seed(0)
    model = LanguageModel(Vocabulary.build(texts, unit="char"), embedding=6, hidden=16)
    fit(model, texts, valid=texts[:4], epochs=15, frames=4)  # the long ones in several windows
    assert model.perplexity(texts) < 2
    assert model.score("ab") > model.score("ba") + 3


def test_states_are_carried_from_window_to_window(monkeypatch):
    """The very numbers in which a window ended begin the next; an epoch begins without any."""
    given, left, loss = [], [], LanguageModel.loss

    def recorded(model, batch, state=None, **options):
        given.append(None if state is None else [part.data.copy() for part in state])
        value, state = loss(model, batch, state, **options)
        left.append([part.data.copy() for part in state])
        return value, state

    monkeypatch.setattr(LanguageModel, "loss", recorded)
    fit(new_model(), epochs=2)
    windows = len(given) // 2
    assert windows > 5
    for number, state in enumerate(given):
        if number % windows == 0:
            assert state is None
        else:
            assert all(map(np.array_equal, state, left[number - 1])), number


def test_validation_measures_what_evaluate_does():
    """In streams of the held-out text: one of them here, so the very same number."""
    model = new_model()
    valid = TEXT[:17]
    history = fit(model, epochs=1, valid=valid)
    encoded = model.borders.encode(valid, bos=False, eos=False)
    measured = -model.log_probs(valid, bos=False, eos=False).mean()
    assert len(encoded) == 17
    assert history.rows[0]["valid_loss"] == pytest.approx(measured, abs=1e-5)


@pytest.mark.parametrize("options", [{}, {"dropout": 0.3, "recurrent_dropout": 0.2}])
def test_resumed_to_the_same_bits(options, tmp_path, monkeypatch):
    whole = new_model(**options)
    fit(whole, directory=tmp_path / "whole", seed=5)
    stopped = new_model(**options)
    steps = 0
    loss = LanguageModel.loss

    def counted(model, batch, state=None, **more):
        nonlocal steps
        steps += 1
        if steps == 20:
            raise KeyboardInterrupt
        return loss(model, batch, state, **more)

    monkeypatch.setattr(LanguageModel, "loss", counted)
    with pytest.raises((KeyboardInterrupt, TrainingInterrupted)):
        fit(stopped, directory=tmp_path / "cut", seed=5, checkpoint_every=3)
    monkeypatch.setattr(LanguageModel, "loss", loss)
    again = new_model(**options)
    fit(again, directory=tmp_path / "cut", seed=5, resume=True)
    for name, array in whole.state_dict().items():
        assert np.array_equal(array, again.state_dict()[name]), name


def test_the_same_bits_on_any_number_of_threads(threads):
    def trained():
        model = new_model(dropout=0.2)
        fit(model, epochs=1)
        return list(model.state_dict().values())

    assert_same_bits_as_one_thread(trained, threads)


def test_the_best_epoch_is_kept():
    model = new_model(hidden=48)
    history = fit(model, TEXT[:200], valid="dddddddddddddddddddd", epochs=6, batch_size=2)
    losses = history.column("valid_loss")
    kept = -model.log_probs("dddddddddddddddddddd", bos=False, eos=False)[:16].mean()
    assert kept == pytest.approx(min(losses), abs=1e-4)


def test_patience():
    history = fit(new_model(), TEXT[:200], valid="d" * 30, epochs=40, batch_size=2, patience=2)
    assert len(history) < 40


@pytest.mark.parametrize("kind", ["window", "time-delay"])
def test_windows_of_one_token(kind):
    """A model of pairs of tokens: what it remembers is nothing."""
    model = new_model(kind=kind, window=1)
    fit(model, epochs=1, valid=TEXT[:60])
    assert model.initial_state(3).shape == (3, 0)
    assert len(model.generate("ab", max_new_tokens=4)[0].tokens) == 4


def test_too_little_text():
    with pytest.raises(ValueError, match=r"the text has 20 tokens, too few .* smaller batch_size"):
        fit(new_model(), TEXT[:20])
    with pytest.raises(ValueError, match="text is empty"):
        fit(new_model(), [])
    bare = Vocabulary(["a", "b"], unit="char", pad=None, sos=None, eos=None)
    with pytest.raises(ValueError, match="valid has no token to predict"):
        fit(small_model("lstm", bare), ["ab", "a", ""], valid=["a"])
    fit(small_model("lstm", bare), ["ab", "a", ""])


def test_unknown_tokens_are_named():
    strict = Vocabulary(list("ab"), unit="char", pad=None, unk=None, sos=None, eos=None)
    with pytest.raises(ValueError, match="'c'"):
        fit(small_model("lstm", strict), "abc" * 100)


def test_a_sampled_softmax_trains_too():
    """Estimated in training alone; what is measured is the full one."""
    text = "".join(f"w{k % 7} w{(k % 7) ** 2} " for k in range(1000))
    vocabulary = Vocabulary.build(text, pad=None, sos=None, eos=None)
    random.manual_seed(0)
    model = LanguageModel(vocabulary, embedding=8, hidden=16, tie=True)
    before = model.perplexity(text)
    history = fit(model, text, valid=text[:120], sampled=6, epochs=12)
    assert model.perplexity(text) < 0.2 * before
    ids = model.borders.encode(text[:120], bos=False, eos=False)
    assert len(ids) > 33  # one window of two streams
    assert history.rows[-1]["valid_loss"] < 0.4 * np.log(before)


def test_many_samples_come_to_the_full_softmax(rng):
    from unrolled import nn

    model = small_model("lstm")
    batch = {"ids": rng.integers(0, 8, (2, 5)), "targets": rng.integers(0, 8, (2, 5))}
    exact = model.loss(batch)[0].item()
    softmax = nn.SampledSoftmaxLoss(8, 400_000)
    assert model.loss(batch, softmax=softmax)[0].item() == exact
    model.train()
    assert model.loss(batch, softmax=softmax)[0].item() == pytest.approx(exact, abs=0.01)
