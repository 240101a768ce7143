"""Layers that look embeddings up among the gates give what they give for embedded frames."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled import manual_seed, nn, set_num_threads
from unrolled.nn.functional import run_tokens
from unrolled.nn.recurrent_tokens import EmbeddedTokens

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def random_layers(rng, dtype):
    cell = str(rng.choice(list(CELLS)))
    options = {"num_layers": int(rng.integers(1, 3)), "bidirectional": bool(rng.integers(2))}
    if cell == "gru":
        options["reset_after"] = bool(rng.integers(2))
    if cell == "lstm":
        options["peepholes"] = bool(rng.integers(2))
        options["proj_size"] = int(rng.integers(0, 4))
    options["bias"] = bool(rng.integers(3))
    size, hidden = int(rng.integers(1, 9)), int(rng.integers(4, 25))
    layers = CELLS[cell](size, hidden, **options)
    table = nn.Embedding(int(rng.integers(1, 7)), size)
    for parameter in (*layers.parameters(), *table.parameters()):
        parameter.data = (rng.normal(size=parameter.shape) * 0.4).astype(dtype)
    return layers, table, (cell, size, hidden, options)


def results(layers, output, state, weight):
    """Everything that comes out, and all gradients of a weighted sum of it."""
    parts = state if isinstance(state, tuple) else (state,)
    loss = (output * weight).sum()
    for part in parts:
        loss = loss + (part * part).sum()
    loss.backward()
    return [output.data, *(part.data for part in parts)]


def gradients(modules):
    found = [p.grad for module in modules for p in module.parameters()]
    for module in modules:
        module.zero_grad()
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_layers_agree_with_embedded_frames(rng, isa, dtype):
    """40 configurations a level and type, 240 in all; the outputs bit for bit."""
    manual_seed(1)
    for _ in range(40):
        layers, table, config = random_layers(rng, dtype)
        rows = len(table.weight)
        items, steps = int(rng.integers(1, 5)), int(rng.integers(1, 9))
        if rows >= items * steps:
            continue
        words = rng.integers(0, rows, (items, steps))
        lengths = rng.integers(0, steps + 1, items) if rng.integers(2) else None
        width = layers._size("h") * len(layers.directions)
        weight = rng.normal(size=(items, steps, width)).astype(dtype)
        expected = results(layers, *layers(table(words), None, lengths), weight)
        expected_grads = gradients((layers, table))
        found = results(layers, *run_tokens(layers, words, table, None, lengths), weight)
        for ours, theirs in zip(found, expected, strict=True):
            assert np.array_equal(ours, theirs), config
        tolerance = 2e-5 if dtype == "float32" else 1e-12
        for ours, theirs in zip(gradients((layers, table)), expected_grads, strict=True):
            scale = max(1.0, float(np.abs(theirs).max(initial=0)))
            np.testing.assert_allclose(ours, theirs, atol=tolerance * scale, err_msg=str(config))


def test_threads_change_no_bit(rng, threads):
    layers, table = nn.LSTM(8, 40, bidirectional=True), nn.Embedding(11, 8)
    words = rng.integers(0, 11, (17, 30))
    run_tokens(layers, words, table)[0].sum().backward()
    several = gradients((layers, table))
    set_num_threads(1)
    run_tokens(layers, words, table)[0].sum().backward()
    for ours, theirs in zip(several, gradients((layers, table)), strict=True):
        assert np.array_equal(ours, theirs)


def test_what_is_unusual_goes_the_general_way(rng, monkeypatch):
    """Fewer frames than tokens, a padding row, sparse gradients, layers that normalise."""
    monkeypatch.setattr(EmbeddedTokens, "run", None)
    words = rng.integers(0, 5, (2, 4))
    for layers, table in (
        (nn.GRU(3, 4), nn.Embedding(8, 3)),
        (nn.GRU(3, 4), nn.Embedding(5, 3, padding_idx=0)),
        (nn.GRU(3, 4), nn.Embedding(5, 3, sparse=True)),
        (nn.LSTM(3, 4, layer_norm=True), nn.Embedding(5, 3)),
    ):
        output, _ = run_tokens(layers, words, table)
        assert np.array_equal(output.data, layers(table(words))[0].data)


def test_what_does_not_fit_is_named():
    table = nn.Embedding(3, 4)
    with pytest.raises(ValueError, match="ids"):
        run_tokens(nn.GRU(4, 5), [[0, 3, 1, 1]], table)
    with pytest.raises(ValueError, match="input_size=5"):
        run_tokens(nn.GRU(5, 5), [[0, 1, 1, 1]], table)
    with pytest.raises(ValueError, match="lengths"):
        run_tokens(nn.GRU(4, 5), [[0, 1, 1, 1]], table, lengths=[5])


def test_states_of_all_steps_can_be_recorded():
    layers, table = nn.LSTM(4, 5), nn.Embedding(3, 4)
    words = np.array([[0, 1, 2, 1]])
    record = []
    tokens = EmbeddedTokens("lstm", words, table.weight)
    tokens.run(layers._weights(0), (None, None), record=record)
    _, _, states = layers(table(words), return_all_states=True)
    assert np.array_equal(record[0]["c"], states["c"][0])
