"""`nn.Attention` and `nn.AttentionDecoder`: against PyTorch, step by step, on padding, drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest

from oracles import assert_close, assert_same_bits
from unrolled import nn
from unrolled.autograd import Tensor, no_grad

SCORES, FEEDINGS, CELLS = (
    ("dot", "general", "additive"),
    ("none", "input", "context"),
    ("rnn", "lstm", "gru"),
)
CONFIGURATIONS = 200
TOLERANCE = 2e-5  # float32 on both sides
SCALE = 0.1  # of the terms that are added up; a sum of few may come out much smaller


@pytest.fixture(scope="module")
def torch():
    module = pytest.importorskip("torch", reason="needs PyTorch")
    module.manual_seed(0)
    module.set_num_threads(1)
    return module


def draw(rng):
    """Draw a decoder and its sizes."""
    E, H, M, K, layers = (int(n) for n in rng.integers([1, 1, 1, 1, 1], [6, 9, 9, 9, 4]))
    T, S, N = (int(n) for n in rng.integers([1, 1, 1], [5, 6, 4]))
    cell, score, feeding = (str(rng.choice(a)) for a in (CELLS, SCORES, FEEDINGS))
    M = H if score == "dot" else M
    options = {"score": score, "feeding": feeding}
    if score == "additive":
        options["attention_size"] = K
    return ((cell, E, H, M, layers), options), (N, T, S)


def peer_attend(torch, p, score, query, memory, lengths):
    """Attend with (N, H) to (N, S, M), as one writes it in PyTorch."""
    if score == "additive":
        hidden = query @ p["attention.weight_query"].T
        hidden = torch.tanh(hidden[:, None] + memory @ p["attention.weight_memory"].T)
        scores = hidden @ p["attention.v"]
    else:
        keys = memory if score == "dot" else memory @ p["attention.weight"].T
        scores = torch.einsum("nh,nsh->ns", query, keys)
    outside = torch.arange(memory.shape[1]) >= torch.as_tensor(lengths)[:, None]
    weights = scores.masked_fill(outside, -torch.inf).softmax(1)
    return torch.einsum("ns,nsm->nm", weights, memory), weights


def peer_decode(torch, p, arguments, options, x, memory, lengths):
    """Run PyTorch's cells over time; all items are of full length."""
    cell, E, H, M, layers = arguments
    feeding, score = options["feeding"], options["score"]
    kinds = {"rnn": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}
    fed = {"none": 0, "input": H, "context": M}[feeding]
    cells = [kinds[cell](E + fed if i == 0 else H, H) for i in range(layers)]
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

    def run(i, below, state):
        own = {name: p[f"recurrent.{name}_l{i}"] for name in names}
        return torch.func.functional_call(cells[i], own, (below, state))

    N = len(x)
    zeros = torch.zeros(N, H)
    states = [(zeros, zeros) if cell == "lstm" else zeros for _ in range(layers)]
    output, outputs, attended = zeros, [], []
    for t in range(x.shape[1]):
        below = x[:, t]
        if feeding == "input":
            below = torch.cat([below, output], 1)
        if feeding == "context":
            top = states[-1][0] if cell == "lstm" else states[-1]
            context, weights = peer_attend(torch, p, score, top, memory, lengths)
            below = torch.cat([below, context], 1)
        for i in range(layers):
            states[i] = run(i, below, states[i])
            below = states[i][0] if cell == "lstm" else states[i]
        if feeding != "context":
            context, weights = peer_attend(torch, p, score, below, memory, lengths)
        joined = torch.cat([context, below], 1)
        output = torch.tanh(joined @ p["output.weight"].T + p["output.bias"])
        outputs.append(output)
        attended.append(weights)
    return torch.stack(outputs, 1), torch.stack(attended, 1)


def test_decoders_agree_with_loops_over_pytorchs_cells(torch):
    rng = np.random.default_rng(5)
    for _ in range(CONFIGURATIONS):
        (arguments, options), (N, T, S) = draw(rng)
        label = f"{arguments} {options} N{N} T{T} S{S}"
        decoder = nn.AttentionDecoder(*arguments, **options)
        lengths = rng.integers(1, S + 1, N)
        x = rng.standard_normal((N, T, arguments[1])).astype(np.float32)
        memory = rng.standard_normal((N, S, arguments[3])).astype(np.float32)
        upstream = [
            rng.standard_normal(s).astype(np.float32) for s in ((N, T, arguments[2]), (N, T, S))
        ]
        p = {k: torch.from_numpy(v).requires_grad_() for k, v in decoder.state_dict().items()}
        given, peer_given = ([f(a) for a in (x, memory)] for f in (
            lambda a: Tensor(a, requires_grad=True), lambda a: torch.from_numpy(a).requires_grad_(),
        ))  # fmt: skip
        output, _, weights = decoder(*given, None, lengths)
        expected = peer_decode(torch, p, arguments, options, *peer_given, lengths)
        for found, peer in zip((output, weights), expected, strict=True):
            assert_close(found.data, peer.detach().numpy(), TOLERANCE, label, SCALE)
        ((output * upstream[0]).sum() + (weights * upstream[1]).sum()).backward()
        sum(
            (e * torch.from_numpy(g)).sum() for e, g in zip(expected, upstream, strict=True)
        ).backward()
        pairs = [(a.grad, b.grad) for a, b in zip(given, peer_given, strict=True)]
        pairs += [(own.grad, p[name].grad) for name, own in decoder.named_parameters()]
        for found, peer in pairs:
            assert_close(found, peer.numpy(), TOLERANCE, label, SCALE)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("feeding", FEEDINGS)
