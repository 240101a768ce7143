"""All recurrent layers under analysis: their options, closed forms where there are some."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unrolled import nn, optim, random, reference
from unrolled.data import Loader
from unrolled.dynamics import GradientMonitor, GradientWarning, analyze, recurrent_layers
from unrolled.dynamics.gradients import output_of
from unrolled.dynamics.stack import stack_of
from unrolled.training import TBPTT, Trainer

KINDS = {
    "tanh": (nn.RNN, {}),
    "relu": (nn.RNN, {"nonlinearity": "relu"}),
    "sigmoid": (nn.RNN, {"nonlinearity": "sigmoid"}),
    "identity": (nn.RNN, {"nonlinearity": "identity"}),
    "gru after": (nn.GRU, {}),
    "gru before": (nn.GRU, {"reset_after": False}),
    "lstm": (nn.LSTM, {}),
    "lstm projected": (nn.LSTM, {"proj_size": 2}),
    "lstm peepholes": (nn.LSTM, {"peepholes": True}),
}


def make_layer(kind, rng, **options):
    cls, own = KINDS[kind]
    layer = cls(3, 4, 2, bidirectional=True, **own, **options).double()
    for parameter in layer.parameters():
        parameter.data[:] = 0.5 * rng.normal(size=parameter.shape)
    return layer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("learned", [False, True])
def test_a_stack_runs_as_the_layer_does(kind, learned, rng):
    layer = make_layer(kind, rng, learn_initial_state=learned)
    stack, x = stack_of(layer), rng.normal(size=(6, 3))
    runs = stack.run(x, stack.initial_states(None, 1)[:, 0])
    output, state = layer(x[None])
    np.testing.assert_allclose(output_of(runs), output.data[0], atol=1e-12)
    given = [part.data for part in state] if isinstance(state, tuple) else state.data
    again = stack.run(x, stack.initial_states(given, 1)[:, 0])
    np.testing.assert_allclose(output_of(again), layer(x[None], state)[0].data[0], atol=1e-12)


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_stack_runs_as_the_reference_does(reset_after, rng):
    """Where the reset comes before the product too, which kernels need not have."""
    layer = nn.GRU(3, 4, bidirectional=True, reset_after=reset_after).double()
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    suffixes = ("_l0", "_l0_reverse")
    weights = [[getattr(layer, name + suffix).data for name in names] for suffix in suffixes]
    x = rng.normal(size=(6, 3))
    expected = reference.gru.gru(x[None], weights, reset_after=reset_after)[0][0]
    runs = stack_of(layer).run(x, np.zeros((2, 4)))
    np.testing.assert_allclose(output_of(runs), expected, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_the_initial_state_is_that_of_the_kernels(kind, rng):
    """The layer's own backpropagation ends at h0, where the curve of the analysis ends too."""
    layer = make_layer(kind, rng, learn_initial_state=True)
    x = rng.normal(size=(1, 6, 3))
    weights = rng.normal(size=layer(x)[0].shape)
    (layer(x)[0] * weights).sum().backward()
    report = analyze(layer, x, loss=lambda output: (output * weights).sum())
    found = [math.exp(part.gradient[-1]) for part in report.parts]
    expected = np.linalg.norm(layer.h0.grad, axis=-1)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def linear(weight):
    layer = nn.RNN(1, len(weight), nonlinearity="identity").double()
    layer.weight_hh_l0.data[:] = weight
    return layer


@pytest.mark.parametrize("magnitude", [0.7, 0.95, 1.0, 1.2])
def test_a_linear_layer_goes_as_its_eigenvalue(magnitude):
    turn = magnitude * np.array([[0.6, -0.8], [0.8, 0.6]])
    report = analyze(linear(turn), np.zeros((1, 80, 1)))
    (part,) = report.parts
    expected = np.arange(81) * math.log(magnitude)
    for curve in (part.reach, part.average_reach, part.gradient):
        np.testing.assert_allclose(curve, expected, atol=1e-9)
    assert part.lyapunov == pytest.approx(math.log(magnitude), abs=1e-9)
    frames = math.ceil(math.log(1e-3) / math.log(magnitude)) if magnitude < 1 else 81
    assert part.horizon == (frames if frames <= 80 else None)
    verdict = {0.7: "vanishing", 0.95: "steady", 1.0: "steady", 1.2: "exploding"}
    assert part.verdict == verdict[magnitude]


