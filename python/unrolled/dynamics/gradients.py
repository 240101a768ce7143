"""Gradients of a loss by the states of every frame: backpropagation through time, step by step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled.dynamics.cell import Run
from unrolled.dynamics.stack import Runs, joined

Array = NDArray[Any]


class StateGradients(NamedTuple):
    """Gradients of one direction of one layer, in the order in which it reads the frames.

    Attributes
    ----------
    direct : ndarray of float64 (T, S)
        What reaches s(t) from above, not through s(t+1).
    total : ndarray of float64 (T + 1, S)
        dLoss/ds(t): s before the first frame, then after each.
    """

    direct: Array
    total: Array


def through_time(run: Run, direct: Array) -> tuple[Array, Array]:
    """Carry gradients from the last frame to the first.

    Parameters
    ----------
    run : Run
    direct : array (T, S)
        What reaches s(t) from above.

    Returns
    -------
    total : ndarray of float64 (T + 1, S)
        ds(t) = direct(t) + ds(t+1) J(t+1); the first row is that of the initial state.
    by_gates : ndarray of float64 (T, G * H)
        By what enters the gates from each x(t).
    """
    total = np.zeros((len(run) + 1, run.cell.state_size))
    total[1:] = direct
    by_gates = np.zeros((len(run), len(run.cell.weight_ih)))
    for t in reversed(range(len(run))):
        before, by_gates[t] = run.pull(t, total[t + 1 : t + 2])
        total[t] += before[0]
    return total, by_gates


def last_alone(run: Run, direct: Array) -> Array:
    """Carry back only what reaches the last frame that anything reaches.

    Returns
    -------
    ndarray of float64 (K + 1, S)
        From that frame back to the initial state; (0, S) where nothing reaches any.
    """
    reached = np.flatnonzero(direct.any(axis=1))
    if not len(reached):
        return np.zeros((0, run.cell.state_size))
    alone = np.zeros_like(direct)
    alone[reached[-1]] = direct[reached[-1]]
    return through_time(run, alone)[0][: reached[-1] + 2][::-1]


def backward(runs: Runs, grad_output: Array, grad_states: Array) -> list[StateGradients]:
    """Backpropagate through all layers of a stack.

    Parameters
    ----------
    runs : by layer, then direction
    grad_output : array (T, directions * P)
        dLoss/doutput of the last layer, as the loss sees it directly.
    grad_states : array (layers * directions, S)
        By the states after the last step of each, likewise.

    Returns
    -------
    list of StateGradients
        In the order of `grad_states`.
    """
    found: list[list[StateGradients]] = []
    places = np.arange(len(grad_states)).reshape(len(runs), -1)
    for directions, rows in zip(reversed(runs), reversed(places), strict=True):
        shares = np.split(grad_output, len(directions), axis=1)
        of_layer, to_inputs = [], []
        for reverse, (run, share) in enumerate(zip(directions, shares, strict=True)):
            direct = np.zeros((len(run), run.cell.state_size))
            direct[:, : run.cell.hidden_size] = share[::-1] if reverse else share
            direct[-1] += grad_states[rows[reverse]]
            total, by_gates = through_time(run, direct)
            of_layer.append(StateGradients(direct, total))
            to_inputs.append((by_gates @ run.cell.weight_ih)[:: -1 if reverse else 1])
        found.append(of_layer)
        grad_output = np.sum(to_inputs, axis=0)
    return [gradients for of_layer in reversed(found) for gradients in of_layer]


def output_of(runs: Runs) -> Array:
    """Return the output of the last layer, (T, directions * P)."""
    return joined([run.hidden for run in runs[-1]])
