"""One GRU layer over whole sequences, forward and through time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unrolled._arrays import RealArray
from unrolled.ops.recurrent import Saved, Weights, run, run_backward, run_step


def gru(
    x: Any,
    weights: Sequence[Weights],
    *,
    h0: Any = None,
    lengths: Any = None,
    hidden_mask: Any = None,
    reset_after: bool = True,
) -> tuple[RealArray, RealArray, Saved]:
    """GRU over a batch of sequences, in one or both directions.

    Parameters
    ----------
    x : array, shape (N, T, D)
        Padded sequences; what lies beyond an item's length is never read.
    weights : sequence of (weight_ih (3H, D), weight_hh (3H, H), bias_ih (3H,), bias_hh (3H,))
        One entry a direction, gates in the order r, z, n; a bias may be None. The second direction
        starts at each item's true end.
    h0 : array, shape (directions, N, H), optional
        Initial state; zeros where not given.
    lengths : array of int, shape (N,), optional
        Frames of each item, 0 .. T, in any order; all T where not given.
    hidden_mask : array, shape (directions, N, H), optional
        Multiplied onto the state that enters the recurrent product, the same at every step.
    reset_after : bool
        Whether the reset gate acts after the recurrent product, r * (W_hn h + b_hn), as PyTorch and
        cuDNN have it, or on the state before it, W_hn (r * h) + b_hn, as the paper does.

    Returns
    -------
    output : array, shape (N, T, directions * H)
        Hidden states, 0 on padding.
    h_n : array, shape (directions, N, H)
        State after each item's last step.
    saved : Saved
        For `gru_backward`; ``saved.states()`` has r, z, n and h of every frame.

    Raises
    ------
    ValueError
        The shapes do not fit, or a length lies outside 0 .. T.

    Notes
    -----
    Cho et al. 2014: ``h <- (1 - z) n + z h``. An item gives the same bits alone and in any batch.

    Examples
    --------
    >>> import numpy as np
    >>> weights = (np.ones((6, 3)), np.ones((6, 2)), None, None)
    >>> output, h_n, saved = gru(np.zeros((1, 5, 3)), [weights])
    >>> output.shape, h_n.shape, sorted(saved.states())
    ((1, 5, 2), (1, 1, 2), ['h', 'n', 'r', 'z'])
    """
    cell = "gru" if reset_after else "gru_reset_before"
    output, h_n, _, saved = run(cell, x, weights, h0, None, lengths, hidden_mask)
    return output, h_n, saved


def gru_backward(
    grad_output: Any, grad_h_n: Any, saved: Saved, *, input_gradient: bool = True
) -> tuple[RealArray | None, list[tuple[Any, ...]], RealArray]:
    """Backpropagation through time of `gru`.

    Parameters
    ----------
    grad_output : array, shape (N, T, directions * H)
        What stands on padding is never read.
    grad_h_n : array, shape (directions, N, H), or None
    saved : Saved
        From `gru`.
    input_gradient : bool
        False leaves the gradient of x out.

    Returns
    -------
    grad_x : array, shape (N, T, D), or None
        0 on padding.
    grads : list of (grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh)
        One entry a direction; the gradient of a bias that is None is None.
    grad_h0 : array, shape (directions, N, H)

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    return run_backward(grad_output, grad_h_n, None, saved, input_gradient)[:3]


def gru_step(x_t: Any, weights: Weights, *, h: Any = None, reset_after: bool = True) -> RealArray:
    """GRU over one frame, for input that arrives frame by frame.

    Reads each weight once, as it lies, so that the speed is that of memory.

    Parameters
    ----------
    x_t : array, shape (N, D)
    weights : tuple
        Of one direction, as for `gru`.
    h : array, shape (N, H), optional
        What the step before returned; zeros where not given.
    reset_after : bool
        As for `gru`.

    Returns
    -------
    array, shape (N, H)
        As `gru` gives it, but for the order of summation.

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    return run_step("gru" if reset_after else "gru_reset_before", x_t, weights, h)[0]
