"""The usual recipe of training: AdamW, a one-cycle learning rate, gradients clipped to norm 1."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from unrolled import random
from unrolled.data import Loader
from unrolled.nn import Module
from unrolled.optim import AdamW
from unrolled.optim.lr_schedule import OneCycle
from unrolled.training import History, Trainer

WARMUP = 0.15  # share of the steps in which the learning rate rises


def train_one_cycle(
    model: Module,
    loss: Callable[[Any, Any], Any],
    train: Loader,
    valid: Loader | None = None,
    *,
    epochs: int,
    learning_rate: float,
    weight_decay: float,
    evaluate: Callable[[Any, Any], dict[str, float]] | None = None,
    directory: str | os.PathLike[str] | None = None,
    resume: bool = False,
    seed: int = 0,
    trainer: Callable[..., Trainer] = Trainer,
    **options: Any,
) -> History:
    """Train a model; the learning rate rises, then falls to 0 over all epochs.

    Parameters
    ----------
    model : Module
    loss, evaluate, directory
        As in `unrolled.Trainer`; `evaluate` is for `valid`.
    train, valid : Loader
    epochs : int
        Times that all items are seen. A run is resumed with the same number, for another one
        would have another learning rate at every step.
    learning_rate, weight_decay : float
        The highest of the cycle, and that of AdamW.
    resume : bool
        Go on from the checkpoint in `directory`.
    seed : int
        Of dropout.
    trainer : callable
        `unrolled.Trainer`, or a subclass; `loss` is its second argument.
    **options
        Further arguments of `trainer`.

    Raises
    ------
    NonFiniteError, TrainingInterrupted, CheckpointError, OSError
        As `unrolled.Trainer.fit`.
    """
    random.manual_seed(seed)
    run = trainer(
        model,
        loss,
        AdamW(model.parameters(), learning_rate, weight_decay=weight_decay),
        schedule=OneCycle(learning_rate, max(epochs * len(train), 2), pct_start=WARMUP),
        clip_norm=1.0,
        directory=directory,
        evaluate=None if valid is None else evaluate,
        **options,
    )
    return run.fit(train, valid, epochs, resume=resume)
