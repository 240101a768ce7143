"""Delayed sequence to sequence: one network reads a sequence, another writes one.

The encoder's state at the input's ``<eos>`` is all that the decoder knows of the input. The
decoder starts from it with ``<sos>`` and draws words until ``<eos>``, with or without being told
what it drew. With attention it also looks at the encoder's states behind all words;
`attention_decoder.py` has the other orders of looking and reading, and the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .attention import attend
from .language_model import (
    Gradients,
    Network,
    Run,
    States,
    backward,
    cross_entropy,
    distribution,
    forward,
    read,
    start,
    step,
)

Array = NDArray[Any]
Draw = Callable[[Array], int]


class EncoderDecoder(NamedTuple):
    """Two networks; `decoder.P` is None where the decoder is not told what was drawn."""

    encoder: Network
    decoder: Network
    sos: int  # numbers of the output's vocabulary
    eos: int


class Attending(NamedTuple):
    """How the decoder's state h asks the memory, and what is made of the answer c.

    The output layer sees ``o = tanh(W [c; h] + b)`` in place of h (Luong et al. 2015).
    """

    score: str  # "dot", "general" or "additive", with its weights
    weights: Sequence[Array]
    W: Array  # (H, M + H)
    b: Array  # (H,)


class Written(NamedTuple):
    """A sequence that was drawn: its words up to ``<eos>`` and the distribution of each."""

    words: list[int]
    y: list[Array]
    attention: Sequence[Array] = ()  # where the decoder looked for each word


def encode(words: Sequence[int], encoder: Network) -> States:
    """Read the input, ``<eos>`` included, and return H, the state behind its last word."""
    T = len(words)
    h = {-1: start(encoder)}
    for t in range(T):  # including both ends of the index
        _, h[t] = step(words[t], h[t - 1], encoder)
    H = h[T - 1]
    return H


def decode(H: States, net: EncoderDecoder, draw_word_from: Draw, most: int) -> Written:
    """Write from the state H, until ``<eos>`` or `most` words.

    With ``net.decoder.P`` each drawn word is the next input; without, the network is not told
    what was drawn.

    Examples
    --------
    A decoder that is a clock: one unit of its state counts, and the third word is ``<eos>``.

    >>> cell = (np.zeros((1, 1)), np.ones((1, 1)), [0.3], [0.0])  # h(t) = tanh(h(t - 1) + 0.3)
    >>> decoder = Network(None, "rnn", [cell], [[0.0], [10.0]], [0.0, -5.5])
    >>> net = EncoderDecoder(decoder, decoder, sos=0, eos=1)
    >>> decode([(np.zeros(1),)], net, lambda y: int(np.argmax(y)), most=9).words
    [0, 0, 1]
    """
    t = 0
    h_out = {0: H}
    y, Y_out = {}, {0: net.sos}
    while True:
        t = t + 1
        y[t], h_out[t] = step(Y_out[t - 1], h_out[t - 1], net.decoder)
        Y_out[t] = draw_word_from(y[t])
        if Y_out[t] == net.eos or t == most:
            break
    return Written([Y_out[k] for k in range(1, t + 1)], [y[k] for k in range(1, t + 1)])


def decode_attending(
    H: States,
    memory: Array,
    net: EncoderDecoder,
    attending: Attending,
    draw_word_from: Draw,
    most: int,
) -> Written:
    """Write as `decode`, looking at a memory (S, M) before each word is drawn.

    The memory is the states of the encoder's last layer behind each word of the input.

    Examples
    --------
    The state has what it looks for, and the second position of the memory fits it best:

    >>> cell = (np.zeros((2, 1)), np.eye(2), [0.0, 0.0], [0.0, 0.0])  # h(t) = tanh(h(t - 1))
    >>> decoder = Network(None, "rnn", [cell], np.eye(2), np.zeros(2))
    >>> net = EncoderDecoder(decoder, decoder, sos=0, eos=1)
    >>> attending = Attending("dot", (), np.eye(2, 4), np.zeros(2))
    >>> memory = np.array([[9.0, 0.0], [0.0, 9.0]])
    >>> written = decode_attending(
    ...     [(np.array([0.0, 1.0]),)], memory, net, attending, lambda y: int(np.argmax(y)), most=9
    ... )
    >>> written.words, written.attention[0].round(3)
    ([1], array([0.001, 0.999]))
    """
    t = 0
    h_out = {0: H}
    y, Y_out, a = {}, {0: net.sos}, {}
    while True:
        t = t + 1
        h, h_out[t] = read(Y_out[t - 1], h_out[t - 1], net.decoder)
        a[t], c = attend(h, memory, attending.score, tuple(attending.weights))
        o = np.tanh(attending.W @ np.concatenate([c, h]) + attending.b)
        y[t] = distribution(o, net.decoder)
        Y_out[t] = draw_word_from(y[t])
        if Y_out[t] == net.eos or t == most:
            break
    steps = range(1, t + 1)
    return Written([Y_out[k] for k in steps], [y[k] for k in steps], [a[k] for k in steps])


def log_probability(source: Sequence[int], target: Sequence[int], net: EncoderDecoder) -> float:
    """Return ln P(O_1, ..., O_L | I_1, ..., I_N), both ended by ``<eos>``.

    ``P = y_1(O_1) y_2(O_2) ... y_L(O_L)``, where each distribution has seen the words before.
    """
    h, before, total = encode(source, net.encoder), net.sos, 0.0
    for word in target:
        y, h = step(before, h, net.decoder)
        total += float(np.log(y[word]))
        before = word
    return total


def divergence(
    source: Sequence[int],
    target: Sequence[int],
    net: EncoderDecoder,
    positions: Sequence[int] | None = None,
    fed: Sequence[int] | None = None,
) -> tuple[float, Any]:
    """Lead both sequences through the networks: the forward pass of training.

    Parameters
    ----------
    source, target : words, ``<eos>`` included
    positions : some of 0 .. L - 1, optional
        Where in the output the divergence is taken; everywhere when left out.
    fed : L - 1 words, optional
        What the decoder reads behind ``<sos>``: the target's own words when left out (teacher
        forcing, Williams and Zipser 1989); words drawn from the outputs take the place of some in
        scheduled sampling (Bengio et al. 2015).

    Returns
    -------
    The cross entropy between output distributions and target words, and what
    `divergence_backward` needs.
    """
    reading = forward(source, net.encoder)
    H = reading.states[len(source) - 1]
    inputs = [net.sos, *(target[:-1] if fed is None else fed)]
    writing = forward(inputs, net.decoder, H)
    value, dz = cross_entropy(writing.y, target, positions)
    return value, (net, reading, writing, dz)


def divergence_backward(saved: tuple[EncoderDecoder, Run, Run, Array]) -> tuple[Any, Any]:
    """Return the gradients by the encoder's and the decoder's weights.

    The divergence goes back through the decoder to its first state, which is the encoder's last,
    and from there to the first word of the input. Words that were drawn are constants.
    """
    net, reading, writing, dz = saved
    of_decoder: Gradients = backward(dz, net.decoder, writing)
    of_encoder: Gradients = backward(None, net.encoder, reading, last=of_decoder.initial)
    return of_encoder, of_decoder
