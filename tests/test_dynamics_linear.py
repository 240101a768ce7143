"""Linear recurrences: closed forms of chosen eigenvalues, and what bounded input may do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unrolled.dynamics import bounded_output, impulse_response, modes, response, spectral_radius

GOLDEN = (1 + 5**0.5) / 2


def with_eigenvalues(blocks, rng):
    """Hide a block-diagonal matrix behind a random change of basis."""
    size = sum(len(block) for block in blocks)
    matrix, at = np.zeros((size, size)), 0
    for block in blocks:
        matrix[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    basis = rng.normal(size=(size, size)) + 3 * np.eye(size)
    return basis @ matrix @ np.linalg.inv(basis)


def turning(radius, degrees):
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    return radius * np.array([[cos, -sin], [sin, cos]])


def test_every_mode_is_named(rng):
    weight = with_eigenvalues(
        [[[1.2]], [[-1.1]], turning(1.0, 45), turning(0.9, 30), [[-0.5]], [[0.25]]], rng
    )
    found = modes(weight)
    assert [(m.kind, m.oscillating) for m in found] == [
        ("exploding", False),
        ("exploding", True),
        ("marginal", True),
        ("marginal", True),
        ("vanishing", True),
        ("vanishing", True),
        ("vanishing", True),
        ("vanishing", False),
    ]
    np.testing.assert_allclose([m.magnitude for m in found], [1.2, 1.1, 1, 1, 0.9, 0.9, 0.5, 0.25])
    np.testing.assert_allclose(
        [m.period for m in found], [np.inf, 2, 8, 8, 12, 12, 2, np.inf], rtol=1e-9
    )
    assert not any(m.defective for m in found)
    assert spectral_radius(weight) == pytest.approx(1.2)


def test_frames_to_a_factor():
    exploding, vanishing, marginal, dead = modes(np.diag([2.0, 0.5, 1.0, 0.0]))[:1] + [
        modes(value)[0] for value in (0.5, 1.0, 0.0)
    ]
    assert exploding.frames_to(8) == pytest.approx(3) and math.isinf(exploding.frames_to(0.5))
    assert vanishing.frames_to(1 / 16) == pytest.approx(4) and math.isinf(vanishing.frames_to(2))
    assert math.isinf(marginal.frames_to(0.5)) and dead.frames_to(0.5) == 1
    with pytest.raises(ValueError, match="factor must be above 0"):
        vanishing.frames_to(0)


def test_a_marginal_mode_without_enough_eigenvectors_grows(rng):
    jordan = with_eigenvalues([[[1.0, 1.0], [0.0, 1.0]]], rng)
    assert all(m.kind == "marginal" and m.defective for m in modes(jordan))
    assert not any(m.defective for m in modes(np.eye(3)))
    grown = impulse_response(jordan, None, 101)
    assert np.abs(grown[100]).max() > 50 * np.abs(grown[1] - grown[0]).max()


def test_the_response_is_the_sum_of_the_powers(rng):
    weight, into = rng.normal(size=(4, 4)) * 0.4, rng.normal(size=(4, 3))
    x, h0 = rng.normal(size=(9, 3)), rng.normal(size=4)
    found = response(weight, into, x, h0)
    power = np.linalg.matrix_power
    for t in (0, 1, 8):
        expected = power(weight, t + 1) @ h0
        expected = expected + sum(power(weight, t - s) @ into @ x[s] for s in range(t + 1))
        np.testing.assert_allclose(found[t], expected, rtol=1e-12)
    np.testing.assert_allclose(impulse_response(weight, into, 4)[3], power(weight, 3) @ into)


def test_the_largest_eigenvalue_takes_over():
    """Fibonacci's recurrence: the ratio of successive responses becomes the golden section."""
    found = response([[1.0, 1.0], [1.0, 0.0]], [1.0, 0.0], [1.0] + 40 * [0.0])[:, 0]
    assert found[:7].tolist() == [1, 1, 2, 3, 5, 8, 13]
    assert found[-1] / found[-2] == pytest.approx(GOLDEN, abs=1e-15)
    assert spectral_radius([[1.0, 1.0], [1.0, 0.0]]) == pytest.approx(GOLDEN)


