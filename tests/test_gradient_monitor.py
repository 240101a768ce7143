"""Callbacks of a `Trainer`, and the one that records gradients over time and warns of them."""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pytest

import tiny_training
from dynamics_problems import gradients_of, layer_weights, make_leaves, tape_lstm
from unrolled import nn, optim, random
from unrolled.autograd import Tensor
from unrolled.data import Loader
from unrolled.dynamics import GradientMonitor, GradientWarning, recurrent_layers
from unrolled.dynamics.recording import record_calls
from unrolled.training import Callback, Trainer


class Tagger(nn.Module):
    """An LSTM and a linear layer; reads the last state, or every output."""

    def __init__(self, scale=1.0, last=True, bidirectional=False):
        self.lstm = nn.LSTM(2, 4, bidirectional=bidirectional)
        self.output = nn.Linear(8 if bidirectional else 4, 1)
        self.last = last
        for name, parameter in self.lstm.named_parameters():
            if "weight_hh" in name:
                parameter.data *= scale

    def forward(self, x, lengths=None):
        output, (h_n, _) = self.lstm(x, lengths=lengths)
        return self.output(h_n[-1] if self.last else output)


def loss(model, batch):
    return (model(batch) ** 2).mean()


def items(count, frames, seed=0):
    return list(np.random.default_rng(seed).normal(size=(count, frames, 2)).astype(np.float32))


def train(model, monitor, frames=20, epochs=1, **options):
    random.manual_seed(0)
    callbacks = [] if monitor is None else [monitor]
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    trainer = Trainer(model, loss, optimizer, callbacks=callbacks, progress=False, **options)
    return trainer.fit(Loader(items(8, frames), 4, seed=3), epochs=epochs)


@pytest.fixture
def model():
    random.manual_seed(2)
    return Tagger()


# Callbacks


class Diary(Callback):
    def __init__(self, name, lines):
        self.name, self.lines = name, lines

    @contextlib.contextmanager
    def around_step(self, model, step):
        self.lines.append(f"{self.name} enters {step}")
        try:
            yield
        finally:
            self.lines.append(f"{self.name} leaves {step}")


def test_callbacks_enclose_every_step_in_their_order(model):
    lines = []
    random.manual_seed(0)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    diaries = [Diary("a", lines), Diary("b", lines)]
    trainer = Trainer(model, loss, optimizer, callbacks=diaries, progress=False)
    trainer.fit(Loader(items(8, 3), 4), epochs=1)
    assert lines[:4] == ["a enters 1", "b enters 1", "b leaves 1", "a leaves 1"]
    assert len(lines) == 8 and lines[4] == "a enters 2"


def test_callbacks_are_left_when_a_step_fails(model):
    lines = []

    def fails(model, batch):
        raise RuntimeError("no loss")

    optimizer = optim.SGD(model.parameters(), lr=0.1)
    trainer = Trainer(model, fails, optimizer, callbacks=[Diary("a", lines)], progress=False)
    with pytest.raises(RuntimeError, match="no loss"):
        trainer.fit(Loader(items(4, 3), 4))
    assert lines == ["a enters 1", "a leaves 1"]


def test_a_callback_that_does_nothing_is_allowed():
    digests = []
    for callbacks in ([Callback()], []):
        trainer = tiny_training.make_trainer(callbacks=callbacks)
        history = trainer.fit(*tiny_training.make_loaders(), epochs=1)
        digests.append(tiny_training.digest(trainer, history))
    assert digests[0] == digests[1]


# Recording


def test_calls_are_recorded_with_the_gradients_that_come_back(model, rng):
    x = rng.normal(size=(3, 5, 2)).astype(np.float32)
    with record_calls(recurrent_layers(model)) as calls:
        value = model(x, lengths=[5, 2, 4]).sum()
        value.backward()
    (call,) = calls["lstm"]
    np.testing.assert_array_equal(call.x, x)
    assert call.lengths == [5, 2, 4] and call.state is None
    expected = np.broadcast_to(model.output.weight.data, (1, 3, 4))
    np.testing.assert_allclose(call.grads["h_n"], expected)
    assert set(call.grads) == {"h_n"}
    assert "forward" not in vars(model.lstm)


