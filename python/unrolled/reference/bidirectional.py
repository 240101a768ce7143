# ruff: noqa: E741 (l is the notes' name for a layer)
"""Two networks that read a sequence from its two ends (Schuster and Paliwal 1997).

Subscript f is the network that runs forward in time, subscript b the one that runs backward. Each
has a depth of its own, and they meet at the top:

    h(t) = [h_f(t, L_f); h_b(t, L_b)]

What stands above is another network on h(t): an output layer alone (`Network` without hidden
layers), or two networks again. With one layer each, joined layer by layer, this is the
bidirectional network of most libraries: `stack_forward`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bptt import Forward, Gradients, Network, OfSteps, by_layer, rnn_bptt, rnn_forward
from .rnn import NONLINEARITIES

Array = NDArray[Any]
Initial = Sequence[ArrayLike] | None
Pair = tuple[Network, Network]


def bidirectional_inference(
    x: ArrayLike, net_f: Network, net_b: Network, h_f: Initial = None, h_b: Initial = None
) -> Array:
    """Read a sequence from left to right and from right to left, and join the last layers.

    Parameters
    ----------
    x : array (T, D)
    net_f, net_b : Network
        Hidden layers only.
    h_f, h_b : sequence of arrays, optional
        h_f(-1, l) and h_b(inf, l) of all layers; 0 when not given.

    Returns
    -------
    h : array (T, H_f + H_b)

    Examples
    --------
    Two linear units that add up what they have seen, one from each end:

    >>> net = Network([np.ones((1, 1))], [np.ones((1, 1))], [[0.0]], f="identity")
    >>> bidirectional_inference([[1.0], [2.0], [4.0]], net, net)
    array([[1., 7.],
           [3., 6.],
           [7., 4.]])
    """
    x = np.asarray(x, np.float64)
    T, L_f, L_b = len(x), len(net_f.W_c), len(net_b.W_c)
    forward = rnn_forward(x, net_f, h_f)
    W_bc, W_br, b_b = (by_layer(part) for part in net_b[:3])
    f, _ = NONLINEARITIES[net_b.f]
    after = [np.zeros(len(bias)) for bias in b_b.values()] if h_b is None else h_b
    of_b: OfSteps = {(T, l): value for l, value in by_layer(after).items()}
    h = np.zeros((T, len(b_b[L_b]) + forward.Y.shape[1]))
    for t in range(T - 1, -1, -1):
        of_b[t, 0] = x[t]
        for l in range(1, L_b + 1):
            z_b = W_bc[l] @ of_b[t, l - 1] + W_br[l] @ of_b[t + 1, l] + b_b[l]
            of_b[t, l] = f(z_b)
        h[t] = np.concatenate([forward.h[t, L_f], of_b[t, L_b]])
    return h


def bidirectional_forward(
    x: ArrayLike, net_f: Network, net_b: Network, h_f: Initial = None, h_b: Initial = None
) -> tuple[Array, Forward, Forward]:
    """Do the same with one forward pass: the backward network reads the sequence turned round.

    Parameters
    ----------
    x, net_f, net_b, h_f, h_b
        As in `bidirectional_inference`. A network that has an output layer of its own is joined
        by its outputs instead of its states.

    Returns
    -------
    h : array (T, H_f + H_b)
    forward, backward : Forward
        What each network computed, at the times of x: ``backward.h[t, l]`` is h_b(t, l), and
        ``backward.h[T, l]`` is h_b(inf, l).
    """
    forward = rnn_forward(x, net_f, h_f)
    backward = fliplr(rnn_forward(np.asarray(x)[::-1], net_b, h_b))
    return np.concatenate([forward.Y, backward.Y], axis=1), forward, backward


def bidirectional_bptt(
    dh: ArrayLike, net_f: Network, net_b: Network, forward: Forward, backward: Forward
) -> tuple[Array, Gradients, Gradients]:
    """Split the gradient between the two networks, and go back through each.

    Parameters
    ----------
    dh : array (T, H_f + H_b)
        Gradient by h(t), from the layer above.
    net_f, net_b : Network
    forward, backward : Forward
        From `bidirectional_forward`.

    Returns
    -------
    dx : array (T, D)
        The sum of what both networks pass on.
    gradients_f, gradients_b : Gradients
        Those of the backward network are in the order in which it ran; ``dh_init`` of it is
        dh_b(inf, l).

    Examples
    --------
    Of the same two units, the output at the middle: each input reached it from one side, and the
    middle itself from both.

    >>> net = Network([np.ones((1, 1))], [np.ones((1, 1))], [[0.0]], f="identity")
    >>> _, *runs = bidirectional_forward([[1.0], [2.0], [4.0]], net, net)
    >>> dx, _, _ = bidirectional_bptt([[0, 0], [1, 1], [0, 0]], net, net, *runs)
    >>> dx.ravel()
    array([1., 2., 1.])
    """
    dh = np.asarray(dh, np.float64)
    H_f = forward.Y.shape[1]
    dh_f, dh_b = dh[:, :H_f], dh[:, H_f:]
    gradients_f = rnn_bptt(dh_f, net_f, forward)
    gradients_b = rnn_bptt(dh_b[::-1], net_b, fliplr(backward))
    return gradients_f.dx + gradients_b.dx[::-1], gradients_f, gradients_b


def fliplr(run: Forward) -> Forward:
    """Turn the time of everything round: t becomes T - 1 - t, and so -1 becomes T."""
    x, Y, z, h = run
    turned = ({(len(x) - 1 - t, l): value for (t, l), value in part.items()} for part in (z, h))
    return Forward(x[::-1], Y[::-1], *turned)


def stack_forward(
    x: ArrayLike, pairs: Sequence[Pair], initial: Sequence[tuple[Initial, Initial]] | None = None
) -> tuple[Array, list[tuple[Forward, Forward]]]:
    """Run several pairs of networks, each on the joined states of the pair below.

    Parameters
    ----------
    x : array (T, D)
    pairs : sequence of (net_f, net_b)
        One hidden layer each for the usual bidirectional layers.
    initial : sequence of (h_f, h_b), optional

    Returns
    -------
    h : array (T, H_f + H_b) of the last pair
    runs : list of (forward, backward)
    """
    h, runs = np.asarray(x, np.float64), []
    for k, pair in enumerate(pairs):
        h, forward, backward = bidirectional_forward(h, *pair, *(initial[k] if initial else ()))
        runs.append((forward, backward))
    return h, runs


def stack_bptt(
    dh: ArrayLike, pairs: Sequence[Pair], runs: Sequence[tuple[Forward, Forward]]
) -> tuple[Array, list[tuple[Gradients, Gradients]]]:
    """Go back through `stack_forward`, from the last pair to the first.

    Returns
    -------
    dx : array (T, D)
    gradients : list of (gradients_f, gradients_b), in the order of `pairs`
    """
    gradients = []
    for pair, run in zip(reversed(pairs), reversed(runs), strict=True):
        dh, *of_pair = bidirectional_bptt(dh, *pair, *run)
        gradients.append((of_pair[0], of_pair[1]))
    return np.asarray(dh), gradients[::-1]
