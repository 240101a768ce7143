"""Seconds that ``import unrolled`` takes above NumPy's own import, each in a fresh interpreter."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def _seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def bench_import(benchmark, capsys):
    extra = []
    for _ in range(15):
        numpy = _seconds("import numpy")
        extra.append(_seconds("import numpy, unrolled") - numpy)
    benchmark.pedantic(lambda: _seconds("import unrolled"), rounds=3)
    benchmark.extra_info["above_numpy"] = statistics.median(extra)
    with capsys.disabled():
        print(f"\nimport unrolled: {statistics.median(extra):.3f} s above NumPy's own")
