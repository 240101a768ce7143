import os
import signal
import threading

import numpy as np
import pytest

import tiny_training
from tiny_training import make_loaders, make_trainer
from unrolled import nn, optim, random
from unrolled.autograd import Function, Tensor
from unrolled.checkpoint import CheckpointError, load_model, load_tensors
from unrolled.data import Loader
from unrolled.training import History, NonFiniteError, Trainer, TrainingInterrupted

DATA = [(x, 2.0 * x) for x in (0.5, -1.0, 1.5, 2.0, -0.5)]


class Line(nn.Module):
    def __init__(self, weight=0.0):
        self.weight = nn.Parameter(np.array([weight], np.float64))

    def forward(self, x):
        return self.weight * x


def squared_error(model, batch):
    x, y = batch
    return ((model(x) - y) ** 2).mean()


def fit_line(epochs=1, valid=None, weight=0.0, lr=0.1, loss=squared_error, **options):
    """Train a line through the origin; returns trainer and history."""
    model = Line(weight)
    trainer = Trainer(model, loss, optim.SGD(model.parameters(), lr), progress=False, **options)
    return trainer, trainer.fit(Loader(DATA, 2), valid, epochs)


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


# Numbers that are not finite


class Poison(Function):
    """The identity, with NaN as its gradient."""

    def forward(self, x):
        return x

    def backward(self, grad):
        return grad * np.nan


def everything(trainer):
    """Copies of weights, buffers and optimizer, to compare bit for bit."""
    state = trainer.optimizer.state_scalars()
    arrays = {**trainer.model.state_dict(), **trainer.optimizer.state_arrays()}
    return state, {name: array.tobytes() for name, array in arrays.items()}


def poisoned_run(directory, poison, step):
    """Train until `poison(value, model)` changes the loss of a step; returns all around it."""
    seen = []

    def loss(model, batch):
        before = everything(trainer)
        value = tiny_training.loss(model, batch)
        seen.append(before)
        return poison(value, model) if len(seen) == step else value

    trainer = make_trainer(directory, checkpoint_every=1)
    trainer.loss = loss
    with pytest.raises(NonFiniteError) as caught:
        trainer.fit(*make_loaders(), epochs=4)
    return trainer, seen[-1], str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_changes_nothing(tmp_path, bad):
    trainer, before, message = poisoned_run(tmp_path, lambda value, model: value + bad, step=4)
    assert everything(trainer) == before
    assert f"loss is {bad} at step 4 (epoch 1, batch 4, items " in message
    _, meta = load_tensors(tmp_path / "training.safetensors")
    assert meta["state"]["step"] == 3


def test_a_gradient_that_is_not_finite_changes_nothing(tmp_path):
    def poison(value, model):
        return value + 0.0 * Poison.apply(model.features[0].weight).sum()

    trainer, before, message = poisoned_run(tmp_path, poison, step=5)
    assert everything(trainer) == before
    assert "gradient of features.0.weight is not finite at step 5 (epoch 1, batch 5" in message
    trainer.loss = tiny_training.loss
    assert len(trainer.fit(*make_loaders(), epochs=1, resume=True)) == 1


def test_a_weight_that_is_not_finite_is_named(tmp_path):
    def poison(value, model):
        model.output.bias.data[0] = np.nan
        return value * np.nan

    _, _, message = poisoned_run(tmp_path, poison, step=2)
    assert "loss is nan, with output.bias not finite before the step, at step 2" in message
    arrays, _ = load_tensors(tmp_path / "training.safetensors")
    assert np.isfinite(arrays["model/output.bias"]).all()


def test_weights_that_overflow_are_never_written(tmp_path):
    options = {"schedule": lambda step: 1e308 if step == 2 else 0.0, "directory": tmp_path}
    with pytest.raises(NonFiniteError, match=r"weight holds -inf at index \[0\]; after step 3"):
        fit_line(loss=lambda model, batch: (model.weight * 1e10).sum(), **options)
    arrays, meta = load_tensors(tmp_path / "training.safetensors")
    assert meta["state"]["step"] == 0 and arrays["model/weight"] == 0


def test_a_validation_loss_that_is_not_finite_stops():
    def loss(model, batch):
        value = squared_error(model, batch)
        return value if model.training else value * np.nan

    with pytest.raises(NonFiniteError, match="valid_loss is nan after epoch 1"):
        fit_line(valid=Loader(DATA, 5), loss=loss)


def test_an_error_in_the_loss_leaves_the_running_statistics(tmp_path):
    def loss(model, batch):
        tiny_training.loss(model, batch)
        raise RuntimeError("mine")

    trainer = make_trainer()
    trainer.loss = loss
    before = everything(trainer)
    with pytest.raises(RuntimeError, match="mine"):
        trainer.fit(*make_loaders())
    assert everything(trainer) == before


# Interruptions


def interrupt_at(call, *signals):
    """A loss that gets signals while it is computed for the n-th time."""
    calls = []

    def loss(model, batch):
        calls.append(None)
        if len(calls) == call:
            for number in signals:
                signal.raise_signal(number)
        return squared_error(model, batch)

    return loss


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_and_saves(tmp_path, number):
    before = signal.getsignal(number)
    with pytest.raises(TrainingInterrupted) as caught:
        fit_line(3, loss=interrupt_at(2, number), directory=tmp_path)
    file = tmp_path / "training.safetensors"
    assert str(caught.value) == (
        f"stopped by {number.name} after step 2: saved in {file}; fit(..., resume=True) goes on"
        " there"
    )
    assert isinstance(caught.value, KeyboardInterrupt)
    assert load_tensors(file)[1]["state"]["step"] == 2
    assert signal.getsignal(number) == before


def test_a_second_signal_does_not_wait(tmp_path):
    with pytest.raises(KeyboardInterrupt) as caught:
        fit_line(3, loss=interrupt_at(2, signal.SIGINT, signal.SIGINT), directory=tmp_path)
    assert not isinstance(caught.value, TrainingInterrupted)
    assert load_tensors(tmp_path / "training.safetensors")[1]["state"]["step"] == 0
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_without_a_directory_the_message_says_so():
    with pytest.raises(TrainingInterrupted, match="nothing is saved"):
        fit_line(3, loss=interrupt_at(2, signal.SIGINT))


def test_a_signal_that_the_process_ignores_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _, history = fit_line(2, loss=interrupt_at(2, signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(history) == 2


def test_other_threads_can_train():
    histories = []
    thread = threading.Thread(target=lambda: histories.append(fit_line(2)[1]))
    thread.start()
    thread.join()
    assert len(histories[0]) == 2


# One run in a folder


def test_a_second_run_in_the_folder_is_refused(tmp_path):
    def loss(model, batch):
        with pytest.raises(CheckpointError) as caught:
            fit_line(directory=tmp_path)
        messages.append(str(caught.value))
        return squared_error(model, batch)

    messages = []
    fit_line(directory=tmp_path, loss=loss)
    assert messages[0] == (
        f"{tmp_path}: in use by another training run (claimed by process {os.getpid()}); "
        "wait for that run to end, or give another directory"
    )
    fit_line(directory=tmp_path)  # free again


def test_the_folder_is_free_after_an_error(tmp_path):
    def loss(model, batch):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fit_line(directory=tmp_path, loss=loss)
    fit_line(directory=tmp_path)


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
