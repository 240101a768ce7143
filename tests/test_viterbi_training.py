"""Training on guessed alignments: what it promises, keeps, shows, and how it goes on."""

from __future__ import annotations

import itertools
import signal

import numpy as np
import pytest

from test_crnn import HEIGHT, SMALL, TEXTS, draw
from unrolled import optim, random
from unrolled.checkpoint import CheckpointError, load_tensors, save_tensors
from unrolled.data import Loader
from unrolled.models import CRNN
from unrolled.training import TrainingInterrupted, ViterbiTraining
from unrolled.training.first_alignment import check_states, random_states, uniform_states
from viterbi_problems import (
    Categorical,
    Counting,
    Gaussian,
    categorical_items,
    collate,
    emissions,
    likelihoods,
)


@pytest.mark.parametrize("start", ["uniform", "random", "model"])
@pytest.mark.parametrize("blank", [0, 2, None])
@pytest.mark.parametrize("seed", range(8))
def test_with_the_best_parameters_for_the_paths_the_likelihood_never_drops(seed, blank, start):
    """Trap B14."""
    rng = np.random.default_rng(seed)
    items = categorical_items(rng, 12, 4, blank)
    model = Categorical(4, seed)
    training = ViterbiTraining(
        model, emissions, Counting(model.parameters(), 1.0), blank=blank, start=start,
        settled=0.0, seed=seed, progress=False,
    )  # fmt: skip
    history = training.fit(Loader(items, len(items), collate=collate), epochs=50)
    values = likelihoods(history)
    assert all(b >= a - 1e-12 for a, b in itertools.pairwise(values)), values
    assert history.rows[-1]["changed_frames"] == 0 and 2 <= len(history) < 50
    assert values[-1] > values[0]
    for states, (x, target) in zip(training.alignments, items, strict=True):
        check_states(states, target, len(x), blank)


@pytest.mark.parametrize("start", ["uniform", "random"])
def test_gaussians_find_the_levels_of_a_signal(rng, start):
    levels = np.array([-2.0, 0.0, 2.0])
    items, truths = [], []
    for _ in range(30):
        target = rng.permutation(3)[: rng.integers(2, 4)]
        truth = np.repeat(np.arange(len(target)), rng.integers(3, 9, len(target)))
        signal_ = levels[target][truth] + 0.3 * rng.standard_normal(len(truth))
        items.append((signal_, target.tolist()))
        truths.append(truth)
    model = Gaussian(3, seed=1)
    training = ViterbiTraining(
        model, emissions, optim.SGD(model.parameters(), 0.5), blank=None, start=start,
        epochs_per_round=40, settled=0.0, progress=False,
    )  # fmt: skip
    history = training.fit(Loader(items, 30, collate=collate), epochs=800)
    values = [row[f"{half}_log_likelihood"] for row in history.rows if "round" in row
              for half in ("path", "best")]  # fmt: skip
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(values))
    np.testing.assert_allclose(model.means.data, levels, atol=0.1)
    wrong = sum(np.count_nonzero(a != b) for a, b in zip(training.alignments, truths, strict=True))
    assert wrong <= 0.01 * sum(map(len, truths))
    assert next(row["epoch"] for row in history.rows if "round" in row) == 40


def test_a_class_without_frames_keeps_its_parameters(rng):
    items = categorical_items(rng, 10, 4, 0)
    model = Categorical(6, seed=3)  # classes 4 and 5 are in no target
    before = model.table.data.copy()
    optimizer = Counting(model.parameters(), 1.0)
    training = ViterbiTraining(model, emissions, optimizer, progress=False)
    history = training.fit(Loader(items, 10, collate=collate), epochs=5)
    np.testing.assert_array_equal(model.table.data[4:], before[4:])
    assert (model.table.data[:4] != before[:4]).any(axis=1).all()
    assert set(history.column("empty_classes")) == {2}


