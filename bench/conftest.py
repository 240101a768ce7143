"""Side-by-side timing: ours and a peer alternate; the table shows the ratio of medians."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from pathlib import Path

import pytest

import unrolled

# PyTorch's best case: told to keep its memory, it does not fault pages in again at each step.
TUNED = "MALLOC_TRIM_THRESHOLD_=4e9 MALLOC_MMAP_THRESHOLD_=4e9 MALLOC_TOP_PAD_=67108864"

# The peer's idle threads spin for some milliseconds, on the processors that ours would use next.
PAUSE = 0.02

_rows: list[tuple[str, int, float, float, str]] = []


@pytest.fixture(params=[1, 2], ids=lambda n: f"{n}-threads")
def threads(request):
    torch = pytest.importorskip("torch", reason="the peer: pip install 'unrolled[peers]'")
    before = unrolled.get_num_threads()
    unrolled.set_num_threads(request.param)
    torch.set_num_threads(request.param)
    yield request.param
    unrolled.set_num_threads(before)


@pytest.fixture
def side_by_side(benchmark, request, threads):
    """Time ``ours()`` and ``theirs()`` in turn; `work` in multiply-adds gives GFLOP/s."""

    def run(ours, theirs, *, work: float = 0.0, rounds: int = 15) -> float:
        times: dict[str, list[float]] = {"ours": [], "theirs": []}
        for _ in range(2):
            ours(), theirs()
        for _ in range(rounds):
            for name, call in (("ours", ours), ("theirs", theirs)):
                time.sleep(PAUSE)
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)
        mine, peers = (statistics.median(times[name]) for name in ("ours", "theirs"))
        note = f"{2e-9 * work / mine:.0f} GFLOP/s" if work else ""
        _rows.append((request.node.name, threads, mine, peers, note))
        benchmark.extra_info.update(ours=mine, theirs=peers, ratio=peers / mine, threads=threads)
        benchmark.pedantic(ours, rounds=3)
        return peers / mine

    return run


@pytest.fixture(scope="session")
def multiply_add_peak(tmp_path_factory) -> float:
    """GFLOP/s of one thread of this machine, by a loop of nothing but multiply-adds."""
    program = tmp_path_factory.mktemp("peak") / "peak"
    source = Path(__file__).with_name("multiply_add_peak.cpp")
    subprocess.run(["g++", "-O3", "-march=native", "-std=c++20", "-o", program, source], check=True)
    return float(subprocess.run([program], check=True, capture_output=True).stdout)


def pytest_terminal_summary(terminalreporter):
    if not _rows:
        return
    write = terminalreporter.write_line
    terminalreporter.section("ours against PyTorch, medians of one run, alternating")
    if not os.environ.get("MALLOC_TOP_PAD_"):
        write(f"PyTorch untuned; with its memory kept: {TUNED} pytest bench")
    write(f"{'case':58} {'ours ms':>9} {'peer ms':>9} {'ratio':>6}")
    for name, _, mine, peers, note in _rows:
        write(f"{name:58} {1e3 * mine:9.3f} {1e3 * peers:9.3f} {peers / mine:6.2f} {note}")
