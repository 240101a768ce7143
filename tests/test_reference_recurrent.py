"""The reference's recurrent layers: equations by hand, differences, PyTorch, ragged batches."""

from __future__ import annotations

import math

import numpy as np
import pytest

from oracles import assert_close, assert_same_bits
from recurrent_reference import (
    DIFFERENCES,
    EXACT,
    PASSES,
    ROWS,
    Layer,
    assert_all_close,
    contract,
    differences,
    draws_like,
)
from unrolled.reference import recurrent

BEFORE = (("reset_after", False),)
KINDS = [
    *(Layer("rnn", (("nonlinearity", f),)) for f in ("tanh", "relu", "sigmoid", "identity")),
    Layer("gru"),
    Layer("gru", BEFORE),
    Layer("lstm"),
    Layer("lstm", P=1),
    Layer("lstm", peephole=True),
    Layer("lstm", P=1, peephole=True),
]
VARIANTS = [
    *KINDS,
    *(kind._replace(mask=True, directions=1, lengths=(2, 3), T=3) for kind in KINDS),
    *(kind._replace(biases=(True, False), lengths=None, T=2) for kind in KINDS[5:8]),
    *(kind._replace(biases=(False, True), lengths=(2,), T=2, D=1) for kind in KINDS[3:7]),
    *(kind._replace(biases=(False, False), lengths=(1, 2), T=2, H=1) for kind in KINDS[3:7]),
    *(kind._replace(lengths=(0, 0), T=2) for kind in (KINDS[0], KINDS[4], KINDS[6])),
]
every_kind = pytest.mark.parametrize("layer", KINDS, ids=str)


@pytest.mark.parametrize("layer", VARIANTS, ids=str)
def test_gradients_agree_with_central_differences(layer, rng):
    """By every weight, input and initial state, from all outputs and last states together."""
    *inputs, mask = layer.inputs(rng)
    results, saved = layer.run(*inputs, mask)
    upstream = draws_like(rng, results)
    expected = differences(
        lambda: contract(upstream, layer.run(*inputs, mask)[0]), inputs, layer.step
    )
    assert_all_close(layer.backward(upstream, saved), expected, DIFFERENCES, str(layer))


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def step_by_hand(layer, W, U, b, c, peephole, x, h, memory):
    """One unit, one step, in scalars: W, U, b, c by gate."""
    z = [w * x + bias for w, bias in zip(W, b, strict=True)]
    v = [u * h + bias for u, bias in zip(U, c, strict=True)]
    if layer.kind == "gru":
        r, u = sigmoid(z[0] + v[0]), sigmoid(z[1] + v[1])
        recurrent_part = r * v[2] if not layer.options else U[2] * (r * h) + c[2]
        n = math.tanh(z[2] + recurrent_part)
        return {"r": r, "z": u, "n": n, "h": (1 - u) * n + u * h}
    i = sigmoid(z[0] + v[0] + peephole[0] * memory)
    f = sigmoid(z[1] + v[1] + peephole[1] * memory)
    g = math.tanh(z[2] + v[2])
    now = f * memory + i * g
    o = sigmoid(z[3] + v[3] + peephole[2] * now)
    return {"i": i, "f": f, "g": g, "o": o, "c": now, "h": o * math.tanh(now)}


@pytest.mark.parametrize(
    "layer",
    [
        kind._replace(H=1, D=1, T=4, lengths=None, directions=1)
        for kind in (KINDS[4], KINDS[5], KINDS[6], KINDS[8])
    ],
    ids=str,
)
def test_one_unit_is_the_equations_by_hand(layer, rng):
    x, weights, states, _ = layer.inputs(rng)
    results, saved = layer.run(x, weights, states)
    W, U, b, c, *extra = (None if w is None else w.ravel() for w in weights[0])
    peephole = extra[1] if extra else (0, 0, 0)
    kept = saved.states()
    for n in range(layer.N):
        h, memory = states[0][0, n, 0], states[-1][0, n, 0]
        for t in range(layer.T):
            by_hand = step_by_hand(layer, W, U, b, c, peephole, x[n, t, 0], h, memory)
            assert set(by_hand) == set(kept)
            for name, value in by_hand.items():
                assert kept[name][0, n, t, 0] == pytest.approx(value, rel=1e-13), (name, t)
            h, memory = by_hand["h"], by_hand.get("c", 0)
            assert results[0][n, t, 0] == pytest.approx(h, rel=1e-13)


@every_kind
def test_states_are_those_of_every_step_and_zero_on_padding(layer, rng):
    results, saved = layer.run(*layer.inputs(rng))
    kept = saved.states()
    padded = np.arange(layer.T)[None, :] >= np.array(layer.lengths)[:, None]
    for name, array in kept.items():
        size = layer.P if layer.P and name == "h" else layer.H
        assert array.shape == (layer.directions, layer.N, layer.T, size), name
        assert not array[:, padded].any(), name
    joined = kept["h"].transpose(1, 2, 0, 3).reshape(results[0].shape)
    assert_same_bits(joined, results[0])
    if layer.kind == "lstm":
        assert_same_bits(kept["c"][0, 0, 2], results[2][0, 0])  # length 3
        assert_same_bits(kept["c"][1, 0, 0], results[2][1, 0])