def test_figures_of_a_round_are_what_they_say(rng):
    items = categorical_items(rng, 9, 4, 0)
    model = Categorical(4, seed=5)
    training = ViterbiTraining(
        model, emissions, optim.SGD(model.parameters(), 0.0), settled=None, progress=False
    )
    first = [uniform_states(target, len(x), 0) for x, target in items]
    history = training.fit(Loader(items, 4, collate=collate), epochs=2)
    frames = sum(len(x) for x, _ in items)
    changed = sum(np.count_nonzero(a != b) for a, b in zip(first, training.alignments, strict=True))
    assert history.rows[0]["changed_frames"] == changed > 0
    assert history.rows[0]["changed_share"] == changed / frames
    assert history.rows[1]["changed_frames"] == 0
    total = 0.0
    for states, (x, target) in zip(first, items, strict=True):
        expanded = np.zeros(2 * len(target) + 1, int)
        expanded[1::2] = target
        total += model.table.data[expanded[states], x].sum()
    assert history.rows[0]["path_log_likelihood"] == pytest.approx(total / frames, rel=1e-12)
    assert history.rows[0]["train_loss"] > 0
    states = sum(2 * len(target) + 1 for _, target in items)
    entered = sum(len(np.unique(found)) for found in training.alignments)
    assert history.rows[0]["empty_states"] == states - entered


# Where it begins


@pytest.mark.parametrize("blank", [0, None])
def test_first_alignments_are_paths(blank, rng):
    for _ in range(300):
        length = int(rng.integers(1, 6))
        target = rng.integers(1, 3, length).tolist()
        least = length + (0 if blank is None else np.count_nonzero(np.diff(target) == 0))
        frames = int(least + rng.integers(0, 9))
        for states in (
            uniform_states(target, frames, blank),
            random_states(target, frames, blank, rng),
        ):
            assert states.dtype == np.int32
            np.testing.assert_array_equal(check_states(states, target, frames, blank), states)
        count = length if blank is None else 2 * length + 1
        if frames >= count:
            shares = np.bincount(uniform_states(target, frames, blank), minlength=count)
            assert shares.max() - shares.min() <= 1
        with pytest.raises(ValueError, match=f"symbols need {least} frames, there are {least - 1}"):
            uniform_states(target, least - 1, blank)


def test_alignments_that_are_given_are_trained_on():
    items = [(np.array([0, 0, 1, 1]), [1, 2]), (np.array([1, 0, 0]), [2, 1])]
    model = Categorical(3, seed=0)
    training = ViterbiTraining(
        model, emissions, Counting(model.parameters(), 1.0), blank=None,
        start=[[0, 0, 1, 1], np.array([0, 1, 1])], settled=0.0, progress=False,
    )  # fmt: skip
    history = training.fit(Loader(items, 2, collate=collate), epochs=9)
    assert history.rows[0]["path_log_likelihood"] == 0 and len(history) == 1
    assert model.table.data[1, 0] == model.table.data[2, 1] == 0


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("even", "start must be one of uniform, random, model"),
        ([[0, 1]], "start must have one alignment an item: 2, got 1"),
        ([[0, 0, 1], [0, 1, 1]], "item 0 of train: needed is one state a frame, 4 whole numbers"),
        ([[0, 1, 1, 0], [0, 1, 1]], "item 0 of train: is no path"),
        ([[0, 0, 1, 1], [0, 0, 0]], "item 1 of train: is no path"),
        ([[0, 0, 1, 2], [0, 1, 1]], "item 0 of train: is no path"),
        ([[-1, 0, 1, 1], [0, 1, 1]], "item 0 of train: is no path"),
    ],
)
def test_alignments_that_are_no_paths_are_named(start, message):
    items = [(np.array([0, 0, 1, 1]), [1, 2]), (np.array([1, 0, 0]), [2, 1])]
    model = Categorical(3, seed=0)
    with pytest.raises(ValueError, match=message):
        ViterbiTraining(
            model, emissions, Counting(model.parameters(), 1.0), blank=None, start=start,
            progress=False,
        ).fit(Loader(items, 2, collate=collate))  # fmt: skip


