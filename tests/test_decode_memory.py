"""Memory of many decodes and of long streams."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from beam_problems import make_search, peaky_emissions, unpack
from unrolled import ctc

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

RESIDENT = """
import sys
import numpy as np
from unrolled import _core
inf = float("inf")
def resident():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) * 1024
rng = np.random.default_rng(0)
"""
DECODES = """
log_probs = np.log(rng.dirichlet(np.full(20, 0.1), (1, 30)) + 1e-9).astype(np.float32)
search, lengths = _core.BeamSearch(20, 0, 10, -inf, -inf, 0, False), np.array([30])
def decode(count):
    for _ in range(count):
        search.decode(log_probs, lengths, None, 2)
decode(500)
before = resident()
decode(int(sys.argv[1]))
print(resident() - before)
"""
# One symbol in a hundred frames: the text is 200 times shorter than the prefixes that were met.
STREAM = """
stream = _core.BeamSearch(20, 0, 30, -inf, -inf, 0, False).start()
def push(frames):
    scores = rng.standard_normal((frames, 20))
    scores[:, 0] += 6
    scores[::100, 1 + int(rng.integers(19))] += 14
    stream.push((scores - np.log(np.exp(scores).sum(1, keepdims=True))).astype(np.float32))
for _ in range(10):
    push(1000)
before = resident()
for _ in range(int(sys.argv[1]) // 1000):
    push(1000)
print(resident() - before)
"""


def grown(program, count):
    """Return by how many bytes a process grows that runs a program of the above."""
    done = subprocess.run(
        [sys.executable, "-c", RESIDENT + program, str(count)],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return int(done.stdout)


@pytest.mark.parametrize(
    "count", [5_000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(300)])]
)
def test_many_decodes(count):
    """C17."""
    assert grown(DECODES, count) < 1 << 20


@pytest.mark.parametrize("frames", [30_000, pytest.param(200_000, marks=pytest.mark.slow)])
def test_long_streams(frames):
    assert grown(STREAM, frames) < 4 << 20


def test_what_is_forgotten_is_not_needed(rng):
    """A stream that has collected its tree finds texts with the mass that all their paths have."""
    log_probs = peaky_emissions(rng, 20_000, 40, np.float32)
    stream = make_search(40, beam_width=150).start()
    for start in range(0, 20_000, 500):
        stream.push(np.ascontiguousarray(log_probs[start : start + 500]))
    found = unpack(stream.best(3, True))
    for text, score in zip(found.tokens, found.scores, strict=True):
        exact = -float(ctc.loss(log_probs, list(text), reduction="sum"))
        assert len(text) > 3000 and exact - 30 < score < exact + 0.05
