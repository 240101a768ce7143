"""One LSTM layer over whole sequences, forward and through time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled import _core
from unrolled._arrays import RealArray, as_lengths, as_reals, require_axes, require_shape

Weights = tuple[Any, Any, Any, Any]


class Saved(NamedTuple):
    """What `lstm_backward` needs of the forward pass."""

    x: RealArray
    lengths: NDArray[np.int64]
    weights: list[Weights]
    h0: RealArray | None
    c0: RealArray | None
    tape: tuple[RealArray, RealArray, RealArray]


def lstm(
    x: Any, weights: Sequence[Weights], *, h0: Any = None, c0: Any = None, lengths: Any = None
) -> tuple[RealArray, RealArray, RealArray, Saved]:
    """LSTM over a batch of sequences, in one or both directions.

    Parameters
    ----------
    x : array, shape (N, T, D)
        Padded sequences; what lies beyond an item's length is never read.
    weights : sequence of (weight_ih (4H, D), weight_hh (4H, H), bias_ih (4H,), bias_hh (4H,))
        One entry a direction, gates in the order i, f, g, o; a bias may be None. The second
        direction starts at each item's true end.
    h0, c0 : array, shape (directions, N, H), optional
        Initial states; zeros where not given.
    lengths : array of int, shape (N,), optional
        Frames of each item, 0 .. T, in any order; all T where not given.

    Returns
    -------
    output : array, shape (N, T, directions * H)
        Hidden states, 0 on padding.
    h_n, c_n : array, shape (directions, N, H)
        States after each item's last step.
    saved : Saved
        For `lstm_backward`.

    Raises
    ------
    ValueError
        The shapes do not fit, or a length lies outside 0 .. T.

    Notes
    -----
    Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000. An item gives the
    same bits alone and in any batch.
    """
    if len(weights) not in (1, 2):
        raise ValueError(f"weights must have one or two directions, got {len(weights)}")
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    flat = {
        f"{name}[{d}]": weight
        for d, of_direction in enumerate(weights)
        for name, weight in zip(names, of_direction, strict=True)
    }
    x, h0, c0, *rest = as_reals(x=x, h0=h0, c0=c0, **flat)
    directions = [tuple(rest[i : i + 4]) for i in range(0, len(rest), 4)]
    require_axes(x, "x", "N, T, D")
    _check_weights(directions, x.shape[2])
    states = (len(directions), x.shape[0], directions[0][1].shape[1])
    for name, state in (("h0", h0), ("c0", c0)):
        if state is not None:
            require_shape(state, name, states, "directions, N, H")
    lengths = as_lengths(lengths, "lengths", x.shape[0], x.shape[1])
    output, h_n, c_n, tape = _core.lstm(x, lengths, directions, h0, c0)
    return output, h_n, c_n, Saved(x, lengths, directions, h0, c0, tape)


def lstm_backward(
    grad_output: Any, grad_h_n: Any, grad_c_n: Any, saved: Saved
) -> tuple[RealArray, list[tuple[RealArray, ...]], RealArray, RealArray]:
    """Backpropagation through time of `lstm`.

    Parameters
    ----------
    grad_output : array, shape (N, T, directions * H)
        What stands on padding is never read.
    grad_h_n, grad_c_n : array, shape (directions, N, H), or None
    saved : Saved
        From `lstm`.

    Returns
    -------
    grad_x : array, shape (N, T, D)
        0 on padding.
    grads : list of (grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh)
        One entry a direction; the gradient of a bias that is None is None.
    grad_h0, grad_c0 : array, shape (directions, N, H)

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    x, lengths, weights, h0, c0, tape = saved
    dtype = x.dtype
    grads = as_reals(grad_output=grad_output, grad_h_n=grad_h_n, grad_c_n=grad_c_n)
    grad_output, grad_h_n, grad_c_n = (None if g is None else g.astype(dtype) for g in grads)
    size = weights[0][1].shape[1]
    shape = (x.shape[0], x.shape[1], len(weights) * size)
    require_shape(grad_output, "grad_output", shape, "the shape of output")
    for name, grad in (("grad_h_n", grad_h_n), ("grad_c_n", grad_c_n)):
        if grad is not None:
            require_shape(grad, name, (len(weights), x.shape[0], size), "directions, N, H")
    grad_x, by_direction, grad_h0, grad_c0 = _core.lstm_backward(
        grad_output, grad_h_n, grad_c_n, x, lengths, weights, h0, c0, tape
    )
    results: list[tuple[Any, ...]] = [
        (w_ih, w_hh, None if ws[2] is None else bias, None if ws[3] is None else bias.copy())
        for (w_ih, w_hh, bias), ws in zip(by_direction, weights, strict=True)
    ]
    return grad_x, results, grad_h0, grad_c0


def _check_weights(directions: list[tuple[Any, ...]], features: int) -> None:
    hidden = directions[0][1]
    if hidden is None or hidden.ndim != 2:
        raise ValueError("weight_hh must have the axes (4H, H)")
    size = hidden.shape[1]
    for d, (weight_ih, weight_hh, bias_ih, bias_hh) in enumerate(directions):
        require_shape(weight_ih, f"weight_ih[{d}]", (4 * size, features), "4H, D")
        require_shape(weight_hh, f"weight_hh[{d}]", (4 * size, size), "4H, H")
        for name, bias in (("bias_ih", bias_ih), ("bias_hh", bias_hh)):
            if bias is not None:
                require_shape(bias, f"{name}[{d}]", (4 * size,), "4H")