@every_kind
def test_the_last_state_stands_at_each_true_end(layer, rng):
    x, weights, states, _ = layer.inputs(rng)
    results, _ = layer.run(x, weights, states)
    size = layer.P or layer.H
    for n, end in enumerate(layer.lengths):
        if end == 0:
            assert_same_bits([s[:, n] for s in results[1:]], [s[:, n] for s in states])
            continue
        assert_same_bits(results[1][0, n], results[0][n, end - 1, :size], "forward")
        assert_same_bits(results[1][1, n], results[0][n, 0, size:], "backward")


@every_kind
def test_an_empty_sequence_passes_its_gradient_on(layer, rng):
    results, saved = layer.run(*layer.inputs(rng))
    upstream = draws_like(rng, results)
    grad_states = layer.backward(upstream, saved)[2]
    assert_same_bits([g[:, 1] for g in grad_states], [g[:, 1] for g in upstream[1:]])


@every_kind
@pytest.mark.parametrize("garbage", [np.nan, np.inf])
def test_padding_is_never_read(layer, garbage, rng):
    x, *others = layer.inputs(rng)
    results, saved = layer.run(x, *others)
    upstream = draws_like(rng, results)
    expected = layer.backward(upstream, saved)
    padded = np.arange(layer.T)[None, :] >= np.array(layer.lengths)[:, None]
    x[padded] = upstream[0][padded] = garbage
    dirty, saved = layer.run(x, *others)
    assert_same_bits(dirty, results)
    gradients = layer.backward(upstream, saved)
    assert_same_bits(gradients, expected)
    assert not dirty[0][padded].any() and not gradients[0][padded].any()


@every_kind
def test_a_sequence_alone_is_the_sequence_in_a_batch(layer, rng):
    x, weights, states, _ = layer.inputs(rng)
    results, _ = layer.run(x, weights, states)
    for n, end in enumerate(layer.lengths):
        own = [state[:, n : n + 1] for state in states]
        alone, _ = layer._replace(lengths=None).run(x[n : n + 1, :end], weights, own)
        assert_same_bits(alone[0][0], results[0][n, :end])
        assert_same_bits([s[:, 0] for s in alone[1:]], [s[:, n] for s in results[1:]])


@every_kind
def test_the_second_direction_is_a_layer_on_the_sequence_turned_round(layer, rng):
    layer = layer._replace(lengths=None, T=4)
    x, weights, states, _ = layer.inputs(rng)
    both, _ = layer.run(x, weights, states)
    one = layer._replace(directions=1)
    alone, _ = one.run(x[:, ::-1], weights[1:], [state[1:] for state in states])
    size = layer.P or layer.H
    assert_same_bits(alone[0][:, ::-1], both[0][:, :, size:])  # at t stands the state at t
    assert_same_bits([s[0] for s in alone[1:]], [s[1] for s in both[1:]])


@every_kind
def test_missing_states_and_gradients_are_zeros(layer, rng):
    x, weights, states, _ = layer.inputs(rng)
    zeros = [np.zeros_like(state) for state in states]
    bare, saved_bare = layer.run(x, weights, [None] * len(states))
    full, saved = layer.run(x, weights, zeros)
    assert_same_bits(bare, full)
    grad = rng.standard_normal(bare[0].shape)
    assert_same_bits(
        layer.backward([grad, *[None] * len(states)], saved_bare),
        layer.backward([grad, *zeros], saved),
    )


@every_kind
def test_the_gradient_by_the_input_may_be_left_out(layer, rng):
    results, saved = layer.run(*layer.inputs(rng))
    upstream = draws_like(rng, results)
    _, *others = PASSES[layer.kind][1](*upstream, saved)
    none, *same = PASSES[layer.kind][1](*upstream, saved, input_gradient=False)
    assert none is None
    assert_same_bits(same, others)


@every_kind
def test_a_mask_acts_on_the_recurrent_product_alone(layer, rng):
    """One sequence: the mask is as good as a column of each recurrent matrix scaled."""
    layer = layer._replace(lengths=(4,), mask=True, directions=1)
    x, weights, states, mask = layer.inputs(rng)
    masked, _ = layer.run(x, weights, states, mask)
    (W_ih, W_hh, *others) = weights[0]
    plain, _ = layer.run(x, [(W_ih, W_hh * mask[0, 0], *others)], states)
    assert_all_close(masked, plain, EXACT)


def test_the_reset_before_and_after_meet_where_the_gate_is_open(rng):
    """With r = 1 both are the same unit, and else they are not."""
    after = Layer("gru")
    x, weights, states, _ = after.inputs(rng)
    before = after._replace(options=BEFORE)
    assert (
        np.abs(after.run(x, weights, states)[0][0] - before.run(x, weights, states)[0][0]).max()
        > 0.01
    )
    for _, _, bias_ih, _ in weights:
        bias_ih[: after.H] = 50.0
    assert_all_close(after.run(x, weights, states)[0], before.run(x, weights, states)[0], EXACT)


