"""Small language models and encoder-decoders of the reference, and the same ones of modules."""

from __future__ import annotations

import numpy as np

from unrolled import nn
from unrolled.reference.language_model import Network
from unrolled.reference.seq2seq import EncoderDecoder

MODULES = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
ROWS = {"rnn": 1, "gru": 3, "lstm": 4}
N, M, H, K = 5, 2, 3, 6  # words of the input, size of an embedding, units, words of the output
SOS, EOS = K - 2, K - 1
SOURCE, TARGET = [0, 3, 1, 4], [2, 0, 2, EOS]


def draw_network(rng, kind, depth=1, words=N, output=None, reads=True):
    """Draw a network of `depth` layers; `output` is the number of words it tells apart."""
    rows, sizes = ROWS[kind] * H, [M] + [H] * (depth - 1)
    layers = [
        [0.6 * rng.standard_normal(shape) for shape in ((rows, D), (rows, H), (rows,), (rows,))]
        for D in sizes
    ]
    top = (None, None)
    if output:
        top = (rng.standard_normal((output, H)), rng.standard_normal(output))
    return Network(rng.standard_normal((M, words)) if reads else None, kind, layers, *top)


def draw_pair(rng, kind, depth=1, feedback=True):
    """Draw an encoder and a decoder of equal shape."""
    encoder = draw_network(rng, kind, depth)
    decoder = draw_network(rng, kind, depth, words=K, output=K, reads=feedback)
    return EncoderDecoder(encoder, decoder, SOS, EOS)


def arrays_of(net):
    """List the weights of a network in the order of `gradients_of`."""
    return [net.P, [list(layer) for layer in net.layers], net.W_o, net.b_o]


def gradients_of(grad):
    """List what `backward` returned in the order of `arrays_of`."""
    return [grad.P, grad.layers, grad.W_o, grad.b_o]


def modules_of(net):
    """Return the recurrent module and the output layer with a network's weights, in float64."""
    layer = MODULES[net.kind](M, H, num_layers=len(net.layers)).double()
    state = {}
    for k, weights in enumerate(net.layers):
        for name, value in zip(
            ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), weights, strict=True
        ):
            state[f"{name}_l{k}"] = value
    layer.load_state_dict(state)
    if net.W_o is None:
        return layer, None
    output = nn.Linear(H, len(net.b_o)).double()
    output.load_state_dict({"weight": net.W_o, "bias": net.b_o})
    return layer, output


def state_to_modules(states):
    """Turn the reference's states into a module's for one sequence."""
    parts = [np.stack(part)[:, None] for part in zip(*states, strict=True)]
    return tuple(parts) if len(parts) > 1 else parts[0]


def entries_of(layer):
    """List the weights of each layer of a recurrent module that runs one way."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [
        [getattr(layer, f"{name}_l{k}").data for name in names] for k in range(layer.num_layers)
    ]


def reference_of(model, cell):
    """Return the reference's networks with the weights of a `models.Seq2Seq` without attention."""
    encoder = Network(model.source_embedding.weight.data.T, cell, entries_of(model.encoder))
    P = model.target_embedding.weight.data.T if model.feedback else None
    output = model.output.weight.data, model.output.bias.data
    decoder = Network(P, cell, entries_of(model.decoder), *output)
    return EncoderDecoder(encoder, decoder, model.target.sos_id, model.target.eos_id)