def test_what_fills_the_state_of_a_relu_layer_with_zeros_is_said():
    layer = nn.RNN(1, 4, nonlinearity="relu").double()
    layer.bias_ih_l0.data[:] = [-100, -100, -100, 100]
    (part,) = analyze(layer, np.zeros((1, 9, 1))).parts
    assert part.gates[0].low == 0.75 and part.gates[0].high == 0
    assert any("75% of h is 0: relu passes no gradient" in words for words in part.sentences())


def test_an_orthogonal_start_remembers_longer_than_pytorchs():
    horizons = []
    for init in ("pytorch", "orthogonal"):
        random.manual_seed(0)
        layer = nn.RNN(2, 16, init=init)
        horizons.append(analyze(layer, np.zeros((1, 200, 2))).parts[0].horizon)
    assert horizons[0] is not None
    assert horizons[1] is None or horizons[1] > 2 * horizons[0]


def test_layer_norm_is_refused():
    with pytest.raises(ValueError, match="LSTM with layer_norm is not analysed"):
        analyze(nn.LSTM(2, 3, layer_norm=True), np.zeros((1, 4, 2)))


def test_both_networks_of_a_bidirectional_one_are_found(rng):
    net = nn.Bidirectional(nn.GRU(2, 3), nn.RNN(2, 4))
    found = recurrent_layers(net)
    assert list(found) == ["forward_net", "backward_net"]
    titles = [analyze(layer, rng.normal(size=(5, 2))).layer for layer in found.values()]
    assert titles == ["GRU, 2 to 3", "RNN, 2 to 4"]


@pytest.mark.parametrize("kind", ["tanh", "gru after", "lstm projected"])
def test_a_monitor_reads_every_kind_of_state(kind, rng):
    """A loss of the last state alone, which each layer returns in its own form."""
    layer = make_layer(kind, rng)

    def loss(layer, batch):
        _, state = layer(batch)
        return ((state[0] if isinstance(state, tuple) else state) ** 2).sum()

    monitor = GradientMonitor(vanishing=1e-300)
    optimizer = optim.SGD(layer.parameters(), lr=1e-3)
    items = list(rng.normal(size=(4, 7, 3)))
    Trainer(layer, loss, optimizer, callbacks=[monitor], progress=False).fit(Loader(items, 4))
    assert [record.part for record in monitor.records] == list(stack_of(layer).names())
    assert all(np.isfinite(record.gradient).all() for record in monitor.records)


def test_a_monitor_beside_truncated_backpropagation(rng):
    """The last window of a batch is looked at: a gradient goes back k2 frames at most."""
    random.manual_seed(0)
    layer = nn.RNN(1, 4)

    def loss(layer, window, state):
        x, y = window
        output, state = layer(x, state)
        return ((output.sum(-1) - y) ** 2).mean(), state

    x = rng.normal(size=(2, 12, 1)).astype(np.float32)
    items = list(zip(x, x[:, :, 0], strict=True))
    monitor = GradientMonitor(vanishing=1e-300)
    optimizer = optim.SGD(layer.parameters(), lr=0.01)
    trainer = Trainer(
        layer, loss, optimizer, tbptt=TBPTT(4, 8), callbacks=[monitor], progress=False
    )
    trainer.fit(Loader(items, 2))
    assert 4 <= len(monitor.records[0].gradient) - 1 <= 8


def test_a_simple_network_over_many_frames_is_warned_of(rng):
    random.manual_seed(0)
    layer = nn.RNN(1, 8)
    optimizer = optim.SGD(layer.parameters(), lr=0.01)
    items = list(rng.normal(size=(2, 100, 1)).astype(np.float32))

    def loss(layer, batch):
        return (layer(batch)[0][:, -1] ** 2).mean()

    trainer = Trainer(layer, loss, optimizer, callbacks=[GradientMonitor()], progress=False)
    with pytest.warns(GradientWarning, match=r"^step 1: gradients vanish in layer 0: \d+ frames"):
        trainer.fit(Loader(items, 2))
