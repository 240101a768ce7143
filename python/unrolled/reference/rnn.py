"""The simple recurrent network (Elman 1990): h(t) = f(W_ih x(t) + b_ih + W_hh h(t-1) + b_hh).

One layer over a padded batch; `bptt.py` has whole networks on one sequence, as a textbook writes
them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import recurrent
from .activation import relu, relu_backward, sigmoid, sigmoid_backward, tanh, tanh_backward
from .recurrent import Entry, Parameters, Saved, State, Step, affine

Array = NDArray[Any]

# y = f(z), and the gradient by z from the gradient by y and from y.
NONLINEARITIES: dict[str, tuple[Callable[[Any], Array], Callable[[Any, Any], Array]]] = {
    "tanh": (tanh, tanh_backward),
    "relu": (relu, relu_backward),
    "sigmoid": (sigmoid, sigmoid_backward),
    "identity": (np.asarray, lambda grad_y, y: np.asarray(grad_y)),
}


class RnnCell:
    """One step: an affine function of input and state, and the non-linearity f."""

    states: tuple[str, ...] = ("h",)

    def __init__(self, nonlinearity: str) -> None:
        self.f, self.f_backward = NONLINEARITIES[nonlinearity]

    def sizes(self, weights: Parameters) -> dict[str, int]:
        """Return H."""
        return {"h": weights[1].shape[1]}

    def forward(self, x: Array, seen: Array, before: State, weights: Parameters) -> Step:
        """Return h(t)."""
        W_ih, W_hh, b_ih, b_hh = weights
        return {"h": self.f(affine(W_ih, x, b_ih) + affine(W_hh, seen, b_hh))}

    def backward(
        self, grad: State, x: Array, seen: Array, before: State, step: Step, weights: Parameters
    ) -> tuple[Array, Array, State, Sequence[Any]]:
        """Return the gradients by x(t), `seen`, h(t-1) elsewhere (none), and the four weights."""
        W_ih, W_hh, _, _ = weights
        (dh,) = grad
        dz = self.f_backward(dh, step["h"])
        parts = (np.outer(dz, x), np.outer(dz, seen), dz, dz)
        return W_ih.T @ dz, W_hh.T @ dz, (np.zeros_like(dh),), parts


def rnn(
    x: ArrayLike,
    weights: Sequence[Entry],
    *,
    h0: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    nonlinearity: str = "tanh",
    hidden_mask: ArrayLike | None = None,
) -> tuple[Array, Array, Saved]:
    """Run one layer over a padded batch, in one or both directions.

    Parameters
    ----------
    x : array (N, T, D)
    weights : one entry a direction (1 or 2)
        ``(weight_ih (H, D), weight_hh (H, H), bias_ih (H,) or None, bias_hh (H,) or None)``.
        The second runs from each sequence's last frame to its first.
    h0 : array (directions, N, H), optional
        States before the first step; 0 when not given.
    lengths : array (N,), optional
        Frames of each sequence, in any order. Frames from there on are never read.
    nonlinearity : "tanh", "relu", "sigmoid" or "identity"
    hidden_mask : array (directions, N, H), optional
        Multiplied, the same at every step, onto the state that enters the recurrent product
        (Gal and Ghahramani 2016).

    Returns
    -------
    output (N, T, directions * H), 0 after each end; h_n (directions, N, H), the states after each
    sequence's own last step; and what `rnn_backward` needs. float64.

    Examples
    --------
    A linear unit with recurrent weight 1/2 forgets an impulse by halves:

    >>> import numpy as np
    >>> weights = [(np.ones((1, 1)), np.full((1, 1), 0.5), None, None)]
    >>> output, h_n, saved = rnn([[[1.0], [0.0], [0.0]]], weights, nonlinearity="identity")
    >>> output.ravel()
    array([1.  , 0.5 , 0.25])
    """
    cell = RnnCell(nonlinearity)
    output, (h_n,), saved = recurrent.run(cell, x, weights, [h0], lengths, hidden_mask)
    return output, h_n, saved


def rnn_backward(
    grad_output: ArrayLike,
    grad_h_n: ArrayLike | None,
    saved: Saved,
    *,
    input_gradient: bool = True,
) -> tuple[Any, list[tuple[Any, ...]], Array]:
    """Backpropagate through time: the steps of `rnn` in the opposite order.

    Parameters
    ----------
    grad_output : array (N, T, directions * H)
        Not read after each sequence's end.
    grad_h_n : array (directions, N, H) or None
    saved : what `rnn` returned last
    input_gradient : bool
        False returns None for grad_x.

    Returns
    -------
    grad_x (N, T, D), 0 after each end; one tuple a direction with the gradients of its weights;
    grad_h0 (directions, N, H); float64.
    """
    grad_x, grad_weights, (grad_h0,) = recurrent.run_backward(
        grad_output, [grad_h_n], saved, input_gradient
    )
    return grad_x, grad_weights, grad_h0
