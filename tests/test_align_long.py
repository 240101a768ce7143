"""Long recordings: digits, sizes past 32 bits, memory of each way to remember."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from align_problems import best_path, core_align, normal_log_probs, random_target


def planted(rng, frames, labels, classes):
    """Emissions that say plainly where each label is: (log_probs, target, states)."""
    steps = rng.integers(1, classes - 1, labels)
    target = 1 + np.cumsum(steps) % (classes - 1)  # no two neighbours are the same
    starts = np.sort(rng.choice(frames - 1, labels, replace=False)) + 1
    states = np.zeros(frames, np.int32)
    states[starts] = 2 * np.arange(labels) + 1
    gaps = np.diff(np.append(starts, frames))
    for length in range(1, int(gaps.max())):
        at = starts[gaps > length] + length
        states[at] = 2 * (np.flatnonzero(gaps > length) + 1)
    symbols = np.where(states % 2, target[np.minimum(states // 2, labels - 1)], 0)
    log_probs = np.full((frames, classes), -6.0, np.float32)
    log_probs[np.arange(frames), symbols] = -0.25
    return log_probs, target, states


@pytest.mark.parametrize("labels", [300, 4000])
def test_float32_is_as_good_as_float64(labels, rng):
    """Flat emissions: sums in float32 drift by a tenth over so many frames, if left to grow."""
    log_probs = normal_log_probs(rng, 40_000, 32, scale=0.1)
    target = random_target(rng, labels, 32, 0)
    _, wanted = core_align(log_probs.astype(np.float64), target)
    for memory in (0, 2):
        _, score = core_align(log_probs, target, memory=memory)
        assert wanted - 1e-3 <= score <= wanted + 1e-9 * abs(wanted)


@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_float32_keeps_up_where_paths_race_ahead(isa, scale, rng):
    """Labels nearly as many as frames: the way that must be taken is far below the best states."""
    log_probs = normal_log_probs(rng, 3000, 12, scale=scale)
    target = random_target(rng, 2000, 12, 0)
    _, wanted = best_path(log_probs, target)
    for memory in (1, 2):
        assert core_align(log_probs, target, memory=memory)[1] >= wanted - 1e-3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_kept_where_they_must_be(isa, dtype, rng):
    log_probs, target, states = planted(rng, 9000, 900, 12)
    for memory in (0, 2):
        np.testing.assert_array_equal(
            core_align(log_probs.astype(dtype), target, memory=memory)[0], states
        )


def test_more_states_than_32_bits_count(rng):
    """T S = 3.8e9 (B2)."""
    log_probs, target, states = planted(rng, 160_000, 12_000, 20)
    assert log_probs.shape[0] * (2 * target.size + 1) > 2**31
    found, score = core_align(log_probs, target)
    np.testing.assert_array_equal(found, states)
    assert score == -0.25 * 160_000


MEASURE = """
import resource, sys
import numpy as np
from unrolled import _core
frames, labels, memory = map(int, sys.argv[1:])
rng = np.random.default_rng(0)
log_probs = rng.standard_normal((1, frames, 32), dtype=np.float32)
target = rng.integers(1, 32, labels)
arguments = (0, np.inf, memory, 0)
_core.align(log_probs[:, :500], target[:100], np.array([0, 100]), np.array([500]), *arguments)
def peak():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) * 1024
open("/proc/self/clear_refs", "w").write("5")  # the peak so far is forgotten
before = peak()
_core.align(log_probs, target, np.array([0, labels]), np.array([frames]), *arguments)
print(peak() - before)
"""


def extra_bytes(frames, labels, memory=0):
    """Return the most memory above its emissions that an alignment in a new process takes."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(frames), str(labels), str(memory)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_above_the_emissions():
    assert extra_bytes(60_000, 8000) <= 20 << 20
    assert extra_bytes(60_000, 8000, memory=2) <= 6 << 20
    full = 60_000 * 8000 * 3 // 8
    assert extra_bytes(60_000, 8000, memory=1) >= full // 2  # and that this measures anything
