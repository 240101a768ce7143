"""Step models give what the modules give: step by step, alone, in a batch, with new weights."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from unrolled import _core, manual_seed, nn
from unrolled.autograd import Tensor, no_grad
from unrolled.generate import step_models
from unrolled.generate.step_models import read_tokens, recurrent_step_model
from unrolled.nn.attention_decoder import DecoderState

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def ids(*values):
    return np.array(values, np.int32)


def run(model, tokens, items=None, states=None):
    """Step through tokens (rows, T): logits (rows, T, V), attention and the last states."""
    rows = np.arange(len(tokens), dtype=np.int32) if items is None else items
    states = model.start()[rows] if states is None else states
    logits, attention = [], []
    for t in range(tokens.shape[1]):
        states, found, weights = model.step(np.ascontiguousarray(tokens[:, t]), rows, states)
        logits.append(found)
        attention.append(weights)
    return np.stack(logits, 1), attention, states


@pytest.fixture(autouse=True)
def same_weights():
    """Make modules that are not filled here start alike in each run."""
    manual_seed(3)


def fill(rng, parameter):
    """Draw weights large enough to matter, too small for states that run apart chaotically."""
    parameter.data[...] = rng.normal(size=parameter.shape) * 0.8 / np.sqrt(parameter.shape[-1])


def random_tokens(rng, rows, steps, tokens):
    return rng.integers(0, tokens, (rows, steps)).astype(np.int32)


def random_state(rng, layers, items):
    parts = [
        Tensor(rng.normal(size=(layers.num_layers, items, size)).astype(np.float32))
        for size in layers._sizes
    ]
    return tuple(parts) if len(parts) > 1 else parts[0]


def flat(state, fed=None):
    parts = state if isinstance(state, tuple) else (state,)
    rows = [part.data[k] for k in range(len(parts[0].data)) for part in parts]
    return np.concatenate(rows if fed is None else [*rows, fed.data], axis=1)


def random_layers(rng):
    """Layers of any kind that a step model runs, with what made them for the message."""
    cell = str(rng.choice(list(CELLS)))
    options = {"num_layers": int(rng.integers(1, 4))}
    if cell == "rnn":
        options["nonlinearity"] = str(rng.choice(["tanh", "relu"]))
    if cell == "gru":
        options["reset_after"] = bool(rng.integers(2))
    if cell == "lstm" and rng.integers(3) == 0:
        options["peepholes"] = True
    if cell == "lstm" and rng.integers(3) == 0:
        options["proj_size"] = int(rng.integers(1, 5))
    sizes = int(rng.integers(1, 20)), int(rng.integers(5, 40))
    bias = bool(rng.integers(4))
    layers = CELLS[cell](*sizes, bias=bias, **options)
    for parameter in layers.parameters():
        fill(rng, parameter)
    return layers, (cell, sizes, bias, options)


def test_random_recurrent_layers_agree_with_their_modules(rng, isa):
    """Whole sequences, and single steps, of 240 random configurations."""
    for _ in range(80):
        layers, config = random_layers(rng)
        tokens, rows, steps = (int(n) for n in rng.integers(1, 9, 3))
        table = nn.Embedding(tokens, layers.input_size)
        output = nn.Linear(layers._size("h"), tokens, bias=bool(rng.integers(2)))
        state = random_state(rng, layers, rows)
        model = recurrent_step_model(layers, table, output, state)
        words = random_tokens(rng, rows, steps, tokens)
        found, attention, after = run(model, words)
        with no_grad():
            frames, end = layers(table(words), state)
            expected = output(frames).data
        np.testing.assert_allclose(found, expected, err_msg=str(config), **CLOSE)
        np.testing.assert_allclose(after, flat(end), err_msg=str(config), **CLOSE)
        assert attention == [None] * steps, config


def random_decoder(rng):
    score = str(rng.choice(["dot", "general", "additive"]))
    feeding = str(rng.choice(["none", "input", "context"]))
    cell = str(rng.choice(list(CELLS)))
    size, hidden, memory = (int(n) for n in rng.integers(1, 24, 3))
    memory = hidden if score == "dot" else memory
    count = int(rng.integers(1, 3))
    attention = int(rng.integers(1, 20)) if score == "additive" else None
    config = (cell, size, hidden, memory, count, score, feeding, attention)
    decoder = nn.AttentionDecoder(
        cell, size, hidden, memory, count, score=score, feeding=feeding, attention_size=attention
    )
    for parameter in decoder.parameters():
        fill(rng, parameter)
    return decoder, config


def test_random_attention_decoders_agree_with_their_modules(rng, isa):
    for _ in range(80):
        decoder, config = random_decoder(rng)
        tokens, items, positions, steps = (int(n) for n in rng.integers(1, 8, 4))
        table = nn.Embedding(tokens, config[1])
        output = nn.Linear(decoder.hidden_size, tokens)
        memory = rng.normal(size=(items, positions, config[3])).astype(np.float32)
        lengths = rng.integers(1, positions + 1, items)
        state = random_state(rng, decoder.recurrent, items)
        model = recurrent_step_model(decoder, table, output, state, memory=memory, lengths=lengths)
        words = random_tokens(rng, items, steps, tokens)
        found, attention, after = run(model, words)
        with no_grad():
            frames, end, weights = decoder(table(words), memory, state, lengths)
            expected = output(frames).data
        fed = end.output if isinstance(end, DecoderState) else None
        end = end.recurrent if isinstance(end, DecoderState) else end
        np.testing.assert_allclose(found, expected, err_msg=str(config), **CLOSE)
        np.testing.assert_allclose(after, flat(end, fed), err_msg=str(config), **CLOSE)
        np.testing.assert_allclose(
            np.stack(attention, 1), weights.data, err_msg=str(config), **CLOSE
        )
        beyond = np.arange(positions) >= lengths[:, None]
        assert not np.stack(attention, 1).transpose(0, 2, 1)[beyond].any(), config


def test_tokens_are_read_as_their_layers_read_them(rng, isa):
    """Ragged, more than a block of items, none of which sees the others."""
    for _ in range(40):
        layers, config = random_layers(rng)
        tokens, steps = (int(n) for n in rng.integers(1, 9, 2))
        items = int(rng.choice([1, 3, 70]))
        table = nn.Embedding(tokens, layers.input_size)
        words = random_tokens(rng, items, steps, tokens)
        lengths, state = rng.integers(0, steps + 1, items), random_state(rng, layers, items)
        states, frames = read_tokens(layers, table, words, lengths, state, frames=True)
        with no_grad():
            expected, end = layers(table(words), state, lengths)
        np.testing.assert_allclose(frames, expected.data, err_msg=str(config), **CLOSE)
        np.testing.assert_allclose(states, flat(end), err_msg=str(config), **CLOSE)
        one = items // 2
        alone, _ = read_tokens(layers, table, words[[one]], lengths[[one]], flat(state)[[one]])
        assert np.array_equal(alone[0], states[one]), config


def test_what_was_read_starts_a_step_model(rng):
    layers, table, output = nn.LSTM(3, 8, 2), nn.Embedding(5, 3), nn.Linear(8, 5)
    words = random_tokens(rng, 4, 6, 5)
    states, frames = read_tokens(layers, table, words[:, :4])
    assert frames is None
    found, _, _ = run(recurrent_step_model(layers, table, output, states), words[:, 4:])
    with no_grad():
        expected = output(layers(table(words))[0]).data[:, 4:]
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_tokens_that_cannot_be_read_are_named():
    layers, table = nn.GRU(3, 4), nn.Embedding(5, 3)
    with pytest.raises(ValueError, match=r"tokens must have the axes \(items, T\)"):
        read_tokens(layers, table, [1, 2])
    with pytest.raises(ValueError, match="tokens must lie in"):
        read_tokens(layers, table, [[1, 5]])
    with pytest.raises(ValueError, match="lengths"):
        read_tokens(layers, table, [[1, 2]], [3])
    read_tokens(layers, table, [[1, 5]], [1])  # padding is never read


def small_decoder(rng, feeding="input", items=5, tokens=9):
    decoder = nn.AttentionDecoder("lstm", 6, 20, 7, 2, score="additive", feeding=feeding)
    memory = rng.normal(size=(items, 4, 7)).astype(np.float32)
    table, output = nn.Embedding(tokens, 6), nn.Linear(20, tokens)
    lengths = rng.integers(0, 5, items)  # a memory may have no positions at all
    state = random_state(rng, decoder.recurrent, items)
    return lambda: recurrent_step_model(
        decoder, table, output, state, memory=memory, lengths=lengths
    )


@pytest.mark.parametrize("feeding", ["none", "input", "context"])
def test_a_row_has_the_bits_it_has_alone(rng, isa, feeding):
    """Among 1 to 110 rows, more than a block of them, in any order."""
    model = small_decoder(rng, feeding)()
    count = 110
    items = rng.integers(0, 5, count).astype(np.int32)
    tokens = random_tokens(rng, count, 1, 9)[:, 0]
    states = rng.normal(size=(count, model.state_size)).astype(np.float32)
    together = model.step(tokens, items, states)
    for rows in ([3], [109], [50, 7], rng.permutation(count)[:31], rng.permutation(count)[:64]):
        alone = model.step(*(np.ascontiguousarray(a[rows]) for a in (tokens, items, states)))
        for whole, part in zip(together, alone, strict=True):
            assert np.array_equal(whole[rows], part)
    assert np.isfinite(together[1]).all()


def test_attention_may_be_left_out_and_an_empty_memory_gives_no_context(rng):
    decoder = nn.AttentionDecoder("gru", 3, 5, 4)
    table, output = nn.Embedding(6, 3), nn.Linear(5, 6)
    memory = np.full((1, 2, 4), np.nan, np.float32)  # what is beyond the length is never read
    model = recurrent_step_model(decoder, table, output, memory=memory, lengths=[0])
    _, logits, weights = model.step(ids(2), ids(0), model.start())
    assert np.isfinite(logits).all()
    assert not weights.any()


def test_a_large_table_of_embeddings_is_not_multiplied_beforehand(rng):
    """9,000 tokens and 1,024 gates: above what is kept as a table."""
    layers, table = nn.LSTM(3, 256), nn.Embedding(9000, 3)
    output = nn.Linear(256, 9000)
    model = recurrent_step_model(layers, table, output)
    words = random_tokens(rng, 1, 3, 9000)
    found, _, _ = run(model, words)
    with no_grad():
        expected = output(layers(table(words))[0]).data
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_several_linear_layers_make_the_logits(rng):
    """As with tied weights and a state of another size."""
    layers, table = nn.GRU(4, 9), nn.Embedding(7, 4)
    narrow, bias = nn.Linear(9, 4), Tensor(rng.normal(size=7).astype(np.float32))
    model = recurrent_step_model(layers, table, [narrow, (table.weight, bias)])
    words = random_tokens(rng, 1, 4, 7)
    found, _, _ = run(model, words)
    with no_grad():
        expected = narrow(layers(table(words))[0]).data @ table.weight.data.T + bias.data
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_without_an_embedding_nothing_is_read(rng):
    layers, output = nn.GRU(1, 6), nn.Linear(6, 5)
    model = recurrent_step_model(layers, None, output, random_state(rng, layers, 1))
    first, other = (run(model, np.array([row], np.int32))[0] for row in ([0, 1, 2], [4, 4, 4]))
    assert np.array_equal(first, other)


def test_learned_initial_states_are_the_start():
    layers = nn.LSTM(3, 4, 2, learn_initial_state=True)
    for k, name in enumerate(("h0", "c0")):
        getattr(layers, name).data[...] = np.arange(8).reshape(2, 4) + 10 * k
    model = recurrent_step_model(layers, nn.Embedding(5, 3), nn.Linear(4, 5), items=2)
    assert model.start()[1].tolist() == [*range(4), *range(10, 14), *range(4, 8), *range(14, 18)]


def test_weights_are_packed_once_and_again_when_one_has_changed(rng, monkeypatch):
    made = []
    monkeypatch.setattr(
        step_models._networks, "_make", lambda *a: made.append(1) or _core.RecurrentNetwork(*a)
    )
    layers, table, output = nn.LSTM(3, 8), nn.Embedding(5, 3), nn.Linear(8, 5)
    words = random_tokens(rng, 1, 2, 5)

    def logits():
        return run(recurrent_step_model(layers, table, output), words)[0]

    before = logits()
    assert np.array_equal(logits(), before)
    assert len(made) == 1
    for parameter in [*layers.parameters(), *table.parameters(), *output.parameters()]:
        parameter.data.reshape(-1)[-1] += 0.5  # in place, as an optimizer writes
        after = logits()
        with no_grad():
            expected = output(layers(table(words))[0]).data
        np.testing.assert_allclose(after, expected, **CLOSE)
    assert len(made) == 1 + 4 + 1 + 2


def test_what_was_packed_goes_with_its_module():
    layers = nn.GRU(3, 8)
    recurrent_step_model(layers, nn.Embedding(5, 3), nn.Linear(8, 5))
    kept = weakref.ref(layers)
    assert layers in step_models._networks._kept
    del layers
    gc.collect()
    assert kept() is None


def test_float64_models_run_in_float32(rng):
    layers, table, output = nn.LSTM(3, 8), nn.Embedding(5, 3), nn.Linear(8, 5)
    for module in (layers, table, output):
        for parameter in module.parameters():
            parameter.data = parameter.data.astype(np.float64)
    words = random_tokens(rng, 1, 3, 5)
    found, _, _ = run(recurrent_step_model(layers, table, output), words)
    with no_grad():
        expected = output(layers(table(words))[0]).data
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, **CLOSE)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: (nn.LSTM(3, 4, bidirectional=True), {}), "bidirectional=False"),
        (lambda: (nn.LSTM(3, 4, layer_norm=True), {}), "layer_norm=True"),
        (lambda: (nn.LSTM(3, 4), {"memory": np.zeros((1, 2, 4))}), "attends to nothing"),
        (lambda: (nn.AttentionDecoder("gru", 3, 4, 5), {}), "memory must be given"),
        (
            lambda: (nn.AttentionDecoder("gru", 3, 4, 5), {"memory": np.zeros((1, 2, 4))}),
            r"memory must have the axes \(items, S, 5\)",
        ),
        (lambda: (nn.LSTM(3, 4), {"state": np.zeros((1, 1, 4))}), "state"),
        (lambda: (nn.GRU(3, 4), {"state": np.zeros((2, 1, 4))}), "state h"),
        (lambda: (nn.GRU(2, 4), {}), "weight_ih must be"),
        (lambda: (nn.GRU(3, 5), {}), "output must be"),
    ],
)
def test_what_does_not_fit_is_named(make, message):
    decoder, options = make()
    with pytest.raises(ValueError, match=message):
        recurrent_step_model(decoder, nn.Embedding(6, 3), nn.Linear(4, 6), **options)


def test_rows_that_do_not_fit_are_refused():
    model = recurrent_step_model(nn.GRU(3, 4), nn.Embedding(6, 3), nn.Linear(4, 6))
    states = model.start()
    with pytest.raises(ValueError, match="tokens must lie"):
        model.step(ids(6), ids(0), states)
    with pytest.raises(ValueError, match="items must lie"):
        model.step(ids(1), ids(1), states)
    with pytest.raises(ValueError, match=r"states must be \(rows, state_size\)"):
        model.step(ids(1, 2), ids(0, 0), states)
    after, logits, attention = model.step(ids(), ids(), states[:0])
    assert after.shape == (0, 4)
    assert logits.shape == (0, 6)
    assert attention is None


def test_a_fingerprint_sees_every_byte(rng):
    array = rng.normal(size=300).astype(np.float32)
    before = _core.fingerprint([array, array])
    assert _core.fingerprint([array.copy(), array]) == before
    assert _core.fingerprint([array]) != before
    for place in range(300):
        changed = array.copy()
        changed[place] = np.nextafter(changed[place], 9)
        assert _core.fingerprint([changed, array]) != before
        changed[place], changed[place - 1] = array[place - 1], array[place]
        assert _core.fingerprint([array, changed]) != before