@pytest.mark.parametrize("score", SCORES)
def test_steps_are_the_whole_sequence(rng, cell, feeding, score):
    decoder = nn.AttentionDecoder(cell, 3, 4, 4, 2, score=score, feeding=feeding).double()
    x, memory = rng.standard_normal((2, 5, 3)), rng.standard_normal((2, 6, 4))
    whole, end, weights = decoder(x, memory, None, [6, 3])
    state = None
    for t in range(5):
        output, state, row = decoder.step(x[:, t], memory, state, [6, 3])
        assert_close(output.data, whole.data[:, t], 1e-13)
        assert_close(row.data, weights.data[:, t], 1e-13)
    for found, expected in zip(listed(state), listed(end), strict=True):
        assert_close(found.data, expected.data, 1e-13)
    halves = decoder(x[:, 2:], memory, decoder(x[:, :2], memory, None, [6, 3])[1], [6, 3])
    assert_close(halves[0].data, whole.data[:, 2:], 1e-13)


def listed(state):
    if isinstance(state, (tuple, nn.DecoderState)):
        return [part for entry in state for part in listed(entry)]
    return [state]


@pytest.mark.parametrize("feeding", FEEDINGS)
def test_padded_steps_change_nothing(rng, feeding):
    decoder = nn.AttentionDecoder("lstm", 3, 4, 5, score="additive", feeding=feeding)
    x, memory = (rng.standard_normal(s).astype(np.float32) for s in ((3, 5, 3), (3, 6, 5)))
    runs = []
    for garbage in (0.0, np.nan):
        x[1, 2:], x[2], memory[0, 4:] = garbage, garbage, garbage
        decoder.zero_grad()
        output, state, weights = decoder(x, memory, None, [4, 6, 6], [5, 2, 0])
        (output.sum() + (weights * weights).sum()).backward()
        grads = [p.grad for p in decoder.parameters()]
        runs.append([output.data, weights.data, *(s.data for s in listed(state)), *grads])
    assert_same_bits(runs[1], runs[0])
    assert not runs[1][0][1, 2:].any() and not runs[1][0][2].any()
    assert not runs[1][1][1, 2:].any() and not runs[1][1][0, :, 4:].any()


def test_dropout_between_layers_acts_in_training_alone(rng):
    decoder = nn.AttentionDecoder("gru", 3, 8, 4, 2, feeding="context", dropout=0.5)
    x, memory = rng.standard_normal((2, 5, 3)), rng.standard_normal((2, 6, 4))
    with no_grad():
        first, second = decoder(x, memory)[0].data, decoder(x, memory)[0].data
        assert (first != second).any()
        decoder.eval()
        assert_same_bits([decoder(x, memory)[0].data], [decoder(x, memory)[0].data])


def test_configurations_rebuild_the_modules():
    for module in (
        nn.Attention(3, 4, score="additive", hidden_size=5),
        nn.AttentionDecoder("lstm", 3, 4, 5, 2, score="general", feeding="input"),
    ):
        again = nn.build(json.loads(json.dumps(module.config())))
        again.load_state_dict(module.state_dict())
        assert [n for n, _ in again.named_parameters()] == [n for n, _ in module.named_parameters()]


@pytest.mark.parametrize(
    ("make", "message"),
    {
        "sizes": (lambda: nn.Attention(3, 4, score="dot"), "score='general' takes both"),
        "score": (lambda: nn.Attention(3, 3, score="cosine"), "score must be one of"),
        "hidden": (lambda: nn.Attention(3, 3, score="general", hidden_size=2), "hidden_size"),
        "zero": (lambda: nn.Attention(0, 3), "query_size must be an integer of at least 1"),
        "cell": (lambda: nn.AttentionDecoder("qrnn", 3, 4, 5), "cell must be one of"),
        "feeding": (lambda: nn.AttentionDecoder("gru", 3, 4, 5, feeding="all"), "feeding must be"),
        "x": (
            lambda: nn.AttentionDecoder("gru", 3, 4, 5)(np.ones((1, 2, 4)), np.ones((1, 2, 5))),
            "this decoder was made for 3",
        ),
        "memory": (
            lambda: nn.AttentionDecoder("gru", 3, 4, 5)(np.ones((1, 2, 3)), np.ones((1, 5))),
            "memory must have the axes",
        ),
        "items": (
            lambda: nn.Attention(3, 4)(np.ones((2, 1, 3)), np.ones((3, 2, 4))),
            "same number of items",
        ),
        "lengths": (
            lambda: nn.Attention(3, 4)(np.ones((1, 1, 3)), np.ones((1, 2, 4)), lengths=[3]),
            "lengths of item 0 is 3",
        ),
    }.values(),
    ids=lambda value: None,
)  # fmt: skip
def test_faults_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_picture_shows_weights_and_tokens(tmp_path):
    pytest.importorskip("matplotlib", reason="needs matplotlib (unrolled[plot])")
    from unrolled import plot

    weights, path = np.eye(3)[:2], tmp_path / "attention.png"
    figure = plot.attention(weights, ["a", "$"], ["x", ""], path)
    assert path.read_bytes().startswith(b"\x89PNG")
    (axis, *_) = figure.axes
    np.testing.assert_array_equal(axis.images[0].get_array(), weights[:, :2])
    assert [label.get_text() for label in axis.get_xticklabels()] == ["a", r"\$"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["x", "(nothing)"]
    for wrong in ((weights, ["a"], ["x"]), (weights[:0], ["a"], [])):
        with pytest.raises(ValueError):
            plot.attention(*wrong)
