# ruff: noqa: E741 (l is the notes' name for a layer)
"""The chapter: the notes' recurrent network, BPTT from any divergence, and the output layer."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from oracles import assert_close, assert_same_bits
from recurrent_reference import DIFFERENCES, EXACT, assert_all_close, differences
from unrolled.reference import bptt, ctc
from unrolled.reference.bptt import Network, jacobian, rnn_bptt, rnn_forward
from unrolled.reference.recurrent_network import (
    output_backward,
    output_forward,
    stack_backward,
    stack_forward,
)

DOCS = Path(__file__).resolve().parents[1] / "docs"
SIZES = {  # D, then the units of the hidden layers
    "one layer": [2, 3],
    "two layers": [3, 2, 4],
    "three layers": [1, 3, 2, 3],
    "equal layers": [2, 3, 3],
    "output layer alone": [3],
}
NONLINEARITIES = ["tanh", "relu", "sigmoid", "identity"]
OUTPUTS = ["softmax", "log_softmax", *NONLINEARITIES]
T, K = 4, 3


def network(name, rng, f="tanh", g="softmax", output=True):
    """Draw x, the weights as lists of arrays, hinit, and a function that builds the Network."""
    D, *hidden = SIZES[name]
    below = [D, *hidden]
    W_c = [0.7 * rng.standard_normal((h, d)) for h, d in zip(hidden, below, strict=False)]
    W_r = [0.7 * rng.standard_normal((h, h)) for h in hidden]
    b, hinit = ([rng.standard_normal(h) for h in hidden] for _ in range(2))
    top = [rng.standard_normal((K, below[-1])), rng.standard_normal(K)] if output else [None, None]
    x = rng.standard_normal((T, D))
    return [x, W_c, W_r, b, *top, hinit], f, g


def run(arrays, f, g):
    x, *weights, hinit = arrays
    net = Network(*weights, f=f, g=g)
    return net, rnn_forward(x, net, hinit)


def in_order(gradients):
    """List gradients in the order of the arrays of `network`."""
    d = gradients
    layers = [list(part.values()) for part in (d.dW_c, d.dW_r, d.db)]
    return [d.dx, *layers, d.dW_o, d.db_o, list(d.dh_init.values())]


def assert_bptt(divergence, arrays, f, g, limit=DIFFERENCES):
    """Compare BPTT from dY(t), which `divergence` gives with its value, with differences."""
    net, forward = run(arrays, f, g)
    _, dY = divergence(forward.Y)
    expected = differences(lambda: divergence(run(arrays, f, g)[1].Y)[0], arrays)
    assert_all_close(in_order(rnn_bptt(dY, net, forward)), expected, limit)


# Divergences, each with its gradient by Y: sums over time, and functions that are none.


def cross_entropy_at_each_time(Y):
    target = np.eye(K)[[0, 2, 1, 1]]
    return -np.sum(target * np.log(Y)), -target / Y


def weighted_kl_to_one_target(Y):
    """Many to one: DIV = sum of w_t KL(target, Y(t)) with one target for all times."""
    w, target = np.array([0.0, 0.1, 0.3, 1.0])[:, None], np.array([0.2, 0.5, 0.3])
    return np.sum(w * target * np.log(target / Y)), -w * target / Y


def the_last_time_alone(Y):
    dY = np.zeros_like(Y)
    dY[-1, 1] = -1 / Y[-1, 1]
    return -np.log(Y[-1, 1]), dY


def log_sum_exp_over_time(Y):
    """The smooth maximum of the losses at each time: the worst time counts."""
    losses = np.array([0.5 * np.sum((y - 0.3) ** 2) for y in Y])
    weight = np.exp(losses) / np.sum(np.exp(losses))
    return np.log(np.sum(np.exp(losses))), weight[:, None] * (Y - 0.3)


def product_over_time(Y):
    """Every time's gradient depends on the outputs at all other times."""
    s = np.array([np.sum(np.arange(1, K + 1) * y) for y in Y])
    others = np.array([np.prod(np.delete(s, t)) for t in range(len(s))])
    return np.prod(s), others[:, None] * np.arange(1, K + 1)


def ctc_of_one_symbol_twice(Y):
    """CTC over the logarithms of the outputs: a sum over paths, not over times."""
    loss, grad = ctc.loss_and_grad(np.log(Y)[None], [[1, 1]], reduction="sum")
    return loss, grad[0] / Y


DIVERGENCES = [
    cross_entropy_at_each_time,
    weighted_kl_to_one_target,
    the_last_time_alone,
    log_sum_exp_over_time,
    product_over_time,
    ctc_of_one_symbol_twice,
]


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("divergence", DIVERGENCES, ids=lambda d: d.__name__)
def test_bptt_from_any_divergence(divergence, name, rng):
    assert_bptt(divergence, *network(name, rng))


@pytest.mark.parametrize("g", OUTPUTS)
@pytest.mark.parametrize("f", NONLINEARITIES)
def test_bptt_through_every_activation(f, g, rng):
    assert_bptt(log_sum_exp_over_time, *network("two layers", rng, f, g))


