"""Gradients by every state against the tape, which differentiates the unrolled equations itself."""

from __future__ import annotations

import numpy as np
import pytest

from dynamics_problems import (
    CELLS,
    gradients_of,
    layer_weights,
    make_leaves,
    random_cell,
    tape_lstm,
)
from unrolled import nn, random
from unrolled.autograd import concatenate
from unrolled.dynamics.gradients import backward, last_alone, output_of, through_time
from unrolled.dynamics.stack import stack_of


def tape_layers(layer, x, count, leaves):
    """Run a bidirectional LSTM on the tape; returns its output and all last states."""
    from unrolled.autograd import Tensor

    values, states = Tensor(x), []
    for k in range(count):
        directions = []
        for reverse, suffix in enumerate(("", "_reverse")):
            turned = values[::-1] if reverse else values
            output, h, c = tape_lstm(
                turned, layer_weights(layer, k, suffix), leaves[2 * k + reverse]
            )
            directions.append(output[::-1] if reverse else output)
            states.append(concatenate([h, c]))
        values = concatenate(directions, axis=1)
    return values, states


@pytest.mark.parametrize("frames", [1, 2, 6])
def test_all_states_of_a_two_layer_bidirectional_lstm(frames, rng):
    random.manual_seed(frames)
    layer = nn.LSTM(3, 4, 2, bidirectional=True).double()
    x = rng.normal(size=(frames, 3))
    grad_output, grad_states = rng.normal(size=(frames, 8)), rng.normal(size=(4, 8))
    leaves = [make_leaves(frames, 4) for _ in range(4)]
    output, states = tape_layers(layer, x, 2, leaves)
    loss = (output * grad_output).sum()
    for state, grad in zip(states, grad_states, strict=True):
        loss = loss + (state * grad).sum()
    loss.backward()

    stack = stack_of(layer)
    runs = stack.run(x, np.zeros((4, 8)))
    np.testing.assert_allclose(output_of(runs), output.data, atol=1e-12)
    found = backward(runs, grad_output, grad_states)
    for gradients, of_leaves in zip(found, leaves, strict=True):
        np.testing.assert_allclose(gradients.total[1:], gradients_of(of_leaves), atol=1e-12)


@pytest.mark.parametrize("kind", CELLS)
def test_the_initial_state_gets_the_derivative_of_the_loss(kind, rng):
    """By central differences over the whole run."""
    for _ in range(10):
        cell = random_cell(kind, rng)
        x, start = rng.normal(size=(4, cell.weight_ih.shape[1])), rng.normal(size=cell.state_size)
        weights = rng.normal(size=(4, cell.state_size))

        def loss(state, cell=cell, x=x, weights=weights):
            return (cell.run(x, state).states[1:] * weights).sum()

        numeric = [
            (loss(start + 1e-6 * e) - loss(start - 1e-6 * e)) / 2e-6 for e in np.eye(len(start))
        ]
        found = through_time(cell.run(x, start), weights)[0][0]
        np.testing.assert_allclose(found, numeric, rtol=1e-5, atol=1e-5 * np.abs(numeric).max())


def test_what_the_last_frame_sends_back_alone(rng):
    cell = random_cell("gru after", rng, features=2, size=3)
    run = cell.run(rng.normal(size=(5, 2)))
    direct = np.zeros((5, 3))
    direct[1], direct[3] = rng.normal(size=(2, 3))
    found = last_alone(run, direct)
    assert found.shape == (5, 3)  # frame 3, the three before it, and the initial state
    expected = direct[3]
    for back, t in enumerate((3, 2, 1, 0)):
        np.testing.assert_allclose(found[back], expected, rtol=1e-12)
        expected = expected @ run.jacobian(t)
    np.testing.assert_allclose(found[4], expected, rtol=1e-12)
    assert last_alone(run, np.zeros((5, 3))).shape == (0, 3)
