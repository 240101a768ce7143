"""Pooling: the maximum or the average of windows, in one and two dimensions."""

from unrolled.ops.pool.adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool1d_backward,
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_backward,
    adaptive_max_pool1d,
    adaptive_max_pool1d_backward,
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d,
    adaptive_max_pool2d_backward,
    adaptive_max_pool2d_with_indices,
)
from unrolled.ops.pool.average import (
    avg_pool1d,
    avg_pool1d_backward,
    avg_pool2d,
    avg_pool2d_backward,
)
from unrolled.ops.pool.max import (
    max_pool1d,
    max_pool1d_backward,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool2d_backward,
    max_pool2d_with_indices,
)

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool1d_backward",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_backward",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_backward",
    "adaptive_max_pool2d_with_indices",
    "avg_pool1d",
    "avg_pool1d_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "max_pool1d",
    "max_pool1d_backward",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_backward",
    "max_pool2d_with_indices",
]