def test_an_item_that_is_too_short_is_named():
    items = [(np.array([0, 1]), [1]), (np.array([0, 1, 2]), [1, 1, 2])]
    model = Categorical(3, seed=0)
    for start in ("uniform", "model"):
        training = ViterbiTraining(
            model, emissions, Counting(model.parameters(), 1.0), start=start, progress=False
        )
        with pytest.raises(ValueError, match=r"item 1 of train.*need.* 4 frames, there are 3"):
            training.fit(Loader(items, 2, collate=collate))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"settled": 1.0}, "settled must be a share of the frames below 1, got 1.0"),
        ({"prior_scale": -1}, "prior_scale must be at least 0"),
        ({"epochs_per_round": 0}, "epochs_per_round must be at least 1"),
        ({"patience": 0}, "patience must be at least 1"),
    ],
)
def test_wrong_options_are_named(options, message):
    model = Categorical(3, seed=0)
    with pytest.raises(ValueError, match=message):
        ViterbiTraining(model, emissions, Counting(model.parameters(), 1.0), **options)


def test_priors_take_frames_from_blanks():
    """Every frame likes the blank a little better; its prior gives the others their frames."""
    items = [(np.zeros(9, int), [1, 2])] * 4
    shares = []
    for scale in (0.0, 1.0):
        model = Categorical(3, seed=0)
        model.table.data[:, 0] = np.log([0.5, 0.4, 0.4])
        training = ViterbiTraining(
            model, emissions, optim.SGD(model.parameters(), 0.0), start="model",
            prior_scale=scale, settled=None, progress=False,
        )  # fmt: skip
        training.fit(Loader(items, 4, collate=collate), epochs=1)
        shares.append(np.mean(np.concatenate(training.alignments) % 2 == 0))
    assert shares[0] == 7 / 9 > shares[1]


# As a trainer


def train_reader(directory=None, texts=TEXTS[:12], **options):
    random.manual_seed(2)
    model = CRNN("abc", HEIGHT, **{**SMALL, "dropout": 0.3})
    images = [draw(text) for text in texts]
    settings = {
        "epochs": 4,
        "epochs_per_round": 2,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "valid": (images[:3], texts[:3]),
        "criterion": "viterbi",
        "directory": directory,
        "progress": False,
        "seed": 7,
        **options,
    }
    return model, model.fit(images, texts, **settings)


def faded(image, rng):
    return image * np.float32(rng.uniform(0.5, 1))


def same_run(a, b):
    weights = [run[0].state_dict() for run in (a, b)]
    rows = [[{**row, "seconds": 0} for row in run[1].rows] for run in (a, b)]
    return rows[0] == rows[1] and all(
        np.array_equal(value, weights[1][name]) for name, value in weights[0].items()
    )


def test_the_line_reader_learns_by_guessing():
    model, history = train_reader(
        texts=TEXTS, epochs=25, epochs_per_round=1, batch_size=6, learning_rate=5e-3
    )
    read = [reading.text for reading in model.read([draw(text) for text in TEXTS])]
    assert np.mean([text == truth for text, truth in zip(read, TEXTS, strict=True)]) > 0.8
    assert history.rows[0]["changed_share"] > 0.2 > 0.02 > history.rows[-1]["changed_share"]
    assert history.rows[-1]["valid_loss"] < 0.1 < history.rows[0]["valid_loss"]


