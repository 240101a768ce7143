"""Makes the pictures of docs/dynamics.md and prints its figures.

``python docs/images/dynamics.py`` needs matplotlib (the extra ``plot``) and half a minute.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import unrolled as ur
from unrolled import dynamics, nn, optim, plot
from unrolled.nn.functional import cross_entropy
from unrolled.plot.figures import COLORS, make_figure, name_panel

ADDED, RECALLED = 100, 30  # frames of the two tasks
SYMBOLS, BATCH, HIDDEN = 4, 32, 16
NETWORKS = {
    "tanh RNN": lambda features: nn.RNN(features, HIDDEN),
    "LSTM": lambda features: nn.LSTM(features, HIDDEN, forget_bias=3.0),
}


class Reader(nn.Module):
    """A recurrent layer whose last output a linear layer reads."""

    def __init__(self, cell: str, features: int, outputs: int) -> None:
        self.recurrent = NETWORKS[cell](features)
        self.output = nn.Linear(HIDDEN, outputs)

    def forward(self, x: Any) -> Any:
        """Map (N, T, D) to (N, outputs)."""
        return self.output(self.recurrent(x)[0][:, -1])


def adding(rng: np.random.Generator, count: int) -> tuple[Any, Any]:
    """Numbers, two of them marked, whose sum is asked for at the end.

    Hochreiter and Schmidhuber 1997, section 5.4, in the form of Le, Jaitly and Hinton 2015.
    """
    x, rows = np.zeros((count, ADDED, 2), np.float32), np.arange(count)
    x[:, :, 0] = rng.random((count, ADDED))
    marks = rng.integers(0, ADDED // 2, count), rng.integers(ADDED // 2, ADDED, count)
    for mark in marks:
        x[rows, mark, 1] = 1
    return x, sum(x[rows, mark, 0] for mark in marks)


def recall(rng: np.random.Generator, count: int) -> tuple[Any, Any]:
    """Show a symbol, then noise up to the end, where the symbol is asked for."""
    x, y = np.zeros((count, RECALLED, SYMBOLS + 1), np.float32), rng.integers(0, SYMBOLS, count)
    x[np.arange(count), 0, y] = 1
    x[:, 1:, SYMBOLS] = rng.normal(size=(count, RECALLED - 1))
    return x, y


def squared_error(scores: Any, y: Any) -> Any:
    """Return the mean squared error of (N, 1)."""
    return ((scores.squeeze(-1) - y) ** 2).mean()


TASKS = {"adding": (adding, 2, 1, squared_error), "recall": (recall, 5, SYMBOLS, cross_entropy)}


def train(cell: str, task: str, steps: int, seed: int) -> tuple[Reader, dynamics.GradientMonitor]:
    """Train one network with Adam and a learning rate that falls to 0."""
    make, features, outputs, loss = TASKS[task]
    ur.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = Reader(cell, features, outputs)
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    monitor = dynamics.GradientMonitor(max(steps // 5, 1), vanishing=1e-300, exploding=1e300)
    for step in range(steps):
        x, y = make(rng, BATCH)
        optimizer.zero_grad()
        with monitor.around_step(model, step + 1):
            loss(model(x), y).backward()
        optim.clip_grad_norm(optimizer.params, 1.0)
        optimizer.lr = 1e-2 * (1 - step / steps)
        optimizer.step()
    return model, monitor


def score(model: Reader, task: str) -> str:
    """Say how well a network does on 500 sequences that it has not seen."""
    x, y = TASKS[task][0](np.random.default_rng(99), 500)
    scores = model(x).data
    if task == "recall":
        return f"{(scores.argmax(axis=1) == y).mean():.0%} right"
    error = float(np.mean((scores[:, 0] - y) ** 2))
    return f"squared error {error:.4f} (always saying the mean: {np.var(y):.4f})"


def measure(model: Reader, task: str) -> dynamics.Report:
    """Analyse the recurrent layer on 8 sequences that it has not seen."""
    x, _ = TASKS[task][0](np.random.default_rng(99), 8)
    return dynamics.analyze(model.recurrent, x)


def settling(path: Path) -> None:
    """Draw the scalar experiment: one input, then nothing, for three non-linearities."""
    settings = [("sigmoid", 2.5, -1.2), ("tanh", 0.9, 0.0), ("tanh", 1.5, 0.0), ("relu", 1.1, 0.0)]
    figure, axes = make_figure((15.0, 3.6), [1.0] * len(settings), across=True)
    for axis, (name, weight, bias) in zip(axes, settings, strict=True):
        for place, first in enumerate((-2.0, -0.5, 0.2, 1.0, 2.0)):
            states = dynamics.simulate(weight, [first] + 29 * [0.0], bias=bias, nonlinearity=name)
            axis.plot(states, color=COLORS[place], label=f"x(1) = {first:g}")
        for point in dynamics.fixed_points(weight, bias, name):
            axis.axhline(point.value, color="#8a8a8a", linewidth=0.8, linestyle=":")
        name_panel(axis, f"h = {name}({weight:g} h(t-1) + x(t){bias:+g})".replace("+0)", ")"))
        axis.set_xlabel("frame, t")
    axes[-1].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=80)


def remember() -> None:
    """Print for how many frames two inputs can be told apart, with one unit and with 64."""
    rng = np.random.default_rng(0)
    square = rng.normal(size=(64, 64))
    weights = {
        "w = 0.9": 0.9,
        "64 units, spectral radius 0.95": 0.95 * square / dynamics.spectral_radius(square),
    }
    for name, weight in weights.items():
        size = np.size(weight) if np.ndim(weight) == 0 else len(weight)
        inputs = np.zeros((2, 400, size))
        inputs[:, 0] = [[1.0], [2.0]] if size == 1 else rng.normal(size=(2, size))
        frames = {}
        for nonlinearity in ("identity", "sigmoid", "tanh", "relu"):
            runs = [dynamics.simulate(weight, x, nonlinearity=nonlinearity) for x in inputs]
            frames[nonlinearity] = dynamics.memory(*runs)
        print(f"{name}: " + ", ".join(f"{key} {count}" for key, count in frames.items()))


def main(argv: Sequence[str] | None = None) -> None:
    """Train, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    settling(args.out / "dynamics-settling.png")
    remember()
    reports, records = {}, []
    for task, cell in (("adding", "tanh RNN"), ("adding", "LSTM"), ("recall", "tanh RNN")):
        model, monitor = train(cell, task, args.steps, args.seed)
        reports[task, cell] = report = measure(model, task)
        (part,) = report.parts
        horizon = f"more than {report.frames}" if part.horizon is None else f"{part.horizon}"
        print(
            f"{task}, {cell}: {score(model, task)}; horizon {horizon} of {report.frames} frames, "
            f"Lyapunov exponent {part.lyapunov:+.3f}, saturated "
            + ", ".join(f"{gate.name} {gate.low + gate.high:.0%}" for gate in part.gates)
        )
        if task == "adding":
            records += [dataclasses.replace(record, layer=cell) for record in monitor.records]
    plot.gradients(records).savefig(args.out / "dynamics-training.png", dpi=80)
    compared = {f"{cell}, trained to add": reports["adding", cell] for cell in NETWORKS}
    compared["tanh RNN, trained to recall"] = reports["recall", "tanh RNN"]
    plot.horizons(compared).savefig(args.out / "dynamics-horizon.png", dpi=80)
    reports["adding", "LSTM"].plot().savefig(args.out / "dynamics-lstm.png", dpi=80)
    print()
    print(reports["adding", "LSTM"])
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
