"""The shapes of convolutions, with the goals for forward + backward against PyTorch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

PASSES = ("forward", "backward", "forward+backward")
MEAN_GOAL = 1.95  # of the eight shapes, in the geometric mean
ODD_SHARE = 2 / 3  # what shapes beside the multiples of 16 keep

DIRECT_GATE, WINOGRAD_GATE = 5e-7, 1.5e-6  # l2-relative errors against float64


@dataclass(frozen=True)
class ConvCase:
    """`x` is (N, C, H, W), or (N, C, T) for one dimension."""

    label: str
    x: tuple[int, ...]
    channels: int
    kernel: tuple[int, ...]
    stride: int = 1
    padding: int = 0
    groups: int = 1
    goal: float | None = None
    like: str | None = None  # the label of the case that this one is an odd neighbour of

    @property
    def name(self) -> str:
        size, kernel = ",".join(map(str, self.x)), "x".join(map(str, self.kernel))
        details = f" s{self.stride}" if self.stride > 1 else ""
        details += f" g{self.groups}" if self.groups > 1 else ""
        return f"{self.label} {size}->{self.channels} {kernel}{details}"

    @property
    def weight(self) -> tuple[int, ...]:
        return (self.channels, self.x[1] // self.groups, *self.kernel)

    @property
    def y(self) -> tuple[int, ...]:
        sizes = zip(self.x[2:], self.kernel, strict=True)
        rows = ((n + 2 * self.padding - k) // self.stride + 1 for n, k in sizes)
        return (self.x[0], self.channels, *rows)

    def flops(self, pass_name: str) -> float:
        """Multiplications and additions of the direct sum, whatever the algorithm."""
        forward = 2.0 * math.prod(self.y) * math.prod(self.weight[1:])
        return forward * {"forward": 1, "backward": 2, "forward+backward": 3}[pass_name]

    def options(self) -> dict[str, int]:
        options = {"stride": self.stride, "padding": self.padding}
        return options | ({"groups": self.groups} if self.groups > 1 else {})

    def gate(self, algorithm: str) -> float:
        line = len(self.kernel) == 1 and self.kernel[0] in (3, 5, 7)
        winograd = (line or self.kernel == (3, 3)) and self.stride == self.groups == 1
        may_be_winograd = winograd and algorithm in ("auto", "winograd")
        return WINOGRAD_GATE if may_be_winograd else DIRECT_GATE

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """x, weight, bias and grad_y."""
        rng = np.random.default_rng(0)
        x, bias, grad_y = (
            rng.standard_normal(shape).astype(np.float32)
            for shape in (self.x, (self.channels,), self.y)
        )
        scale = math.prod(self.weight[1:]) ** -0.5
        weight = (rng.standard_normal(self.weight) * scale).astype(np.float32)
        return x, weight, bias, grad_y


SQUARE = ((3, 3), 1, 1)  # kernel, stride, padding

SHAPES = [
    ConvCase("first", (32, 1, 28, 28), 32, *SQUARE, goal=5.0),
    ConvCase("32-to-64", (32, 32, 28, 28), 64, *SQUARE, goal=2.4),
    ConvCase("64-to-128", (32, 64, 14, 14), 128, *SQUARE, goal=2.0),
    ConvCase("batch-1", (1, 64, 56, 56), 64, *SQUARE, goal=2.8),
    ConvCase("stem", (16, 3, 224, 224), 64, (7, 7), 2, 3, goal=1.8),
    ConvCase("1x1", (32, 256, 14, 14), 256, (1, 1), goal=1.0),
    ConvCase("depthwise", (16, 128, 28, 28), 128, *SQUARE, groups=128, goal=1.9),
    ConvCase("conv1d", (16, 80, 1000), 256, (5,), 1, 2, goal=1.0),
]

# Channels and sizes that are no multiple of 16.
ODD = [
    ConvCase("first-odd", (32, 1, 27, 29), 30, *SQUARE, like="first"),
    ConvCase("32-to-64-odd", (32, 30, 27, 29), 50, *SQUARE, like="32-to-64"),
    ConvCase("64-to-128-odd", (32, 65, 13, 13), 120, *SQUARE, like="64-to-128"),
    ConvCase("batch-1-odd", (1, 60, 55, 57), 70, *SQUARE, like="batch-1"),
    ConvCase("stem-odd", (16, 3, 223, 221), 61, (7, 7), 2, 3, like="stem"),
    ConvCase("1x1-odd", (32, 250, 13, 15), 245, (1, 1), like="1x1"),
    ConvCase("depthwise-odd", (16, 125, 27, 29), 125, *SQUARE, groups=125, like="depthwise"),
    ConvCase("conv1d-odd", (16, 77, 999), 250, (5,), 1, 2, like="conv1d"),
]
