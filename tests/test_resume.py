"""Killed anywhere and resumed, training ends with the same bits as when left alone."""

import os
import random as stdlib_random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tiny_training
from tiny_training import EPOCHS, digest, make_loaders, make_trainer
from unrolled import nn, optim, random
from unrolled.checkpoint import CheckpointError, load_tensors, save_tensors
from unrolled.optim.lr_schedule import Cosine
from unrolled.training import History, TrainingInterrupted


class Killed(BaseException):
    """Ends a run at once, as SIGKILL would: nothing catches it."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Digest and folder of a run that was left alone."""
    folder = tmp_path_factory.mktemp("undisturbed")
    trainer = make_trainer(folder)
    return digest(trainer, trainer.fit(*make_loaders(), epochs=EPOCHS)), folder


@pytest.fixture
def no_sync(monkeypatch):
    """Do not wait for the disk where nothing but the order of operations is tested."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def finish(folder, **options):
    """Resume in a folder; nothing but its files may tell how. Returns the digest."""
    trainer = make_trainer(folder, **options)
    if (folder / "training.safetensors").exists():
        random.manual_seed(99)
        for parameter in trainer.model.parameters():
            parameter.data += 1
    return digest(trainer, trainer.fit(*make_loaders(), epochs=EPOCHS, resume=True))


def contents(folder):
    """All that the files say, but for the seconds."""
    arrays, meta = load_tensors(folder / "training.safetensors")
    rows = History.from_csv(folder / "history.csv").rows
    for timed in [*rows, *meta["state"]["rows"], meta["state"]]:
        del timed["seconds"]
    stored = {name: array.tobytes() for name, array in arrays.items()}
    return stored, meta, rows, (folder / "model.safetensors").read_bytes()


def acting_at(call, act):
    """The tiny loss, with something happening in its n-th call."""
    calls = []

    def loss(model, batch):
        calls.append(None)
        if len(calls) == call:
            act()
        return tiny_training.loss(model, batch)

    return loss


def kill():
    raise Killed


CALLS = EPOCHS * (6 + 3)  # training and validation batches


@pytest.mark.parametrize("every", [4, None])
def test_killed_in_any_batch(tmp_path, undisturbed, no_sync, every):
    for call in range(1, CALLS + 1):
        folder = tmp_path / str(call)
        trainer = make_trainer(folder, checkpoint_every=every)
        trainer.loss = acting_at(call, kill)
        with pytest.raises(Killed):
            trainer.fit(*make_loaders(), epochs=EPOCHS)
        assert finish(folder) == undisturbed[0], f"killed in call {call}"
        assert contents(folder) == contents(undisturbed[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_any_batch(tmp_path, undisturbed, no_sync, number):
    for call in range(1, CALLS + 1):
        folder = tmp_path / str(call)
        trainer = make_trainer(folder)
        trainer.loss = acting_at(call, lambda: signal.raise_signal(number))
        with pytest.raises(TrainingInterrupted):
            trainer.fit(*make_loaders(), epochs=EPOCHS)
        assert finish(folder) == undisturbed[0], f"interrupted in call {call}"


def test_killed_in_any_file_operation(tmp_path, undisturbed, no_sync, monkeypatch):
    """Cleaning up does not happen either: the temporary file of a killed run stays behind."""
    for number in range(1, 1000):
        folder = tmp_path / str(number)
        with monkeypatch.context() as patch:
            calls = dying_at(number, patch)
            try:
                make_trainer(folder).fit(*make_loaders(), epochs=EPOCHS)
            except Killed:
                pass
            else:
                break
        assert finish(folder) == undisturbed[0], f"killed in operation {number}, {calls[-1]}"
        assert sorted(os.listdir(folder)) == sorted(os.listdir(undisturbed[1]))
    assert number > 4 * 8  # eight files were written, each with four operations or more


def dying_at(number, patch):
    """Let the process die in the n-th file operation, halfway through if it is a write."""
    calls = []

    def dying(name, function):
        def call(*arguments):
            calls.append(name)
            if len(calls) > number:
                raise Killed  # the dead do not clean up
            if len(calls) == number:
                if name == "write":
                    function(arguments[0], arguments[1][: len(arguments[1]) // 2])
                raise Killed
            return function(*arguments)

        return call

    for name in ("write", "fsync", "replace", "unlink"):
        patch.setattr(os, name, dying(name, getattr(os, name)))
    return calls


def test_a_full_disk_stops_the_run_and_not_the_next(tmp_path, undisturbed, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    trainer = make_trainer(tmp_path, checkpoint_every=1)
    with monkeypatch.context() as patch:
        trainer.loss = acting_at(15, lambda: patch.setattr(os, "write", full))
        with pytest.raises(OSError, match="No space left on device, writing"):
            trainer.fit(*make_loaders(), epochs=EPOCHS)
    assert load_tensors(tmp_path / "training.safetensors")[1]["state"]["step"] > 0
    assert finish(tmp_path) == undisturbed[0]


# Real processes and real signals

PROGRAM = Path(tiny_training.__file__)


def start(folder, pause):
    """Start the tiny run in a process of its own and wait until its first step."""
    command = [sys.executable, str(PROGRAM), str(folder), str(pause)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "started\n", process.communicate()[1]
    return process


def test_killed_ten_times_by_the_system(tmp_path, undisturbed):
    """A batch takes 0.04 s or more, so that no life gets further than two of the 18 steps."""
    moments = stdlib_random.Random(1)
    steps = []
    for _ in range(10):
        with start(tmp_path, pause=0.01) as process:
            time.sleep(0.05 * moments.random())
            process.kill()
        assert process.returncode == -signal.SIGKILL
        steps.append(load_tensors(tmp_path / "training.safetensors")[1]["state"]["step"])
    assert steps == sorted(steps) and 0 < steps[-1] < EPOCHS * 6, steps
    with start(tmp_path, pause=0) as process:
        out, err = process.communicate(timeout=60)
    assert out.strip() == undisturbed[0], err
    assert contents(tmp_path) == contents(undisturbed[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal_from_outside(tmp_path, undisturbed, number):
    with start(tmp_path, pause=0.02) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert out == "" and process.returncode == 1
    assert f"TrainingInterrupted: stopped by {number.name} after step" in err
    assert f"saved in {tmp_path / 'training.safetensors'}" in err
    assert finish(tmp_path) == undisturbed[0]


# Going on from what is there


def test_more_epochs_go_on_where_fewer_ended(tmp_path, undisturbed):
    for epochs in (1, 3, EPOCHS):
        trainer = make_trainer(tmp_path)
        history = trainer.fit(*make_loaders(), epochs=epochs, resume=True)
        assert len(history) == epochs
    assert digest(trainer, history) == undisturbed[0]


@pytest.mark.parametrize("epochs", [EPOCHS, 2])
def test_a_finished_run_returns_at_once(undisturbed, epochs):
    trainer = make_trainer(undisturbed[1])
    trainer.loss = acting_at(1, kill)
    before = contents(undisturbed[1])
    assert (
        digest(trainer, trainer.fit(*make_loaders(), epochs=epochs, resume=True))
        == (undisturbed[0])
    )
    assert contents(undisturbed[1]) == before


def test_early_stopping_counts_on(tmp_path):
    """Patience used up before the kill stays used up; a larger one goes on."""
    options = {"monitor": "score", "evaluate": lambda *_: {"score": 1.0}}
    for patience, epochs in ((2, 3), (2, 3), (4, 5)):
        trainer = make_trainer(tmp_path, patience=patience, **options)
        assert len(trainer.fit(*make_loaders(), epochs=9, resume=True)) == epochs


def test_no_checkpoint_starts_fresh_and_says_so(tmp_path, undisturbed, capsys):
    trainer = make_trainer(tmp_path / "new", progress=None)
    history = trainer.fit(*make_loaders(), epochs=EPOCHS, resume=True)
    assert digest(trainer, history) == undisturbed[0]
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"no checkpoint in {tmp_path / 'new'}: training starts fresh"
    assert len(said) == 1 + EPOCHS
    make_trainer(tmp_path / "new", progress=None).fit(*make_loaders(), epochs=EPOCHS, resume=True)
    assert f"{EPOCHS} epochs and 0 batches done" in capsys.readouterr().err


def test_without_resume_the_folder_is_used_afresh(tmp_path, undisturbed):
    make_trainer(tmp_path, schedule=None).fit(*make_loaders(), epochs=2)
    trainer = make_trainer(tmp_path)
    assert digest(trainer, trainer.fit(*make_loaders(), epochs=EPOCHS)) == undisturbed[0]
    assert contents(tmp_path) == contents(undisturbed[1])


# Checkpoints that do not fit


@pytest.fixture
def halfway(tmp_path):
    """A folder whose run stopped in the middle of an epoch."""
    trainer = make_trainer(tmp_path)
    trainer.loss = acting_at(3, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(TrainingInterrupted):
        trainer.fit(*make_loaders(), epochs=EPOCHS)
    return tmp_path


def assert_not_resumed(trainer, fault, train=None):
    before = trainer.model.state_dict()
    with pytest.raises(CheckpointError, match=fault) as caught:
        trainer.fit(train or make_loaders()[0], epochs=EPOCHS, resume=True)
    assert str(trainer.directory) in str(caught.value) and "\n" not in str(caught.value)
    return before


def test_another_model_is_refused(halfway):
    trainer = make_trainer(halfway)
    trainer.model = tiny_training.TinyNet(channels=3)
    assert_not_resumed(trainer, "belongs to another model")


def test_another_precision_is_refused(halfway):
    trainer = make_trainer(halfway)
    trainer.model.double()
    assert_not_resumed(trainer, "does not fit the model .*float32")


def test_another_optimizer_is_refused(halfway):
    trainer = make_trainer(halfway)
    trainer.optimizer = optim.SGD(trainer.model.parameters(), 0.1)
    assert_not_resumed(trainer, "belongs to the optimizer Adam")


def test_another_schedule_is_refused(halfway):
    """One that falls over more epochs has other learning rates from the first step on."""
    longer = Cosine(lr=0.02, total_steps=EPOCHS * 7, warmup_steps=5)
    trainer = make_trainer(halfway, schedule=longer)
    assert_not_resumed(trainer, r"total_steps=18,.*, not .*total_steps=21,.*the same epochs, batch")


def test_a_function_may_take_the_schedules_place(halfway, undisturbed):
    assert finish(halfway, schedule=lambda step: tiny_training.SCHEDULE(step)) == undisturbed[0]
    assert load_tensors(halfway / "training.safetensors")[1]["state"]["schedule"] is None


def test_fewer_parameters_in_the_optimizer_are_refused(halfway):
    trainer = make_trainer(halfway)
    trainer.optimizer = optim.Adam(trainer.model.output.parameters())
    assert_not_resumed(trainer, "does not fit this run")


def test_another_number_of_batches_is_refused_within_an_epoch(halfway):
    train, _ = make_loaders()
    train.batch_size = 8
    assert_not_resumed(make_trainer(halfway), "within an epoch of 6 batches, not 3", train)


def test_a_damaged_checkpoint_is_refused(halfway):
    file = halfway / "training.safetensors"
    data = bytearray(file.read_bytes())
    data[-10] ^= 1
    file.write_bytes(data)
    assert_not_resumed(make_trainer(halfway), "damaged")


def test_a_model_is_no_training_run(halfway):
    trainer = make_trainer(halfway)
    trainer.model.save(halfway / "training.safetensors")
    assert_not_resumed(trainer, "does not hold a training run")


@pytest.mark.parametrize(
    "changes",
    [
        {"state": None},
        {"state": {"epoch": 0}, "random": {}},
        {"random": {"bit_generator": "MT19937"}},
        {"optimizer_scalars": {}},
        {"optimizer_scalars": None},
    ],
)
def test_hostile_values_are_refused(halfway, changes):
    file = halfway / "training.safetensors"
    arrays, meta = load_tensors(file)
    save_tensors(file, arrays, meta | changes)
    assert_not_resumed(make_trainer(halfway), "does not fit this run")


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch": -1},
        {"step": 1.5},
        {"batch": "2"},
        {"rows": [1]},
        {"best": True},
        {"schedule": 1},
        {"more": 1},
    ],
)
def test_hostile_states_are_refused(halfway, changes):
    file = halfway / "training.safetensors"
    arrays, meta = load_tensors(file)
    save_tensors(file, arrays, meta | {"state": meta["state"] | changes})
    assert_not_resumed(make_trainer(halfway), "does not fit this run")


def test_what_is_saved_is_all_that_matters(halfway):
    """Every array of the run is in the file, under a name that says what it is."""
    arrays, meta = load_tensors(halfway / "training.safetensors")
    assert {name.partition("/")[0] for name in arrays} == {"model", "optimizer"}
    assert meta["state"]["batch"] == 3 and meta["random"] and meta["optimizer"] == "Adam"
    assert isinstance(nn.build(meta["config"]), tiny_training.TinyNet)
    assert np.isfinite(meta["state"]["loss_sum"])
