"""One window of truncated backpropagation: the frames before it, its loss, and its states."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unrolled.autograd import Tensor, no_grad
from unrolled.training.carried import Carried, Segment, detached, map_state
from unrolled.training.frames import Frames

if TYPE_CHECKING:
    from unrolled.nn import Module

Loss = Callable[[Any, Any, Any], tuple[Tensor, Any]]


class Window:
    """The loss of one window, as `take_step` calls it, and the states around it.

    Parameters
    ----------
    loss : callable
        ``loss(model, window, state) -> (loss, state)``.
    frames : Frames
        The batch.
    span : pair of int
        First frame of the window in the batch, and the one after its last.
    carried : Carried
        What the window before left.
    reset : ndarray of bool (N), optional
        Items that start anew with the window.
    back : int
        Frames that a gradient goes back through, counted from the window's end.

    Attributes
    ----------
    first : int
        First frame that has a loss.
    state_before, state_after
        Off the tape, once the window has been called; before any item starts anew.
    """

    def __init__(
        self,
        loss: Loss,
        frames: Frames,
        span: tuple[int, int],
        carried: Carried,
        reset: NDArray[np.bool_] | None,
        *,
        back: int,
    ) -> None:
        self.loss = loss
        self.frames = frames
        self.span = span
        self.carried = carried
        self.reset = reset
        start, end = span
        self.first = max(start, end - back)
        self.context = max(back - (end - start), 0)  # frames before the window
        self.state_before: Any = None
        self.state_after: Any = None

    def __call__(self, model: Module, batch: Any) -> Tensor:
        """Return the loss of the window; `batch` is what `take_step` hands through."""
        start, end = self.span
        state = self._state_before(model)
        self.state_before = detached(state)
        state = restarted(model, state, self.reset)
        if self.first > start:
            with no_grad():
                _, state = called(self.loss, model, self.frames.cut(start, self.first), state)
        value, state = called(self.loss, model, self.frames.cut(self.first, end), state)
        self.state_after = detached(state)
        return value

    def _state_before(self, model: Module) -> Any:
        """Run the frames before the window again, on the tape as far back as it goes."""
        segments: list[Segment] = []
        reach = 0
        for segment in reversed(self.carried.past):
            if reach >= self.context:
                break
            segments.insert(0, segment)
            reach += segment.count
        if not segments:
            return self.carried.state
        state = segments[0].state
        for position, segment in enumerate(segments):
            frames, skipped = Frames(segment.frames), 0
            state = restarted(model, state, segment.reset)
            if position == 0 and reach > self.context:
                skipped = reach - self.context
                with no_grad():
                    _, state = called(self.loss, model, frames.cut(0, skipped), state)
            _, state = called(self.loss, model, frames.cut(skipped, segment.count), state)
        return state


def called(loss: Loss, model: Module, window: Any, state: Any) -> tuple[Tensor, Any]:
    """Call the loss function.

    Raises
    ------
    TypeError
        If it does not return a loss and a state.
    """
    result = loss(model, window, state)
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(
            "with truncated backpropagation loss(model, window, state) must return "
            f"(loss, state), not {type(result).__name__}"
        )
    return result


def restarted(model: Module, state: Any, reset: NDArray[np.bool_] | None) -> Any:
    """Return a state in which the items that start anew have the model's initial one.

    Raises
    ------
    ValueError
        If single items are to start anew and the state or the model does not allow it.
    """
    if state is None or reset is None or not reset.any():
        return state
    if reset.all():
        return None
    initial = _initial_state(model, len(reset))
    goes_on = ~reset[:, None]

    def chosen(part: Tensor, fresh: Tensor | float = 0.0) -> Tensor:
        return _checked(part, reset).where(goes_on, fresh)

    return map_state(chosen, state) if initial is None else map_state(chosen, state, initial)


def _initial_state(model: Any, items: int) -> Any:
    """Ask the model for its initial state; None for zeros."""
    if hasattr(model, "initial_state"):
        return model.initial_state(items)
    for name, module in model.named_modules():
        if getattr(module, "learn_initial_state", False):
            raise ValueError(
                f"{name} learns its initial state: give {type(model).__name__} a method "
                "initial_state(batch_size) that returns it, in the form in which loss() returns "
                "states, so that single items can start anew"
            )
    return None


def _checked(part: Tensor, reset: NDArray[np.bool_]) -> Tensor:
    if part.ndim < 2 or part.shape[-2] != len(reset):
        raise ValueError(
            f"a part of the state has shape {part.shape}: to start single items anew, its last "
            f"two axes must be the {len(reset)} items and their features"
        )
    return part
