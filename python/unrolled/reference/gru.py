"""Gated recurrent unit (Cho et al. 2014), gates in PyTorch's order r, z, n.

Every matrix has 3H rows. The reset gate acts on the recurrent product (`reset_after`, as in
cuDNN and PyTorch), or on the state before it (as in the paper):

    r = sigmoid(W_ir x + b_ir + W_hr h(t-1) + b_hr)
    z = sigmoid(W_iz x + b_iz + W_hz h(t-1) + b_hz)
    n = tanh(W_in x + b_in + r * (W_hn h(t-1) + b_hn))     reset after
    n = tanh(W_in x + b_in + W_hn (r * h(t-1)) + b_hn)     reset before
    h(t) = (1 - z) * n + z * h(t-1)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import recurrent
from .activation import sigmoid
from .recurrent import Entry, Parameters, Saved, State, Step, affine

Array = NDArray[Any]


class GruCell:
    """One step; see the equations above."""

    states: tuple[str, ...] = ("h",)

    def __init__(self, reset_after: bool) -> None:
        self.reset_after = reset_after

    def sizes(self, weights: Parameters) -> dict[str, int]:
        """Return H for the three gates and the state."""
        return dict.fromkeys(("r", "z", "n", "h"), weights[1].shape[1])

    def forward(self, x: Array, seen: Array, before: State, weights: Parameters) -> Step:
        """Return the gates r, z, n and h(t), each (H,)."""
        W_ih, W_hh, b_ih, b_hh = weights
        x_r, x_z, x_n = affine(W_ih, x, b_ih).reshape(3, -1)
        h_r, h_z, h_n = affine(W_hh, seen, b_hh).reshape(3, -1)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        if self.reset_after:
            n = np.tanh(x_n + r * h_n)
        else:
            n = np.tanh(x_n + affine(*self._candidate(weights, r * seen)))
        return {"r": r, "z": z, "n": n, "h": (1 - z) * n + z * before[0]}

    def backward(
        self, grad: State, x: Array, seen: Array, before: State, step: Step, weights: Parameters
    ) -> tuple[Array, Array, State, Sequence[Any]]:
        """Return the gradients by x(t), `seen`, the carried h(t-1), and the four weights."""
        W_ih, W_hh, _, _ = weights
        (dh,), (h,) = grad, before
        r, z, n = step["r"], step["z"], step["n"]
        dz_n = dh * (1 - z) * (1 - n**2)
        dz_z = dh * (h - n) * z * (1 - z)
        if self.reset_after:
            by_product = dz_n * r  # the gradient of W_hn h + b_hn
            dr = dz_n * affine(*self._candidate(weights, seen))
            dseen = self._candidate(weights, seen)[0].T @ by_product
            dW_hn = np.outer(by_product, seen)
        else:
            by_product = dz_n
            by_reset = self._candidate(weights, seen)[0].T @ dz_n  # the gradient of r * h
            dr, dseen = by_reset * seen, by_reset * r
            dW_hn = np.outer(by_product, r * seen)
        dz_r = dr * r * (1 - r)
        gates = np.concatenate([dz_r, dz_z])
        dz_x, dz_h = np.concatenate([gates, dz_n]), np.concatenate([gates, by_product])
        dseen = dseen + W_hh[: len(gates)].T @ gates
        dW_hh = np.concatenate([np.outer(gates, seen), dW_hn])
        return W_ih.T @ dz_x, dseen, (dh * z,), (np.outer(dz_x, x), dW_hh, dz_x, dz_h)

    @staticmethod
    def _candidate(weights: Parameters, seen: Array) -> tuple[Array, Array, Array | None]:
        """Return W_hn, what it is multiplied with, and b_hn."""
        _, W_hh, _, b_hh = weights
        first = 2 * W_hh.shape[1]
        return W_hh[first:], seen, None if b_hh is None else b_hh[first:]


def gru(
    x: ArrayLike,
    weights: Sequence[Entry],
    *,
    h0: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    reset_after: bool = True,
    hidden_mask: ArrayLike | None = None,
) -> tuple[Array, Array, Saved]:
    """Run one layer over a padded batch, in one or both directions.

    Parameters
    ----------
    x : array (N, T, D)
    weights : one entry a direction (1 or 2)
        ``(weight_ih (3H, D), weight_hh (3H, H), bias_ih (3H,) or None, bias_hh (3H,) or None)``.
        The second runs from each sequence's last frame to its first.
    h0 : array (directions, N, H), optional
        States before the first step; 0 when not given.
    lengths : array (N,), optional
        Frames of each sequence, in any order. Frames from there on are never read.
    reset_after : bool
        Whether the reset gate acts on the recurrent product and its bias, or on the state.
    hidden_mask : array (directions, N, H), optional
        Multiplied, the same at every step, onto the state that enters the recurrent product
        (Gal and Ghahramani 2016). The state that the update gate carries on is not masked.

    Returns
    -------
    output (N, T, directions * H), 0 after each end; h_n (directions, N, H), the states after each
    sequence's own last step; and what `gru_backward` needs. float64.

    Examples
    --------
    Without weights the gates are 1/2 and the candidate is 0, so every step halves the state:

    >>> import numpy as np
    >>> nothing = (np.zeros((3, 1)), np.zeros((3, 1)), None, None)
    >>> output, h_n, saved = gru(np.ones((1, 3, 1)), [nothing], h0=[[[8.0]]])
    >>> output.ravel()
    array([4., 2., 1.])
    """
    cell = GruCell(reset_after)
    output, (h_n,), saved = recurrent.run(cell, x, weights, [h0], lengths, hidden_mask)
    return output, h_n, saved


def gru_backward(
    grad_output: ArrayLike,
    grad_h_n: ArrayLike | None,
    saved: Saved,
    *,
    input_gradient: bool = True,
) -> tuple[Any, list[tuple[Any, ...]], Array]:
    """Backpropagate through time: the steps of `gru` in the opposite order.

    Parameters
    ----------
    grad_output : array (N, T, directions * H)
        Not read after each sequence's end.
    grad_h_n : array (directions, N, H) or None
    saved : what `gru` returned last
    input_gradient : bool
        False returns None for grad_x.

    Returns
    -------
    grad_x (N, T, D), 0 after each end; one tuple a direction with the gradients of its weights,
    of which those of the two biases differ when the reset comes after; grad_h0
    (directions, N, H). float64.
    """
    grad_x, grad_weights, (grad_h0,) = recurrent.run_backward(
        grad_output, [grad_h_n], saved, input_gradient
    )
    return grad_x, grad_weights, grad_h0
