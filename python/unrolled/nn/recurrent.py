"""What RNN, LSTM and GRU share: layers, directions, states, lengths, dropout, single steps."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from unrolled.autograd import Tensor, as_tensor, concatenate
from unrolled.autograd.tape import is_recording
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import one_of, positive, probability
from unrolled.nn.dropout import drop_mask, dropout
from unrolled.nn.init import RECURRENT, recurrent
from unrolled.nn.module import Module, Parameter
from unrolled.nn.recurrent_function import States
from unrolled.nn.recurrent_state import Initial, parts_of, stacked
from unrolled.nn.recurrent_step import names_of_weights, step_layers, step_lone_layer
from unrolled.nn.recurrent_stream import Stream


class RNNBase(Module):
    """Recurrent layers; `RNN`, `LSTM` and `GRU` say what one of them computes.

    Attributes
    ----------
    gates : int
        Blocks of H rows in the weights.
    parts : tuple of str
        What a state consists of: ``("h",)`` or ``("h", "c")``.
    """

    gates: ClassVar[int]
    parts: ClassVar[tuple[str, ...]] = ("h",)
    weight_ih_l0: Parameter
    _cell: str | None = None  # what the kernels for single frames call a layer

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        *,
        learn_initial_state: bool,
        recurrent_dropout: float,
        init: str,
        proj_size: int = 0,
    ) -> None:
        positive(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        if not batch_first:
            raise ValueError("batch_first must be True: sequences are (N, T, features) here")
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout acts between layers: with num_layers=1 it does nothing", stacklevel=3
            )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.proj_size = proj_size
        self.num_layers = num_layers
        self.dropout = probability("dropout", dropout)
        self.recurrent_dropout = probability("recurrent_dropout", recurrent_dropout)
        self.init = one_of("init", init, RECURRENT)
        self.learn_initial_state = learn_initial_state
        self.directions = ("", "_reverse") if bidirectional else ("",)
        for layer in range(num_layers):
            features = input_size if layer == 0 else self._size("h") * len(self.directions)
            for direction in self.directions:
                self._add_weights(f"_l{layer}{direction}", features, bias)
        self._streams = self._cell is not None and not bidirectional
        self._sizes = tuple([self._size(part) for part in self.parts])
        self._names_of_weights = names_of_weights(self, [f"_l{n}" for n in range(num_layers)])
        if learn_initial_state:
            for part in self.parts:
                shape = (num_layers * len(self.directions), self._size(part))
                setattr(self, part + "0", Parameter(np.zeros(shape, np.float32)))

    def _size(self, part: str) -> int:
        """Return the features of one part of the state; a projection shortens h alone."""
        return self.proj_size if part == "h" and self.proj_size else self.hidden_size

    def _add_weights(self, suffix: str, features: int, bias: bool) -> None:
        made = recurrent(self.init, self.gates, self.hidden_size, features, self._size("h"), bias)
        for name, parameter in made.items():
            setattr(self, name + suffix, parameter)

    def forward(
        self,
        x: Operand,
        state: Any = None,
        lengths: ArrayLike | None = None,
        *,
        return_all_states: bool = False,
    ) -> Any:
        """Run all layers over all frames.

        Parameters
        ----------
        x : Tensor or array-like (N, T, D), or (T, D) for one sequence
        state : Tensor or array-like (layers * directions, N, H), optional
            State before the first frame, without the axis N for one sequence; for an LSTM a pair
            (h, c). When not given it is zeros, or what the layer has learned.
        lengths : array-like of int (N), optional
            Frames of every sequence, in any order. Padding is never read, the output there is 0,
            and the backward direction starts at each sequence's own end.
        return_all_states : bool
            Whether to return the states and gates of every step too.

        Returns
        -------
        output : Tensor (N, T, directions * H), or (T, directions * H)
            Of the last layer.
        state : Tensor (layers * directions, N, H), or (layers * directions, H)
            After each sequence's last frame; layers first, then directions. For an LSTM a pair
            (h, c).
        states : dict of ndarray (layers, directions, N, T, H), or without N
            Only with ``return_all_states``: ``h`` and, by name, memory and gates of every step,
            at the frame they belong to, 0 on padding.

        Raises
        ------
        ValueError
            If shapes or lengths do not fit.
        TypeError
            If the state is not of the parts it should have.
        """
        x = as_tensor(x, self.weight_ih_l0.dtype)
        self._check_frames(x)
        given = self._parts_of(state, x.shape[:-2])
        single = x.ndim == 2
        if single:
            x = x.unsqueeze(0)
            given = tuple(None if part is None else part.unsqueeze(-2) for part in given)
        record: list[States] | None = [] if return_all_states else None
        x, parts = self._run(x, self._initial(given, len(x)), lengths, record)
        if single:
            x, parts = x.squeeze(0), tuple(part.squeeze(-2) for part in parts)
        after = parts if len(parts) > 1 else parts[0]
        return (x, after) if record is None else (x, after, stacked(record, single))

    def step(self, x_t: Operand, state: Any = None) -> Any:
        """Run all layers over one frame, for input that arrives frame by frame.

        Under `no_grad` it reads every weight once and keeps nothing; otherwise the state drags
        the tape of all steps along.

        Parameters
        ----------
        x_t : Tensor or array-like (N, D), or (D) for one sequence
        state : as in ``forward``
            What the step before returned; None at the first.

        Returns
        -------
        output_t : Tensor (N, H), or (H)
        state : as ``forward`` returns it

        Raises
        ------
        ValueError
            If the layer is bidirectional (its output depends on frames still to come), or drops
            recurrently (one mask for all steps cannot be drawn step by step).
        """
        if self._streams and not is_recording():
            done = self._stream(x_t, state)
            if done is not None:
                return done
        if len(self.directions) == 2:
            raise ValueError("step() needs a layer with bidirectional=False")
        if self.training and self.recurrent_dropout > 0:
            raise ValueError(
                "step() cannot keep one mask of recurrent_dropout over a sequence: call eval() "
                "before streaming, or forward() to train"
            )
        frame = as_tensor(x_t, self.weight_ih_l0.dtype)
        if frame.ndim not in (1, 2):
            raise ValueError(
                f"x_t must have the axes (N, D), or (D) for one sequence, got shape {frame.shape}"
            )
        output, state = self.forward(frame.unsqueeze(-2), state)
        return output.squeeze(-2), state

    def stream(self, state: Any = None) -> Stream:
        """Return an object that runs the layers frame by frame and keeps their state.

        Its ``step(x_t)`` takes and returns arrays: `step` with less around it.

        Parameters
        ----------
        state : as in ``forward``
            Before the first frame.

        Raises
        ------
        ValueError
            If the layer is bidirectional, or normalises (use `step`), or drops, in training.
        """
        return Stream(self, state)

    def initial_state(self, batch_size: int) -> Any:
        """Return the state before the first frame: zeros, or what the layer has learned.

        Parameters
        ----------
        batch_size : int
            Sequences, N.

        Returns
        -------
        Tensor (layers * directions, N, H), or a pair of them
        """
        parts = tuple(self._start(part, batch_size) for part in self.parts)
        return parts if len(parts) > 1 else parts[0]

    def final_states(self, h_n: Tensor) -> Tensor:
        """Return a state (layers * directions, N, H) as (layers, directions, N, H)."""
        return h_n.reshape(self.num_layers, len(self.directions), *h_n.shape[1:])

    def _run(
        self, x: Tensor, initial: Initial, lengths: ArrayLike | None, record: list[States] | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        count = len(self.directions)
        after = []
        for layer in range(self.num_layers):
            if layer > 0:
                x = dropout(x, self.dropout, self.training)
            own = slice(layer * count, (layer + 1) * count)
            x, *final = self._run_layer(
                layer,
                x,
                tuple(None if part is None else part[own] for part in initial),
                lengths=lengths,
                hidden_mask=self._hidden_mask(x),
                record=record,
            )
            after.append(final)
        if len(after) == 1:
            return x, tuple(after[0])
        return x, tuple(concatenate(layers) for layers in zip(*after, strict=True))

    def _run_layer(
        self, layer: int, x: Tensor, initial: Initial, **options: Any
    ) -> tuple[Tensor, ...]:
        """Return a layer's output and the parts of its final state."""
        raise NotImplementedError(f"{type(self).__name__} has no _run_layer()")

    def _stream(self, x_t: Any, state: Any) -> Any:
        """Run one step without a tape, or return None for what is left to ``forward``."""
        if self.training and (self.recurrent_dropout > 0 or self.dropout > 0):
            return None
        if state is None and self.learn_initial_state:
            state = self._start_of_stream(x_t)
        cell, names = str(self._cell), self._names_of_weights
        if self.num_layers == 1:
            done = step_lone_layer(self, cell, names[0], x_t, state)
            if done is not None:
                return done
        return step_layers(self, cell, names, x_t, state, self._sizes)

    def _start_of_stream(self, x_t: Any) -> Any:
        shape = as_tensor(x_t).shape
        parts = [self._start(part, shape[0] if len(shape) > 1 else 1) for part in self.parts]
        if len(shape) == 1:
            parts = [part.squeeze(-2) for part in parts]
        return tuple(parts) if len(parts) > 1 else parts[0]

    def _hidden_mask(self, x: Tensor) -> Any:
        if not self.training or self.recurrent_dropout == 0:
            return None
        shape = (len(self.directions), len(x), self._size("h"))
        return drop_mask(shape, self.recurrent_dropout, x.dtype)

    def _check_frames(self, x: Tensor) -> None:
        if x.ndim not in (2, 3):
            raise ValueError(
                f"x must have the axes (N, T, D), or (T, D) for one sequence, got shape {x.shape}"
            )
        if x.shape[-1] != self.input_size:
            raise ValueError(
                f"x has shape {x.shape}, hence D={x.shape[-1]} features a frame; this layer was "
                f"made with input_size={self.input_size}"
            )

    def _parts_of(self, state: Any, batch: tuple[int, ...]) -> Initial:
        """Return the parts of a state, None where there is none; `batch` is (N,) or ()."""
        if state is None:
            return (None,) * len(self.parts)
        count = self.num_layers * len(self.directions)
        shapes = {part: (count, *batch, self._size(part)) for part in self.parts}
        return parts_of(state, shapes, self.weight_ih_l0.dtype)

    def _initial(self, given: Initial, batch_size: int) -> Initial:
        if given[0] is None and self.learn_initial_state:
            return tuple(self._start(part, batch_size) for part in self.parts)
        return given

    def _start(self, part: str, batch_size: int) -> Tensor:
        dtype = self.weight_ih_l0.dtype
        rows = np.zeros((1, batch_size, 1), dtype)
        if self.learn_initial_state:
            learned: Parameter = getattr(self, part + "0")
            return learned.unsqueeze(1) + rows
        shape = (self.num_layers * len(self.directions), batch_size, self._size(part))
        return Tensor(np.zeros(shape, dtype))

    def _weights(self, layer: int) -> list[Any]:
        return [self._direction_weights(f"_l{layer}{direction}") for direction in self.directions]

    def _direction_weights(self, suffix: str) -> tuple[Any, ...]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return tuple([getattr(self, name + suffix) for name in names])
