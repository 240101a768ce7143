"""What a recurrent model carries from one batch to the next, and its form in a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.autograd import Tensor
from unrolled.checkpoint import Arrays


@dataclass
class Segment:
    """Frames that a gradient may still have to go back through.

    Attributes
    ----------
    frames
        What the loss function gets.
    count
        How many there are.
    state
        Before them, off the tape; None at a start.
    reset
        Which items start anew with the first of them; None for none.
    """

    frames: Any
    count: int
    state: Any
    reset: NDArray[np.bool_] | None


@dataclass
class Carried:
    """What passes from one batch to the next in truncated backpropagation.

    Attributes
    ----------
    items
        Sequences of the batch.
    state
        After their last frames, off the tape.
    past
        The latest segments, oldest first.
    """

    items: int
    state: Any
    past: list[Segment] = field(default_factory=list)

    def to_checkpoint(self) -> tuple[Any, Arrays]:
        """Return what JSON can hold, and the arrays by name."""
        arrays: Arrays = {}
        past = [vars(segment) for segment in self.past]
        return _pack({"items": self.items, "state": self.state, "past": past}, "", arrays), arrays

    @classmethod
    def from_checkpoint(cls, packed: Any, arrays: Arrays) -> Carried:
        """Read what `to_checkpoint` returned.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        values = _unpack(packed, arrays)
        return cls(values["items"], values["state"], [Segment(**part) for part in values["past"]])


def map_state(change: Callable[..., Any], state: Any, *others: Any) -> Any:
    """Change every tensor in a state: a tensor, None, or tuples, lists and dicts of states.

    Parameters
    ----------
    change : callable
        Gets a tensor of the state, and the one in the same place of each of the others.
    state, *others
        States of the same form.

    Raises
    ------
    TypeError
        If the state holds something else.
    ValueError
        If the others have another form.
    """
    if state is None:
        return None
    if isinstance(state, (Tensor, np.ndarray)):
        return change(state if isinstance(state, Tensor) else Tensor(state), *others)
    if isinstance(state, (tuple, list)):
        parts = [map_state(change, *parts) for parts in zip(state, *others, strict=True)]
        return tuple(parts) if isinstance(state, tuple) else parts
    if isinstance(state, dict):
        return {
            key: map_state(change, part, *(other[key] for other in others))
            for key, part in state.items()
        }
    raise TypeError(
        f"the state holds a {type(state).__name__}: it may be a tensor, None, or tuples, lists and "
        "dicts of these"
    )


def detached(state: Any) -> Any:
    """Return a state off the tape, with arrays of its own."""
    return map_state(lambda part: Tensor(part.data.copy()), state)


def _pack(value: Any, name: str, arrays: Arrays) -> Any:
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Tensor):
        arrays[name] = value.data
        return {"tensor": name}
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": name}
    if isinstance(value, dict):
        return {"dict": {key: _pack(part, f"{name}.{key}", arrays) for key, part in value.items()}}
    kind = "tuple" if isinstance(value, tuple) else "list"
    return {kind: [_pack(part, f"{name}.{k}", arrays) for k, part in enumerate(value)]}


def _unpack(packed: Any, arrays: Arrays) -> Any:
    if packed is None or isinstance(packed, int):
        return packed
    ((kind, value),) = packed.items()
    if kind == "tensor":
        return Tensor(arrays[value])
    if kind == "array":
        return arrays[value]
    if kind == "dict":
        return {key: _unpack(part, arrays) for key, part in value.items()}
    parts = [_unpack(part, arrays) for part in value]
    return tuple(parts) if kind == "tuple" else parts
