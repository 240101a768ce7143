"""Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000).

Gates stand in PyTorch's order i, f, g, o in every matrix of 4H rows:

    z = W_ih x + b_ih + W_hh h(t-1) + b_hh
    i = sigmoid(z_i)   f = sigmoid(z_f)   g = tanh(z_g)   o = sigmoid(z_o)
    c(t) = f * c(t-1) + i * g
    h(t) = o * tanh(c(t))

Peepholes (Gers and Schmidhuber 2000) let the gates see the memory: p_i * c(t-1) is added to z_i,
p_f * c(t-1) to z_f, p_o * c(t) to z_o. A projection (Sak et al. 2014) makes the state smaller
than the memory: h(t) = W_hr (o * tanh(c(t))).
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


class LstmCell:
    """One step; see the equations above."""

    states: tuple[str, ...] = ("h", "c")

    def sizes(self, weights: Parameters) -> dict[str, int]:
        """Return H for the gates and the memory, and the size of h: H, or P of a projection."""
        H, P = len(weights[0]) // 4, weights[1].shape[1]
        return {**dict.fromkeys(("i", "f", "g", "o", "c"), H), "h": P}

    def forward(self, x: Array, seen: Array, before: State, weights: Parameters) -> Step:
        """Return the gates i, f, g, o and the memory c(t), each (H,), and h(t)."""
        W_ih, W_hh, b_ih, b_hh, W_hr, (p_i, p_f, p_o) = _six(weights)
        _, c = before
        z = affine(W_ih, x, b_ih) + affine(W_hh, seen, b_hh)
        z_i, z_f, z_g, z_o = z.reshape(4, -1)
        i, f, g = sigmoid(z_i + p_i * c), sigmoid(z_f + p_f * c), np.tanh(z_g)
        c_t = f * c + i * g
        o = sigmoid(z_o + p_o * c_t)
        m = o * np.tanh(c_t)
        return {"i": i, "f": f, "g": g, "o": o, "c": c_t, "h": m if W_hr is None else W_hr @ m}

    def backward(
        self, grad: State, x: Array, seen: Array, before: State, step: Step, weights: Parameters
    ) -> tuple[Array, Array, State, Sequence[Any]]:
        """Return the gradients by x(t), `seen`, h(t-1) (none) and c(t-1), and the six weights."""
        W_ih, W_hh, _, _, W_hr, (p_i, p_f, p_o) = _six(weights)
        (dh, dc), (_, c) = grad, before
        i, f, g, o, c_t = (step[name] for name in ("i", "f", "g", "o", "c"))
        m = o * np.tanh(c_t)
        dm = dh if W_hr is None else W_hr.T @ dh
        dz_o = dm * np.tanh(c_t) * o * (1 - o)
        dc = dc + dm * o * (1 - np.tanh(c_t) ** 2) + p_o * dz_o
        dz_i, dz_f, dz_g = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2)
        dz = np.concatenate([dz_i, dz_f, dz_g, dz_o])
        dc_before = dc * f + p_i * dz_i + p_f * dz_f
        dpeephole = np.stack([dz_i * c, dz_f * c, dz_o * c_t])
        parts = (np.outer(dz, x), np.outer(dz, seen), dz, dz, np.outer(dh, m), dpeephole)
        return W_ih.T @ dz, W_hh.T @ dz, (np.zeros_like(dh), dc_before), parts


def lstm(
    x: ArrayLike,
    weights: Sequence[Entry],
    *,
    h0: ArrayLike | None = None,
    c0: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    hidden_mask: ArrayLike | None = None,
) -> tuple[Array, Array, Array, Saved]:
    """Run one layer over a padded batch, in one or both directions.

    Parameters
    ----------
    x : array (N, T, D)
    weights : one entry a direction (1 or 2)
        ``(weight_ih (4H, D), weight_hh (4H, H), bias_ih (4H,) or None, bias_hh (4H,) or None)``,
        and, where wanted, ``weight_hr (P, H) or None, peephole (3, H) or None`` for i, f, o. With
        a projection weight_hh is (4H, P), and output and h have P features.
        The second runs from each sequence's last frame to its first.
    h0, c0 : array (directions, N, H), optional
        States before the first step; 0 when not given. h0 has P features with a projection.
    lengths : array (N,), optional
        Frames of each sequence, in any order. Frames from there on are never read.
    hidden_mask : array (directions, N, H or P), optional
        Multiplied, the same at every step, onto the state that enters the recurrent product
        (Gal and Ghahramani 2016).

    Returns
    -------
    output (N, T, directions * H), 0 after each end; h_n, c_n (directions, N, H), the states after
    each sequence's own last step; and what `lstm_backward` needs. float64.

    Examples
    --------
    A memory whose forget gate is open keeps what it holds, however long the sequence is:

    >>> import numpy as np
    >>> zeros, bias = np.zeros((4, 1)), np.array([-1e3, 1e3, 0.0, 0.0])
    >>> _, _, c_n, _ = lstm(np.ones((1, 1000, 1)), [(zeros, zeros, bias, None)], c0=[[[0.25]]])
    >>> float(c_n[0, 0, 0])
    0.25
    """
    cell = LstmCell()
    output, (h_n, c_n), saved = recurrent.run(cell, x, weights, [h0, c0], lengths, hidden_mask)
    return output, h_n, c_n, saved


def lstm_backward(
    grad_output: ArrayLike,
    grad_h_n: ArrayLike | None,
    grad_c_n: ArrayLike | None,
    saved: Saved,
    *,
    input_gradient: bool = True,
) -> tuple[Any, list[tuple[Any, ...]], Array, Array]:
    """Backpropagate through time: the steps of `lstm` in the opposite order.

    Parameters
    ----------
    grad_output : array (N, T, directions * H)
        Not read after each sequence's end.
    grad_h_n, grad_c_n : array (directions, N, H) or None
    saved : what `lstm` returned last
    input_gradient : bool
        False returns None for grad_x.

    Returns
    -------
    grad_x (N, T, D), 0 after each end; one tuple a direction with the gradients of its weights,
    as many as were given; grad_h0, grad_c0 (directions, N, H); float64.
    """
    grad_x, grad_weights, (grad_h0, grad_c0) = recurrent.run_backward(
        grad_output, [grad_h_n, grad_c_n], saved, input_gradient
    )
    return grad_x, grad_weights, grad_h0, grad_c0


def _six(weights: Parameters) -> Parameters:
    """Return all six weights: no projection is None, no peepholes are zeros."""
    *four, W_hr, peephole = (*weights, None, None)[:6]
    return (*four, W_hr, np.zeros((3, len(weights[0]) // 4)) if peephole is None else peephole)
