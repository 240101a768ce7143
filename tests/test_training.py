"""The trainer: what it learns, writes, keeps and shows, and the arguments it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from line_fit import DATA, Line, fit_line, squared_error
from tiny_training import make_loaders, make_trainer
from unrolled import optim, random
from unrolled.autograd import Tensor
from unrolled.checkpoint import load_model
from unrolled.data import Loader
from unrolled.training import History, Trainer


def scripted(values):
    """An `evaluate` that returns one value after the other."""
    left = iter(values)
    return lambda model, valid: {"score": next(left)}


# What comes out


def test_training_learns_and_writes_its_files(tmp_path):
    trainer = make_trainer(tmp_path / "run", mode="min")
    history = trainer.fit(*make_loaders(), epochs=4)
    assert history.columns == [
        "epoch", "step", "train_loss", "valid_loss", "learning_rate", "seconds",
    ]  # fmt: skip
    assert history.column("epoch") == [1, 2, 3, 4]
    assert history.column("step") == [6, 12, 18, 24]
    assert history.column("valid_loss")[-1] < 0.8 * history.column("valid_loss")[0]
    assert min(history.column("seconds")) > 0
    assert History.from_csv(tmp_path / "run" / "history.csv").rows == history.rows
    found, expected = load_model(tmp_path / "run").state_dict(), trainer.model.state_dict()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    assert not trainer.model.training


def test_losses_weigh_items_not_batches():
    """With a learning rate of 0 both losses are the plain mean over all items."""
    _, history = fit_line(valid=Loader(DATA[:3], 2), lr=0.0)
    assert history.rows[0]["train_loss"] == pytest.approx(np.mean([y * y for _, y in DATA]))
    assert history.rows[0]["valid_loss"] == pytest.approx(np.mean([y * y for _, y in DATA[:3]]))


def test_modes_and_tape():
    seen = []

    def loss(model, batch):
        value = squared_error(model, batch)
        seen.append((model.training, value.requires_grad))
        return value

    fit_line(epochs=2, valid=Loader(DATA, 5), loss=loss)
    assert seen == 2 * (3 * [(True, True)] + [(False, False)])


def test_validation_does_not_move_the_random_numbers_of_training():
    def noisy(model, batch):
        x, y = batch
        return ((model(x) + random.generator().normal() - y) ** 2).mean()

    finals = []
    for valid in (None, Loader(DATA, 5)):
        random.manual_seed(1)
        trainer, history = fit_line(epochs=3, valid=valid, loss=noisy, monitor="train_loss")
        finals.append((history.column("train_loss"), trainer.model.weight.data[0]))
    assert finals[0] == finals[1]


def test_schedule_sets_every_step():
    _, history = fit_line(epochs=2, schedule=lambda step: 0.01 * (step + 1))
    assert history.column("learning_rate") == [0.03, 0.06]


def test_clipping_bounds_the_step():
    model = Line()
    trainer = Trainer(
        model, squared_error, optim.SGD(model.parameters(), 1.0), clip_norm=0.125, progress=False
    )
    trainer.fit(Loader(DATA, 5))
    assert model.weight.data[0] == pytest.approx(0.125)


# Early stopping and the best weights


def test_the_best_weights_come_back_and_training_stops_early(tmp_path):
    valid, weights = Loader(DATA, 5), []

    def evaluate(model, loader):
        weights.append(model.weight.data[0])
        return {"score": [3, 5, 5, 4, 9][len(weights) - 1]}

    trainer, history = fit_line(
        10, valid, monitor="score", mode="max", patience=2, evaluate=evaluate, directory=tmp_path
    )
    assert history.column("score") == [3, 5, 5, 4]
    assert trainer.model.weight.data[0] == weights[1] != weights[3]
    assert load_model(tmp_path).weight.data[0] == weights[1]


def test_lower_is_better_unless_said():
    _, history = fit_line(
        3, Loader(DATA, 5), monitor="score", patience=1, evaluate=scripted([2, 1, 1.5])
    )
    assert len(history) == 3
    _, history = fit_line(
        9, Loader(DATA, 5), monitor="score", patience=1, evaluate=scripted([2, 1, 1.5])
    )
    assert len(history) == 3


def test_without_validation_the_last_weights_stay(tmp_path):
    trainer, history = fit_line(epochs=3, directory=tmp_path)
    assert "valid_loss" not in history.columns
    assert load_model(tmp_path).weight.data[0] == trainer.model.weight.data[0] != 0


def test_figures_of_evaluate_may_not_hide_others():
    with pytest.raises(ValueError, match=r"must not return \['seconds', 'valid_loss'\]"):
        fit_line(valid=Loader(DATA, 5), evaluate=lambda *_: {"valid_loss": 1, "seconds": 2})


def test_an_unknown_monitor_is_named():
    with pytest.raises(ValueError, match="'accuracy', but the figures are epoch, step"):
        fit_line(valid=Loader(DATA, 5), monitor="accuracy")


# What people see


def test_progress_shows_loss_rate_and_time_left(capsys):
    make_trainer(progress=True).fit(*make_loaders(), epochs=2)
    out, err = capsys.readouterr()
    assert out == ""
    for text in ("epoch 2/2", "12/12", "step/s", "loss=", "learning_rate=", "valid_loss 0."):
        assert text in err
    assert "<" in err  # tqdm's [elapsed<left]


def test_without_a_terminal_there_is_a_line_an_epoch_and_no_bar(capsys):
    make_trainer(progress=None).fit(*make_loaders(), epochs=2)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert [line.split(",")[0] for line in lines] == ["epoch 1", "epoch 2"]
    assert all("train_loss" in line and "valid_loss" in line for line in lines)


def test_silence_where_it_is_asked_for(capsys):
    make_trainer(progress=False).fit(*make_loaders())
    assert capsys.readouterr() == ("", "")


# Arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clip_norm": 0}, "clip_norm must be above 0, not 0"),
        ({"clip_norm": np.nan}, "clip_norm must be above 0, not nan"),
        ({"checkpoint_every": 0}, "checkpoint_every must be at least 1, not 0"),
        ({"patience": 1.5}, "patience must be an integer, not float"),
        ({"mode": "least"}, "mode must be 'min' or 'max', not 'least'"),
        ({"patience": 2}, "patience needs valid"),
        ({"evaluate": lambda *_: {}}, "evaluate needs valid"),
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"epochs": "3"}, "epochs must be an integer, not str"),
        ({"valid": DATA}, "valid must be an unrolled.data.Loader, not list"),
        ({"lr": 0.1, "schedule": lambda step: np.nan}, "the learning rate is nan at step 1"),
        ({"loss": lambda m, b: m.weight * np.ones(2)}, r"scalar Tensor, not one of shape \(2,\)"),
        ({"loss": lambda m, b: 0.5}, "must return a scalar Tensor, not float"),
        ({"loss": lambda m, b: Tensor([1.0], requires_grad=True)}, "does not depend on"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fit_line(**options)


def test_resume_needs_a_directory():
    with pytest.raises(ValueError, match="resume needs the directory"):
        make_trainer().fit(*make_loaders(), resume=True)


def test_train_must_be_a_loader():
    with pytest.raises(TypeError, match=r"train must be an unrolled\.data\.Loader, not list"):
        make_trainer().fit(DATA)