@pytest.mark.parametrize("options", [{}, {"augment": faded}, {"prior_scale": 0.3}])
@pytest.mark.parametrize("step", [2, 7, 13])
def test_stopped_and_resumed_it_gives_the_same_bits(tmp_path, monkeypatch, options, step):
    whole = train_reader(tmp_path / "whole", **options)
    taken = []
    original = ViterbiTraining._loss

    def stopping(self, model, batch):
        taken.append(None)
        if len(taken) == step:
            signal.raise_signal(signal.SIGINT)
        return original(self, model, batch)

    with monkeypatch.context() as patched:
        patched.setattr(ViterbiTraining, "_loss", stopping)
        with pytest.raises(TrainingInterrupted, match="resume=True"):
            train_reader(tmp_path / "part", **options)
    again = train_reader(tmp_path / "part", resume=True, **options)
    assert same_run(whole, again)


def test_stopped_while_it_aligns_it_goes_on(tmp_path):
    items = categorical_items(np.random.default_rng(0), 9, 4, 0)
    calls = []

    def run(directory, stop_at=None, resume=False):
        def counted(model, batch):
            calls.append(None)
            if stop_at is not None and len(calls) == stop_at:
                signal.raise_signal(signal.SIGINT)
            return emissions(model, batch)

        calls.clear()
        model = Categorical(4, seed=5)
        training = ViterbiTraining(
            model, counted, Counting(model.parameters(), 1.0), settled=None,
            directory=directory, progress=False,
        )  # fmt: skip
        history = training.fit(Loader(items, 3, collate=collate), epochs=3, resume=resume)
        return model, history, training.alignments

    whole = run(tmp_path / "whole")
    count = len(calls)
    assert count == 3 + 3 * 6
    for stop_at in range(1, count + 1):
        directory = tmp_path / str(stop_at)
        with pytest.raises(TrainingInterrupted):
            run(directory, stop_at)
        again = run(directory, resume=True)
        assert same_run(whole, again), stop_at
        assert all(map(np.array_equal, whole[2], again[2])), stop_at


def test_what_is_resumed_must_have_its_alignments(tmp_path):
    train_reader(tmp_path, epochs=3)
    file = tmp_path / "alignments.safetensors"
    arrays, meta = load_tensors(file)
    assert meta["round"] == 1 and len(arrays["lengths"]) == 12
    faults = {
        "is of round 7, not 1": (arrays, {**meta, "round": 7}),
        "is of 11 items, not 12": ({**arrays, "lengths": arrays["lengths"][:11]}, meta),
        "does not hold alignments": ({"states": arrays["states"]}, meta),
    }
    for message, (changed, about) in faults.items():
        save_tensors(file, changed, about)
        with pytest.raises(CheckpointError, match=message):
            train_reader(tmp_path, epochs=3, resume=True)
    file.unlink()
    with pytest.raises(CheckpointError, match=r"alignments\.safetensors"):
        train_reader(tmp_path, epochs=3, resume=True)


def test_curves_show_the_rounds(tmp_path):
    pytest.importorskip("matplotlib", reason="needs matplotlib (unrolled[plot])")
    from unrolled import plot

    items = categorical_items(np.random.default_rng(0), 9, 4, 0)
    model = Categorical(4, seed=5)
    training = ViterbiTraining(
        model, emissions, Counting(model.parameters(), 1.0), epochs_per_round=2, progress=False
    )
    history = training.fit(Loader(items, 9, collate=collate), epochs=4)
    figure = plot.curves(history, tmp_path / "rounds.png")
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert len(titles) == 3 and "frames that changed state (%)" in " ".join(titles)
    assert (tmp_path / "rounds.png").read_bytes().startswith(b"\x89PNG")


def test_the_example_of_the_page_runs_as_printed(tmp_path):
    from test_documentation import DOCS, blocks, run

    (example,) = blocks("python", DOCS / "viterbi-training.md")
    lines = run(example, tmp_path).splitlines()
    assert [line.split(":")[0] for line in lines] == [f"round {k}" for k in range(1, 6)]
    assert float(lines[-1].split()[2].rstrip(",")) > float(lines[0].split()[2].rstrip(","))
