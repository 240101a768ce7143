"""Truncated backpropagation through time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled.autograd import no_grad
from unrolled.training.carried import Carried, Segment, detached
from unrolled.training.frames import Frames
from unrolled.training.step import scalar, take_step
from unrolled.training.window import Loss, Window, called, restarted

if TYPE_CHECKING:
    from unrolled.nn import Module
    from unrolled.optim import Optimizer

__all__ = ["TBPTT"]


class TBPTT:
    """Truncated backpropagation through time: every `k1` frames a step, back through `k2` frames.

    A batch of sequences is read in windows of `k1` frames. After each, the optimizer takes one
    step by the gradient of that window's loss, which goes back through the last `k2` frames, and
    no further: what the state before them owes to the weights is left out. The state is carried
    from window to window, and from batch to batch for the items that go on. Give it to a
    `Trainer`, or call `train_batch` in a loop of your own.

    The loss function is ``loss(model, window, state) -> (loss, state)``. Its window is the batch
    with fewer frames; its state is None at a start, else what the call for the frames before
    returned: a tensor whose last axes are (N, H), or tuples, lists and dicts of such, as `RNN`,
    `LSTM` and `GRU` take and return them.

    A batch is an array (N, T, ...), or a tuple or dict of them, all cut along their second axis.
    A dict may hold ``lengths`` (N), which every window gets for its own frames, and ``reset``
    (N) of bool: which items start anew with this batch, while the others go on where the batch
    before ended. Without ``reset`` all start anew.

    Parameters
    ----------
    k1 : int
        Frames between two steps.
    k2 : int, optional
        Frames that a gradient goes back through; `k1` when not given. Above `k1`, the frames
        before the window are computed again with the new weights: each is then run k2 / k1 times.
        Below `k1`, only the last `k2` frames of a window have a loss.

    Raises
    ------
    TypeError, ValueError
        If a number is not an integer of at least 1.

    References
    ----------
    Williams, Peng: An efficient gradient-based algorithm for on-line training of recurrent network
    trajectories (1990), whose BPTT(h; h') has h = k2 and h' = k1.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled import nn, optim, training
    >>> layer = nn.RNN(1, 4)
    >>> def loss(model, window, state):
    ...     x, y = window
    ...     output, state = model(x, state)
    ...     return ((output.sum(-1) - y) ** 2).mean(), state
    >>> x = np.ones((2, 12, 1), np.float32)
    >>> optimizer = optim.SGD(layer.parameters(), lr=0.01)
    >>> value, carried = TBPTT(k1=4, k2=8).train_batch(layer, loss, optimizer, (x, x[:, :, 0]))
    >>> carried.state.shape
    (1, 2, 4)
    """

    def __init__(self, k1: int, k2: int | None = None) -> None:
        self.k1 = _frames("k1", k1)
        self.k2 = self.k1 if k2 is None else _frames("k2", k2)

    def __repr__(self) -> str:
        return f"TBPTT(k1={self.k1}, k2={self.k2})"

    def train_batch(
        self,
        model: Module,
        loss: Loss,
        optimizer: Optimizer,
        batch: Any,
        carried: Carried | None = None,
        *,
        lr: float | None = None,
        clip_norm: float | None = None,
        where: str = "this batch",
    ) -> tuple[float, Carried]:
        """Take the optimizer's steps over one batch.

        Parameters
        ----------
        model : Module
        loss : callable
            ``loss(model, window, state) -> (loss, state)``.
        optimizer : Optimizer
        batch : array, or tuple or dict of arrays (N, T, ...)
        carried : Carried, optional
            What the call for the batch before returned; None at the first, and where nothing is
            to be carried.
        lr : float, optional
            Learning rate of all these steps; that of the optimizer when not given.
        clip_norm : float, optional
            Gradients are scaled down to at most this global norm.
        where : str
            How messages name the batch.

        Returns
        -------
        loss : float
            Of the windows, each weighted by its frames: the mean over frames where theirs is one.
        carried : Carried
            For the next batch.

        Raises
        ------
        NonFiniteError
            If a loss or a gradient is NaN or infinite; the model is as before that step.
        TypeError, ValueError
            If the batch, the state or what `loss` returned is not as described.
        """
        frames = Frames(batch)
        carried = _begin(carried, frames)
        if frames.count == 0 or frames.items == 0:
            raise ValueError(f"{where} has no frames to learn from")
        losses: list[tuple[int, float]] = []
        for start in range(0, frames.count, self.k1):
            end = min(start + self.k1, frames.count)
            reset = frames.reset if start == 0 else None
            window = Window(loss, frames, (start, end), carried, reset, back=self.k2)
            number = take_step(
                model,
                window,
                optimizer,
                None,
                lr=optimizer.lr if lr is None else lr,
                clip_norm=clip_norm,
                where=f"{where}, frames {window.first} to {end - 1}",
            )
            carried = self._after(window, reset)
            losses.append((frames.without_padding(window.first, end), number))
        counted = sum([weight for weight, _ in losses])
        return sum([weight / counted * number for weight, number in losses]), carried

    def measure_batch(
        self, model: Module, loss: Loss, batch: Any, carried: Carried | None = None
    ) -> tuple[float, Carried]:
        """Return the loss over a whole batch, without training, and what to carry on.

        Parameters
        ----------
        model, loss, batch, carried
            As in `train_batch`.

        Raises
        ------
        TypeError, ValueError
            If the batch, the state or what `loss` returned is not as described.
        """
        frames = Frames(batch)
        carried = _begin(carried, frames)
        with no_grad():
            state = restarted(model, carried.state, frames.reset)
            value, state = called(loss, model, frames.cut(0, frames.count), state)
        return scalar(value), Carried(frames.items, detached(state))

    def _after(self, window: Window, reset: NDArray[np.bool_] | None) -> Carried:
        """Return what the next window needs: the state, and the frames its gradient reaches."""
        start, end = window.span
        kept = window.frames.cut(start, end, own=True)
        past = [*window.carried.past, Segment(kept, end - start, window.state_before, reset)]
        while past and sum([segment.count for segment in past[1:]]) >= self.k2 - 1:
            del past[0]
        return Carried(window.carried.items, window.state_after, past)


def _frames(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1 frame, not {value}")
    return int(value)


def _begin(carried: Carried | None, frames: Frames) -> Carried:
    """Return what a batch starts from; nothing of the one before where all items start anew."""
    if carried is None or frames.reset.all():
        return Carried(frames.items, None)
    if carried.items != frames.items:
        raise ValueError(
            f"the batch has {frames.items} items and the one before had {carried.items}: states "
            "can only be carried between batches of one size; set reset for all items"
        )
    return carried
