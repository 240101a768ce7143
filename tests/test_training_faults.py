"""Training that goes wrong: numbers that are not finite, interruptions, two runs in a folder."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest

import tiny_training
from line_fit import DATA, fit_line, squared_error
from tiny_training import make_loaders, make_trainer
from unrolled.autograd import Function
from unrolled.checkpoint import CheckpointError, load_tensors
from unrolled.data import Loader
from unrolled.training import NonFiniteError, TrainingInterrupted

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
