"""Where a training run stands, and the checkpoint that holds all of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled import random
from unrolled._container import one_line
from unrolled.checkpoint import Arrays, CheckpointError, load_tensors, load_weights, save_tensors
from unrolled.training.carried import Carried

if TYPE_CHECKING:
    from unrolled.nn import Module
    from unrolled.optim import Optimizer

_REMEDY = "resume with what it was written with, or start again without resume"


@dataclass
class TrainingState:
    """All that decides how a run goes on, beside model, optimizer and random numbers.

    Attributes
    ----------
    epoch, batch, step
        Epochs completed, batches done of the running one, steps in all.
    batches
        Batches in an epoch, to notice other data at a resume.
    loss_sum, items, seconds
        Of the running epoch: losses times items, items, and wall time.
    rows
        The history of the completed epochs.
    best, stale
        Best monitored value (None before the first), and epochs since it.
    schedule
        What the learning-rate schedule was made with, to notice another at a resume; None where
        that cannot be told.
    tbptt
        How backpropagation is truncated, to notice another way at a resume; None where it is not.
    best_weights
        The model's state dict at the best value; empty when nothing is monitored.
    carried
        What truncated backpropagation carries to the next batch.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    batches: int = 0
    loss_sum: float = 0.0
    items: int = 0
    seconds: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)
    best: float | None = None
    stale: int = 0
    schedule: str | None = None
    tbptt: str | None = None
    best_weights: Arrays = field(default_factory=dict)
    carried: Carried | None = None

    def add_batch(self, loss: float, items: int) -> None:
        """Count a step."""
        self.batch += 1
        self.step += 1
        self.loss_sum += loss * items
        self.items += items

    def begin_epoch(self) -> None:
        """Move on from a completed epoch to the start of the next, which carries nothing."""
        self.epoch += 1
        self.carried = None
        self.batch, self.loss_sum, self.items, self.seconds = 0, 0.0, 0, 0.0


def save_training(path: Path, state: TrainingState, model: Module, optimizer: Optimizer) -> None:
    """Write a checkpoint from which `load_training` goes on with the same bits.

    Raises
    ------
    NonFiniteError
        If a weight, a buffer or the optimizer's state is not finite.
    OSError
        If it cannot be written; the one before is kept.
    """
    carried, carried_arrays = (None, {}) if state.carried is None else state.carried.to_checkpoint()
    apart = ("best_weights", "carried")
    meta = {
        "kind": "training",
        "config": model.config(),
        "optimizer": type(optimizer).__name__,
        "optimizer_scalars": optimizer.state_scalars(),
        "random": random.get_state(),
        "state": {name: value for name, value in vars(state).items() if name not in apart},
        "carried": carried,
    }
    arrays = {
        **_prefixed("model", model.state_dict()),
        **_prefixed("optimizer", optimizer.state_arrays()),
        **_prefixed("best", state.best_weights),
        **_prefixed("carried", carried_arrays),
    }
    save_tensors(path, arrays, meta)


def load_training(path: Path, model: Module, optimizer: Optimizer) -> TrainingState:
    """Bring model, optimizer and the random numbers to where `save_training` was called.

    Raises
    ------
    CheckpointError
        If the file is missing or damaged, or belongs to another model or kind of optimizer.
    """
    arrays, meta = load_tensors(path)
    if not isinstance(meta, dict) or meta.get("kind") != "training":
        raise CheckpointError(path, "does not hold a training run", "give the run's folder")
    if meta.get("config") != json.loads(json.dumps(model.config())):
        raise CheckpointError(path, "belongs to another model", _REMEDY)
    if meta.get("optimizer") != type(optimizer).__name__:
        raise CheckpointError(path, f"belongs to the optimizer {meta.get('optimizer')}", _REMEDY)
    load_weights(path, model, _unprefixed("model", arrays))
    try:
        optimizer.load_state(_unprefixed("optimizer", arrays), meta["optimizer_scalars"])
        random.set_state(meta["random"])
        state = _parse_state(meta["state"], _unprefixed("best", arrays))
        if meta.get("carried") is not None:
            state.carried = Carried.from_checkpoint(meta["carried"], _unprefixed("carried", arrays))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        fault = f"does not fit this run ({one_line(error)})"
        raise CheckpointError(path, fault, _REMEDY) from error
    return state


def _parse_state(values: dict[str, Any], best_weights: Arrays) -> TrainingState:
    state = TrainingState(**values, best_weights=best_weights)
    counts = (state.epoch, state.batch, state.step, state.batches, state.items, state.stale)
    sums = (state.loss_sum, state.seconds, 0.0 if state.best is None else state.best)
    if not (
        all(type(count) is int and count >= 0 for count in counts)
        and all(type(number) is float for number in sums)
        and isinstance(state.schedule, (str, type(None)))
        and isinstance(state.tbptt, (str, type(None)))
        and isinstance(state.rows, list)
        and all(isinstance(row, dict) for row in state.rows)
    ):
        raise ValueError("counts, sums or history of the wrong type")
    return state


def _prefixed(prefix: str, arrays: Arrays) -> Arrays:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def _unprefixed(prefix: str, arrays: Arrays) -> Arrays:
    start = f"{prefix}/"
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}
