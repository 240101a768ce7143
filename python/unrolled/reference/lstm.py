"""Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000).

Gates stand in PyTorch's order i, f, g, o in every matrix of 4H rows:

    i = sigmoid(z_i)   f = sigmoid(z_f)   g = tanh(z_g)   o = sigmoid(z_o)
    c(t) = f * c(t-1) + i * g
    h(t) = o * tanh(c(t))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .activation import sigmoid

Array = NDArray[Any]
Weights = Sequence[tuple[ArrayLike, ArrayLike, ArrayLike | None, ArrayLike | None]]


def lstm_cell(z: Array, c: Array) -> tuple[Array, Array, tuple[Array, ...]]:
    """Take one step from the affine values `z` (4H,) and the memory `c` (H,).

    Returns h(t) (H,), c(t) (H,) and what the backward step needs.
    """
    z_i, z_f, z_g, z_o = np.split(z, 4)
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)
    c_t = f * c + i * g
    h_t = o * np.tanh(c_t)
    return h_t, c_t, (i, f, g, o, c, c_t)


def lstm_cell_backward(
    grad_h: Array, grad_c: Array, step: tuple[Array, ...]
) -> tuple[Array, Array]:
    """Return the gradients by `z` (4H,) and by c(t-1) (H,) of one step."""
    i, f, g, o, c, c_t = step
    grad_o = grad_h * np.tanh(c_t)
    grad_c = grad_c + grad_h * o * (1 - np.tanh(c_t) ** 2)
    grad_z = np.concatenate(
        [
            grad_c * g * i * (1 - i),
            grad_c * c * f * (1 - f),
            grad_c * i * (1 - g**2),
            grad_o * o * (1 - o),
        ]
    )
    return grad_z, grad_c * f


def lstm(
    x: ArrayLike,
    weights: Weights,
    *,
    h0: ArrayLike | None = None,
    c0: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
) -> tuple[Array, Array, Array, dict[str, Any]]:
    """Run one layer over a padded batch, in one or both directions.

    Parameters
    ----------
    x : array (N, T, D)
    weights : one entry a direction (1 or 2)
        ``(weight_ih (4H, D), weight_hh (4H, H), bias_ih (4H,) or None, bias_hh (4H,) or None)``.
        The second runs from each sequence's last frame to its first.
    h0, c0 : array (directions, N, H), optional
        States before the first step; 0 when not given.
    lengths : array (N,), optional
        Frames of each sequence, in any order. Frames from there on are never read.

    Returns
    -------
    output (N, T, directions * H), 0 after each end; h_n, c_n (directions, N, H), the states after
    each sequence's own last step; and what `lstm_backward` needs. float64.
    """
    x = np.asarray(x, np.float64)
    N, T, _ = x.shape
    parameters = [_parameters(entry) for entry in weights]
    directions, H = len(parameters), parameters[0][1].shape[1]
    ends = [T] * N if lengths is None else [int(n) for n in np.asarray(lengths)]
    h_n, c_n = _state(h0, (directions, N, H)), _state(c0, (directions, N, H))
    output = np.zeros((N, T, directions * H))
    previous = np.zeros((directions, N, T, H))
    steps: dict[tuple[int, int, int], tuple[Array, ...]] = {}
    for d, n in np.ndindex(directions, N):
        weight_ih, weight_hh, bias_ih, bias_hh = parameters[d]
        h, c = h_n[d, n].copy(), c_n[d, n].copy()
        for t in _times(d, ends[n]):
            previous[d, n, t] = h
            z = weight_ih @ x[n, t] + bias_ih + weight_hh @ h + bias_hh
            h, c, steps[d, n, t] = lstm_cell(z, c)
            output[n, t, d * H : (d + 1) * H] = h
        h_n[d, n], c_n[d, n] = h, c
    saved = {"x": x, "weights": weights, "ends": ends, "previous": previous, "steps": steps}
    return output, h_n, c_n, saved


def lstm_backward(
    grad_output: ArrayLike,
    grad_h_n: ArrayLike | None,
    grad_c_n: ArrayLike | None,
    saved: dict[str, Any],
) -> tuple[Array, list[tuple[Array, Array, Array | None, Array | None]], Array, Array]:
    """Backpropagate through time: the steps of `lstm` in the opposite order.

    Parameters
    ----------
    grad_output : array (N, T, directions * H)
        Not read after each sequence's end.
    grad_h_n, grad_c_n : array (directions, N, H) or None
    saved : what `lstm` returned last

    Returns
    -------
    grad_x (N, T, D), 0 after each end; one tuple a direction with the gradients of its weights;
    grad_h0, grad_c0 (directions, N, H); float64.
    """
    grad_output = np.asarray(grad_output, np.float64)
    x, ends, previous, steps = (saved[key] for key in ("x", "ends", "previous", "steps"))
    directions, N, _, H = previous.shape
    grad_h0 = _state(grad_h_n, (directions, N, H))
    grad_c0 = _state(grad_c_n, (directions, N, H))
    grad_x, grad_weights = np.zeros_like(x), []
    for d in range(directions):
        weight_ih, weight_hh, _, _ = _parameters(saved["weights"][d])
        dW_ih, dW_hh = np.zeros_like(weight_ih), np.zeros_like(weight_hh)
        db = np.zeros(4 * H)
        for n in range(N):
            grad_h, grad_c = grad_h0[d, n].copy(), grad_c0[d, n].copy()
            for t in reversed(_times(d, ends[n])):
                grad_h = grad_h + grad_output[n, t, d * H : (d + 1) * H]
                dz, grad_c = lstm_cell_backward(grad_h, grad_c, steps[d, n, t])
                dW_ih += np.outer(dz, x[n, t])
                dW_hh += np.outer(dz, previous[d, n, t])
                db += dz
                grad_x[n, t] += weight_ih.T @ dz
                grad_h = weight_hh.T @ dz
            grad_h0[d, n], grad_c0[d, n] = grad_h, grad_c
        _, _, bias_ih, bias_hh = saved["weights"][d]
        grad_weights.append(
            (
                dW_ih,
                dW_hh,
                None if bias_ih is None else db,
                None if bias_hh is None else db.copy(),
            )
        )
    return grad_x, grad_weights, grad_h0, grad_c0


def _times(direction: int, end: int) -> range:
    return range(end) if direction == 0 else range(end - 1, -1, -1)


def _state(given: ArrayLike | None, shape: tuple[int, ...]) -> Array:
    return np.zeros(shape) if given is None else np.array(given, np.float64)


def _parameters(
    entry: tuple[ArrayLike, ArrayLike, ArrayLike | None, ArrayLike | None],
) -> tuple[Array, Array, Array, Array]:
    weight_ih, weight_hh = (np.asarray(matrix, np.float64) for matrix in entry[:2])
    bias_ih, bias_hh = (
        np.zeros(len(weight_ih)) if bias is None else np.asarray(bias, np.float64)
        for bias in entry[2:]
    )
    return weight_ih, weight_hh, bias_ih, bias_hh
