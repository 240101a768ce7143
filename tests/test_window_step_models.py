"""Step models of convolutions give what the convolutions give over whole sequences."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled import manual_seed, nn
from unrolled.autograd import no_grad
from unrolled.generate.window_step_models import window_step_model

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(autouse=True)
def same_weights():
    manual_seed(3)


def whole(layers, table, output, words, activation):
    """Logits (N, T - reach, V) of whole sequences, by the modules."""
    with no_grad():
        x = table(words).transpose(0, 2, 1)
        for layer in layers:
            x = getattr(layer(x), activation)()
        x = x.transpose(0, 2, 1)
        for linear in output:
            x = linear(x)
    return x.data


def run(model, words):
    """Step through tokens (N, T): logits (N, T, V)."""
    rows, states, found = np.arange(len(words), dtype=np.int32), model.start(), []
    for t in range(words.shape[1]):
        tokens = np.ascontiguousarray(words[:, t], np.int32)
        states, logits, attention = model.step(tokens, rows, states)
        assert attention is None
        found.append(logits)
    return np.stack(found, 1)


def random_network(rng):
    widths = rng.integers(1, 5, rng.integers(1, 4))
    sizes = rng.integers(1, 30, len(widths) + 1)
    layers = [
        nn.Conv1d(int(sizes[k]), int(sizes[k + 1]), int(width), bias=bool(rng.integers(3)))
        for k, width in enumerate(widths)
    ]
    tokens = int(rng.integers(1, 9))
    features, output = int(sizes[-1]), []
    if rng.integers(2):
        output.append(nn.Linear(features, 6))
        features = 6
    output.append(nn.Linear(features, tokens))
    return layers, nn.Embedding(tokens, int(sizes[0])), output, int(sum(widths - 1))


def test_random_windows_agree_with_their_modules(rng, isa):
    """240 random configurations, 80 a level."""
    for _ in range(80):
        layers, table, output, reach = random_network(rng)
        activation = str(rng.choice(["tanh", "relu"]))
        items, steps = (int(n) for n in rng.integers(1, 7, 2))
        words = rng.integers(0, table.weight.shape[0], (items, reach + steps))
        model = window_step_model(layers, table, output, words[:, :reach], activation=activation)
        expected = whole(layers, table, output, words, activation)
        config = [layer.weight.shape for layer in layers], activation
        np.testing.assert_allclose(
            run(model, words[:, reach:]), expected, err_msg=str(config), **CLOSE
        )


def test_a_large_table_of_embeddings_is_not_multiplied_beforehand(rng):
    layers, table, output = [nn.Conv1d(5, 700, 3)], nn.Embedding(4000, 5), [nn.Linear(700, 4000)]
    words = rng.integers(0, 4000, (2, 5))
    model = window_step_model(layers, table, output, words[:, :2])
    expected = whole(layers, table, output, words, "tanh")
    np.testing.assert_allclose(run(model, words[:, 2:]), expected, **CLOSE)


def test_a_row_has_the_bits_it_has_alone(rng, isa):
    layers = [nn.Conv1d(6, 20, 3), nn.Conv1d(20, 17, 2)]
    words = rng.integers(0, 9, (110, 6))
    table, output = nn.Embedding(9, 6), nn.Linear(17, 9)
    together = run(window_step_model(layers, table, output, words[:, :3]), words[:, 3:])
    for rows in ([0], [109], [50, 7], rng.permutation(110)[:64]):
        some = words[rows]
        alone = run(window_step_model(layers, table, output, some[:, :3]), some[:, 3:])
        assert np.array_equal(alone, together[rows])


def test_a_changed_weight_is_seen(rng):
    layers, table, output = [nn.Conv1d(3, 4, 2)], nn.Embedding(5, 3), nn.Linear(4, 5)
    words = rng.integers(0, 5, (1, 4))
    for module in (layers[0], table, output):
        for parameter in module.parameters():
            parameter.data.reshape(-1)[0] += 1
            model = window_step_model(layers, table, output, words[:, :1])
            expected = whole(layers, table, [output], words, "tanh")
            np.testing.assert_allclose(run(model, words[:, 1:]), expected, **CLOSE)


@pytest.mark.parametrize(
    ("layers", "read", "message"),
    [
        ([], np.zeros((1, 0), int), "at least one Conv1d"),
        (
            [nn.Conv1d(3, 4, 2, padding=1)],
            np.zeros((1, 1), int),
            r"layers\[0\] must have padding=0",
        ),
        ([nn.Conv1d(3, 4, 2, dilation=2)], np.zeros((1, 1), int), "dilation=1"),
        ([nn.Conv1d(3, 4, 3)], np.zeros((1, 1), int), r"read must have the axes \(items, 2\)"),
        ([nn.Conv1d(3, 4, 2)], np.full((1, 1), 5), r"ids in 0 \.\. 4"),
        ([nn.Conv1d(2, 4, 2)], np.zeros((1, 1), int), "weight must be"),
    ],
)
def test_what_does_not_fit_is_named(layers, read, message):
    with pytest.raises(ValueError, match=message):
        window_step_model(layers, nn.Embedding(5, 3), nn.Linear(4, 5), read)
