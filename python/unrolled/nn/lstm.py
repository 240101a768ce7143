"""Long short-term memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unrolled.autograd import Function, Tensor, as_tensor, concatenate
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import positive, probability
from unrolled.nn.dropout import dropout
from unrolled.nn.init import uniform
from unrolled.nn.module import Module, Parameter
from unrolled.ops.lstm import lstm as lstm_forward
from unrolled.ops.lstm import lstm_backward

State = tuple[Tensor, Tensor]
Weights = tuple[Tensor, Tensor, Tensor | None, Tensor | None]


class _LSTMFunction(Function):
    """One layer, in one direction or both, over all frames: one kernel call each way."""

    def forward(
        self, x: Array, h0: Array | None, c0: Array | None, *weights: Array | None, lengths: Any
    ) -> tuple[Array, Array, Array]:
        directions: list[Any] = [weights[first : first + 4] for first in range(0, len(weights), 4)]
        output, h_n, c_n, self.saved = lstm_forward(x, directions, h0=h0, c0=c0, lengths=lengths)
        self.has_state, self.output_shape, self.dtype = h0 is not None, output.shape, x.dtype
        return output, h_n, c_n

    def backward(
        self, grad_output: Array | None, grad_h_n: Array | None, grad_c_n: Array | None
    ) -> tuple[Array | None, ...]:
        if grad_output is None:
            grad_output = np.zeros(self.output_shape, self.dtype)
        grad_x, grad_weights, grad_h0, grad_c0 = lstm_backward(
            grad_output, grad_h_n, grad_c_n, self.saved
        )
        grad_state = (grad_h0, grad_c0) if self.has_state else (None, None)
        return (grad_x, *grad_state, *(grad for direction in grad_weights for grad in direction))


def lstm(
    x: Operand,
    weights: list[Weights],
    h0: Tensor | None = None,
    c0: Tensor | None = None,
    lengths: ArrayLike | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run one LSTM layer over a batch of sequences.

    Parameters
    ----------
    x : Tensor or array-like (N, T, D)
    weights : list of (weight_ih (4H, D), weight_hh (4H, H), bias_ih (4H), bias_hh (4H))
        One entry a direction; the second runs backward from each sequence's own end. Gates in
        the order i, f, g, o; biases may be None.
    h0, c0 : Tensor (directions, N, H), optional
        State before the first frame; zeros when not given.
    lengths : array-like of int (N), optional
        Frames of every sequence, in any order; padding is never read.

    Returns
    -------
    output : Tensor (N, T, directions * H)
        Zero beyond each sequence's length.
    h_n, c_n : Tensor (directions, N, H)
        State after each sequence's last frame.

    Raises
    ------
    ValueError
        If shapes or lengths do not fit.
    """
    flat = [weight for direction in weights for weight in direction]
    x = as_tensor(x, weights[0][0].dtype)
    outputs: tuple[Tensor, Tensor, Tensor] = _LSTMFunction.apply(x, h0, c0, *flat, lengths=lengths)
    return outputs


