"""The training loop: progress, validation, early stopping, checkpoints, exact resume."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unrolled._files import claimed
from unrolled.checkpoint import CheckpointError
from unrolled.data import Loader
from unrolled.training.history import History
from unrolled.training.interrupts import StopRequest
from unrolled.training.run import TrainingRun
from unrolled.training.tbptt import TBPTT

if TYPE_CHECKING:
    from unrolled.nn import Module
    from unrolled.optim import Optimizer
    from unrolled.training.callback import Callback

__all__ = ["Trainer"]

LOCK_FILE = ".training.lock"


class Trainer:
    """Trains a model, and can be killed at any moment: it loses the steps since a checkpoint.

    Parameters
    ----------
    model : Module
    loss : callable
        ``loss(model, batch)`` returns a scalar `Tensor`, the mean over the items of the batch.
    optimizer : Optimizer
        Of the model's parameters.
    tbptt : TBPTT, optional
        Cuts the batches in time: several steps of the optimizer a batch, all with one learning
        rate, and ``loss(model, window, state)`` returns a loss and a state, as `TBPTT` describes.
        States are carried through an epoch, and begin anew with the next.
    schedule : callable, optional
        ``schedule(step)`` returns the learning rate of a step, counted from 0.
    clip_norm : float, optional
        Gradients are scaled down to at most this global norm.
    directory : path, optional
        Where to write ``training.safetensors`` (all that resuming needs), ``model.safetensors``
        (the best model by `monitor`, else the last) and ``history.csv``.
    checkpoint_every : int, optional
        Steps between checkpoints; one is written after every epoch in any case.
    patience : int, optional
        Stop after so many epochs without a better `monitor`.
    monitor : str
        The column of the history that decides which epoch is best.
    mode : {"min", "max"}
        Whether lower or higher is better.
    evaluate : callable, optional
        ``evaluate(model, valid)`` returns further figures of the validation data as a dict of
        floats; runs in evaluation mode and without the tape.
    callbacks : sequence of Callback
        Watch the steps, such as `unrolled.dynamics.GradientMonitor`.
    progress : bool, optional
        True: a progress bar on stderr and a line an epoch; None: the bar only when that is a
        terminal; False: silence.

    Examples
    --------
    >>> from unrolled import data, nn, optim
    >>> model = nn.Linear(1, 1)
    >>> def loss(model, batch):
    ...     return ((model(batch) - 2.0 * batch) ** 2).mean()
    >>> trainer = Trainer(model, loss, optim.SGD(model.parameters(), lr=0.1))
    >>> train = data.Loader([[0.5], [1.0], [-1.0]], batch_size=3)
    >>> history = trainer.fit(train, epochs=40)
    >>> history.rows[-1]["train_loss"] < 1e-3
    True
    """

    def __init__(
        self,
        model: Module,
        loss: Callable[..., Any],
        optimizer: Optimizer,
        *,
        tbptt: TBPTT | None = None,
        schedule: Callable[[int], float] | None = None,
        clip_norm: float | None = None,
        directory: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        patience: int | None = None,
        monitor: str = "valid_loss",
        mode: Literal["min", "max"] = "min",
        evaluate: Callable[[Any, Any], Mapping[str, float]] | None = None,
        callbacks: Sequence[Callback] = (),
        progress: bool | None = None,
    ) -> None:
        if clip_norm is not None and not clip_norm > 0:
            raise ValueError(f"clip_norm must be above 0, not {clip_norm}")
        if not isinstance(tbptt, (TBPTT, type(None))):
            raise TypeError(f"tbptt must be TBPTT(k1, k2), not {type(tbptt).__name__}")
        if checkpoint_every is not None:
            require_count("checkpoint_every", checkpoint_every)
        if patience is not None:
            require_count("patience", patience)
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be 'min' or 'max', not {mode!r}")
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.tbptt = tbptt
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.directory = None if directory is None else Path(directory)
        self.checkpoint_every = checkpoint_every
        self.patience = patience
        self.monitor = monitor
        self.mode = mode
        self.evaluate = evaluate
        self.callbacks = tuple(callbacks)
        self.progress = progress

    def fit(
        self, train: Loader, valid: Loader | None = None, epochs: int = 1, resume: bool = False
    ) -> History:
        """Train for a number of epochs in all, and keep the best weights.

        Ctrl-C and SIGTERM finish the running step, save and raise `TrainingInterrupted`; a
        second one does not wait. Afterwards the model is in evaluation mode and, when `monitor`
        was measured, has the weights of the best epoch.

        Parameters
        ----------
        train : Loader
            Its batches are the steps of an epoch.
        valid : Loader, optional
            Measured after every epoch, always in the same order.
        epochs : int
            Epochs in all: those of the run that is resumed count. A schedule that falls over a
            planned number of steps is resumed with the same number of epochs.
        resume : bool
            Go on from ``training.safetensors`` in `directory` with the same bits as if never
            stopped. Without that file training starts fresh and says so.

        Returns
        -------
        History

        Raises
        ------
        NonFiniteError
            If a loss, a gradient or the monitored figure is NaN or infinite; names step and
            tensor. The model is as before the step, the last checkpoint as it was.
        CheckpointError
            If the checkpoint is damaged or belongs to another model, optimizer, schedule of the
            learning rate or number of batches, or if another run uses `directory`.
        TrainingInterrupted
            After Ctrl-C or SIGTERM.
        OSError
            If a checkpoint cannot be written; the last one is kept.
        """
        self._check_data(train, valid, epochs, resume)
        with contextlib.ExitStack() as stack:
            if self.directory is not None:
                stack.enter_context(_claimed(self.directory))
            stop = stack.enter_context(StopRequest())
            run = self._new_run(train, valid, epochs, stop)
            if not (resume and run.restore()):
                run.start()
            return run.finish()

    def _new_run(
        self, train: Loader, valid: Loader | None, epochs: int, stop: StopRequest
    ) -> TrainingRun:
        return TrainingRun(self, train, valid, epochs, stop)

    def _check_data(self, train: Any, valid: Any, epochs: int, resume: bool) -> None:
        require_count("epochs", epochs)
        for name, loader in (("train", train), ("valid", train if valid is None else valid)):
            if not isinstance(loader, Loader):
                found = type(loader).__name__
                raise TypeError(f"{name} must be an unrolled.data.Loader, not {found}")
        if self.patience is not None and valid is None and self.monitor == "valid_loss":
            raise ValueError("patience needs valid, or a monitor that needs no validation data")
        if self.evaluate is not None and valid is None:
            raise ValueError("evaluate needs valid")
        if resume and self.directory is None:
            raise ValueError("resume needs the directory that the run to go on with has written")


@contextlib.contextmanager
def _claimed(directory: Path) -> Iterator[None]:
    """Keep other training runs out of the directory."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(claimed(directory / LOCK_FILE))
        except BlockingIOError as error:
            fault = f"in use by another training run ({error.strerror})"
            remedy = "wait for that run to end, or give another directory"
            raise CheckpointError(directory, fault, remedy) from None
        yield


def require_count(name: str, value: Any) -> None:
    """Raise unless `value` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}")
