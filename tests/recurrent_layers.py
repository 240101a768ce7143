"""Random recurrent modules, and what the reference makes of the same weights."""

from __future__ import annotations

import numpy as np

from unrolled import nn
from unrolled.reference import gru, lstm, rnn

KINDS = ("RNN", "GRU", "LSTM")


def draw_options(kind, rng, *, torch=False):
    """Draw a constructor's options; with `torch`, only those that PyTorch has too."""
    options = {
        "num_layers": int(rng.integers(1, 4)),
        "bias": bool(rng.random() < 0.7),
        "bidirectional": bool(rng.random() < 0.5),
    }
    if kind == "RNN":
        names = ["tanh", "relu"] if torch else ["tanh", "relu", "sigmoid", "identity"]
        options["nonlinearity"] = str(rng.choice(names))
    if kind == "LSTM":
        options["proj_size"] = int(rng.choice([0, 0, 1, 2]))
    if torch:
        return options
    if kind == "GRU":
        options["reset_after"] = bool(rng.random() < 0.5)
    if kind == "LSTM":
        options["peepholes"] = bool(rng.random() < 0.5)
    options["learn_initial_state"] = bool(rng.random() < 0.3)
    return options


def draw_sizes(rng):
    """Return N, T, D and H; H leaves room for a projection to 2."""
    return tuple(int(rng.integers(low, high)) for low, high in ((1, 4), (1, 6), (1, 4), (3, 6)))


def make(kind, D, H, options, rng, dtype=np.float32):
    """Make a layer whose every parameter, the initial states too, is a drawn number."""
    layer = getattr(nn, kind)(D, H, **options).to(dtype)
    for parameter in layer.parameters():
        parameter.data[...] = 0.6 * rng.standard_normal(parameter.shape)
    return layer


def draw_state(layer, N, rng):
    """Return a state of the layer's form as NumPy arrays."""
    form = layer.initial_state(N)
    parts = [rng.standard_normal(part.shape) for part in (form if is_pair(form) else (form,))]
    return tuple(parts) if is_pair(form) else parts[0]


def is_pair(state):
    return isinstance(state, tuple)


def parts_of(state):
    """List the arrays of a state."""
    return [np.asarray(getattr(p, "data", p)) for p in (state if is_pair(state) else (state,))]


def expected(layer, x, state=None, lengths=None, masks=None):
    """Run the reference layer upon layer; `masks` has the hidden mask of each.

    Returns the output, the parts of the state, and the states and gates of all layers.
    """
    N, count = len(x), len(layer.directions)
    parts = parts_of(layer.initial_state(N) if state is None else state)
    after, record = [], []
    for level in range(layer.num_layers):
        own = slice(level * count, (level + 1) * count)
        weights = [
            tuple(None if w is None else w.data for w in entry) for entry in layer._weights(level)
        ]
        mask = None if masks is None else masks[level]
        x, *final, saved = reference(layer, x, weights, [p[own] for p in parts], lengths, mask)
        after.append(final)
        record.append(saved.states())
    states = {name: np.stack([entry[name] for entry in record]) for name in record[0]}
    return x, [np.concatenate(layers) for layers in zip(*after, strict=True)], states


def reference(layer, x, weights, parts, lengths, mask):
    given = {"h0": parts[0], "lengths": lengths, "hidden_mask": mask}
    if isinstance(layer, nn.RNN):
        return rnn.rnn(x, weights, nonlinearity=layer.nonlinearity, **given)
    if isinstance(layer, nn.GRU):
        return gru.gru(x, weights, reset_after=layer.reset_after, **given)
    return lstm.lstm(x, weights, c0=parts[1], **given)
