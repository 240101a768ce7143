"""One layer of a simple recurrent network over whole sequences, forward and through time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unrolled._arrays import RealArray
from unrolled.ops.recurrent import Saved, Weights, run, run_backward, run_step

NONLINEARITIES = ("tanh", "relu", "sigmoid", "identity")


def rnn(
    x: Any,
    weights: Sequence[Weights],
    *,
    h0: Any = None,
    lengths: Any = None,
    hidden_mask: Any = None,
    nonlinearity: str = "tanh",
) -> tuple[RealArray, RealArray, Saved]:
    """Run a simple recurrent network over a batch of sequences, in one or both directions.

    Parameters
    ----------
    x : array, shape (N, T, D)
        Padded sequences; what lies beyond an item's length is never read.
    weights : sequence of (weight_ih (H, D), weight_hh (H, H), bias_ih (H,), bias_hh (H,))
        One entry a direction; a bias may be None. The second direction starts at each item's true
        end.
    h0 : array, shape (directions, N, H), optional
        Initial state; zeros where not given.
    lengths : array of int, shape (N,), optional
        Frames of each item, 0 .. T, in any order; all T where not given.
    hidden_mask : array, shape (directions, N, H), optional
        Multiplied onto the state that enters the recurrent product, the same at every step.
    nonlinearity : {"tanh", "relu", "sigmoid", "identity"}

    Returns
    -------
    output : array, shape (N, T, directions * H)
        Hidden states, 0 on padding.
    h_n : array, shape (directions, N, H)
        State after each item's last step.
    saved : Saved
        For `rnn_backward`; ``saved.states()`` has h of every frame.

    Raises
    ------
    ValueError
        The shapes do not fit, a length lies outside 0 .. T, or there is no such nonlinearity.

    Notes
    -----
    Elman 1990: ``h <- f(weight_ih x + bias_ih + weight_hh h + bias_hh)``. An item gives the same
    bits alone and in any batch.

    Examples
    --------
    >>> import numpy as np
    >>> weights = (np.ones((2, 3)), 0.5 * np.eye(2), None, None)
    >>> output, h_n, saved = rnn(np.eye(3)[None], [weights], nonlinearity="identity")
    >>> output[0, :, 0].tolist(), h_n.shape
    ([1.0, 1.5, 1.75], (1, 1, 2))
    """
    _check_nonlinearity(nonlinearity)
    output, h_n, _, saved = run(nonlinearity, x, weights, h0, None, lengths, hidden_mask)
    return output, h_n, saved


def rnn_backward(
    grad_output: Any, grad_h_n: Any, saved: Saved, *, input_gradient: bool = True
) -> tuple[RealArray | None, list[tuple[Any, ...]], RealArray]:
    """Backpropagation through time of `rnn`.

    Parameters
    ----------
    grad_output : array, shape (N, T, directions * H)
        What stands on padding is never read.
    grad_h_n : array, shape (directions, N, H), or None
    saved : Saved
        From `rnn`.
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


def rnn_step(x_t: Any, weights: Weights, *, h: Any = None, nonlinearity: str = "tanh") -> RealArray:
    """Run a simple recurrent network over one frame, for input that arrives frame by frame.

    Reads each weight once, as it lies, so that the speed is that of memory.

    Parameters
    ----------
    x_t : array, shape (N, D)
    weights : tuple
        Of one direction, as for `rnn`.
    h : array, shape (N, H), optional
        What the step before returned; zeros where not given.
    nonlinearity : {"tanh", "relu", "sigmoid", "identity"}

    Returns
    -------
    array, shape (N, H)
        As `rnn` gives it, but for the order of summation.

    Raises
    ------
    ValueError
        The shapes do not fit, or there is no such nonlinearity.
    """
    _check_nonlinearity(nonlinearity)
    return run_step(nonlinearity, x_t, weights, h)[0]


def _check_nonlinearity(nonlinearity: str) -> None:
    if nonlinearity not in NONLINEARITIES:
        raise ValueError(f"nonlinearity must be one of {NONLINEARITIES}, got {nonlinearity!r}")
