"""Where simple recurrences settle, and how long they remember."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unrolled.dynamics import fixed_points, memory, settle, simulate

FUNCTIONS = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
}


def roots_by_scanning(weight, bias, name):
    """Find the signs' changes of f(w h + b) - h on a fine grid."""
    low = {"sigmoid": -0.01, "tanh": -1.01}[name]
    grid = np.linspace(low, 1.01, 100_001)
    excess = FUNCTIONS[name](weight * grid + bias) - grid
    at = np.flatnonzero(np.sign(excess[1:]) != np.sign(excess[:-1]))
    return (grid[at] + grid[at + 1]) / 2


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_all_fixed_points_are_found(name, rng):
    counts = set()
    for _ in range(100):
        weight, bias = rng.uniform(-8, 12), rng.uniform(-4, 1)
        found = fixed_points(weight, bias, name)
        counts.add(len(found))
        label = f"w={weight}, b={bias}"
        expected = roots_by_scanning(weight, bias, name)
        assert len(found) == len(expected), label
        for point, root in zip(found, expected, strict=True):
            assert point.value == pytest.approx(root, abs=2e-5), label
            apart = 1e-6
            ends = [FUNCTIONS[name](weight * (point.value + e) + bias) for e in (-apart, apart)]
            assert point.slope == pytest.approx((ends[1] - ends[0]) / (2 * apart), abs=1e-6), label
    assert counts == {1, 3}


def test_kinds_of_fixed_points():
    assert [p.kind for p in fixed_points(2.0)] == ["stable", "unstable", "stable"]
    (touching,) = fixed_points(1.0)
    assert touching.value == 0 and touching.kind == "marginal"
    (middle,) = fixed_points(0.0, 0.0, "sigmoid")
    assert middle.value == 0.5 and middle.slope == 0
    assert [p.kind for p in fixed_points(-3.0)] == ["unstable"]


@pytest.mark.parametrize(
    ("weight", "bias", "name", "expected"),
    [
        (0.5, 1.0, "identity", [(2.0, 0.5)]),
        (1.0, 1.0, "identity", []),
        (1.0, 0.0, "identity", [(0.0, 1.0)]),
        (0.5, 1.0, "relu", [(2.0, 0.5)]),
        (1.5, 1.0, "relu", []),
        (1.5, -1.0, "relu", [(0.0, 0.0), (2.0, 1.5)]),
        (0.5, -1.0, "relu", [(0.0, 0.0)]),
        (1.5, 0.0, "relu", [(0.0, 1.5)]),
    ],
)
def test_fixed_points_of_lines(weight, bias, name, expected):
    assert [(p.value, p.slope) for p in fixed_points(weight, bias, name)] == expected


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_simulation_follows_the_equation(name, rng):
    weight, into = 0.3 * rng.normal(size=(3, 3)), rng.normal(size=(3, 2))
    bias, h, x = rng.normal(size=3), rng.normal(size=3), rng.normal(size=(6, 2))
    found = simulate(weight, x, weight_ih=into, bias=bias, h0=h, nonlinearity=name)
    np.testing.assert_array_equal(found[0], h)
    for t, frame in enumerate(x):
        h = FUNCTIONS[name](weight @ h + into @ frame + bias)
        np.testing.assert_allclose(found[t + 1], h, rtol=1e-12)


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_where_it_settles_does_not_depend_on_the_input(name):
    """The notes' experiment: after the input ends, w and b alone decide (up to the basin)."""
    (point,) = fixed_points(0.9, 0.3, name)
    for first in (-5.0, 0.0, 0.5, 5.0):
        end = simulate(0.9, [first] + 299 * [0.0], bias=0.3, nonlinearity=name)[-1, 0]
        assert end == pytest.approx(point.value, abs=1e-9)


