"""A recurrent layer in use, frame by frame, with its state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.autograd import Tensor, as_tensor, no_grad
from unrolled.autograd.tape import Array
from unrolled.nn.recurrent_step import weights_of
from unrolled.ops.recurrent import step_arrays

if TYPE_CHECKING:
    from unrolled.nn.recurrent import RNNBase


class Stream:
    """Recurrent layers that take one frame after the other: arrays in, arrays out, no tape.

    Made by ``layer.stream()``. The quickest way to run a layer on input that arrives frame by
    frame: ``layer.step`` without the state going through the caller's hands.

    Parameters
    ----------
    layer : RNN, LSTM or GRU
        Its weights are read where they lie, so changes in place are seen.
    state : as ``layer`` takes it, optional
        Before the first frame; the layer's initial state when not given.

    Attributes
    ----------
    frames : int
        Steps so far.

    Raises
    ------
    ValueError
        If the layer is bidirectional, or normalises (use its ``step``), or drops, in training; or
        if the state does not fit.
    TypeError
        If the state is not of the parts it should have.

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled import nn
    >>> stream = nn.LSTM(3, 5, num_layers=2).stream()
    >>> for frame in np.zeros((4, 3), np.float32):
    ...     output = stream.step(frame)
    >>> output.shape, stream.frames, stream.state[0].shape
    ((5,), 4, (2, 1, 5))
    """

    def __init__(self, layer: RNNBase, state: Any = None) -> None:
        if len(layer.directions) == 2:
            raise ValueError("stream() needs a layer with bidirectional=False")
        if layer._cell is None:
            raise ValueError("stream() cannot run layer_norm=True: use step()")
        if layer.training and (layer.recurrent_dropout > 0 or layer.dropout > 0):
            raise ValueError("stream() drops nothing: call eval() before it")
        self.frames = 0
        self._layer = layer
        self._cell = layer._cell
        self._weights = weights_of(layer, layer._names_of_weights)
        self._dtype = self._weights[0][0].dtype
        self._features = layer.input_size
        self._items: int | None = None
        self._states: list[Any] = []
        if state is not None:
            first = as_tensor(state[0] if len(layer.parts) > 1 else state)
            self._begin(layer._parts_of(state, first.shape[1:-1]))

    @property
    def state(self) -> Any:
        """The state after the last frame, as ``layer.step`` and ``layer`` take it; None before.

        Of one sequence too it is (layers, 1, H).
        """
        if self._items is None:
            return None
        parts = [
            Tensor(np.stack([entry[k] for entry in self._states]))
            for k in range(len(self._layer.parts))
        ]
        return tuple(parts) if len(parts) > 1 else parts[0]

    def step(self, x_t: Any) -> Array:
        """Run all layers over one frame.

        Parameters
        ----------
        x_t : array-like (N, D), or (D) for one sequence

        Returns
        -------
        ndarray (N, H), or (H)

        Raises
        ------
        ValueError
            If the shape does not fit the layer, or the frames before.
        """
        if type(x_t) is not np.ndarray or x_t.dtype != self._dtype:
            x_t = np.asarray(x_t.data if isinstance(x_t, Tensor) else x_t, self._dtype)
        x = x_t[None] if x_t.ndim == 1 else x_t
        if x.shape != (self._items, self._features):
            self._check(x_t, x)
        x, states = np.ascontiguousarray(x), self._states
        for layer, weights in enumerate(self._weights):
            states[layer] = step_arrays(self._cell, x, weights, *states[layer])
            x = states[layer][0]
        self.frames += 1
        return x[0].copy() if x_t.ndim == 1 else x.copy()

    def _check(self, x_t: Array, x: Array) -> None:
        if x.ndim != 2 or x.shape[1] != self._features:
            raise ValueError(
                f"x_t must have shape (N, {self._features}), or ({self._features},) for one "
                f"sequence, got {x_t.shape}"
            )
        if self._items is not None:
            raise ValueError(
                f"x_t has the frames of {len(x)} sequences, the stream began with {self._items}: "
                "begin another with layer.stream()"
            )
        with no_grad():
            initial = self._layer.initial_state(len(x))
        self._begin(initial if isinstance(initial, tuple) else (initial,))

    def _begin(self, parts: Sequence[Tensor | None]) -> None:
        count = len(self._weights)
        arrays = [
            np.array(p.data, self._dtype).reshape(count, -1, p.shape[-1])
            for p in parts
            if p is not None
        ]
        self._items = arrays[0].shape[1]
        lacking = (None,) * (2 - len(arrays))
        self._states = [(*(array[layer] for array in arrays), *lacking) for layer in range(count)]
