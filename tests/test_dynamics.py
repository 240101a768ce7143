"""`analyze`: every figure of a report against what defines it, its words, and wrong input."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from dynamics_problems import gradients_of, layer_weights, make_leaves, tape_lstm
from unrolled import nn, random
from unrolled.autograd import Tensor
from unrolled.dynamics import Gate, Part, Report, analyze
from unrolled.dynamics.analysis import log_norms, median_by_frames_back


@pytest.fixture
def layer():
    random.manual_seed(1)
    return nn.LSTM(3, 5).double()


def only(report):
    (part,) = report.parts
    return part


def test_weights_gates_and_exponent(layer, rng):
    part = only(analyze(layer, rng.normal(size=(1, 200, 3))))
    blocks = np.split(layer.weight_hh_l0.data, 4)
    assert [gate.name for gate in part.gates] == list("ifgo")
    for gate, block in zip(part.gates, blocks, strict=True):
        assert gate.spectral_radius == pytest.approx(np.abs(np.linalg.eigvals(block)).max())
        np.testing.assert_allclose(gate.singular_values, np.linalg.svd(block)[1])
    assert part.reach.shape == part.average_reach.shape == part.gradient.shape == (201,)
    assert part.reach[0] == part.average_reach[0] == 0
    assert (part.average_reach <= part.reach + 1e-12).all()
    assert part.lyapunov == pytest.approx(part.reach[150] / 150, abs=0.03)


def test_saturation_counts_what_the_gates_do(rng):
    layer = nn.LSTM(1, 4).double()
    layer.weight_ih_l0.data[:] = layer.weight_hh_l0.data[:] = layer.bias_hh_l0.data[:] = 0
    layer.bias_ih_l0.data[:] = np.repeat([-5.0, 5.0, 0.0, 0.0], 4)
    layer.bias_ih_l0.data[12:14] = 5.0  # half of o
    layer.bias_ih_l0.data[14] = -1.0  # sigmoid(-1) = 0.27 is neither low nor high
    layer.bias_ih_l0.data[8] = -5.0  # a quarter of g
    part = only(analyze(layer, np.zeros((1, 10, 1))))
    shares = {gate.name: (gate.low, gate.high) for gate in part.gates}
    assert shares == {"i": (1.0, 0.0), "f": (0.0, 1.0), "g": (0.25, 0.0), "o": (0.0, 0.5)}
    words = " ".join(part.sentences())
    assert "100% of gate i is below 0.1: closed, little is written" in words
    assert "100% of gate f is above 0.9: open, c is kept" in words
    assert "50% of gate o is above 0.9: open" in words and "of g " not in words


def test_the_gradient_of_a_given_loss_is_that_of_the_tape(layer, rng):
    x, weights = rng.normal(size=(1, 12, 3)), rng.normal(size=(12, 5))

    def loss(output):
        return (output[0].tanh() * weights).sum()

    leaves = make_leaves(12, 5)
    output, _, _ = tape_lstm(Tensor(x[0]), layer_weights(layer, 0), leaves)
    (output.tanh() * weights).sum().backward()
    expected = np.linalg.norm(gradients_of(leaves)[::-1, :5], axis=1)
    report = analyze(layer, x, loss=loss)
    np.testing.assert_allclose(np.exp(only(report).gradient[:12]), expected, rtol=1e-10)
    assert report.loss == "the loss given"


def test_a_loss_at_the_last_frame_alone_goes_back_like_the_products(layer, rng):
    x = rng.normal(size=(3, 20, 3))
    part = only(analyze(layer, x, loss=lambda output: output[:, -1].sum()))
    assert part.gradient[0] == pytest.approx(0.5 * math.log(5))
    assert (part.gradient <= part.gradient[0] + part.reach + 1e-9).all()


def test_the_horizon_is_longer_with_an_open_forget_gate(rng):
    horizons = []
    for bias in (-1.0, 0.5, 2.0):
        random.manual_seed(0)
        layer = nn.LSTM(2, 8)
        layer.bias_ih_l0.data[8:16] = bias
        horizons.append(only(analyze(layer, rng.normal(size=(1, 400, 2)))).horizon)
    assert horizons[0] < horizons[1] < horizons[2]


def test_the_fraction_moves_the_horizon(layer, rng):
    x = rng.normal(size=(1, 60, 3))
    found = [only(analyze(layer, x, fraction=f)).horizon for f in (0.1, 1e-3, 1e-5)]
    assert found == sorted(found) and found[0] < found[2]


def test_sequences_of_other_lengths_and_what_padding_holds(layer, rng):
    """Padding is not read, empty sequences are left out, medians are over those that go so far."""
    x = rng.normal(size=(4, 9, 3))
    alone = [analyze(layer, x[n, :end]) for n, end in ((0, 9), (2, 4), (3, 1))]
    x[1], x[2, 4:], x[3, 1:] = np.nan, np.nan, np.nan
    report = analyze(layer, x, [9, 0, 4, 1])
    assert (report.sequences, report.frames) == (3, 9)
    reaches = [only(one).reach for one in alone]
    expected = median_by_frames_back(reaches)
    np.testing.assert_array_equal(only(report).reach, expected)
    assert expected[1] == np.median([r[1] for r in reaches]) and expected[9] == reaches[0][9]


def test_every_direction_of_every_layer(rng):
    random.manual_seed(0)
    layer = nn.LSTM(2, 3, 2, bidirectional=True).double()
    x = rng.normal(size=(1, 10, 2))
    report = analyze(layer, x, loss=lambda output: (output**2).sum())
    names = [part.name for part in report.parts]
    assert names == ["layer 0", "layer 0 reverse", "layer 1", "layer 1 reverse"]
    # The backward direction alone, as a forward layer over the reversed sequence.
    turned = nn.LSTM(2, 3).double()
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        getattr(turned, name).data[:] = getattr(layer, name + "_reverse").data
    alone = only(analyze(turned, x[:, ::-1]))
    np.testing.assert_allclose(report.parts[1].reach, alone.reach, atol=1e-12)
    assert report.parts[1].lyapunov == pytest.approx(alone.lyapunov)


def test_the_same_seed_gives_the_same_report(layer, rng):
    x = rng.normal(size=(2, 8, 3))
    first, again, other = (analyze(layer, x, seed=seed) for seed in (0, 0, 1))
    assert str(first) == str(again)
    assert only(first).gradient.tobytes() == only(again).gradient.tobytes()
    assert not np.array_equal(only(first).gradient[1:], only(other).gradient[1:])


def test_the_state_it_starts_from_matters(layer, rng):
    x, state = rng.normal(size=(1, 3, 3)), [np.full((1, 1, 5), 5.0)] * 2
    assert not np.array_equal(
        only(analyze(layer, x)).reach, only(analyze(layer, x, state=state)).reach
    )


def test_random_numbers_of_the_package_are_left_alone(layer, rng):
    before = random.get_state()
    analyze(layer, rng.normal(size=(1, 4, 3)))
    assert random.get_state() == before


# What it says


def part_with(reach=(0.0, -1.0), lyapunov=-0.5, gates=(), **options):
    curve = np.array(reach)
    settings = {"average_reach": curve, "gradient": curve, "fraction": 1e-3, **options}
    return Part("layer 0", gates, curve, lyapunov=lyapunov, **settings)


def test_verdicts():
    assert part_with(np.log([1, 0.1, 1e-4])).verdict == "vanishing"
    assert part_with(np.log([1, 0.5])).verdict == "steady"
    assert part_with(np.log([1, 1e4, 1e-9])).verdict == "exploding"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reach": np.log([1, 0.1, 1e-4])}, "fall to 0.1% within 2 of 2 frames"),
        ({"reach": np.log([1, 0.5])}, "it remembers for all of the 1 frames seen"),
        ({"reach": np.log([1, 2e4, 1])}, "1 frames back they are up to 2e+04 times as large"),
        ({"reach": np.array([0, 9999.0])}, "gradients explode"),
        ({"lyapunov": 0.3}, "grow by a factor of 1.35 a frame: chaotic, or exploding"),
        ({"lyapunov": 0.001}, "neither grow nor vanish"),
        ({"lyapunov": -math.log(2) / 4}, "halve every 4 frames"),
        ({"lyapunov": -math.inf}, "lost within one frame"),
        ({"gates": (Gate("h", "relu", 1, np.ones(1), 0.6, 0),)}, "60% of h is 0: relu passes no"),
        ({"gates": (Gate("h", "tanh", 1, np.ones(1), 0.3, 0.4),)}, "70% of h is saturated"),
        ({"gates": (Gate("z", "sigmoid", 1, np.ones(1), 0, 0.7),)}, "open, h is kept"),
    ],
)
def test_words(options, words):
    assert any(words in sentence for sentence in part_with(**options).sentences())


def test_the_gradient_horizon_counts_from_the_largest_value():
    """A loss that is not at the last frame: nothing comes back there."""
    part = part_with(gradient=np.log([1e-30, 1e-30, 1.0, 0.1, 1e-4, 1e-5]))
    assert part.gradient_horizon == 4


def test_a_report_prints_its_tables_and_verdicts(layer, rng):
    report = analyze(layer, rng.normal(size=(1, 40, 3)))
    text = str(report)
    assert text.startswith("Dynamics of LSTM, 3 to 5: 1 sequence of up to 40 frames, gradients of")
    assert "Memory: frames back until what is left stays below 0.001" in text
    row = next(line for line in text.splitlines() if line.startswith("layer 0  vanishing"))
    assert row.split()[3] == str(only(report).horizon)
    assert text.endswith(report.verdicts()[-1])


def test_a_report_is_frozen_and_goes_through_json(layer, rng):
    report = analyze(layer, rng.normal(size=(1, 5, 3)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.frames = 3
    found = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    (part,) = found["parts"]
    assert part["log_reach"] == only(report).reach.tolist()
    assert part["horizon"] is None and found["layer"] == "LSTM, 3 to 5"
    dead = Report("x", (part_with(reach=(0.0, -np.inf), lyapunov=-np.inf),), 1, 1, 1e-3, "")
    (part,) = json.loads(json.dumps(dead.as_dict(), allow_nan=False))["parts"]
    assert part["log_reach"] == [0.0, None] and part["lyapunov"] is None
    assert "within 1 of 1 frames" in str(dead)


def test_norms_that_overflow_are_infinite():
    found = log_norms(np.array([[np.inf, 1.0], [np.nan, 1.0], [0.0, 0.0], [3.0, 4.0]]))
    assert found.tolist() == [np.inf, np.inf, -np.inf, math.log(5)]


# What is wrong


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.zeros((2, 4)), {}, r"x must be numbers \(N, T, 3\) or \(T, 3\), got float64 of shape"),
        (np.zeros((1, 0, 3)), {}, "x has no frames"),
        (np.zeros((2, 4, 3)), {"lengths": [0, 0]}, "x has no frames"),
        (np.zeros((2, 4, 3)), {"lengths": [4]}, "lengths must have one length an item"),
        (np.full((1, 4, 3), np.inf), {}, "x is not finite in frame 0 of item 0"),
        (np.zeros((1, 4, 3)), {"fraction": 1.5}, "fraction must lie between 0 and 1, got 1.5"),
        (np.zeros((2, 4, 3)), {"state": [np.zeros((1, 1, 5))] * 2}, "state has shape"),
    ],
)
def test_wrong_values(layer, x, options, message):
    with pytest.raises(ValueError, match=message):
        analyze(layer, x, **options)


def test_a_loss_that_is_none(layer):
    for loss in (lambda output: 3.0, lambda output: output):
        with pytest.raises(TypeError, match="must return a scalar Tensor"):
            analyze(layer, np.zeros((1, 4, 3)), loss=loss)


def test_a_module_that_is_not_recurrent():
    with pytest.raises(TypeError, match=r"take its recurrent layers \(dynamics\.recurrent_layers"):
        analyze(nn.Sequential(nn.LSTM(2, 3)), np.zeros((1, 4, 2)))