def test_a_latch_remembers_on_which_side_it_was_put():
    low, _, high = fixed_points(2.0)
    for start, expected in ((-0.1, low), (0.1, high)):
        found = settle(2.0, start)
        assert found.kind == "fixed point"
        assert found.state.item() == pytest.approx(expected.value, abs=1e-6)
        assert found.radius == pytest.approx(expected.slope, abs=1e-5)


def test_settling_takes_what_the_slope_says():
    found = settle(0.9, 1.0, nonlinearity="identity", tolerance=1e-3)
    assert found.period == 1 and found.radius == pytest.approx(0.9)
    assert found.frames == math.ceil(math.log(1e-3) / math.log(0.9))
    assert str(found) == "fixed point after 66 frames, slope 0.9"


def test_cycles_are_found():
    quarter = np.array([[0.0, -3.0], [3.0, 0.0]])
    found = settle(quarter, [0.3, 0.1])
    assert found.kind == "cycle" and found.period == 4
    np.testing.assert_allclose(np.tanh(quarter @ found.state), found.states[-4], atol=1e-6)
    assert settle(-3.0, 0.2).period == 2


def test_what_does_not_settle():
    assert settle(1.5, 1.0, nonlinearity="relu").kind == "exploding"
    assert len(settle(1.5, 1.0, nonlinearity="relu").states) < 1000
    slow = settle(0.999, 1.0, nonlinearity="identity", tolerance=1e-3)
    assert slow.kind == "unsettled"  # its last steps are below the tolerance, the way left is not
    assert settle(1.0, 1.0).kind == "unsettled"  # tanh creeps to 0 like 1 / sqrt(t)
    assert settle(1.5, -1.0, nonlinearity="relu").state.item() == 0
    assert str(settle(1.0, 1.0)) == "unsettled after 1000 frames"


def test_relu_dies_below_zero_and_explodes_above():
    assert simulate(1.2, [-1.0, 0.0, 0.0], nonlinearity="relu").ravel().tolist() == [0, 0, 0, 0]
    assert simulate(1.2, [1.0] + 9 * [0.0], nonlinearity="relu")[-1, 0] == pytest.approx(1.2**9)


def test_memory_of_a_linear_recurrence_is_the_logarithm():
    first, second = (simulate(0.9, h0=h, nonlinearity="identity") for h in (0.0, 1.0))
    assert memory(first, second, 1e-2) == math.ceil(math.log(1e-2) / math.log(0.9))
    assert memory(first, first) == 0
    still = simulate(1.0, h0=1.0, nonlinearity="identity", frames=10)
    assert memory(np.zeros((11, 1)), still) is None


def test_tanh_remembers_an_input_longer_than_sigmoid():
    frames = {}
    for name in ("sigmoid", "tanh"):
        runs = [simulate(0.95, [x] + 199 * [0.0], nonlinearity=name) for x in (0.5, 1.0)]
        frames[name] = memory(*runs)
    assert frames["tanh"] > 3 * frames["sigmoid"]


def test_a_difference_that_comes_back_is_not_forgotten():
    first = np.zeros((6, 1))
    second = np.array([[1.0], [0.0], [0.0], [1.0], [0.0], [0.0]])
    assert memory(first, second) == 4


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"one shape, got \(3, 1\) and \(4, 1\)"):
        memory(np.zeros((3, 1)), np.zeros((4, 1)))
    with pytest.raises(ValueError, match="tolerance must be above 0"):
        memory(np.zeros((3, 1)), np.zeros((3, 1)), 0.0)
    with pytest.raises(ValueError, match="frames must be at least 1, got 0"):
        settle(0.5, frames=0)
    with pytest.raises(TypeError, match=r"frames must be a whole number, got 1\.5"):
        simulate(0.5, frames=1.5)
    with pytest.raises(ValueError, match="exceeds the largest float64"):
        simulate(1e200, h0=1.0, nonlinearity="identity")
    with pytest.raises(ValueError, match="there are identity, relu, sigmoid, tanh"):
        fixed_points(1.0, 0.0, "Tanh")
