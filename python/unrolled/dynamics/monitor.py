"""Gradients over time while a model trains: recorded, and warned of in words."""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled import nn
from unrolled.dynamics.analysis import log_norms, median_by_frames_back, take_sequences
from unrolled.dynamics.arguments import count, finite, share
from unrolled.dynamics.gradients import backward, last_alone
from unrolled.dynamics.products import horizon
from unrolled.dynamics.recording import Call, record_calls, recurrent_layers
from unrolled.training.callback import Callback

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

__all__ = ["GradientMonitor", "GradientRecord", "GradientWarning"]


class GradientWarning(UserWarning):
    """Gradients explode or vanish on their way through time."""


@dataclass(frozen=True, eq=False)
class GradientRecord:
    """The gradients of one direction of one layer at one step; medians over the sequences.

    Attributes
    ----------
    step : int
    layer, part : str
        The layer's name in the model, and which of its layers and directions.
    gradient : ndarray of float64 (K + 1,)
        Natural logarithm of the norm of dLoss/dh(T-k), k frames back from the last.
    reach : ndarray of float64 (K + 1,)
        The same of what the last frame that the loss sees sends back alone, by the whole state.
    """

    step: int
    layer: str
    part: str
    gradient: Array
    reach: Array


class GradientMonitor(Callback):
    """Records the norms of dLoss/dh(t) of a model's recurrent layers while it trains.

    Give it to a `Trainer`, or to ``fit`` of a model, as one of ``callbacks``. What the loss sends
    to the last frame is followed back alone: where it grows or shrinks too much on its way to the
    first, a `GradientWarning` says so, once for every layer, direction and kind. Dropout is
    left out of what is recorded, as in `analyze`.

    Parameters
    ----------
    every : int
        Steps from one record to the next; the first step is recorded.
    sequences : int
        How many of a batch are looked at.
    vanishing, exploding : float
        Factors over a whole sequence below and above which there is a warning.

    Attributes
    ----------
    records : list of GradientRecord

    Raises
    ------
    TypeError, ValueError
        If a number is out of its range; while training, if the model has no recurrent layer or
        one that cannot be analysed.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled import data, nn, optim, random, training
    >>> random.manual_seed(0)
    >>> model = nn.LSTM(1, 4)
    >>> items = [np.ones((30, 1)), np.zeros((30, 1))]
    >>> monitor = GradientMonitor(vanishing=1e-12)
    >>> trainer = training.Trainer(
    ...     model, lambda model, batch: (model(batch)[0][:, -1] ** 2).mean(),
    ...     optim.Adam(model.parameters()), callbacks=[monitor], progress=False)
    >>> _ = trainer.fit(data.Loader(items, batch_size=2))
    >>> [(record.step, record.part, len(record.gradient)) for record in monitor.records]
    [(1, 'layer 0', 31)]
    """

    def __init__(
        self,
        every: int = 50,
        sequences: int = 4,
        *,
        vanishing: float = 1e-4,
        exploding: float = 1e3,
    ) -> None:
        self.every = count(every, "every")
        self.sequences = count(sequences, "sequences")
        self.vanishing = share(vanishing, "vanishing")
        self.exploding = float(finite(exploding, "exploding"))
        if self.exploding <= 1:
            raise ValueError(f"exploding must be above 1, got {self.exploding:g}")
        self.records: list[GradientRecord] = []
        self._told: set[tuple[str, str, str]] = set()

    @contextlib.contextmanager
    def around_step(self, model: nn.Module, step: int) -> Iterator[None]:
        """Record the step if it is one of those to be recorded."""
        if (step - 1) % self.every:
            yield
            return
        layers = recurrent_layers(model)
        if not layers:
            raise ValueError(f"{type(model).__name__} has no recurrent layer to monitor")
        with record_calls(layers) as calls:
            yield
        for name, of_layer in calls.items():
            if of_layer:
                self._record(step, name, of_layer[-1])

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Show how the norms over time changed; see `unrolled.plot.gradients`.

        Parameters
        ----------
        path : path, optional
            Where to write the picture, as PNG or what its suffix says.

        Returns
        -------
        Figure

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If nothing has been recorded.
        OSError
            If the picture cannot be written.
        """
        from unrolled.plot import gradients

        return gradients(self.records, path)

    def _record(self, step: int, layer: str, call: Call) -> None:
        for part, curves in _curves(call, self.sequences).items():
            gradients, reaches = zip(*curves, strict=True)
            record = GradientRecord(
                step=step,
                layer=layer,
                part=part,
                gradient=median_by_frames_back(list(gradients)),
                reach=median_by_frames_back(list(reaches)),
            )
            self.records.append(record)
            self._judge(record)

    def _judge(self, record: GradientRecord) -> None:
        change = record.reach - record.reach[0]
        frames = len(change) - 1
        if change.max() > math.log(self.exploding):
            times = math.exp(min(float(change.max()), 700.0))
            self._warn(
                record,
                "explode",
                f"{int(np.argmax(change))} frames before the last they are {times:.2g} times as "
                "large as there; set clip_norm, lower the learning rate, or start with smaller or "
                "orthogonal recurrent weights",
            )
        elif change[-1] < math.log(self.vanishing):
            back = horizon(record.reach, self.vanishing)
            self._warn(
                record,
                "vanish",
                f"{back} frames before the last, of {frames}, they stay below {self.vanishing:g} "
                "of what they are there, so that nothing is learned from what lies further back; "
                "an LSTM with a larger bias of its forget gate, orthogonal recurrent weights or a "
                "loss at more frames help",
            )

    def _warn(self, record: GradientRecord, what: str, text: str) -> None:
        key = (record.layer, record.part, what)
        if key in self._told:
            return
        self._told.add(key)
        place = f"{record.layer}, {record.part}" if record.layer else record.part
        warnings.warn(
            f"step {record.step}: gradients {what} in {place}: {text}",
            GradientWarning,
            stacklevel=2,
        )


def _curves(call: Call, most: int) -> dict[str, list[tuple[Array, Array]]]:
    """Return, by part, the curves of every sequence that the loss reaches."""
    stack, x = call.stack, call.x if call.x.ndim == 3 else call.x[None]
    lengths = None if call.lengths is None else np.asarray(call.lengths).reshape(-1)[:most]
    sequences = take_sequences(x[:most], lengths, stack.input_size)
    states = stack.initial_states(call.state, len(x))
    grad_output, grad_states = _gradients(call, len(x))
    found: dict[str, list[tuple[Array, Array]]] = {}
    for n, sequence in enumerate(sequences):
        if not len(sequence):
            continue
        runs = stack.run(sequence, states[:, n])
        flat = [run for directions in runs for run in directions]
        direct = np.zeros((len(sequence), flat[0].cell.hidden_size * len(runs[-1])))
        if grad_output is not None:
            direct[:] = grad_output[n, : len(sequence)]
        with np.errstate(over="ignore", invalid="ignore"):
            of_parts = backward(runs, direct, grad_states[:, n])
            for name, run, grads in zip(stack.names(), flat, of_parts, strict=True):
                alone = last_alone(run, grads.direct)
                if len(alone):
                    hidden = grads.total[::-1, : run.cell.hidden_size]
                    found.setdefault(name, []).append((log_norms(hidden), log_norms(alone)))
    return found


def _gradients(call: Call, batch: int) -> tuple[Array | None, Array]:
    """Return dLoss by the output (N, T, F), and by the last states (layers * directions, N, S)."""
    stack, output = call.stack, call.grads.get("output")
    if output is not None and output.ndim == 2:
        output = output[None]
    parts = [stack.cells[0][0].hidden_size]
    if stack.kind == "LSTM":
        parts.append(stack.cells[0][0].state_size - parts[0])
    last = np.zeros((len(list(stack.names())), batch, stack.cells[0][0].state_size))
    for name, columns in zip(("h_n", "c_n"), np.cumsum([0, *parts])[:-1].tolist(), strict=False):
        grad = call.grads.get(name)
        if grad is not None:
            grad = grad[:, None] if grad.ndim == 2 else grad
            last[:, :, columns : columns + grad.shape[-1]] = grad
    return output, last
