"""Recurrent cells: one step of one layer."""

from __future__ import annotations

from typing import Any, ClassVar

from unrolled.autograd import Tensor, as_tensor
from unrolled.autograd.tape import is_recording
from unrolled.autograd.tensor import Operand
from unrolled.nn.checks import one_of, positive
from unrolled.nn.gru import GRUFunction
from unrolled.nn.init import recurrent
from unrolled.nn.lstm import LSTMFunction
from unrolled.nn.module import Module, Parameter
from unrolled.nn.recurrent_function import RecurrentFunction, run_layer
from unrolled.nn.recurrent_step import step_cell
from unrolled.nn.rnn import NONLINEARITIES, RNNFunction


class RNNCellBase(Module):
    """One step of one layer; `RNNCell`, `LSTMCell` and `GRUCell` say of which kind."""

    function: ClassVar[type[RecurrentFunction]]
    gates: ClassVar[int]
    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(self, input_size: int, hidden_size: int, bias: bool) -> None:
        positive(input_size=input_size, hidden_size=hidden_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        made = recurrent("pytorch", self.gates, hidden_size, input_size, hidden_size, bias)
        for name, parameter in made.items():
            setattr(self, name, parameter)

    def _step(
        self, cell: str, x: Operand, parts: tuple[Any, ...], **options: Any
    ) -> tuple[Tensor, ...]:
        """Run one frame through what the kernels call `cell`; `parts` are the state's, or None."""
        if not is_recording():
            stepped = step_cell(self, cell, x, parts)
            if stepped is not None:
                return stepped
        dtype = self.weight_ih.dtype
        x = as_tensor(x, dtype)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"x must have shape (N, {self.input_size}), or ({self.input_size},) for one item, "
                f"got {x.shape}"
            )
        state = [None if part is None else as_tensor(part, dtype) for part in parts]
        expected = (*x.shape[:-1], self.hidden_size)
        for name, part in zip("hc", state, strict=False):
            if part is not None and part.shape != expected:
                raise ValueError(f"state: {name} has shape {part.shape}, needed is {expected}")
        rows = (1, -1, self.hidden_size)
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        _, *after = run_layer(
            self.function,
            x.reshape(-1, 1, self.input_size),
            [weights],
            [None if part is None else part.reshape(rows) for part in state],
            lengths=None,
            **options,
        )
        return tuple(part.reshape(expected) for part in after)


class RNNCell(RNNCellBase):
    """One step of a simple recurrence: ``f(weight_ih x + bias_ih + weight_hh h + bias_hh)``.

    Parameters
    ----------
    input_size, hidden_size : int
        Features of the input, D, and of the state, H.
    bias : bool
        Whether there are biases.
    nonlinearity : {"tanh", "relu", "sigmoid", "identity"}
        f.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh : Parameter
        (H, D), (H, H), (H), (H).

    Raises
    ------
    ValueError
        If a size is not an integer of at least 1, or the nonlinearity is none of these.

    Examples
    --------
    >>> cell = RNNCell(2, 3)
    >>> cell(cell([[1.0, 2.0]]).detach()[:, :2]).shape
    (1, 3)
    """

    function = RNNFunction
    gates = 1

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh"
    ) -> None:
        self.nonlinearity = one_of("nonlinearity", nonlinearity, NONLINEARITIES)
        super().__init__(input_size, hidden_size, bias)

    def forward(self, x: Operand, state: Operand | None = None) -> Tensor:
        """Return the state after x.

        Parameters
        ----------
        x : Tensor or array-like (N, D) or (D)
        state : Tensor or array-like (N, H) or (H), optional
            Zeros when not given.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        (h,) = self._step(self.nonlinearity, x, (state,), nonlinearity=self.nonlinearity)
        return h


class LSTMCell(RNNCellBase):
    """One step of long short-term memory, as `LSTM` describes it.

    Parameters
    ----------
    input_size, hidden_size : int
        Features of the input, D, and of the state, H.
    bias : bool
        Whether there are biases.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh : Parameter
        (4H, D), (4H, H), (4H), (4H), gates in the order i, f, g, o.

    Raises
    ------
    ValueError
        If a size is not an integer of at least 1.

    Examples
    --------
    >>> cell = LSTMCell(2, 3)
    >>> h, c = cell([[1.0, 2.0]])
    >>> h, c = cell([[0.0, 1.0]], (h, c))
    >>> h.shape, c.shape
    ((1, 3), (1, 3))
    """

    function = LSTMFunction
    gates = 4

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__(input_size, hidden_size, bias)

    def forward(
        self, x: Operand, state: tuple[Operand, Operand] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the state after x.

        Parameters
        ----------
        x : Tensor or array-like (N, D) or (D)
        state : pair (h, c) of Tensor or array-like (N, H) or (H), optional
            Zeros when not given.

        Returns
        -------
        h, c : Tensor (N, H) or (H)

        Raises
        ------
        ValueError
            If the shapes do not fit.
        TypeError
            If the state is not a pair.
        """
        if state is not None and not (isinstance(state, (tuple, list)) and len(state) == 2):
            raise TypeError("state must be a pair of arrays (h, c)")
        h, c = self._step("lstm", x, (None, None) if state is None else tuple(state))
        return h, c


class GRUCell(RNNCellBase):
    """One step of a gated recurrent unit, as `GRU` describes it.

    Parameters
    ----------
    input_size, hidden_size : int
        Features of the input, D, and of the state, H.
    bias : bool
        Whether there are biases.
    reset_after : bool
        Whether the reset gate acts on the recurrent product, or on the state before it.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh : Parameter
        (3H, D), (3H, H), (3H), (3H), gates in the order r, z, n.

    Raises
    ------
    ValueError
        If a size is not an integer of at least 1.

    Examples
    --------
    >>> GRUCell(2, 3)([[1.0, 2.0]]).shape
    (1, 3)
    """

    function = GRUFunction
    gates = 3

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, reset_after: bool = True
    ) -> None:
        self.reset_after = reset_after
        super().__init__(input_size, hidden_size, bias)

    def forward(self, x: Operand, state: Operand | None = None) -> Tensor:
        """Return the state after x.

        Parameters
        ----------
        x : Tensor or array-like (N, D) or (D)
        state : Tensor or array-like (N, H) or (H), optional
            Zeros when not given.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        cell = "gru" if self.reset_after else "gru_reset_before"
        (h,) = self._step(cell, x, (state,), reset_after=self.reset_after)
        return h
