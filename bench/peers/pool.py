"""Max pooling and ReLU, forward and backward, as a share of the triad bandwidth of the same run."""

from __future__ import annotations

import argparse
import math

import numpy as np

from bench.machine_limits import machine_limits
from bench.peers.conv_cases import PASSES
from bench.peers.conv_sides import Passes
from bench.peers.sides import OURS, Settings, Sides, result, set_threads
from bench.peers.tables import rows_table

SHAPES = [(32, 32, 28, 28), (32, 64, 32, 256)]
NAMES = (OURS, "torch", "torch last")
GOAL = 0.7  # of the triad

# Bytes that each pass has to move, for each float of x: float32, and one byte for each argmax.
BYTES = {
    "max_pool2d": {"forward": 4 + 5 / 4, "backward": 5 / 4 + 4},
    "relu": {"forward": 8.0, "backward": 12.0},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(settings: Settings, options: argparse.Namespace) -> dict[str, list]:
    rows = []
    for threads in settings.threads:
        set_threads(threads)
        triad = machine_limits(threads).triad
        own = []
        for stem in BYTES:
            for shape in SHAPES:
                name = f"{stem} {','.join(map(str, shape))}"
                if settings.wants(name):
                    own += _measure(stem, shape, name, threads, settings, triad)
        rows += own
        title = (
            f"pooling and ReLU, {threads} threads, triad {triad:.1f} GB/s, goal {GOAL:.0%} of it"
        )
        for line in rows_table(title, NAMES, own):
            print(line, flush=True)
    return {"rows": rows}


def _measure(
    stem: str, shape: tuple[int, ...], name: str, threads: int, settings: Settings, triad: float
) -> list[dict]:
    sides = Sides()
    sides.add(OURS, lambda: _ours(stem, shape))
    sides.add("torch", lambda: _torch(stem, shape, channels_last=False))
    sides.add("torch last", lambda: _torch(stem, shape, channels_last=True))
    rows = []
    moved = BYTES[stem] | {"forward+backward": sum(BYTES[stem].values())}
    for pass_name in PASSES:
        row = result(name, pass_name, threads, sides, settings.time(sides.calls(pass_name)))
        row |= {"bytes": moved[pass_name] * math.prod(shape), "triad": triad}
        if OURS in row["seconds"]:
            row["share"] = row["bytes"] / row["seconds"][OURS]["median"] / 1e9 / triad
        rows.append(row)
    return rows


def _arrays(stem: str, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = shape if stem == "relu" else (*shape[:2], shape[2] // 2, shape[3] // 2)
    x, grad_y = (rng.standard_normal(s).astype(np.float32) for s in (shape, y))
    return x, grad_y


def _ours(stem: str, shape: tuple[int, ...]) -> Passes:
    from unrolled.ops.activation import relu, relu_backward
    from unrolled.ops.pool import max_pool2d_backward, max_pool2d_with_indices

    x, grad_y = _arrays(stem, shape)
    if stem == "relu":
        saved = relu(x)
        return {
            "forward": lambda: relu(x),
            "backward": lambda: relu_backward(grad_y, saved),
            "forward+backward": lambda: relu_backward(grad_y, relu(x)),
        }
    window = max_pool2d_with_indices(x, 2)[1]

    def backward(window: np.ndarray) -> np.ndarray:
        return max_pool2d_backward(grad_y, window, shape[2:], 2)

    return {
        "forward": lambda: max_pool2d_with_indices(x, 2),
        "backward": lambda: backward(window),
        "forward+backward": lambda: backward(max_pool2d_with_indices(x, 2)[1]),
    }


def _torch(stem: str, shape: tuple[int, ...], channels_last: bool) -> Passes:
    import torch

    layout = torch.channels_last if channels_last else torch.contiguous_format
    x, grad_y = (
        torch.from_numpy(array).contiguous(memory_format=layout) for array in _arrays(stem, shape)
    )
    functional = torch.nn.functional
    forward = functional.relu if stem == "relu" else lambda x: functional.max_pool2d(x, 2)
    wanted = x.clone().requires_grad_()
    y = forward(wanted)
    grad = torch.autograd.grad

    def forward_with_argmax() -> object:
        """Give the argmax too, as ours: the pass of a training step."""
        return functional.max_pool2d(x, 2, return_indices=True)

    return {
        "forward": (lambda: forward(x)) if stem == "relu" else forward_with_argmax,
        "backward": lambda: grad(y, wanted, grad_y, retain_graph=True),
        "forward+backward": lambda: grad(forward(wanted), wanted, grad_y),
    }
