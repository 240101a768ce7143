"""Products of Jacobians against plain products, horizons, and Lyapunov exponents that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dynamics_problems import CELLS, described, random_cell
from unrolled.dynamics import lyapunov_exponents
from unrolled.dynamics.cell import Run
from unrolled.dynamics.products import horizon, largest_lyapunov_exponent, reach
from unrolled.dynamics.rnn_cell import RNNCell


def linear_run(weight, frames):
    weight = np.atleast_2d(weight)
    cell = RNNCell(np.zeros((len(weight), 1)), weight, nonlinearity="identity")
    return cell.run(np.zeros((frames, 1)))


@pytest.mark.parametrize("kind", CELLS)
def test_reach_is_the_norm_of_the_product(kind, rng):
    for _ in range(20):
        cell = random_cell(kind, rng)
        run = cell.run(rng.normal(size=(6, cell.weight_ih.shape[1])))
        found = reach(run)
        product = np.eye(cell.hidden_size, cell.state_size)
        for back in range(7):
            if back:
                product = product @ run.jacobian(6 - back)
            size = math.sqrt(cell.hidden_size)
            expected = np.linalg.norm(product, 2), np.linalg.norm(product) / size
            logs = np.exp(found.largest[back]), np.exp(found.average[back])
            np.testing.assert_allclose(
                logs, expected, rtol=1e-9, atol=1e-12, err_msg=described(cell)
            )


def test_reach_is_the_derivative_of_the_last_state(rng):
    """End to end: the whole run from a changed start, by central differences."""
    cell = random_cell("lstm", rng, size=3)
    x, start = rng.normal(size=(5, cell.weight_ih.shape[1])), rng.normal(size=6)
    columns = [
        (cell.run(x, start + 1e-6 * d).hidden[-1] - cell.run(x, start - 1e-6 * d).hidden[-1]) / 2e-6
        for d in np.eye(6)
    ]
    found = reach(cell.run(x, start)).largest[5]
    assert math.exp(found) == pytest.approx(np.linalg.norm(columns, 2), rel=1e-6)


@pytest.mark.parametrize("factor", [1e-3, 0.5, 1.0, 1e3])
def test_reach_leaves_the_range_of_float64(factor):
    run = linear_run(factor * np.eye(3), 40)
    states = np.repeat(np.zeros((1, 3)), 401, axis=0)
    found = reach(Run(run.cell, states, {}))
    np.testing.assert_allclose(found.largest, np.arange(401) * math.log(factor), atol=1e-9)
    np.testing.assert_allclose(found.average, found.largest, atol=1e-9)


def test_a_product_that_vanishes_altogether():
    found = reach(linear_run([[0.0, 1.0], [0.0, 0.0]], 4))
    assert found.largest.tolist() == [0.0, 0.0, -np.inf, -np.inf, -np.inf]
    assert largest_lyapunov_exponent(linear_run(0.0, 4)) == -np.inf


def test_horizons():
    decay = np.arange(50) * math.log(0.9)
    assert horizon(decay, 0.01) == math.ceil(math.log(0.01) / math.log(0.9))
    assert horizon(decay, 1e-3) is None
    assert horizon(np.log([1.0, 1e-4, 0.5, 1e-4]), 1e-3) == 3  # it comes back once
    assert horizon(np.full(3, -np.inf), 0.1) == 0


# Lyapunov exponents


def test_exponents_of_a_linear_recurrence(rng):
    basis = rng.normal(size=(4, 4)) + 3 * np.eye(4)
    sizes = np.array([1.3, 0.8, 0.5, 0.1])
    weight = basis @ np.diag(sizes) @ np.linalg.inv(basis)
    found = lyapunov_exponents([weight] * 400, 4, skip=200)
    np.testing.assert_allclose(found, np.log(sizes), atol=1e-6)


@pytest.mark.parametrize("weight", [0.5, 2.0, -1.7])
def test_exponent_of_the_scalar_tanh_map(weight):
    """The mean logarithm of the slopes: at a fixed point log |w (1 - h^2)|."""
    run = RNNCell(np.zeros((1, 1)), [[weight]]).run(np.zeros((400, 1)), np.array([0.3]))
    settled = run.hidden[-1, 0]
    expected = math.log(abs(weight) * (1 - settled**2))
    assert largest_lyapunov_exponent(run) == pytest.approx(expected, abs=1e-6)


def test_exponent_of_a_chaotic_map():
    """The logistic map at r = 4 has ln 2."""
    slopes, h = [], 0.3
    for _ in range(20_000):
        slopes.append([[4 - 8 * h]])
        h = 4 * h * (1 - h)
    found = lyapunov_exponents(map(np.array, slopes), skip=100)
    assert found.item() == pytest.approx(math.log(2), abs=5e-3)


def test_a_rotation_neither_grows_nor_vanishes():
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    assert lyapunov_exponents([turn] * 100, 2) == pytest.approx([0.0, 0.0], abs=1e-12)


def test_a_large_random_tanh_network_is_chaotic(rng):
    """Sompolinsky, Crisanti and Sommers 1988: the transition lies at gain 1."""
    exponents = []
    for gain in (0.5, 3.0):
        weight = gain * rng.normal(size=(100, 100)) / 10
        run = RNNCell(np.zeros((100, 1)), weight).run(np.zeros((300, 1)), rng.normal(size=100))
        exponents.append(largest_lyapunov_exponent(run))
    assert exponents[0] < -0.3 and exponents[1] > 0.2


def test_wrong_arguments():
    with pytest.raises(ValueError, match="count is 3, but the state has 2 elements"):
        lyapunov_exponents([np.eye(2)], 3)
    with pytest.raises(ValueError, match="1 Jacobians are given, but skip is 2"):
        lyapunov_exponents([np.eye(2)], skip=2)
    with pytest.raises(ValueError, match="count must be at least 1"):
        lyapunov_exponents([np.eye(2)], 0)