def test_a_response_beyond_float64_is_told():
    with pytest.raises(ValueError, match="exceeds the largest float64 at frame 1023: it explodes"):
        response(2.0, 2.0, np.eye(1, 1200).ravel())
    with pytest.raises(ValueError, match="at frame 1024"):
        impulse_response(2.0, None, 2000)


@pytest.mark.parametrize(
    ("weight", "x", "message"),
    [
        (np.zeros((2, 3)), [1.0], "weight_hh must be a square matrix"),
        ([[np.nan]], [1.0], r"weight_hh is nan at index \[0, 0\]"),
        (np.eye(2), np.zeros((3, 5)), r"x must be \(T, 2\) with T >= 1"),
    ],
)
def test_wrong_arguments(weight, x, message):
    with pytest.raises(ValueError, match=message):
        response(weight, None, x)


def test_arguments_of_other_kinds():
    with pytest.raises(TypeError, match="weight_hh must be an array of real numbers"):
        modes([["a"]])
    with pytest.raises(ValueError, match=r"weight_ih must be \(H, D\) with H = 2 rows"):
        response(np.eye(2), np.eye(3), [[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match=r"h0 must be \(2,\), got shape \(3,\)"):
        response(np.eye(2), None, [[1.0, 2.0]], np.zeros(3))


# Bounded input, bounded output


def worst_output(weight, into, frames):
    """Drive each element of h with the signs that add up, the worst input of magnitude 1."""
    terms = impulse_response(weight, into, frames)
    return [float(np.abs(terms[:, i]).sum()) for i in range(len(weight))]


def test_the_gain_of_a_vanishing_recurrence(rng):
    weight = with_eigenvalues([[[0.8]], turning(0.7, 60)], rng)
    into = rng.normal(size=(3, 2))
    found = bounded_output(weight, into)
    assert found.bounded is True and "vanish" in found.reason
    assert found.gain == pytest.approx(max(worst_output(weight, into, 400)), rel=1e-9)


@pytest.mark.parametrize("mode", [1.0, -1.0, 1.5])
def test_a_mode_that_does_not_vanish_is_unbounded_only_where_input_reaches_it(mode, rng):
    basis = rng.normal(size=(3, 3)) + 3 * np.eye(3)
    weight = basis @ np.diag([mode, 0.5, 0.2]) @ np.linalg.inv(basis)
    assert bounded_output(weight).bounded is False
    assert bounded_output(weight, basis[:, :1]).bounded is False
    beside = bounded_output(weight, basis[:, 1:])
    assert beside.bounded is True
    expected = worst_output(np.diag([0.5, 0.2]), np.eye(2), 100)
    by_hand = np.abs(basis[:, 1:]) @ np.array(expected)
    assert beside.gain <= by_hand.max() * (1 + 1e-9)


def test_what_no_input_reaches_is_bounded():
    assert bounded_output(2.0, 0.0).gain == 0


def test_squashed_recurrences_are_bounded_whatever_the_weights():
    for name in ("sigmoid", "tanh"):
        assert bounded_output(100.0, nonlinearity=name).gain == 1


@pytest.mark.parametrize(
    ("weight", "expected"),
    [(0.5, True), (-7.0, True), (1.0, False), (1.5, False), ([[0, -2.0], [2.0, 0]], True)],
)
def test_relu(weight, expected):
    assert bounded_output(weight, nonlinearity="relu").bounded is expected


def test_relu_where_neither_is_certain():
    found = bounded_output([[1.5, -1.0], [0.2, 0.0]], nonlinearity="relu")
    assert found.bounded is None and str(found).startswith("not certain: ")


def test_an_unknown_nonlinearity():
    with pytest.raises(ValueError, match="nonlinearity is 'gelu'; there are identity, relu"):
        bounded_output(1.0, nonlinearity="gelu")