def test_the_biases_of_the_candidate_have_gradients_of_their_own(rng):
    for options, same in (((), False), (BEFORE, True)):
        layer = Layer("gru", options)
        results, saved = layer.run(*layer.inputs(rng))
        gradients = layer.backward(draws_like(rng, results), saved)[1]
        for _, _, bias_ih, bias_hh in gradients:
            assert_same_bits(bias_ih[:4], bias_hh[:4])
            assert np.allclose(bias_ih[4:], bias_hh[4:]) == same


def peer_of(layer, weights, torch):
    """Build PyTorch's layer with the same weights; return it and the names of its weights."""
    name = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}[layer.kind]
    more = {"proj_size": layer.P} if layer.P else {}
    more |= dict(layer.options)
    both = layer.directions == 2
    build = getattr(torch.nn, name)
    peer = build(layer.D, layer.H, batch_first=True, bidirectional=both, **more).double()
    parts = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", *(["weight_hr"] if layer.P else [])]
    names = [[f"{p}_l0{suffix}" for p in parts] for suffix in ("", "_reverse")[: layer.directions]]
    peer.load_state_dict(
        {
            name: torch.tensor(array)
            for row, entry in zip(names, weights, strict=True)
            for name, array in zip(row, entry, strict=False)
        }
    )
    return peer, names


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("layer", [KINDS[0], KINDS[1], KINDS[4], KINDS[6], KINDS[7]], ids=str)
def test_agrees_with_pytorch_on_packed_sequences(layer, directions, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    layer = layer._replace(lengths=(4, 9, 1, 6), T=9, D=5, H=7, directions=directions)
    x, weights, states, _ = layer.inputs(rng)
    peer, names = peer_of(layer, weights, torch)
    tensors = [torch.tensor(array, requires_grad=True) for array in (x, *states)]
    packed = pack_padded_sequence(
        tensors[0], torch.tensor(layer.lengths), batch_first=True, enforce_sorted=False
    )
    output, last = peer(packed, tuple(tensors[1:]) if len(states) == 2 else tensors[1])
    wanted = [
        pad_packed_sequence(output, batch_first=True)[0],
        *(last if len(states) == 2 else [last]),
    ]
    results, saved = layer.run(x, weights, states)
    assert_all_close(results, [tensor.detach().numpy() for tensor in wanted], EXACT)

    upstream = draws_like(rng, results)
    torch.autograd.backward(wanted, [torch.tensor(grad) for grad in upstream])
    grad_x, grad_weights, grad_states = layer.backward(upstream, saved)
    assert_all_close([grad_x, *grad_states], [tensor.grad.numpy() for tensor in tensors], EXACT)
    for ours, row in zip(grad_weights, names, strict=True):
        theirs = [getattr(peer, name).grad.numpy() for name in row]
        assert_all_close(ours[: len(theirs)], theirs, EXACT)


def test_200_random_configurations_agree_with_pytorch(rng):
    """Sizes, kinds, biases, directions and states at random; the failing one is printed."""
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    choices = [KINDS[0], KINDS[1], KINDS[4], KINDS[6], KINDS[7]]
    for _ in range(200):
        T, D, H, directions = (int(n) for n in rng.integers([1, 1, 2, 1], [6, 5, 5, 3]))
        kind = choices[rng.integers(len(choices))]
        P = int(rng.integers(1, H)) if kind.P else 0
        layer = kind._replace(T=T, D=D, H=H, P=P, directions=directions, lengths=None)
        x, weights, states, _ = layer.inputs(rng)
        peer, _ = peer_of(layer, weights, torch)
        tensors = [torch.tensor(array, requires_grad=True) for array in (x, *states)]
        output, _ = peer(tensors[0], tuple(tensors[1:]) if len(states) == 2 else tensors[1])
        results, saved = layer.run(x, weights, states)
        assert_close(results[0], output.detach().numpy(), EXACT, str(layer))
        upstream = [rng.standard_normal(results[0].shape), *[None] * len(states)]
        output.backward(torch.tensor(upstream[0]))
        grad_x, _, grad_states = layer.backward(upstream, saved)
        wanted = [tensor.grad.numpy() for tensor in tensors]
        assert_all_close([grad_x, *grad_states], wanted, EXACT, str(layer))


@pytest.mark.parametrize("kind", ROWS)
def test_a_wrong_step_is_seen(kind, monkeypatch, rng):
    """The judge itself: a backward pass that forgets one path must not agree."""
    layer = {"rnn": KINDS[0], "gru": KINDS[4], "lstm": KINDS[8]}[kind]
    walk = recurrent.run_backward

    def forgetful(grad_output, grad_last, saved, input_gradient):
        cell = saved.cell
        whole = cell.backward
        cell.backward = lambda *given: (whole(*given)[0], 0 * whole(*given)[1], *whole(*given)[2:])
        return walk(grad_output, grad_last, saved, input_gradient)

    monkeypatch.setattr(recurrent, "run_backward", forgetful)
    with pytest.raises(AssertionError):
        test_gradients_agree_with_central_differences(layer, rng)
