# ruff: noqa: E741 (l is the notes' name for a layer)
"""Networks of recurrent layers of any kind over padded batches: several layers, two directions.

`stack_forward` joins the directions layer by layer, `joined_forward` joins two whole networks at
the top, `output_forward` stands on either. Each is followed by its backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bptt import Network, rnn_bptt, rnn_forward
from .gru import gru, gru_backward
from .lstm import lstm, lstm_backward
from .recurrent import Entry
from .rnn import rnn, rnn_backward

Array = NDArray[Any]
States = Sequence[ArrayLike | None]  # h, or h and c: arrays (layers * directions, N, H)
Pass = Callable[..., Any]

# Forward and backward pass, and the names of the initial states.
LAYERS: dict[str, tuple[Pass, Pass, tuple[str, ...]]] = {
    "rnn": (rnn, rnn_backward, ("h0",)),
    "gru": (gru, gru_backward, ("h0",)),
    "lstm": (lstm, lstm_backward, ("h0", "c0")),
}


def stack_forward(
    x: ArrayLike,
    kind: str,
    layers: Sequence[Sequence[Entry]],
    *,
    states: States | None = None,
    lengths: ArrayLike | None = None,
    **options: Any,
) -> tuple[Array, list[Array], Any]:
    """Run layers of one kind, each on the outputs of the layer below.

    Parameters
    ----------
    x : array (N, T, D)
    kind : "rnn", "gru" or "lstm"
    layers : weights of each layer
        One entry a direction, as the layer's own function takes them.
    states : h0, or h0 and c0: arrays (layers * directions, N, H), optional
        Layer by layer, and in each layer forward before backward.
    lengths : array (N,), optional
    **options
        Passed to every layer: `nonlinearity`, `reset_after`.

    Returns
    -------
    output (N, T, directions * H) of the last layer; the states after each sequence's last step,
    in the order of `states`; and what `stack_backward` needs.

    Examples
    --------
    >>> one = (np.ones((1, 1)), np.ones((1, 1)), None, None)  # adds up what it sees
    >>> output, (h_n,), _ = stack_forward(
    ...     [[[1.0], [1.0], [1.0]]], "rnn", [[one], [one]], nonlinearity="identity"
    ... )
    >>> output.ravel(), h_n.ravel()
    (array([1., 3., 6.]), array([3., 6.]))
    """
    run, _, names = LAYERS[kind]
    output, saved, last = np.asarray(x, np.float64), [], []
    for l, weights in enumerate(layers):
        given = _of_layer(states or [None] * len(names), l, len(weights))
        initial = dict(zip(names, given, strict=True))
        output, *of_layer = run(output, weights, lengths=lengths, **initial, **options)
        last.append(of_layer[:-1])
        saved.append(of_layer[-1])
    return output, [np.concatenate(parts) for parts in zip(*last, strict=True)], (kind, saved)


def stack_backward(
    grad_output: ArrayLike, grad_states: States | None, saved: Any
) -> tuple[Array, list[Any], list[Array]]:
    """Go back through `stack_forward`, from the last layer to the first.

    Parameters
    ----------
    grad_output : array (N, T, directions * H)
    grad_states : gradients by the last states, or None
    saved : what `stack_forward` returned last

    Returns
    -------
    grad_x (N, T, D); for each layer a list with the gradients of each direction's weights; the
    gradients by the initial states, in the order of `states`.
    """
    kind, of_layers = saved
    _, run_backward, names = LAYERS[kind]
    grad, grad_weights = np.asarray(grad_output, np.float64), list[Any]()
    grad_initial = list[list[Array]]()
    for l in reversed(range(len(of_layers))):
        directions = len(of_layers[l].weights)
        given = _of_layer(grad_states or [None] * len(names), l, directions)
        grad, of_weights, *of_states = run_backward(grad, *given, of_layers[l])
        grad_weights.insert(0, of_weights)
        grad_initial.insert(0, of_states)
    return grad, grad_weights, [np.concatenate(parts) for parts in zip(*grad_initial, strict=True)]


def joined_forward(
    x: ArrayLike, forward_net: Pass, backward_net: Pass, lengths: ArrayLike | None = None
) -> tuple[Array, Any]:
    """Run one network over the sequences, another over the sequences turned round, and join them.

    Parameters
    ----------
    x : array (N, T, D)
    forward_net, backward_net : function of (x, lengths)
        Returns ``(output, ..., saved)``; `stack_forward` with its weights filled in, for example.
    lengths : array (N,), optional
        Each sequence is turned round within its own length.

    Returns
    -------
    output (N, T, H_f + H_b), 0 after each end; and what `joined_backward` needs.
    """
    x = np.asarray(x, np.float64)
    ends = np.full(len(x), x.shape[1]) if lengths is None else np.asarray(lengths)
    h_f, *_, saved_f = forward_net(x, ends)
    h_brev, *_, saved_b = backward_net(turned(x, ends), ends)
    output = np.concatenate([h_f, turned(h_brev, ends)], axis=2)
    return output, (ends, h_f.shape[2], saved_f, saved_b)


def joined_backward(
    grad_output: ArrayLike, forward_net_backward: Pass, backward_net_backward: Pass, saved: Any
) -> tuple[Array, Any, Any]:
    """Go back through `joined_forward`.

    Parameters
    ----------
    grad_output : array (N, T, H_f + H_b)
    forward_net_backward, backward_net_backward : function of (grad_output, saved)
        Returns ``(grad_x, ...)``.
    saved : what `joined_forward` returned last

    Returns
    -------
    grad_x (N, T, D), and all that the two functions returned after theirs.
    """
    ends, H_f, saved_f, saved_b = saved
    grad = np.asarray(grad_output, np.float64)
    dx_f, *of_f = forward_net_backward(grad[:, :, :H_f], saved_f)
    dx_brev, *of_b = backward_net_backward(turned(grad[:, :, H_f:], ends), saved_b)
    return dx_f + turned(dx_brev, ends), of_f, of_b


def turned(x: ArrayLike, lengths: ArrayLike) -> Array:
    """Turn each sequence of a padded batch (N, T, ...) round within its length; 0 after it.

    Examples
    --------
    >>> turned([[1.0, 2.0, 3.0], [4.0, 5.0, np.nan]], [3, 2])
    array([[3., 2., 1.],
           [5., 4., 0.]])
    """
    x = np.asarray(x, np.float64)
    result = np.zeros_like(x)
    for n, end in enumerate(np.asarray(lengths)):
        result[n, :end] = x[n, :end][::-1]
    return result


def output_forward(
    h: ArrayLike,
    W_o: ArrayLike,
    b_o: ArrayLike,
    activation: str = "softmax",
    lengths: ArrayLike | None = None,
) -> tuple[Array, Any]:
    """Compute ``Y(t) = activation(W_o h(t) + b_o)`` for every frame of every sequence.

    Parameters
    ----------
    h : array (N, T, H)
    W_o : array (K, H)
    b_o : array (K,)
    activation : str
        "softmax", "log_softmax", or one of the recurrent layer's non-linearities.
    lengths : array (N,), optional

    Returns
    -------
    Y (N, T, K), 0 after each end; and what `output_backward` needs.
    """
    h = np.asarray(h, np.float64)
    layer = Network((), (), (), W_o, b_o, g=activation)
    ends = np.full(len(h), h.shape[1]) if lengths is None else np.asarray(lengths)
    runs = [rnn_forward(h[n, :end], layer) for n, end in enumerate(ends)]
    Y = np.zeros((*h.shape[:2], len(np.asarray(b_o))))
    for n, run in enumerate(runs):
        Y[n, : ends[n]] = run.Y
    return Y, (h.shape, layer, runs)


def output_backward(dY: ArrayLike, saved: Any) -> tuple[Array, Array, Array]:
    """Return the gradients by h (N, T, H), W_o and b_o from ``dDIV / dY(t)`` (N, T, K).

    The divergence may be any function of all outputs together.
    """
    shape, layer, runs = saved
    dY, dh = np.asarray(dY, np.float64), np.zeros(shape)
    dW_o, db_o = np.zeros_like(layer.W_o, np.float64), np.zeros_like(layer.b_o, np.float64)
    for n, run in enumerate(runs):
        gradients = rnn_bptt(dY[n, : len(run.Y)], layer, run)
        dh[n, : len(run.Y)] = gradients.dx
        dW_o += gradients.dW_o
        db_o += gradients.db_o
    return dh, dW_o, db_o


def _of_layer(states: States, l: int, directions: int) -> list[Array | None]:
    """Return a layer's part of states (layers * directions, N, H)."""
    part = slice(l * directions, (l + 1) * directions)
    return [None if state is None else np.asarray(state)[part] for state in states]
