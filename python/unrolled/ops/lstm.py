"""One LSTM layer over whole sequences, forward and through time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unrolled._arrays import RealArray
from unrolled.ops.recurrent import Saved, Weights, run, run_backward, run_step


def lstm(
    x: Any,
    weights: Sequence[Weights],
    *,
    h0: Any = None,
    c0: Any = None,
    lengths: Any = None,
    hidden_mask: Any = None,
) -> tuple[RealArray, RealArray, RealArray, Saved]:
    """LSTM over a batch of sequences, in one or both directions.

    Parameters
    ----------
    x : array, shape (N, T, D)
        Padded sequences; what lies beyond an item's length is never read.
    weights : sequence of (weight_ih (4H, D), weight_hh (4H, P), bias_ih (4H,), bias_hh (4H,))
        One entry a direction, gates in the order i, f, g, o; a bias may be None. Two more may
        follow, arrays or None: weight_hr (P, H), which projects the state that leaves the cell
        (without it P is H), and peephole (3, H), the weights by which i, f and o see the cell. The
        second direction starts at each item's true end.
    h0, c0 : array, shape (directions, N, P) and (directions, N, H), optional
        Initial states; zeros where not given.
    lengths : array of int, shape (N,), optional
        Frames of each item, 0 .. T, in any order; all T where not given.
    hidden_mask : array, shape (directions, N, P), optional
        Multiplied onto the state that enters the recurrent product, the same at every step.

    Returns
    -------
    output : array, shape (N, T, directions * P)
        Hidden states, 0 on padding.
    h_n, c_n : array, shape (directions, N, P) and (directions, N, H)
        States after each item's last step.
    saved : Saved
        For `lstm_backward`; ``saved.states()`` has i, f, g, o, c and h of every frame.

    Raises
    ------
    ValueError
        The shapes do not fit, or a length lies outside 0 .. T.

    Notes
    -----
    Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000; peepholes: Gers et
    al. 2002; projection: Sak et al. 2014; mask: Gal and Ghahramani 2016. An item gives the same
    bits alone and in any batch.

    Examples
    --------
    >>> import numpy as np
    >>> weights = (np.ones((8, 3)), np.ones((8, 2)), None, None)
    >>> output, h_n, c_n, saved = lstm(np.zeros((1, 5, 3)), [weights])
    >>> output.shape, h_n.shape, sorted(saved.states())
    ((1, 5, 2), (1, 1, 2), ['c', 'f', 'g', 'h', 'i', 'o'])
    """
    output, h_n, c_n, saved = run("lstm", x, weights, h0, c0, lengths, hidden_mask)
    assert c_n is not None
    return output, h_n, c_n, saved


def lstm_backward(
    grad_output: Any, grad_h_n: Any, grad_c_n: Any, saved: Saved, *, input_gradient: bool = True
) -> tuple[RealArray | None, list[tuple[Any, ...]], RealArray, RealArray]:
    """Backpropagation through time of `lstm`.

    Parameters
    ----------
    grad_output : array, shape (N, T, directions * P)
        What stands on padding is never read.
    grad_h_n, grad_c_n : array, shape as h_n and c_n, or None
    saved : Saved
        From `lstm`.
    input_gradient : bool
        False leaves the gradient of x out.

    Returns
    -------
    grad_x : array, shape (N, T, D), or None
        0 on padding.
    grads : list of tuples
        One a direction, as in ``weights``; the gradient of a weight that is None is None.
    grad_h0, grad_c0 : array, shape (directions, N, P) and (directions, N, H)

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    grad_x, grads, grad_h0, grad_c0 = run_backward(
        grad_output, grad_h_n, grad_c_n, saved, input_gradient
    )
    assert grad_c0 is not None
    return grad_x, grads, grad_h0, grad_c0


def lstm_step(
    x_t: Any, weights: Weights, *, h: Any = None, c: Any = None
) -> tuple[RealArray, RealArray]:
    """LSTM over one frame, for input that arrives frame by frame.

    Reads each weight once, as it lies, so that the speed is that of memory.

    Parameters
    ----------
    x_t : array, shape (N, D)
    weights : tuple
        Of one direction, as for `lstm`.
    h, c : array, shape (N, P) and (N, H), optional
        What the step before returned; zeros where not given.

    Returns
    -------
    h, c : array, shape (N, P) and (N, H)
        As `lstm` gives them, but for the order of summation.

    Raises
    ------
    ValueError
        The shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> weights = (np.ones((8, 3)), np.ones((8, 2)), None, None)
    >>> h, c = lstm_step(np.zeros((1, 3)), weights)
    >>> h, c = lstm_step(np.zeros((1, 3)), weights, h=h, c=c)
    >>> h.shape
    (1, 2)
    """
    h_after, c_after = run_step("lstm", x_t, weights, h, c)
    assert c_after is not None
    return h_after, c_after