class LSTM(Module):
    """Layers of long short-term memory, with PyTorch's parameters and equations.

    The four gates are ``weight_ih x + bias_ih + weight_hh h + bias_hh`` through sigmoid (i, f, o)
    or tanh (g); then ``c <- f c + i g`` and ``h <- o tanh(c)``.

    Parameters
    ----------
    input_size, hidden_size : int
        Features of a frame, D, and of the state, H.
    num_layers : int
        Layers, each reading the output of the one below.
    bias : bool
        Whether there are biases.
    batch_first : bool
        Only True: every array here is (N, T, ...). The states are (layers * directions, N, H)
        in PyTorch too.
    dropout : float
        Probability of dropping an output between two layers in training.
    bidirectional : bool
        Whether every layer also runs backward; outputs are joined layer by layer.
    proj_size : int
        Only 0 for now.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 : Parameter
        (4H, D), (4H, H), (4H), (4H), gates in the order i, f, g, o; then ``_l1``, ... and
        ``_l0_reverse`` for the backward direction.

    Raises
    ------
    ValueError
        If a number is out of its range or an option is one of those not supported.

    References
    ----------
    Hochreiter, Schmidhuber: Long short-term memory (1997); Gers, Schmidhuber, Cummins: Learning
    to forget (2000).

    Examples
    --------
    >>> import numpy as np
    >>> layer = LSTM(3, 5, num_layers=2, bidirectional=True)
    >>> output, (h_n, c_n) = layer(np.zeros((2, 7, 3)), lengths=[4, 7])
    >>> output.shape, h_n.shape
    ((2, 7, 10), (4, 2, 5))
    """

    weight_ih_l0: Parameter

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
    ) -> None:
        positive(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        if not batch_first:
            raise ValueError("batch_first must be True: sequences are (N, T, features) here")
        if proj_size != 0:
            raise ValueError(f"proj_size={proj_size} is not supported yet, only 0")
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout acts between layers: with num_layers=1 it does nothing", stacklevel=2
            )
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = probability("dropout", dropout)
        self.directions = ("", "_reverse") if bidirectional else ("",)
        for layer in range(num_layers):
            features = input_size if layer == 0 else hidden_size * len(self.directions)
            for direction in self.directions:
                self._add_weights(f"_l{layer}{direction}", features, bias)

    def _add_weights(self, suffix: str, features: int, bias: bool) -> None:
        size = self.hidden_size
        setattr(self, "weight_ih" + suffix, uniform((4 * size, features), size))
        setattr(self, "weight_hh" + suffix, uniform((4 * size, size), size))
        setattr(self, "bias_ih" + suffix, uniform((4 * size,), size) if bias else None)
        setattr(self, "bias_hh" + suffix, uniform((4 * size,), size) if bias else None)

    def forward(
        self,
        x: Operand,
        state: tuple[Operand, Operand] | None = None,
        lengths: ArrayLike | None = None,
    ) -> tuple[Tensor, State]:
        """Run all layers over all frames.

        Parameters
        ----------
        x : Tensor or array-like (N, T, D), or (T, D) for one sequence
        state : pair (h, c) of Tensor or array-like (layers * directions, N, H), optional
            State before the first frame, without the axis N for one sequence; zeros when not
            given.
        lengths : array-like of int (N), optional
            Frames of every sequence, in any order. Padding is never read, the output there is 0,
            and the backward direction starts at each sequence's own end.

        Returns
        -------
        output : Tensor (N, T, directions * H), or (T, directions * H)
            Of the last layer.
        state : pair of Tensor (layers * directions, N, H), or (layers * directions, H)
            After each sequence's last frame; layers first, then directions.

        Raises
        ------
        ValueError
            If shapes or lengths do not fit.
        """
        x = as_tensor(x, self.weight_ih_l0.dtype)
        if x.ndim == 2:
            return self._forward_one(x, state, lengths)
        h0, c0 = self._initial(state, x)
        h_n, c_n = [], []
        for layer in range(self.num_layers):
            if layer > 0:
                x = dropout(x, self.dropout, self.training)
            own = slice(layer * len(self.directions), (layer + 1) * len(self.directions))
            x, h, c = lstm(
                x,
                self._weights(layer),
                None if h0 is None else h0[own],
                None if c0 is None else c0[own],
                lengths,
            )
            h_n.append(h)
            c_n.append(c)
        return x, (concatenate(h_n), concatenate(c_n))

    def step(
        self, x_t: Operand, state: tuple[Operand, Operand] | None = None
    ) -> tuple[Tensor, State]:
        """Run all layers over one frame, for input that arrives frame by frame.

        Parameters
        ----------
        x_t : Tensor or array-like (N, D), or (D) for one sequence
        state : as in ``forward``
            What the step before returned; None at the first.

        Returns
        -------
        output_t : Tensor (N, H), or (H)
        state : pair of Tensor

        Raises
        ------
        ValueError
            If the layer is bidirectional (its output depends on frames still to come).
        """
        if len(self.directions) == 2:
            raise ValueError("step() needs a layer with bidirectional=False")
        frames = as_tensor(x_t, self.weight_ih_l0.dtype).unsqueeze(-2)
        output, state = self.forward(frames, state)
        return output.squeeze(-2), state

    def final_states(self, h_n: Tensor) -> Tensor:
        """Return h_n or c_n (layers * directions, N, H) as (layers, directions, N, H)."""
        return h_n.reshape(self.num_layers, len(self.directions), *h_n.shape[1:])

    def _forward_one(
        self, x: Tensor, state: tuple[Operand, Operand] | None, lengths: ArrayLike | None
    ) -> tuple[Tensor, State]:
        batch = None if state is None else self._pair(state, lambda part: part.unsqueeze(-2))
        output, after = self.forward(x.unsqueeze(0), batch, lengths)
        return output.squeeze(0), self._pair(after, lambda part: part.squeeze(-2))

    def _pair(self, state: tuple[Operand, Operand], change: Callable[[Tensor], Tensor]) -> State:
        h, c = (change(as_tensor(part, self.weight_ih_l0.dtype)) for part in state)
        return h, c

    def _initial(
        self, state: tuple[Operand, Operand] | None, x: Tensor
    ) -> tuple[Tensor | None, Tensor | None]:
        if state is None:
            return None, None
        h0, c0 = (as_tensor(part, self.weight_ih_l0.dtype) for part in state)
        expected = (self.num_layers * len(self.directions), len(x), self.hidden_size)
        for name, part in (("h", h0), ("c", c0)):
            if part.shape != expected:
                raise ValueError(
                    f"state: {name} has shape {part.shape}, needed is {expected}: "
                    "(layers * directions, N, H)"
                )
        return h0, c0

    def _weights(self, layer: int) -> list[Weights]:
        return [self._direction_weights(f"_l{layer}{direction}") for direction in self.directions]

    def _direction_weights(self, suffix: str) -> Weights:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weight_ih, weight_hh, bias_ih, bias_hh = (getattr(self, name + suffix) for name in names)
        return weight_ih, weight_hh, bias_ih, bias_hh
