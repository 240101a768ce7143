"""Matrix product against PyTorch, and its share of the machine's multiply-add peak."""

from __future__ import annotations

import statistics
import time

import numpy as np
import pytest

import unrolled
from unrolled.ops.matmul import linear, matmul

SHAPES = [(1024, 1024, 1024), (32, 512, 2048), (16, 256, 1024)]


@pytest.mark.parametrize("m, k, n", SHAPES, ids=lambda v: str(v))
def bench_matmul(side_by_side, m, k, n):
    import torch

    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(s).astype(np.float32) for s in ((m, k), (k, n)))
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    side_by_side(lambda: matmul(a, b), lambda: ta @ tb, work=m * k * n)


def bench_linear(side_by_side):
    import torch

    rng = np.random.default_rng(0)
    x, weight, bias = (
        rng.standard_normal(s).astype(np.float32) for s in ((2048, 256), (512, 256), (512,))
    )
    theirs = [torch.from_numpy(array) for array in (x, weight, bias)]
    peer = torch.nn.functional.linear
    side_by_side(lambda: linear(x, weight, bias), lambda: peer(*theirs), work=2048 * 256 * 512)


def bench_share_of_peak(benchmark, multiply_add_peak, capsys):
    """1024^3 in float32 on one thread."""
    threads = unrolled.get_num_threads()
    unrolled.set_num_threads(1)
    a, b = np.random.default_rng(0).standard_normal((2, 1024, 1024)).astype(np.float32)
    times = []
    for _ in range(25):
        start = time.perf_counter()
        matmul(a, b)
        times.append(time.perf_counter() - start)
    benchmark.pedantic(lambda: matmul(a, b), rounds=3)
    unrolled.set_num_threads(threads)
    rate = 2e-9 * 1024**3 / statistics.median(times)
    benchmark.extra_info.update(gflops=rate, peak=multiply_add_peak)
    with capsys.disabled():
        share = rate / multiply_add_peak
        print(f"\n1024^3: {rate:.1f} of {multiply_add_peak:.1f} GFLOP/s, {share:.0%} of the peak")
