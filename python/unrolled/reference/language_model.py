"""Language models: how likely each word is to come next, word by word, and back through them.

A word is a number below N. As the notes have it, it enters a network as a one-hot vector W, which
the projection P (M, N) turns into its embedding P W; a recurrent network reads the embeddings, and
its output layer gives a probability for every word of the vocabulary:

    P(w_1, ..., w_T) = P(w_1) P(w_2 | w_1) ... P(w_T | w_1, ..., w_T-1)

The decoder of a sequence to sequence model is the same network, started from another's state
(`seq2seq.py`). Texts begin behind ``<sos>`` and end with ``<eos>``, two words more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .embedding import one_hot, project
from .gru import GruCell
from .lstm import LstmCell
from .recurrent import Entry, Parameters, State
from .rnn import RnnCell
from .scan import perceptron
from .softmax import softmax

Array = NDArray[Any]
States = list[State]  # of each layer: (h,), or (h, c) of an LSTM

CELLS: dict[str, Any] = {
    "rnn": lambda: RnnCell("tanh"),
    "gru": lambda: GruCell(reset_after=True),
    "lstm": LstmCell,
}


class Network(NamedTuple):
    """Projection, recurrent layers and, for all but an encoder, an output layer.

    With ``P = None`` nothing is read: the layers see zeros, and only their state goes on.
    """

    P: ArrayLike | None  # (M, N)
    kind: str  # a key of CELLS
    layers: Sequence[Entry]  # weight_ih, weight_hh, bias_ih, bias_hh of each
    W_o: ArrayLike | None = None  # (K, H)
    b_o: ArrayLike | None = None  # (K,)


class Run(NamedTuple):
    """What `forward` computed for T words."""

    words: list[int]
    y: Array  # (T, K): y[t] is the distribution of the word behind words[t]
    h: Array  # (T, H) of the last layer
    states: dict[int, States]  # states[-1] is the first one
    steps: dict[tuple[int, int], Any]  # by time and layer: input and gates


class Gradients(NamedTuple):
    """What `backward` computed; each has the shape of what it is the gradient by."""

    P: Array | None
    layers: list[list[Array | None]]
    W_o: Array | None
    b_o: Array | None
    initial: States


def embed(word: int, P: ArrayLike) -> Array:
    """Return ``P W`` of a word's one-hot vector W: a column of P (M, N).

    Examples
    --------
    >>> embed(1, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    array([2., 5.])
    """
    P = np.asarray(P, np.float64)
    W = one_hot(word, P.shape[1])
    return project(P, W)


def start(net: Network) -> States:
    """Return h(-1) of every layer: zeros."""
    sizes = [np.asarray(weights[1]).shape[1] for weights in net.layers]
    return [tuple(np.zeros(H) for _ in CELLS[net.kind]().states) for H in sizes]


def step(word: int, before: States, net: Network) -> tuple[Array, States]:
    """Read one word: return the distribution y (K,) of the next one, and the new states."""
    h, states = read(word, before, net)
    return distribution(h, net), states


def read(word: int, before: States, net: Network) -> tuple[Array, States]:
    """Read one word: return the state h (H,) of the last layer, and all states."""
    h, states, _ = _layers(_input(word, net), before, net)
    return h, states


def distribution(h: Array, net: Network) -> Array:
    """Return y (K,) of what the output layer sees; nothing for a network without one."""
    if net.W_o is None:
        return np.zeros(0)
    return softmax(np.asarray(net.W_o, np.float64) @ h + np.asarray(net.b_o, np.float64))


def forward(words: Sequence[int], net: Network, initial: States | None = None) -> Run:
    """Read words one after the other, from the states `initial`, or zeros.

    Examples
    --------
    A network whose weights are all 0 finds every next word equally likely:

    >>> nothing = [(np.zeros((2, 2)), np.zeros((2, 2)), None, None)]
    >>> net = Network(np.ones((2, 4)), "rnn", nothing, np.zeros((4, 2)), np.zeros(4))
    >>> forward([0, 3], net).y
    array([[0.25, 0.25, 0.25, 0.25],
           [0.25, 0.25, 0.25, 0.25]])
    """
    states = {-1: start(net) if initial is None else initial}
    y, h, steps = [], [], dict[tuple[int, int], Any]()
    for t, word in enumerate(words):
        x, states[t], of_layers = _layers(_input(word, net), states[t - 1], net)
        steps.update({(t, layer): kept for layer, kept in enumerate(of_layers)})
        h.append(x)
        y.append(distribution(x, net))
    return Run(list(words), np.array(y), np.array(h), states, steps)


def backward(
    dz: ArrayLike | None,
    net: Network,
    run: Run,
    *,
    dh: ArrayLike | None = None,
    last: States | None = None,
) -> Gradients:
    """Go back through `forward`, from the last word to the first.

    Parameters
    ----------
    dz : array (T, K), optional
        Gradients by what the softmax of the output layer was given, as `cross_entropy` has them.
    dh : array (T, H), optional
        Further gradients by the states of the last layer, such as attention's.
    last : states, optional
        Gradients by the states after the last word.
    """
    cell, layers = CELLS[net.kind](), [_parameters(weights) for weights in net.layers]
    totals = [[None if w is None else np.zeros_like(w) for w in layer] for layer in layers]
    dP = None if net.P is None else np.zeros_like(net.P, np.float64)
    by_output, dW_o, db_o = _output_backward(dz, net, run)
    by_output = by_output if dh is None else by_output + np.asarray(dh, np.float64)
    dstates = start(net) if last is None else list(last)
    for t in reversed(range(len(run.words))):
        d = by_output[t]
        for k in reversed(range(len(layers))):
            x, gates = run.steps[t, k]
            before, (dh_k, *others) = run.states[t - 1][k], dstates[k]
            d, dseen, (carried, *others), parts = cell.backward(
                (dh_k + d, *others), x, before[0], before, gates, layers[k]
            )
            dstates[k] = (carried + dseen, *others)
            for total, part in zip(totals[k], parts, strict=False):
                if total is not None:
                    total += part
        if dP is not None:
            dP += np.outer(d, one_hot(run.words[t], dP.shape[1]))
    return Gradients(dP, totals, dW_o, db_o, dstates)


def log_probability(
    words: Sequence[int], net: Network, sos: int, initial: States | None = None
) -> float:
    """Return ln P(words) by the chain rule; end them with ``<eos>`` for a whole sentence.

    Examples
    --------
    >>> nothing = [(np.zeros((2, 2)), np.zeros((2, 2)), None, None)]
    >>> net = Network(np.ones((2, 4)), "rnn", nothing, np.zeros((4, 2)), np.zeros(4))
    >>> round(log_probability([1, 2, 3], net, sos=0), 6)  # 3 ln(1 / 4)
    -4.158883
    """
    total, states = 0.0, start(net) if initial is None else initial
    before = sos
    for word in words:
        y, states = step(before, states, net)
        total += float(np.log(y[word]))
        before = word
    return total


def cross_entropy(
    y: ArrayLike, targets: Sequence[int], positions: Sequence[int] | None = None
) -> tuple[float, Array]:
    """Return the divergence between distributions and words, and its gradient before the softmax.

    Parameters
    ----------
    y : array (T, K)
    targets : T words
    positions : some of 0 .. T - 1, optional
        The divergence is taken there alone: SGD may use words drawn from the output.

    Returns
    -------
    ``DIV = -sum over t of ln y_t(target)``, and dz (T, K), which is ``y_t - one_hot(target)``.

    Examples
    --------
    >>> divergence, dz = cross_entropy([[0.5, 0.5], [0.9, 0.1]], [0, 1])
    >>> round(divergence, 6)  # -ln 0.5 - ln 0.1
    2.995732
    >>> dz
    array([[-0.5,  0.5],
           [ 0.9, -0.9]])
    """
    y = np.asarray(y, np.float64)
    divergence, dz = 0.0, np.zeros_like(y)
    for t in range(len(y)) if positions is None else positions:
        divergence -= float(np.log(y[t, targets[t]]))
        dz[t] = y[t] - one_hot(targets[t], y.shape[1])
    return divergence, dz


def fixed_window(
    words: Sequence[int], P: ArrayLike, layers: Sequence[tuple[ArrayLike, ArrayLike]]
) -> Array:
    """Return the next word's distribution from the last n words (Bengio et al. 2003).

    Parameters
    ----------
    words : the n words before, oldest first
    P : array (M, N)
    layers : (weight, bias) of each
        The first sees the n embeddings behind one another. tanh between them, softmax behind the
        last.

    Examples
    --------
    >>> fixed_window([0, 1], np.eye(2), [(np.zeros((3, 4)), np.log([0.2, 0.3, 0.5]))])
    array([0.2, 0.3, 0.5])
    """
    return softmax(perceptron(np.concatenate([embed(word, P) for word in words]), layers, np.tanh))


def _input(word: int, net: Network) -> Array:
    """Return what the first layer sees: the embedding, or zeros where nothing is read."""
    if net.P is None:
        return np.zeros(np.asarray(net.layers[0][0]).shape[1])
    return embed(word, net.P)


def _layers(x: Array, before: States, net: Network) -> tuple[Array, States, list[Any]]:
    """Lead x through the recurrent layers: their output, their states, and what each one kept."""
    cell, states, kept = CELLS[net.kind](), States(), []
    for state, weights in zip(before, net.layers, strict=True):
        gates = cell.forward(x, state[0], state, _parameters(weights))
        kept.append((x, gates))
        states.append(tuple(gates[name] for name in cell.states))
        x = gates["h"]
    return x, states, kept


def _output_backward(dz: ArrayLike | None, net: Network, run: Run) -> tuple[Array, Any, Any]:
    """Return the gradients by the states of the last layer, and by W_o and b_o."""
    if dz is None:
        return np.zeros_like(run.h), None, None
    dz = np.asarray(dz, np.float64)
    return dz @ np.asarray(net.W_o, np.float64), dz.T @ run.h, dz.sum(axis=0)


def _parameters(weights: Entry) -> Parameters:
    return tuple(None if w is None else np.asarray(w, np.float64) for w in weights)
