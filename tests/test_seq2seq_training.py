"""Training of `Seq2Seq`: what it learns, from what, and that it goes on as if never stopped."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import unrolled
from unrolled.checkpoint import CheckpointError
from unrolled.data.sequences import IGNORED
from unrolled.lm import Vocabulary
from unrolled.models import Seq2Seq
from unrolled.models.seq2seq_sampling import mixed_inputs
from unrolled.models.seq2seq_scoring import pair_loader
from unrolled.models.seq2seq_tokens import as_pairs
from unrolled.models.seq2seq_training import split_by_source
from unrolled.training import Callback

LETTERS = Vocabulary(list("abcd"), unit="char")
QUICK = {"batch_size": 32, "learning_rate": 1e-2, "progress": False}


def some_words(count, least=1, longest=7, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(least, longest + 1, count)
    return ["".join(rng.choice(list("abcd"), n)) for n in lengths]


def make(seed=0, **options):
    unrolled.manual_seed(seed)
    return Seq2Seq(LETTERS, LETTERS, **{"embedding": 8, "hidden": 32, **options})


@pytest.mark.parametrize(
    "form",
    [
        {"attention": "dot", "cell": "lstm"},
        {"attention": "general", "feeding": "input", "cell": "gru"},
        {"attention": "additive", "feeding": "context", "cell": "gru"},
    ],
    ids=str,
)
def test_attention_learns_to_turn_strings_around(form):
    words = some_words(700)
    model = make(**form)
    history = model.fit(words, [w[::-1] for w in words], valid=0.1, epochs=14, **QUICK)
    assert history.column("sequence_error")[-1] < 0.1
    unseen = sorted(set(some_words(300, least=4, seed=1)) - set(words))
    assert len(unseen) > 100
    errors = model.evaluate(unseen, [w[::-1] for w in unseen])
    assert errors.word_error_rate < 0.1, errors


@pytest.mark.parametrize("feedback", [True, False])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_one_state_is_enough_for_short_strings(feedback, cell):
    words = sorted(set(some_words(300, longest=3)))
    model = make(cell=cell, feedback=feedback, hidden=48)
    model.fit(words * 4, [w[::-1] for w in words * 4], epochs=25, **QUICK)
    assert model.evaluate(words, [w[::-1] for w in words]).word_error_rate < 0.05


@pytest.mark.parametrize(
    "recipe", [{"loss_positions": 2}, {"sampling": 0.3}, {"label_smoothing": 0.1}], ids=str
)
def test_other_ways_to_learn_learn_too(recipe):
    words = some_words(700)
    model = make(attention="dot")
    model.fit(words, [w[::-1] for w in words], epochs=14, **QUICK, **recipe)
    unseen = sorted(set(some_words(200, least=4, seed=1)) - set(words))
    assert model.evaluate(unseen, [w[::-1] for w in unseen]).word_error_rate < 0.15


RECIPES = [
    {"dropout": 0.2, "sampling": 0.5},
    {"attention": "general", "dropout": 0.2, "loss_positions": 2, "label_smoothing": 0.1},
]


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_resumed_training_ends_with_the_same_bits(recipe, tmp_path, threads):
    form = {name: recipe[name] for name in recipe if name in ("attention", "dropout")}
    recipe = {name: value for name, value in recipe.items() if name not in form}
    words = some_words(60)

    class Stop(BaseException):
        pass

    def train(folder, resume=False, stop_after=None):
        unrolled.manual_seed(99 if resume else 1)
        model = Seq2Seq(LETTERS, LETTERS, embedding=4, hidden=6, **form)

        class Watch(Callback):
            @contextlib.contextmanager
            def around_step(self, model, step):
                yield
                if step == stop_after:
                    raise Stop

        model.fit(
            words, words, valid=0.2, epochs=3, **{**QUICK, "batch_size": 9}, **recipe, seed=5,
            directory=folder, resume=resume, checkpoint_every=1, callbacks=[Watch()],
        )  # fmt: skip
        return {name: array.tobytes() for name, array in model.state_dict().items()}

    whole = train(tmp_path / "whole")
    with pytest.raises(Stop):
        train(tmp_path / "part", stop_after=8)
    assert train(tmp_path / "part", resume=True) == whole
    with pytest.raises(CheckpointError):
        Seq2Seq(LETTERS, LETTERS, embedding=4, hidden=8).fit(
            words, words, directory=tmp_path / "part", resume=True, progress=False
        )


def test_training_stops_early_and_keeps_the_best_weights():
    words = some_words(40)
    noise = some_words(40, seed=1)  # nothing to learn, so that it gets worse on others
    held = some_words(40, seed=2), some_words(40, seed=3)
    model = make(hidden=48)
    history = model.fit(words, noise, valid=held, epochs=60, patience=3, **QUICK)
    losses = history.column("valid_loss")
    best = int(np.argmin(losses))
    assert len(losses) == best + 4 < 60
    totals = -model.scores(*held)
    outputs = sum(len(word) + 1 for word in held[1])
    assert totals.sum() / outputs == pytest.approx(losses[best], rel=0.05)
    figures = model.evaluate(*held, max_new_tokens=int(model.longest))
    assert figures.symbol_error_rate == history.column("token_error")[best]
    assert figures.word_error_rate == history.column("sequence_error")[best]


def test_by_what_figure_it_is_best_can_be_chosen():
    words = some_words(200)
    model = make(attention="dot", hidden=16)
    history = model.fit(words, words, valid=0.3, epochs=5, monitor="sequence_error", **QUICK)
    _, held = split_by_source(as_pairs(model, words, words), 0.3, 0)
    texts = [LETTERS.decode(target) for target in held.targets]
    assert model.evaluate(texts, texts).word_error_rate == min(history.column("sequence_error"))


def test_all_pairs_of_a_source_are_set_aside_together():
    words = some_words(120, longest=3)
    pairs = as_pairs(make(), words, some_words(120, seed=5))
    rest, held = split_by_source(pairs, 0.25, seed=3)
    names = [{source.tobytes() for source in part.sources} for part in (rest, held)]
    assert not names[0] & names[1] and len(rest.sources) + len(held.sources) == 120
    assert len(names[1]) == round(0.25 * len(set(words)))
    again = split_by_source(pairs, 0.25, seed=3)[1]
    assert [s.tolist() for s in again.sources] == [s.tolist() for s in held.sources]
    other = split_by_source(pairs, 0.25, seed=4)[1]
    assert [s.tolist() for s in other.sources] != [s.tolist() for s in held.sources]


def batch_of(model, words, **options):
    pairs = as_pairs(model, words, [w[::-1] for w in words])
    return next(pair_loader(model, pairs, len(words), **options).batches(0))


def test_the_loss_is_the_mean_over_the_outputs_that_are_learned_from():
    model = make().double().eval()
    words = some_words(9)
    batch = batch_of(model, words)
    outputs = sum(len(word) + 1 for word in words)
    expected = -model.scores(words, [w[::-1] for w in words]).sum() / outputs
    assert model.loss(batch).item() == pytest.approx(expected, rel=1e-10)
    one = batch._replace(targets=np.where(np.arange(9)[:, None] == 4, batch.targets, IGNORED))
    kept = (one.targets[4] != IGNORED).sum()
    source = LETTERS.decode(batch.sources[4, : batch.source_lengths[4]])
    alone = -model.score(source, source[::-1]) / kept
    assert model.loss(one).item() == pytest.approx(alone, rel=1e-10)


def test_the_loss_on_drawn_outputs_is_that_on_all_of_them_in_the_mean():
    model = make().double().eval()
    pairs = as_pairs(model, ["abc"], ["dab"])
    made = pair_loader(model, pairs, 1, loss_positions=1)
    losses = [model.loss(next(made.batches(epoch))).item() for epoch in range(400)]
    whole = model.loss(next(pair_loader(model, pairs, 1).batches(0))).item()
    assert len(set(losses)) == 4
    assert np.mean(losses) == pytest.approx(whole, abs=4 * np.std(losses) / 20)


@pytest.mark.parametrize("form", [{}, {"attention": "general", "feeding": "input"}], ids=str)
def test_scheduled_sampling_feeds_words_drawn_after_what_was_fed(form):
    model = make(**form).double().eval()
    batch = batch_of(model, some_words(8, least=3), draws=True)
    assert mixed_inputs(model, batch, 0.0).tolist() == batch.inputs.tolist()
    for share in (0.4, 1.0):
        mixed = mixed_inputs(model, batch, share)
        scores = model(batch.sources, mixed, batch.source_lengths).data
        sums = np.exp(scores - scores.max(axis=2, keepdims=True)).cumsum(axis=2)
        drawn = (sums <= batch.draws[..., 1:] * sums[..., -1:]).sum(axis=2)
        expected = batch.inputs.copy()
        chosen = batch.draws[:, 1:, 0] < share
        expected[:, 1:][chosen] = drawn[:, :-1][chosen]
        assert mixed.tolist() == expected.tolist()
        assert (mixed[:, 0] == LETTERS.sos_id).all()
        assert (mixed != batch.inputs).any()


def test_words_are_drawn_as_often_as_they_are_probable():
    model = make().double().eval()
    pairs = as_pairs(model, ["abc"], ["da"])
    made = pair_loader(model, pairs, 1, draws=True)
    batches = [next(made.batches(epoch)) for epoch in range(1500)]
    together = batches[0]._replace(
        sources=np.repeat(batches[0].sources, 1500, axis=0),
        source_lengths=np.repeat(batches[0].source_lengths, 1500),
        inputs=np.repeat(batches[0].inputs, 1500, axis=0),
        draws=np.concatenate([batch.draws for batch in batches]),
    )
    first = mixed_inputs(model, together, 1.0)[:, 1]
    expected = model(batches[0].sources, [[LETTERS.sos_id]]).softmax().data[0, 0]
    shares = np.bincount(first, minlength=len(LETTERS)) / 1500
    np.testing.assert_allclose(shares, expected, atol=4 * np.sqrt(0.25 / 1500))


def test_smoothing_and_sampling_are_for_learning_alone():
    words = some_words(60)
    figures = []
    for recipe in ({}, {"label_smoothing": 0.4, "sampling": 1.0, "loss_positions": 1}):
        model = make(seed=3)
        history = model.fit(
            words, words, valid=0.5, epochs=1, **{**QUICK, "learning_rate": 0.0}, **recipe
        )
        figures.append(history.column("valid_loss")[0])
    assert figures[0] == figures[1]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sources": ["ab", "xy"], "targets": ["a", "b"]}, None, None),  # unknown ones are read
        ({"sources": "ab"}, TypeError, "sources must be a list"),
        ({"targets": ["a"]}, ValueError, "equally many, got 2 and 1"),
        ({"targets": ["a", 5]}, TypeError, r"targets\[1\]"),
        ({"sources": [], "targets": []}, ValueError, "sources is empty"),
        ({"valid": (["a"], ["b", "c"])}, ValueError, "valid sources and valid targets"),
        ({"valid": ([], [])}, ValueError, "valid sources is empty"),
        ({"valid": 1.5}, ValueError, "valid is 1.5; as a share it must lie between 0 and 1"),
        ({"sources": ["a", "a"], "valid": 0.5}, ValueError, "a single source cannot be split"),
        ({"label_smoothing": 2}, ValueError, "label_smoothing must lie in"),
        ({"sampling": -0.1}, ValueError, "sampling must lie in"),
        ({"loss_positions": 0}, ValueError, "loss_positions must be an integer of at least 1"),
        ({"patience": 2}, ValueError, "patience needs valid"),
    ],
)
def test_bad_input_is_named_and_nothing_is_trained(options, error, message):
    model = make()
    before = {name: array.tobytes() for name, array in model.state_dict().items()}
    arguments = {"sources": ["ab", "c"], "targets": ["a", "b"], "epochs": 1, **options}
    if error is None:
        model.fit(**arguments, progress=False)
        return
    with pytest.raises(error, match=message):
        model.fit(**arguments, progress=False)
    assert {name: array.tobytes() for name, array in model.state_dict().items()} == before


def test_sampling_needs_words_that_are_read():
    with pytest.raises(ValueError, match="sampling needs feedback=True"):
        make(feedback=False).fit(["a"], ["b"], sampling=0.1, progress=False)