@pytest.mark.parametrize("name", ["one layer", "two layers", "three layers"])
def test_a_network_without_output_layer_takes_dh_top(name, rng):
    def divergence(Y):
        return np.log(np.sum(np.exp(Y))), np.exp(Y) / np.sum(np.exp(Y))

    arrays, f, g = network(name, rng, output=False)
    net, forward = run(arrays, f, g)
    assert_same_bits(forward.Y, np.array([forward.h[t, len(net.b)] for t in range(T)]))
    assert_bptt(divergence, arrays, f, g)


@pytest.mark.parametrize("name", ["one layer", "two layers", "three layers"])
def test_the_ctc_of_the_logits_is_the_ctc_of_a_softmax(name, rng):
    """dDIV/dZ_o is known for CTC in one piece; the softmax's Jacobian must give the same."""
    arrays, f, g = network(name, rng)
    net, forward = run(arrays, f, g)
    _, dY = ctc_of_one_symbol_twice(forward.Y)
    gradients = rnn_bptt(dY, net, forward)
    logits = run(arrays, f, "identity")[1].Y
    _, dZ_o = ctc.loss_and_grad(logits[None], [[1, 1]], reduction="sum", wrt="logits")
    assert_close(np.array([gradients.dZ_o[t] for t in range(T)]), dZ_o[0], EXACT)


@pytest.mark.parametrize("activation", OUTPUTS)
def test_a_jacobian_is_what_differences_give(activation, rng):
    g, _ = bptt.OUTPUTS[activation]
    z = rng.standard_normal(5)
    numeric = np.array([differences(lambda j=j: g(z)[j], z) for j in range(5)])
    J = jacobian(activation, g(z))
    assert_close(J, numeric, DIFFERENCES)
    if activation in NONLINEARITIES:
        assert not (J - np.diag(np.diag(J))).any()  # element-wise
    if activation == "softmax":
        assert_close(J, np.diag(g(z)) - np.outer(g(z), g(z)), EXACT)


def test_bptt_is_the_equations_of_the_notes_unit_by_unit(rng):
    """Two times, one layer: every sum over units written out, without a matrix product."""
    D, H = 2, 3
    arrays, f, g = network("one layer", rng)
    x, _, (W_11,), _, W_2, _, (h_before,) = arrays
    arrays[0] = x = x[:2]
    net, forward = run(arrays, f, g)
    Y, h = forward.Y, [forward.h[t, 1] for t in range(2)]
    dY = rng.standard_normal((2, K))
    d = rnn_bptt(dY, net, forward)

    def output_layer(t):
        """dDIV/dZ_i(t) = sum over j of dDIV/dY_j(t) dY_j(t)/dZ_i(t)."""
        return [sum(dY[t, j] * Y[t, j] * ((i == j) - Y[t, i]) for j in range(K)) for i in range(K)]

    dZ2 = [output_layer(0), output_layer(1)]
    dh1 = [sum(W_2[j, i] * dZ2[1][j] for j in range(K)) for i in range(H)]
    dZ1_1 = [dh1[i] * (1 - h[1][i] ** 2) for i in range(H)]
    dh0 = [
        sum(W_2[j, i] * dZ2[0][j] for j in range(K)) + sum(W_11[j, i] * dZ1_1[j] for j in range(H))
        for i in range(H)
    ]
    dZ1_0 = [dh0[i] * (1 - h[0][i] ** 2) for i in range(H)]
    dh_before = [sum(W_11[j, i] * dZ1_0[j] for j in range(H)) for i in range(H)]
    dZ1 = [dZ1_0, dZ1_1]
    before = [h_before, h[0]]
    assert_close([d.dZ_o[0], d.dZ_o[1]], dZ2, EXACT)
    assert_close([d.dH[0, 1], d.dH[1, 1]], [dh0, dh1], EXACT)
    assert_close([d.dZ[0, 1], d.dZ[1, 1]], dZ1, EXACT)
    assert_close(d.dh_init[1], dh_before, EXACT)
    of_output = [[sum(dZ2[t][j] * h[t][i] for t in range(2)) for i in range(H)] for j in range(K)]
    of_input = [[sum(dZ1[t][j] * x[t][i] for t in range(2)) for i in range(D)] for j in range(H)]
    of_past = [
        [sum(dZ1[t][j] * before[t][i] for t in range(2)) for i in range(H)] for j in range(H)
    ]
    assert_close(d.dW_o, of_output, EXACT)
    assert_close(d.dW_c[1], of_input, EXACT)
    assert_close(d.dW_r[1], of_past, EXACT)
    assert_close(d.db[1], np.sum(dZ1, axis=0), EXACT)
    assert_close(d.db_o, np.sum(dZ2, axis=0), EXACT)


