# ruff: noqa: E741 (l is the notes' name for a layer)
"""Recurrent networks and backpropagation through time, as the loops of the textbook.

A whole network on one sequence, hidden layers and output layer, line for line as the notes write
it. `rnn.py`, `gru.py` and `lstm.py` have single layers over padded batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .rnn import NONLINEARITIES
from .softmax import log_softmax, log_softmax_backward, softmax, softmax_backward

Array = NDArray[Any]
OfLayers = dict[int, Array]  # by layer l, 1 to L
OfSteps = dict[tuple[int, int], Array]  # by time and layer: h[t, l]; h[-1, l] is the initial state

# As NONLINEARITIES, and functions of a whole vector.
OUTPUTS = {
    **NONLINEARITIES,
    "softmax": (softmax, softmax_backward),
    "log_softmax": (log_softmax, log_softmax_backward),
}


class Network(NamedTuple):
    """Weights of L hidden layers and, where `W_o` is given, of an output layer.

    Without one, the outputs of the network are the states h(t, L) of its last hidden layer. With
    no hidden layer at all (three empty sequences) it is an output layer alone.
    """

    W_c: Sequence[ArrayLike]  # "current": (H_l, H_{l-1}), from the layer below
    W_r: Sequence[ArrayLike]  # "recurrent": (H_l, H_l), from the time before
    b: Sequence[ArrayLike]  # (H_l,)
    W_o: ArrayLike | None = None  # (K, H_L)
    b_o: ArrayLike | None = None  # (K,)
    f: str = "tanh"  # of the hidden layers: a key of NONLINEARITIES
    g: str = "softmax"  # of the output layer: a key of OUTPUTS


class Forward(NamedTuple):
    """What `rnn_forward` computed."""

    x: Array  # (T, D)
    Y: Array  # (T, K)
    z: OfSteps  # z[t, l], each (H_l,)
    h: OfSteps  # h[t, l]; h[t, 0] is x(t)


class Gradients(NamedTuple):
    """What `rnn_bptt` computed. Each has the shape of what it is the gradient by."""

    dx: Array  # (T, D)
    dW_c: OfLayers
    dW_r: OfLayers
    db: OfLayers
    dh_init: OfLayers  # dh(-1, l)
    dW_o: Any  # None without an output layer
    db_o: Any
    dZ: OfSteps
    dH: OfSteps
    dZ_o: dict[int, Array]


def rnn_forward(x: ArrayLike, net: Network, hinit: Sequence[ArrayLike] | None = None) -> Forward:
    """Run one sequence through a recurrent network, time by time and layer by layer.

    Parameters
    ----------
    x : array (T, D)
    net : Network
    hinit : sequence of arrays (H_l,), optional
        h(-1, l) of the layers 1 to L; 0 when not given.

    Returns
    -------
    Forward

    Examples
    --------
    One linear unit that adds up what it sees, and an output layer that doubles it:

    >>> one = np.ones((1, 1))
    >>> net = Network([one], [one], [[0.0]], W_o=[[2.0]], b_o=[0.0], f="identity", g="identity")
    >>> rnn_forward([[1.0], [2.0], [3.0]], net, hinit=[[10.0]]).Y.ravel()
    array([22., 26., 32.])
    """
    x = np.asarray(x, np.float64)
    W_c, W_r, b = (by_layer(part) for part in net[:3])
    f, g = NONLINEARITIES[net.f][0], OUTPUTS[net.g][0]
    T, L = len(x), len(W_c)
    initial = [np.zeros(len(bias)) for bias in b.values()] if hinit is None else hinit
    h: OfSteps = {(-1, l): value for l, value in by_layer(initial).items()}
    z: OfSteps = {}
    Y = np.zeros((T, _outputs(net, x.shape[1])))
    for t in range(T):
        h[t, 0] = x[t]
        for l in range(1, L + 1):
            z[t, l] = W_c[l] @ h[t, l - 1] + W_r[l] @ h[t - 1, l] + b[l]
            h[t, l] = f(z[t, l])
        if net.W_o is None:
            Y[t] = h[t, L]
        else:
            z_o = np.asarray(net.W_o) @ h[t, L] + np.asarray(net.b_o)
            Y[t] = g(z_o)
    return Forward(x, Y, z, h)


def rnn_bptt(dY: ArrayLike, net: Network, forward: Forward) -> Gradients:
    """Backpropagate through time, from the gradients of any divergence by the outputs.

    The divergence may be any function of all Y(t) together: all that is asked of it is its
    gradient by each of them. Gradients are rows, so that matrices stand to their right; the
    gradient by a matrix is given in the shape of the matrix.

    Parameters
    ----------
    dY : array (T, K)
        ``dDIV / dY(t)``. For a network without an output layer this is the gradient by h(t, L)
        that comes from above, the notes' dh_top.
    net : Network
    forward : Forward
        What `rnn_forward` returned.

    Returns
    -------
    Gradients

    Examples
    --------
    The divergence is the last output. Nothing is lost on the way through a linear unit with
    recurrent weight 1, so all inputs and the initial state have the same gradient:

    >>> one = np.ones((1, 1))
    >>> net = Network([one], [one], [[0.0]], W_o=[[2.0]], b_o=[0.0], f="identity", g="identity")
    >>> forward = rnn_forward([[1.0], [2.0], [3.0]], net)
    >>> gradients = rnn_bptt([[0.0], [0.0], [1.0]], net, forward)
    >>> gradients.dx.ravel(), gradients.dh_init[1]
    (array([2., 2., 2.]), array([2.]))
    """
    dY, (x, Y, _, h) = np.asarray(dY, np.float64), forward
    W_c, W_r, b = (by_layer(part) for part in net[:3])
    T, L = len(Y), len(W_c)
    dW_c, dW_r, db = (
        {l: np.zeros_like(part[l]) for l in range(1, L + 1)} for part in (W_c, W_r, b)
    )
    W_o = None if net.W_o is None else np.asarray(net.W_o, np.float64)
    dW_o = None if W_o is None else np.zeros_like(W_o)
    db_o = None if W_o is None else np.zeros(len(W_o))
    dH: OfSteps = {place: np.zeros_like(value) for place, value in h.items()}
    dx, dZ = np.zeros_like(x), OfSteps()
    dZ_o: dict[int, Array] = {}
    for t in range(T - 1, -1, -1):
        if W_o is None:
            dH[t, L] += dY[t]
        else:
            dZ_o[t] = dY[t] @ jacobian(net.g, Y[t])
            dW_o += np.outer(dZ_o[t], h[t, L])
            db_o += dZ_o[t]
            dH[t, L] += dZ_o[t] @ W_o
        for l in range(L, 0, -1):
            dZ[t, l] = dH[t, l] @ jacobian(net.f, h[t, l])
            dH[t, l - 1] += dZ[t, l] @ W_c[l]
            dH[t - 1, l] += dZ[t, l] @ W_r[l]
            dW_c[l] += np.outer(dZ[t, l], h[t, l - 1])
            dW_r[l] += np.outer(dZ[t, l], h[t - 1, l])
            db[l] += dZ[t, l]
        dx[t] = dH[t, 0]
    dh_init = {l: dH[-1, l] for l in range(1, L + 1)}
    return Gradients(dx, dW_c, dW_r, db, dh_init, dW_o, db_o, dZ, dH, dZ_o)


def jacobian(activation: str, y: Array) -> Array:
    """Return the matrix of dy_j / dz_i of an activation, from its values y (K,).

    It is diagonal for a function of each element, and ``diag(y) - y y'`` for the softmax.

    Examples
    --------
    >>> jacobian("sigmoid", np.array([0.5, 0.0]))
    array([[0.25, 0.  ],
           [0.  , 0.  ]])
    >>> jacobian("softmax", np.array([0.5, 0.5]))
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    _, backward = OUTPUTS[activation]
    return np.array([backward(unit, y) for unit in np.eye(len(y))])


def by_layer(parts: Sequence[ArrayLike]) -> OfLayers:
    """Return arrays by their number, which starts at 1, as the notes number layers."""
    return {l: np.asarray(part, np.float64) for l, part in enumerate(parts, start=1)}


def _outputs(net: Network, features: int) -> int:
    """Return K, the size of Y(t)."""
    if net.W_o is not None:
        return len(np.asarray(net.W_o))
    return len(np.asarray(net.b[-1])) if net.b else features
