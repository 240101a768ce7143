"""Side-by-side timing: ours and a peer alternate; the table shows the ratio of medians."""

from __future__ import annotations

import os

import pytest

from bench.machine_limits import machine_limits
from bench.side_by_side import SPIN, TUNED_MALLOC, alternate

TUNED = " ".join(f"{name}={value}" for name, value in TUNED_MALLOC.items())

if "OMP_WAIT_POLICY" not in os.environ:  # before any test module imports either side
    for _name, _value in SPIN.items():
        os.environ.setdefault(_name, _value)

_rows: list[tuple[str, int, float, float, str]] = []


@pytest.fixture(params=[1, 2], ids=lambda n: f"{n}-threads")
def threads(request):
    import unrolled

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
        timings = alternate({"ours": ours, "theirs": theirs}, rounds=rounds)
        mine, peers = timings["ours"].median, timings["theirs"].median
        note = f"{2e-9 * work / mine:.0f} GFLOP/s" if work else ""
        _rows.append((request.node.name, threads, mine, peers, note))
        benchmark.extra_info.update(ours=mine, theirs=peers, ratio=peers / mine, threads=threads)
        benchmark.pedantic(ours, rounds=3)
        return peers / mine

    return run


@pytest.fixture(scope="session")
def multiply_add_peak() -> float:
    """GFLOP/s of one thread of this machine, by a loop of nothing but multiply-adds."""
    return machine_limits(1).multiply_add


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
