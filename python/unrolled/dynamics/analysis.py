"""`analyze`: the dynamics of a recurrent layer over given sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled import nn
from unrolled._arrays import as_lengths
from unrolled.autograd import Tensor
from unrolled.dynamics.arguments import share
from unrolled.dynamics.cell import Cell, Run
from unrolled.dynamics.gradients import backward, output_of, through_time
from unrolled.dynamics.products import largest_lyapunov_exponent, reach
from unrolled.dynamics.report import Gate, Part, Report
from unrolled.dynamics.stack import Runs, Stack, as_array, stack_of

Array = NDArray[Any]

__all__ = ["analyze"]


def analyze(
    layer: nn.Module,
    x: ArrayLike,
    lengths: ArrayLike | None = None,
    *,
    state: Any = None,
    loss: Callable[[Tensor], Tensor] | None = None,
    fraction: float = 1e-3,
    seed: int = 0,
) -> Report:
    """Measure how a recurrent layer remembers, and what happens to its gradients.

    Everything is computed from the equations of the cell, in float64: the layer is run as in
    evaluation (no dropout), and its Jacobians ds(t)/ds(t-1) are written out from gates and
    weights.

    Parameters
    ----------
    layer : nn.RNN, nn.LSTM or nn.GRU
        Any number of layers, one direction or both.
    x : array-like (N, T, D) or (T, D)
        What it reads. The time this takes grows with N T H^3 (8 s of one core for an LSTM of 256
        over 8 sequences of 100 frames): some ten sequences say enough.
    lengths : array-like of int (N), optional
        Frames of every sequence; padding is not read, and empty sequences are left out.
    state : as the layer takes it, optional
        State before the first frame; 0, or what the layer has learned, when not given.
    loss : callable, optional
        ``loss(output)`` returns a scalar Tensor from the layer's output, a Tensor
        (N, T, directions * H) of float64. When not given, each direction of each layer has its
        own: the product of its last h with a random direction of length 1.
    fraction : float
        A horizon is the number of frames back after which no more than this share is left.
    seed : int
        Of the random directions.

    Returns
    -------
    Report
        Print it, ``report.plot()`` it, or take its numbers.

    Raises
    ------
    TypeError
        If `layer` is no such layer, or the loss no scalar Tensor.
    ValueError
        If shapes do not fit, `x` is not finite or has no frames, the states exceed the largest
        float64, or the layer has an option whose derivatives are not known here.

    Examples
    --------
    >>> from unrolled import nn, random
    >>> random.manual_seed(0)
    >>> layer = nn.LSTM(3, 8)
    >>> report = analyze(layer, np.zeros((1, 40, 3)))
    >>> report.parts[0].verdict, report.parts[0].horizon
    ('vanishing', 20)
    >>> print(report.title)
    Dynamics of LSTM, 3 to 8: 1 sequence of up to 40 frames, gradients of a random direction of h(T)
    """
    stack, fraction = stack_of(layer), share(fraction, "fraction")
    sequences = take_sequences(x, lengths, stack.input_size)
    states = stack.initial_states(state, len(sequences))
    runs = {n: stack.run(x_n, states[:, n]) for n, x_n in enumerate(sequences) if len(x_n)}
    if not runs:
        raise ValueError("x has no frames: give at least one sequence that is not empty")
    if loss is None:
        gradients = _of_random_directions(stack, runs, seed)
    else:
        gradients = _of_loss(runs, loss, sequences)
    of_parts = [
        _part(name, [_flat(runs[n])[k] for n in runs], [gradients[n][k] for n in runs], fraction)
        for k, name in enumerate(stack.names())
    ]
    return Report(
        layer=stack.description,
        parts=tuple(of_parts),
        sequences=len(runs),
        frames=max(map(len, sequences)),
        fraction=fraction,
        loss="a random direction of h(T)" if loss is None else "the loss given",
    )


def take_sequences(x: ArrayLike, lengths: ArrayLike | None, features: int) -> list[Array]:
    """Cut a padded batch into its sequences, in float64.

    Raises
    ------
    ValueError
        If shapes do not fit or a value is not finite.
    """
    batch = as_array(x)
    if batch.ndim == 2:
        batch = batch[None]
    if batch.ndim != 3 or batch.shape[2] != features or batch.dtype.kind not in "fiub":
        raise ValueError(
            f"x must be numbers (N, T, {features}) or (T, {features}), got {batch.dtype} of shape "
            f"{np.shape(as_array(x))}"
        )
    ends = as_lengths(lengths, "lengths", batch.shape[0], batch.shape[1])
    sequences = [
        item[:end].astype(np.float64) for item, end in zip(batch, ends.tolist(), strict=True)
    ]
    for n, sequence in enumerate(sequences):
        if not np.isfinite(sequence).all():
            frame = int(np.argwhere(~np.isfinite(sequence))[0, 0])
            raise ValueError(f"x is not finite in frame {frame} of item {n}")
    return sequences


def log_norms(gradients: Array) -> Array:
    """Return the natural logarithms of the norms of rows; of what overflowed, infinity."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        norms = np.linalg.norm(gradients, axis=1)
        return np.log(np.where(np.isnan(norms), np.inf, norms))


