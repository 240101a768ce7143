"""Two whole networks over one sequence, one of them from its end."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled._arrays import as_lengths
from unrolled.autograd import Function, Tensor, as_tensor, concatenate
from unrolled.autograd.tape import Array
from unrolled.autograd.tensor import Operand
from unrolled.nn.module import Module


class _ReverseFunction(Function):
    """Every sequence turned around within its own length: it undoes itself, and so backward."""

    def forward(self, x: Array, *, lengths: NDArray[np.int64]) -> Array:
        frames, ends = np.arange(x.shape[1]), lengths[:, None]
        self.padding = frames >= ends
        self.frames = np.where(self.padding, 0, ends - 1 - frames)
        return self.backward(x)

    def backward(self, grad: Array) -> Array:
        turned = grad[np.arange(len(grad))[:, None], self.frames]
        turned[self.padding] = 0
        return turned


def reverse_sequences(x: Operand, lengths: ArrayLike | None = None) -> Tensor:
    """Turn every sequence around within its own length.

    Parameters
    ----------
    x : Tensor or array-like (N, T, ...)
    lengths : array-like of int (N), optional
        Frames of every sequence; all T when not given. Padding is never read.

    Returns
    -------
    Tensor, of x's shape
        Zero beyond each sequence's length.

    Raises
    ------
    ValueError
        If the lengths do not fit.

    Examples
    --------
    >>> reverse_sequences([[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]], lengths=[3, 2])
    Tensor([[3., 2., 1.],
            [5., 4., 0.]])
    """
    x = as_tensor(x)
    if x.ndim < 2:
        raise ValueError(f"x must have the axes (N, T, ...), got shape {x.shape}")
    ends = as_lengths(lengths, "lengths", x.shape[0], x.shape[1])
    turned: Tensor = _ReverseFunction.apply(x, lengths=ends)
    return turned


class Bidirectional(Module):
    """Two whole networks, the second over the reversed sequence, joined at the top.

    Each has its own depth and sees one direction only, up to the last layer: unlike
    ``bidirectional=True`` of a layer, where every layer reads both directions of the one below.

    Parameters
    ----------
    forward_net, backward_net : Module
        Called as ``net(x, state, lengths)``, they return ``(output, state)`` as `RNN`, `LSTM` and
        `GRU` do.

    Raises
    ------
    TypeError
        If one is not a module.

    References
    ----------
    Schuster, Paliwal: Bidirectional recurrent neural networks (1997).

    Examples
    --------
    >>> import numpy as np
    >>> from unrolled import nn
    >>> net = Bidirectional(nn.GRU(3, 4, num_layers=2), nn.RNN(3, 5))
    >>> output, (forward_state, backward_state) = net(np.zeros((2, 7, 3)), lengths=[4, 7])
    >>> output.shape, forward_state.shape, backward_state.shape
    ((2, 7, 9), (2, 2, 4), (1, 2, 5))
    """

    def __init__(self, forward_net: Module, backward_net: Module) -> None:
        for name, net in (("forward_net", forward_net), ("backward_net", backward_net)):
            if not isinstance(net, Module):
                raise TypeError(f"{name} must be a Module, not {type(net).__name__}")
        self.forward_net = forward_net
        self.backward_net = backward_net

    def forward(
        self,
        x: Operand,
        state: tuple[Any, Any] | None = None,
        lengths: ArrayLike | None = None,
    ) -> tuple[Tensor, tuple[Any, Any]]:
        """Run both networks over all frames.

        Parameters
        ----------
        x : Tensor or array-like (N, T, D), or (T, D) for one sequence
        state : pair, optional
            The states of the two networks before their first frames; the second's is the state
            beyond each sequence's end.
        lengths : array-like of int (N), optional
            Frames of every sequence, in any order. The backward network starts at each
            sequence's own end; padding is never read, the output there is 0.

        Returns
        -------
        output : Tensor (N, T, H of the one + H of the other), or without N
        state : pair
            What each network ended with; the second after each sequence's first frame.

        Raises
        ------
        ValueError
            If shapes or lengths do not fit.
        TypeError
            If the state is not a pair.
        """
        if state is None:
            state = (None, None)
        if not isinstance(state, (tuple, list)) or len(state) != 2:
            raise TypeError("state must be a pair: one for each network")
        parameter = next(self.parameters(), None)
        x = as_tensor(x, None if parameter is None else parameter.dtype)
        if x.ndim not in (2, 3):
            raise ValueError(
                f"x must have the axes (N, T, D), or (T, D) for one sequence, got shape {x.shape}"
            )
        ahead, state_ahead = self.forward_net(x, state[0], lengths)
        back, state_back = self.backward_net(_reversed(x, lengths), state[1], lengths)
        joined = concatenate([ahead, _reversed(back, lengths)], axis=-1)
        return joined, (state_ahead, state_back)


def _reversed(x: Tensor, lengths: ArrayLike | None) -> Tensor:
    if x.ndim == 2:
        return reverse_sequences(x.unsqueeze(0), lengths).squeeze(0)
    return reverse_sequences(x, lengths)