def test_a_layer_is_as_before_after_an_error(model):
    with pytest.raises(ValueError), record_calls(recurrent_layers(model)):
        model(np.zeros((1, 2, 7)))
    assert "forward" not in vars(model.lstm) and model(np.zeros((1, 2, 2))).shape == (1, 1)


# The monitor


@pytest.mark.filterwarnings("ignore::unrolled.dynamics.GradientWarning")
@pytest.mark.parametrize("last", [True, False])
def test_recorded_norms_are_those_of_the_tape(last, rng):
    """Of one sequence in float64, with the loss of the training step."""
    random.manual_seed(5)
    model = Tagger(last=last).double()
    x = rng.normal(size=(1, 12, 2))
    leaves = make_leaves(12, 4)
    output, h, _ = tape_lstm(Tensor(x[0]), layer_weights(model.lstm, 0), leaves)
    (model.output(h.unsqueeze(0) if last else output) ** 2).mean().backward()
    expected = np.linalg.norm(gradients_of(leaves)[::-1, :4], axis=1)

    monitor = GradientMonitor()
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    Trainer(model, loss, optimizer, callbacks=[monitor], progress=False).fit(Loader(list(x), 1))
    (record,) = monitor.records
    assert (record.step, record.layer, record.part) == (1, "lstm", "layer 0")
    np.testing.assert_allclose(np.exp(record.gradient[:12]), expected, rtol=1e-9)


def test_training_has_the_same_bits_with_a_monitor(rng):
    weights = []
    for monitor in (GradientMonitor(every=1, vanishing=1e-300), None):
        random.manual_seed(7)
        model = Tagger(bidirectional=True, last=False)
        train(model, monitor, epochs=2)
        weights.append(model.state_dict())
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_it_records_every_so_many_steps(model):
    monitor = GradientMonitor(every=3, vanishing=1e-300)
    train(model, monitor, epochs=4)
    assert [record.step for record in monitor.records] == [1, 4, 7]
    assert all(len(record.gradient) == len(record.reach) == 21 for record in monitor.records)


def test_vanishing_gradients_are_told_once_and_in_words(model):
    monitor = GradientMonitor(every=1)
    with pytest.warns(GradientWarning) as found:
        train(model, monitor, frames=60)
    (warning,) = found
    text = str(warning.message)
    assert text.startswith("step 1: gradients vanish in lstm, layer 0: ")
    frames = int(text.split(": ")[2].split()[0])
    reach = monitor.records[0].reach
    assert reach[frames] - reach[0] < np.log(1e-4) <= reach[frames - 1] - reach[0]
    assert "nothing is learned from what lies further back" in text and "of 60" in text


def test_exploding_gradients_are_told():
    random.manual_seed(1)
    model = Tagger()
    size = 4
    for parameter in model.lstm.parameters():
        parameter.data[:] = 0  # so that c stays 0, where tanh is steepest
    bias = model.lstm.bias_ih_l0.data
    bias[:size], bias[size : 2 * size], bias[3 * size :] = 3, 8, 3
    model.lstm.weight_hh_l0.data[2 * size : 3 * size] = np.eye(size)  # g reads h
    with pytest.warns(GradientWarning, match="explode in lstm, layer 0: .* set clip_norm"):
        train(model, GradientMonitor(), frames=30)


def test_a_healthy_model_is_not_warned_of(model):
    model.lstm.bias_ih_l0.data[4:8] = 5.0  # forget gates open
    model.lstm.weight_hh_l0.data *= 0.1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(model, GradientMonitor(), frames=30)


def test_a_model_without_a_recurrent_layer():
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    trainer = Trainer(model, loss, optimizer, callbacks=[GradientMonitor()], progress=False)
    with pytest.raises(ValueError, match="Linear has no recurrent layer to monitor"):
        trainer.fit(Loader([np.zeros(2, np.float32)], 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every must be at least 1"),
        ({"sequences": 0}, "sequences must be at least 1"),
        ({"vanishing": 2.0}, "vanishing must lie between 0 and 1"),
        ({"exploding": 0.5}, "exploding must be above 1"),
    ],
)
def test_wrong_numbers(options, message):
    with pytest.raises(ValueError, match=message):
        GradientMonitor(**options)
