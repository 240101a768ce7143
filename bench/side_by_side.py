"""Times callables in turn within one process.

A shared machine drifts by more than the differences that matter, so absolute times lead nowhere;
the ratio of medians of calls that alternate holds. `clock` is wall time, or a thread's CPU time
where other programs run beside a measurement on one thread.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

# Idle threads of OpenMP spin for up to 12 ms, on the processors that the next side would use.
PAUSE = 0.02
# One sample takes at least this long: shorter calls are repeated within it. The first call after
# the pause, which wakes threads and fills caches, is not part of a sample of short calls.
SAMPLE = 0.003

# What GNU's OpenMP does when nobody says anything: threads spin for a while, then sleep. PyTorch
# brings the same library as ours (libgomp.so.1), a process has one copy, and `import unrolled`
# tells it to sleep at once if it comes first. Set before either import, each side has its best.
SPIN = {"GOMP_SPINCOUNT": "300000"}

TUNED_MALLOC = {
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TOP_PAD_": "67108864",
}

Call = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the median of all samples, and the quartiles around it."""

    median: float
    lower: float
    upper: float
    samples: int
    calls_per_sample: int

    def as_json(self) -> dict[str, float]:
        return asdict(self)


def alternate(
    calls: Mapping[str, Call],
    *,
    rounds: int = 15,
    pause: float = PAUSE,
    clock: Clock = time.perf_counter,
) -> dict[str, Timing]:
    """Time every call `rounds` times in turn; each round starts with another side."""
    if rounds < 2:
        raise ValueError(f"rounds must be at least 2, for the quartiles, got {rounds}")
    names = list(calls)
    repeats = {name: _repeats(call, clock) for name, call in calls.items()}
    samples: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(pause)
            samples[name].append(_sample(calls[name], repeats[name], clock))
    return {name: _timing(samples[name], repeats[name]) for name in names}


def _repeats(call: Call, clock: Clock) -> int:
    call()
    call()
    start = clock()
    call()
    return max(1, round(SAMPLE / max(clock() - start, 1e-7)))


def _sample(call: Call, repeats: int, clock: Clock) -> float:
    if repeats > 1:
        call()
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = clock()
        for _ in range(repeats):
            call()
        return (clock() - start) / repeats
    finally:
        if collecting:
            gc.enable()


def _timing(samples: list[float], repeats: int) -> Timing:
    lower, median, upper = statistics.quantiles(samples, n=4, method="inclusive")
    return Timing(median, lower, upper, len(samples), repeats)