def median_by_frames_back(curves: list[Array]) -> Array:
    """Return the median at every number of frames back, over the curves that go so far."""
    longest = max(map(len, curves))
    with np.errstate(invalid="ignore"):
        columns = [
            np.median([curve[k] for curve in curves if k < len(curve)]) for k in range(longest)
        ]
    return np.array(columns)


def _flat(runs: Runs) -> list[Run]:
    return [run for directions in runs for run in directions]


def _of_random_directions(stack: Stack, runs: dict[int, Runs], seed: int) -> dict[int, list[Array]]:
    """Return dLoss/ds(t), (T + 1, S), of every part alone."""
    rng = np.random.default_rng(seed)
    found: dict[int, list[Array]] = {}
    for n, of_item in runs.items():
        found[n] = []
        for run in _flat(of_item):
            direction = rng.normal(size=stack.hidden_size)
            direct = np.zeros((len(run), run.cell.state_size))
            direct[-1, : stack.hidden_size] = direction / np.linalg.norm(direction)
            with np.errstate(over="ignore", invalid="ignore"):
                found[n].append(through_time(run, direct)[0])
    return found


def _of_loss(
    runs: dict[int, Runs], loss: Callable[[Tensor], Tensor], sequences: list[Array]
) -> dict[int, list[Array]]:
    """Return dLoss/ds(t), (T + 1, S), of every part, with what comes from layers above."""
    outputs = {n: output_of(of_item) for n, of_item in runs.items()}
    features = next(iter(outputs.values())).shape[1]
    padded = np.zeros((len(sequences), max(map(len, sequences)), features))
    for n, output in outputs.items():
        padded[n, : len(output)] = output
    tensor = Tensor(padded, requires_grad=True)
    value = loss(tensor)
    if not isinstance(value, Tensor) or value.size != 1:
        raise TypeError("loss(output) must return a scalar Tensor")
    value.backward()
    grad = np.zeros_like(padded) if tensor.grad is None else tensor.grad
    found: dict[int, list[Array]] = {}
    for n, of_item in runs.items():
        flat = _flat(of_item)
        nothing = np.zeros((len(flat), flat[0].cell.state_size))
        with np.errstate(over="ignore", invalid="ignore"):
            of_parts = backward(of_item, grad[n, : len(outputs[n])], nothing)
        found[n] = [gradients.total for gradients in of_parts]
    return found


def _part(name: str, runs: list[Run], gradients: list[Array], fraction: float) -> Part:
    cell = runs[0].cell
    reaches = [reach(run) for run in runs]
    hidden = [log_norms(total[::-1, : cell.hidden_size]) for total in gradients]
    return Part(
        name=name,
        gates=tuple(_gate(cell, gate, runs) for gate in cell.gates),
        reach=median_by_frames_back([r.largest for r in reaches]),
        average_reach=median_by_frames_back([r.average for r in reaches]),
        gradient=median_by_frames_back(hidden),
        lyapunov=float(np.median([largest_lyapunov_exponent(run) for run in runs])),
        fraction=fraction,
    )


def _gate(cell: Cell, name: str, runs: list[Run]) -> Gate:
    block = cell.recurrent_weights()[name]
    square = block.shape[0] == block.shape[1]
    values = np.concatenate([run.gates[name].ravel() for run in runs])
    low, high = _saturation(values, cell.squashing[name])
    return Gate(
        name=name,
        nonlinearity=cell.squashing[name],
        spectral_radius=float(np.abs(np.linalg.eigvals(block)).max()) if square else None,
        singular_values=np.linalg.svd(block, compute_uv=False),
        low=low,
        high=high,
    )


def _saturation(values: Array, nonlinearity: str) -> tuple[float, float]:
    if nonlinearity == "sigmoid":
        return float((values < 0.1).mean()), float((values > 0.9).mean())
    if nonlinearity == "tanh":
        return float((values < -0.9).mean()), float((values > 0.9).mean())
    return (float((values == 0).mean()) if nonlinearity == "relu" else 0.0), 0.0
