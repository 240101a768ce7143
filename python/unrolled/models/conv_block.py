"""The convolutional block of readers of lines, which keeps padding at 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unrolled import nn
from unrolled.autograd import Function, Tensor
from unrolled.ops.activation import relu, relu_backward

if TYPE_CHECKING:
    from unrolled.autograd.tape import Array


class _ReLUInside(Function):
    """ReLU, and 0 beyond the width of each item, so that padding stays paper for what follows."""

    def forward(self, x: Array, *, widths: NDArray[np.int64]) -> Array:
        self.y = relu(x)
        for item, width in zip(self.y, widths, strict=True):
            item[:, :, width:] = 0
        return self.y

    def backward(self, grad: Array) -> Array:
        return relu_backward(grad, self.y)


_WINOGRAD_CHANNELS = 4  # with fewer, shifted planes are faster


class ConvBlock(nn.Module):
    """3x3 convolution, batch normalisation, ReLU and max pooling.

    Parameters
    ----------
    channels : int
        Of the input.
    filters : int
        Channels of the output.
    pool : (int, int)
        Rows and columns that are pooled to one.
    """

    def __init__(self, channels: int, filters: int, pool: tuple[int, int]) -> None:
        # Of these two algorithms neither sees how far a line is padded in its batch.
        algorithm = "winograd" if channels >= _WINOGRAD_CHANNELS else "auto"
        self.conv = nn.Conv2d(channels, filters, 3, padding=1, bias=False, algorithm=algorithm)
        self.norm = nn.BatchNorm2d(filters)
        self.pool = nn.MaxPool2d(pool)
        self.is_pooled = pool != (1, 1)

    def forward(self, x: Tensor, widths: NDArray[np.int64]) -> Tensor:
        """Map x (N, channels, H, W), 0 beyond `widths` (N), to its features, 0 beyond as well."""
        y: Tensor = _ReLUInside.apply(self.norm(self.conv(x)), widths=widths)
        return self.pool(y) if self.is_pooled else y
