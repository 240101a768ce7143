"""Both bidirectional forms: two whole networks joined at the top, and joined layer by layer."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from oracles import assert_close, assert_same_bits
from recurrent_reference import (
    DIFFERENCES,
    EXACT,
    Layer,
    assert_all_close,
    contract,
    differences,
    draws_like,
)
from unrolled.reference import bidirectional, ctc, recurrent_network
from unrolled.reference.bidirectional import (
    bidirectional_bptt,
    bidirectional_forward,
    bidirectional_inference,
)
from unrolled.reference.bptt import Network, rnn_bptt, rnn_forward
from unrolled.reference.recurrent_network import (
    joined_backward,
    joined_forward,
    output_backward,
    output_forward,
    stack_backward,
    stack_forward,
    turned,
)

T, D = 4, 2
DEPTHS = {"1 and 1": ([3], [2]), "2 and 1": ([2, 3], [2]), "1 and 3": ([2], [3, 1, 2])}
depths = pytest.mark.parametrize("depth", DEPTHS)
KINDS = [
    Layer("rnn", (("nonlinearity", "relu"),)),
    Layer("gru"),
    Layer("gru", (("reset_after", False),)),
    Layer("lstm"),
    Layer("lstm", P=1, peephole=True),
]
kinds = pytest.mark.parametrize("layer", KINDS, ids=str)


def arrays_of(units, rng, features=D):
    """Draw W_c, W_r, b and the initial states of hidden layers, as lists of arrays."""
    below = [features, *units]
    shapes = [
        [(h, d) for h, d in zip(units, below, strict=False)],
        [(h, h) for h in units],
        [(h,) for h in units],
        [(h,) for h in units],
    ]
    return [[0.7 * rng.standard_normal(shape) for shape in part] for part in shapes]


def parts(gradients):
    """List the gradients of one network in the order of `arrays_of`."""
    d = gradients
    return [list(part.values()) for part in (d.dW_c, d.dW_r, d.db, d.dh_init)]


def forward_of(x, of_f, of_b):
    nets = Network(*of_f[:3]), Network(*of_b[:3], f="sigmoid")
    return nets, bidirectional_forward(x, *nets, of_f[3], of_b[3])


@depths
def test_inference_is_the_forward_pass(depth, rng):
    """Right to left in time, or the sequence turned round: the same h(t)."""
    x = rng.standard_normal((T, D))
    of_f, of_b = (arrays_of(units, rng) for units in DEPTHS[depth])
    nets, (h, forward, backward) = forward_of(x, of_f, of_b)
    assert_close(h, bidirectional_inference(x, *nets, of_f[3], of_b[3]), EXACT)
    L_f, L_b = len(of_f[2]), len(of_b[2])
    for t in range(T):
        assert_same_bits(h[t], np.concatenate([forward.h[t, L_f], backward.h[t, L_b]]))
    assert_same_bits([backward.h[T, k] for k in range(1, L_b + 1)], of_b[3])


@depths
def test_inference_starts_from_zeros(depth, rng):
    x = rng.standard_normal((T, D))
    of_f, of_b = (arrays_of(units, rng) for units in DEPTHS[depth])
    for array in of_f[3] + of_b[3]:
        array[:] = 0
    nets, (h, _, _) = forward_of(x, of_f, of_b)
    assert_close(bidirectional_inference(x, *nets), h, EXACT)
    assert_same_bits(bidirectional_forward(x, *nets)[0], h)


@depths
def test_bptt_agrees_with_central_differences(depth, rng):
    """Down to x, to all weights of both networks, to h_f(-1) and to h_b(inf)."""
    x, dh = rng.standard_normal((T, D)), None
    of_f, of_b = (arrays_of(units, rng) for units in DEPTHS[depth])
    nets, (h, *runs) = forward_of(x, of_f, of_b)
    dh = rng.standard_normal(h.shape)
    dx, gradients_f, gradients_b = bidirectional_bptt(dh, *nets, *runs)
    expected = differences(lambda: np.sum(dh * forward_of(x, of_f, of_b)[1][0]), [x, of_f, of_b])
    assert_all_close([dx, parts(gradients_f), parts(gradients_b)], expected, DIFFERENCES)


@depths
def test_it_is_two_networks_run_by_hand(depth, rng):
    x = rng.standard_normal((T, D))
    of_f, of_b = (arrays_of(units, rng) for units in DEPTHS[depth])
    (net_f, net_b), (h, *runs) = forward_of(x, of_f, of_b)
    H_f = len(of_f[2][-1])
    alone_f = rnn_forward(x, net_f, of_f[3])
    alone_b = rnn_forward(x[::-1], net_b, of_b[3])
    assert_same_bits(h[:, :H_f], alone_f.Y)
    assert_same_bits(h[:, H_f:], np.ascontiguousarray(alone_b.Y[::-1]))

    dh = rng.standard_normal(h.shape)
    dx, gradients_f, gradients_b = bidirectional_bptt(dh, net_f, net_b, *runs)
    by_f = rnn_bptt(dh[:, :H_f], net_f, alone_f)
    by_b = rnn_bptt(dh[::-1, H_f:], net_b, alone_b)
    assert_same_bits(dx, by_f.dx + by_b.dx[::-1])
    assert_same_bits(parts(gradients_f), parts(by_f))
    assert_same_bits(parts(gradients_b), parts(by_b))


@depths
def test_an_output_layer_on_top(depth, rng):
    """Y(t) = softmax(W_o h(t) + b_o) and a divergence of all Y together, back to x."""
    x = rng.standard_normal((T, D))
    of_f, of_b = (arrays_of(units, rng) for units in DEPTHS[depth])
    top = [rng.standard_normal((3, len(of_f[2][-1]) + len(of_b[2][-1]))), rng.standard_normal(3)]

    def outputs():
        nets, (h, *runs) = forward_of(x, of_f, of_b)
        output = Network((), (), (), *top)
        return nets, runs, output, rnn_forward(h, output)

    nets, runs, output, forward = outputs()
    dY = np.prod(forward.Y[:, 0]) / forward.Y[:, :1] * [1, 0, 0]
    above = rnn_bptt(dY, output, forward)
    dx, *gradients = bidirectional_bptt(above.dx, *nets, *runs)
    expected = differences(lambda: np.prod(outputs()[-1].Y[:, 0]), [x, top, of_f, of_b])
    actual = [dx, [above.dW_o, above.db_o], *map(parts, gradients)]
    assert_all_close(actual, expected, DIFFERENCES)


def two_layers(rng):
    """Draw two bidirectional layers twice: as pairs of networks, as weights of `stack_forward`."""
    H, pairs, initial, layers = 3, [], [], []
    for features in (D, 2 * H):
        both = [arrays_of([H], rng, features) for _ in range(2)]
        pairs.append(tuple(Network(*arrays[:3]) for arrays in both))
        initial.append(tuple(arrays[3] for arrays in both))
        layers.append([(W_c, W_r, b, None) for (W_c,), (W_r,), (b,), _ in both])
    h0 = np.array([state for pair in initial for (state,) in pair])[:, None]
    return pairs, initial, layers, h0


def test_layer_by_layer_is_the_stack_of_bidirectional_layers(rng):
    pairs, initial, layers, h0 = two_layers(rng)
    x = rng.standard_normal((T, D))
    h, runs = bidirectional.stack_forward(x, pairs, initial)
    output, _, saved = stack_forward(x[None], "rnn", layers, states=[h0])
    assert_close(output[0], h, EXACT)
    dh = rng.standard_normal(h.shape)
    dx, gradients = bidirectional.stack_bptt(dh, pairs, runs)
    grad_x, by_weight, (grad_h0,) = stack_backward(dh[None], None, saved)
    assert_close(grad_x[0], dx, EXACT)
    flat = [part for pair in gradients for part in pair]
    assert_close(grad_h0[:, 0], [part.dh_init[1] for part in flat], EXACT)
    ours = [entry for layer in by_weight for entry in layer]
    for (dW_ih, dW_hh, db, _), wanted in zip(ours, flat, strict=True):
        assert_all_close([dW_ih, dW_hh, db], [wanted.dW_c[1], wanted.dW_r[1], wanted.db[1]], EXACT)


def test_the_two_forms_differ(rng):
    """Joined at the top, no network sees the other; layer by layer, the second layer sees both."""
    x, moved = rng.standard_normal((2, T, D))
    moved[:-1] = x[:-1]  # the last frame alone is another
    of_f, of_b = arrays_of([3, 3], rng), arrays_of([3, 3], rng)
    first, second = (forward_of(v, of_f, of_b)[1][0] for v in (x, moved))
    assert_same_bits(first[:-1, :3], second[:-1, :3])  # the forward half cannot know
    pairs, *_ = two_layers(rng)
    first, second = (bidirectional.stack_forward(v, pairs)[0] for v in (x, moved))
    assert (first[:, :3] != second[:, :3]).all()


def stack_of(layer, rng):
    """Draw x, the weights of two layers, and their initial states."""
    x, weights, states, _ = layer.inputs(rng)
    above = layer.weights(rng, features=layer.directions * (layer.P or layer.H))
    states = [np.concatenate([state, 0.5 * state[::-1]]) for state in states]
    return x, [weights, above], states


@kinds
@pytest.mark.parametrize("directions", [1, 2])
def test_a_stack_agrees_with_central_differences(layer, directions, rng):
    layer = layer._replace(directions=directions, lengths=(0, 2), T=2, D=1)
    x, layers, states = stack_of(layer, rng)
    run = partial(stack_forward, lengths=layer.lengths, **dict(layer.options))

    def results():
        output, last, saved = run(x, layer.kind, layers, states=states)
        return [output, *last], saved

    first, saved = results()
    upstream = draws_like(rng, first)
    expected = differences(
        lambda: contract(upstream, results()[0]), [x, layers, states], layer.step
    )
    gradients = stack_backward(upstream[0], upstream[1:], saved)
    assert_all_close(gradients, expected, DIFFERENCES)


@pytest.mark.parametrize("layer", [KINDS[1], KINDS[4]], ids=str)
def test_any_network_from_a_divergence_that_is_no_sum_over_time(layer, rng):
    """Two bidirectional layers, an output layer, a softmax, CTC over a ragged batch."""
    layer = layer._replace(lengths=(3, 1), T=3, D=1)
    x, layers, _ = stack_of(layer, rng)
    top = [rng.standard_normal((3, 2 * (layer.P or layer.H))), rng.standard_normal(3)]

    def divergence():
        h, _, saved = stack_forward(
            x, layer.kind, layers, lengths=layer.lengths, **dict(layer.options)
        )
        Y, saved_output = output_forward(h, *top, lengths=layer.lengths)
        log_Y = np.log(np.where(Y > 0, Y, 1))  # padding is 0
        loss, grad = ctc.loss_and_grad(log_Y, [[1, 2], [1]], layer.lengths, reduction="sum")
        return loss, grad / np.where(Y > 0, Y, 1), saved, saved_output

    _, dY, saved, saved_output = divergence()
    dh, *by_top = output_backward(dY, saved_output)
    dx, by_weights, _ = stack_backward(dh, None, saved)
    expected = differences(lambda: divergence()[0], [x, layers, top])
    assert_all_close([dx, by_weights, by_top], expected, DIFFERENCES)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_a_stack_agrees_with_pytorch(kind, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    layer = Layer(kind.lower(), lengths=(3, 8, 1), T=8, D=4, H=5)
    x, layers, states = stack_of(layer, rng)
    peer = getattr(torch.nn, kind)(4, 5, num_layers=2, batch_first=True, bidirectional=True)
    parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    names = [[f"{p}_l{k}{suffix}" for p in parts] for k in (0, 1) for suffix in ("", "_reverse")]
    entries = [entry for weights in layers for entry in weights]
    peer = peer.double()
    peer.load_state_dict(
        {
            name: torch.tensor(array)
            for row, entry in zip(names, entries, strict=True)
            for name, array in zip(row, entry, strict=True)
        }
    )
    tensors = [torch.tensor(array, requires_grad=True) for array in (x, *states)]
    lengths = torch.tensor(layer.lengths)
    packed = pack_padded_sequence(tensors[0], lengths, batch_first=True, enforce_sorted=False)
    output, last = peer(packed, tuple(tensors[1:]) if kind == "LSTM" else tensors[1])
    last = last if kind == "LSTM" else [last]
    wanted = [pad_packed_sequence(output, batch_first=True)[0], *last]

    output, last, saved = stack_forward(x, layer.kind, layers, states=states, lengths=layer.lengths)
    assert_all_close([output, *last], [tensor.detach().numpy() for tensor in wanted], EXACT)
    upstream = draws_like(rng, [output, *last])
    torch.autograd.backward(wanted, [torch.tensor(grad) for grad in upstream])
    grad_x, by_weight, grad_states = stack_backward(upstream[0], upstream[1:], saved)
    assert_all_close([grad_x, *grad_states], [tensor.grad.numpy() for tensor in tensors], EXACT)
    ours = [entry for weights in by_weight for entry in weights]
    for row, entry in zip(names, ours, strict=True):
        assert_all_close(entry, [getattr(peer, name).grad.numpy() for name in row], EXACT)


def joined(layer, x, of_f, of_b):
    """Join a stack of two layers that runs forward, and one of a single layer that runs back."""

    def net(layers, states):
        return lambda x, lengths: stack_forward(
            x, layer.kind, layers, states=states, lengths=lengths, **dict(layer.options)
        )

    return joined_forward(x, net(*of_f), net(*of_b), layer.lengths)


def two_networks(layer, rng):
    x, *of_f = stack_of(layer, rng)
    _, weights, states, _ = layer.inputs(rng)
    return x, of_f, [[weights], states]


def backward_of(grad, saved):
    return stack_backward(grad, None, saved)


@kinds
def test_two_networks_of_any_kind_agree_with_central_differences(layer, rng):
    layer = layer._replace(directions=1, lengths=(2, 0, 1), T=3, D=1)
    x, of_f, of_b = two_networks(layer, rng)
    output, saved = joined(layer, x, of_f, of_b)
    upstream = rng.standard_normal(output.shape)
    expected = differences(
        lambda: np.sum(upstream * joined(layer, x, of_f, of_b)[0]), [x, of_f, of_b], layer.step
    )
    actual = joined_backward(upstream, backward_of, backward_of, saved)
    assert_all_close(actual, expected, DIFFERENCES)


@kinds
def test_two_networks_of_any_kind_start_at_each_true_end(layer, rng):
    """Padding is never read, and a sequence in the batch is the sequence alone."""
    layer = layer._replace(directions=1)
    x, of_f, of_b = two_networks(layer, rng)
    padded = np.arange(layer.T)[None, :] >= np.array(layer.lengths)[:, None]
    x[padded] = np.nan
    output, saved = joined(layer, x, of_f, of_b)
    upstream = rng.standard_normal(output.shape)
    upstream[padded] = np.nan
    grad_x = joined_backward(upstream, backward_of, backward_of, saved)[0]
    assert not output[padded].any() and not grad_x[padded].any()
    for n, end in enumerate(layer.lengths):
        alone = layer._replace(lengths=None)
        own = [[net[0], [state[:, n : n + 1] for state in net[1]]] for net in (of_f, of_b)]
        single, saved = joined(alone, x[n : n + 1, :end], *own)
        assert_same_bits(single[0], output[n, :end])
        grad = joined_backward(upstream[n : n + 1, :end], backward_of, backward_of, saved)[0]
        assert_same_bits(grad[0], grad_x[n, :end])


def test_two_simple_networks_over_a_batch_are_those_of_the_notes(rng):
    layer = Layer("rnn", directions=1, biases=(True, False))
    x, of_f, of_b = two_networks(layer, rng)
    output, _ = joined(layer, x, of_f, of_b)
    for n, end in enumerate(layer.lengths):
        nets, initial = [], []
        for layers, (h0,) in (of_f, of_b):
            W_c, W_r, b, _ = zip(*[weights[0] for weights in layers], strict=True)
            nets.append(Network(W_c, W_r, b))
            initial.append(h0[:, n])
        h, _, _ = bidirectional_forward(x[n, :end], *nets, *initial)
        assert_close(output[n, :end], h, EXACT)


def test_a_wrong_turn_is_seen(monkeypatch, rng):
    """The judge itself: sequences turned round with their padding must not agree."""

    def with_padding(x, lengths):
        return turned(np.nan_to_num(x), np.full(len(lengths), x.shape[1]))

    monkeypatch.setattr(recurrent_network, "turned", with_padding)
    with pytest.raises(AssertionError):
        test_two_networks_of_any_kind_start_at_each_true_end(KINDS[1], rng)
