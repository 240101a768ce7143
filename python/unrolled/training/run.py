"""One run of a `Trainer`: the loop over epochs and batches."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from unrolled import random
from unrolled.autograd import no_grad
from unrolled.checkpoint import CheckpointError, NonFiniteError, require_finite, save_model
from unrolled.training.history import History
from unrolled.training.interrupts import StopRequest
from unrolled.training.state import TrainingState, load_training, save_training
from unrolled.training.step import scalar, take_step

if TYPE_CHECKING:
    from unrolled.data import Loader
    from unrolled.training import Trainer

TRAINING_FILE = "training.safetensors"
HISTORY_FILE = "history.csv"

_COLUMNS = {"epoch", "step", "train_loss", "valid_loss", "learning_rate", "seconds"}


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM ended training; the message says where it is saved and how to go on."""


class TrainingRun:
    """One call of `Trainer.fit`: its data, where it stands, and the loop."""

    def __init__(
        self, trainer: Trainer, train: Loader, valid: Loader | None, epochs: int, stop: StopRequest
    ) -> None:
        self.trainer = trainer
        self.model = trainer.model
        self.optimizer = trainer.optimizer
        self.directory = trainer.directory
        self.train = train
        self.valid = valid
        self.epochs = epochs
        self.stop = stop
        self.state = TrainingState(
            batches=len(train),
            schedule=_described(trainer.schedule),
            tbptt=None if trainer.tbptt is None else repr(trainer.tbptt),
        )
        self.clock = time.perf_counter()

    def start(self) -> None:
        """Write the first checkpoint, so that even a run killed in its first steps can resume."""
        self._save()

    def restore(self) -> bool:
        """Go to where the directory's checkpoint stands; False if there is none."""
        assert self.directory is not None
        file = self.directory / TRAINING_FILE
        if not file.exists():
            self._say(f"no checkpoint in {self.directory}: training starts fresh")
            return False
        state = load_training(file, self.model, self.optimizer)
        if state.batch > 0 and state.batches != len(self.train):
            fault = f"stopped within an epoch of {state.batches} batches, not {len(self.train)}"
            raise CheckpointError(file, fault, "resume with the same data and batch size")
        schedule = self.state.schedule
        if state.schedule is not None and schedule not in (None, state.schedule):
            fault = f"its learning rate follows {state.schedule}, not {schedule}"
            remedy = (
                "resume with the same epochs, batch size and learning rate; to train on from "
                "where it ended, load the model and fit it in another directory"
            )
            raise CheckpointError(file, fault, remedy)
        if state.tbptt != self.state.tbptt:
            fault = f"its truncation in time is {state.tbptt}, not {self.state.tbptt}"
            raise CheckpointError(file, fault, "resume with the same tbptt")
        state.batches, state.schedule = len(self.train), schedule
        self.state = state
        self._say(f"resuming from {file}: {state.epoch} epochs and {state.batch} batches done")
        return True

    def finish(self) -> History:
        """Train until the epochs or the patience are used up."""
        with self._open_bar() as self.bar:
            while not self._is_finished():
                self._train_epoch()
                metrics = self._validate()
                self._stop_if_asked()
                self._complete_epoch(metrics)
                self._stop_if_asked()
        if self.state.best_weights:
            self.model.load_state_dict(self.state.best_weights)
        self.model.eval()
        return History(self.state.rows)

    def _is_finished(self) -> bool:
        patience = self.trainer.patience
        return self.state.epoch >= self.epochs or (
            patience is not None and self.state.stale >= patience
        )

    def _train_epoch(self) -> None:
        state, every = self.state, self.trainer.checkpoint_every
        self.model.train()
        self.bar.set_description(f"epoch {state.epoch + 1}/{self.epochs}")
        for batch, items in _batches_with_items(self.train, state.epoch, state.batch):
            with self._watched(state.step + 1):
                self._train_batch(batch, items)
            self._stop_if_asked()
            if every is not None and state.step % every == 0:
                self._save()
        remedy = f"lower the learning rate ({self.optimizer.lr:g}) or set clip_norm"
        require_finite(self.model.state_dict(), f"after step {state.step}: {remedy}")

    @contextlib.contextmanager
    def _watched(self, step: int) -> Iterator[None]:
        """Let the callbacks enclose a step."""
        with contextlib.ExitStack() as stack:
            for callback in self.trainer.callbacks:
                stack.enter_context(callback.around_step(self.model, step))
            yield

    def _train_batch(self, batch: Any, items: list[int]) -> None:
        trainer, state = self.trainer, self.state
        lr = self.optimizer.lr if trainer.schedule is None else trainer.schedule(state.step)
        place = f"epoch {state.epoch + 1}, batch {state.batch + 1}, items {_shortened(items)}"
        settings: dict[str, Any] = {
            "lr": lr,
            "clip_norm": trainer.clip_norm,
            "where": f"step {state.step + 1} ({place})",
        }
        run = self.model, trainer.loss, self.optimizer, batch
        if trainer.tbptt is None:
            loss = take_step(*run, **settings)
        else:
            loss, state.carried = trainer.tbptt.train_batch(*run, state.carried, **settings)
        state.add_batch(loss, len(items))
        self.bar.set_postfix(loss=f"{loss:.4g}", learning_rate=f"{lr:.3g}", refresh=False)
        self.bar.update()

    def _validate(self) -> dict[str, float]:
        """Measure the validation data without moving the random numbers of training."""
        if self.valid is None:
            return {}
        self.model.eval()
        before = random.get_state()
        try:
            with no_grad():
                return self._measure(self.valid)
        finally:
            random.set_state(before)

    def _measure(self, valid: Loader) -> dict[str, float]:
        loss_sum, count, carried = 0.0, 0, None
        loss, tbptt, evaluate = self.trainer.loss, self.trainer.tbptt, self.trainer.evaluate
        for batch, items in _batches_with_items(valid, epoch=0):
            if self.stop.signal is not None:
                return {}
            if tbptt is None:
                value = scalar(loss(self.model, batch))
            else:
                value, carried = tbptt.measure_batch(self.model, loss, batch, carried)
            loss_sum += len(items) * value
            count += len(items)
        metrics = {} if evaluate is None else evaluate(self.model, valid)
        taken = sorted(_COLUMNS & metrics.keys())
        if taken:
            raise ValueError(f"evaluate must not return {taken}, which the history has already")
        return {"valid_loss": loss_sum / count, **{k: float(v) for k, v in metrics.items()}}

    def _complete_epoch(self, metrics: dict[str, float]) -> None:
        """Add the epoch to the history and write all files, the training checkpoint last.

        A run killed between two of the files thus repeats the end of the epoch.
        """
        state = self.state
        state.seconds += self._lap()
        row = {
            "epoch": state.epoch + 1,
            "step": state.step,
            "train_loss": state.loss_sum / state.items,
            **metrics,
            "learning_rate": self.optimizer.lr,
            "seconds": state.seconds,
        }
        is_best = self._track_best(row)
        state.rows.append(row)
        state.begin_epoch()
        if self.directory is not None:
            if is_best:
                save_model(self.model, self.directory)
            History(state.rows).to_csv(self.directory / HISTORY_FILE)
        self._save()
        if self.trainer.progress is not False:  # without a terminal these lines are the log
            figures = ", ".join(f"{name} {value:.4g}" for name, value in row.items())
            self.bar.write(figures, file=sys.stderr)

    def _track_best(self, row: dict[str, Any]) -> bool:
        """Return whether the model is the best so far; without a monitor the last one is."""
        state, monitor = self.state, self.trainer.monitor
        if self.valid is None and monitor == "valid_loss":
            return True
        if monitor not in row:
            raise ValueError(f"monitor is {monitor!r}, but the figures are {', '.join(row)}")
        value = row[monitor]
        if not math.isfinite(value):
            raise NonFiniteError(f"{monitor} is {value} after epoch {row['epoch']}")
        sign = 1 if self.trainer.mode == "min" else -1
        if state.best is not None and sign * value >= sign * state.best:
            state.stale += 1
            return False
        state.best, state.stale = float(value), 0
        state.best_weights = self.model.state_dict()
        return True

    def _stop_if_asked(self) -> None:
        if self.stop.signal is None:
            return
        self._save()
        state = self.state
        saved = (
            "nothing is saved, for the Trainer has no directory"
            if self.directory is None
            else f"saved in {self.directory / TRAINING_FILE}; fit(..., resume=True) goes on there"
        )
        raise TrainingInterrupted(
            f"stopped by {self.stop.signal.name} after step {state.step}: {saved}"
        )

    def _save(self) -> None:
        self.state.seconds += self._lap()
        if self.directory is not None:
            save_training(self.directory / TRAINING_FILE, self.state, self.model, self.optimizer)

    def _lap(self) -> float:
        """Return the seconds since the last call."""
        before, self.clock = self.clock, time.perf_counter()
        return self.clock - before

    def _open_bar(self) -> Any:
        from tqdm import tqdm  # slow to import, and of use only here

        progress, batches = self.trainer.progress, len(self.train)
        return tqdm(
            total=self.epochs * batches,
            initial=self.state.epoch * batches + self.state.batch,
            unit="step",
            dynamic_ncols=True,
            disable=None if progress is None else not progress,
        )

    def _say(self, message: str) -> None:
        if self.trainer.progress is not False:
            print(message, file=sys.stderr)


def _described(schedule: Any) -> str | None:
    """Say what a schedule was made with; None of a function, which only has an address."""
    text = repr(schedule)
    return None if schedule is None or " at 0x" in text else text


def _batches_with_items(
    loader: Loader, epoch: int, start: int = 0
) -> Iterator[tuple[Any, list[int]]]:
    """Pair every batch with the positions of its items in the data set."""
    return zip(loader.batches(epoch, start), loader.indices(epoch)[start:], strict=True)


def _shortened(items: list[int]) -> str:
    shown = ", ".join(map(str, items[:8]))
    return f"{shown} and {len(items) - 8} more" if len(items) > 8 else shown