@pytest.mark.parametrize("f", NONLINEARITIES)
@pytest.mark.parametrize("name", ["one layer", "equal layers"])
def test_the_network_is_a_stack_of_layers(name, f, rng):
    """The notes' loop over times, then layers, is the layers' loops one after the other."""
    arrays, f, g = network(name, rng, f)
    x, W_c, W_r, b, W_o, b_o, hinit = arrays
    net, forward = run(arrays, f, g)
    layers = [[(c, r, bias, None)] for c, r, bias in zip(W_c, W_r, b, strict=True)]
    h0 = np.array(hinit)[:, None]
    h, (h_n,), saved = stack_forward(x[None], "rnn", layers, states=[h0], nonlinearity=f)
    Y, saved_output = output_forward(h, W_o, b_o)
    assert_close(Y[0], forward.Y, EXACT)
    assert_close(h_n[:, 0], [forward.h[T - 1, l] for l in range(1, len(b) + 1)], EXACT)

    dY = rng.standard_normal(Y.shape)
    wanted = rnn_bptt(dY[0], net, forward)
    dh, dW_o, db_o = output_backward(dY, saved_output)
    dx, by_weight, (dh0,) = stack_backward(dh, None, saved)
    assert_all_close([dW_o, db_o, dx[0]], [wanted.dW_o, wanted.db_o, wanted.dx], EXACT)
    assert_close(dh0[:, 0], list(wanted.dh_init.values()), EXACT)
    for l, ((dW_ih, dW_hh, db, _),) in enumerate(by_weight, start=1):
        assert_all_close([dW_ih, dW_hh, db], [wanted.dW_c[l], wanted.dW_r[l], wanted.db[l]], EXACT)


def test_agrees_with_pytorch(rng):
    """Two tanh layers, an output layer, a softmax, and CTC on its logarithms."""
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    arrays, f, g = network("equal layers", rng)
    x, W_c, W_r, b, W_o, b_o, hinit = arrays
    net, forward = run(arrays, f, g)
    _, dY = ctc_of_one_symbol_twice(forward.Y)
    ours = rnn_bptt(dY, net, forward)

    peer = torch.nn.RNN(2, 3, num_layers=2).double()
    head = torch.nn.Linear(3, K).double()
    with torch.no_grad():
        for l in range(2):
            getattr(peer, f"weight_ih_l{l}").copy_(torch.tensor(W_c[l]))
            getattr(peer, f"weight_hh_l{l}").copy_(torch.tensor(W_r[l]))
            getattr(peer, f"bias_ih_l{l}").copy_(torch.tensor(b[l]))
            getattr(peer, f"bias_hh_l{l}").zero_()
        head.weight.copy_(torch.tensor(W_o))
        head.bias.copy_(torch.tensor(b_o))
    inputs = torch.tensor(x, requires_grad=True)
    h0 = torch.tensor(np.array(hinit), requires_grad=True)
    Y = head(peer(inputs, h0)[0]).log_softmax(-1)
    assert_close(forward.Y, Y.exp().detach().numpy(), EXACT)
    loss = torch.nn.functional.ctc_loss(Y, torch.tensor([1, 1]), (T,), (2,), reduction="sum")
    loss.backward()
    assert_close(ours.dx, inputs.grad.numpy(), EXACT)
    assert_close(list(ours.dh_init.values()), h0.grad.numpy(), EXACT)
    assert_close(ours.dW_o, head.weight.grad.numpy(), EXACT)
    for l in range(2):
        for part, name in (
            (ours.dW_c, "weight_ih"),
            (ours.dW_r, "weight_hh"),
            (ours.db, "bias_hh"),
        ):
            assert_close(part[l + 1], getattr(peer, f"{name}_l{l}").grad.numpy(), EXACT, name)


@pytest.mark.parametrize("activation", ["softmax", "tanh"])
def test_the_output_layer_reads_no_padding(activation, rng):
    h, lengths = rng.standard_normal((3, T, 2)), [4, 0, 2]
    W_o, b_o, dY = (
        rng.standard_normal((K, 2)),
        rng.standard_normal(K),
        rng.standard_normal((3, T, K)),
    )
    padded = np.arange(T)[None, :] >= np.array(lengths)[:, None]
    h[padded] = dY[padded] = np.nan
    Y, saved = output_forward(h, W_o, b_o, activation, lengths)
    gradients = output_backward(dY, saved)
    assert not Y[padded].any() and not gradients[0][padded].any()

    def total():
        return np.sum((dY * output_forward(h, W_o, b_o, activation, lengths)[0])[~padded])

    h = np.where(padded[:, :, None], 0, h)
    expected = differences(total, [h, W_o, b_o])
    assert_all_close(gradients, expected, DIFFERENCES)


@pytest.mark.skipif(not DOCS.is_dir(), reason="needs the source tree")
@pytest.mark.parametrize("page, count", [("rnn.md", 4), ("gru.md", 1), ("lstm.md", 2)])
def test_the_examples_of_the_pages_run(page, count):
    text = (DOCS / page).read_text("utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert len(examples) == count
    for example in examples:
        exec(compile(example, page, "exec"), {})


def test_a_wrong_loop_is_seen(monkeypatch, rng):
    """The judge itself: a softmax taken for an element-wise activation must not agree."""
    whole = bptt.jacobian
    monkeypatch.setattr(bptt, "jacobian", lambda f, y: np.diag(np.diag(whole(f, y))))
    with pytest.raises(AssertionError):
        test_bptt_from_any_divergence(log_sum_exp_over_time, "one layer", rng)
