"""Ctrl-C in a long alignment, and alignments on threads of the caller's own."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

from align_problems import normal_log_probs, random_target
from interrupts import assert_stops_within_half_a_second
from unrolled.align import forced_align

# Some minutes of work: labels nearly as many as it takes, in float64 or float32.
CHILD = """
import signal, sys
import numpy as np
import unrolled
from unrolled.align import forced_align
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have told it to be ignored
frames, labels, dtype, threads = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
unrolled.set_num_threads(threads)
log_probs = np.full((frames, 8), -2.0, dtype)
target = 1 + np.arange(labels) % 7
forced_align(log_probs[:200], target[:50])
print("ready", flush=True)
try:
    forced_align(log_probs, target)
except KeyboardInterrupt:
    log_probs, target = log_probs[:300], target[:40]
    assert forced_align(log_probs, target).is_feasible  # all is well after it
    print("stopped", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_interrupt(dtype, count):
    assert_stops_within_half_a_second(CHILD, "600000", "250000", dtype, str(count))


def test_sixteen_threads_give_the_bits_of_one(rng):
    problems = [
        (normal_log_probs(rng, 900 + 20 * i, 30), random_target(rng, 200 + 5 * i, 30, 0))
        for i in range(16)
    ]
    expected = [forced_align(*problem) for problem in problems]
    found = [None] * 16
    barrier = threading.Barrier(16)

    def work(i):
        barrier.wait()
        for _ in range(5):
            found[i] = forced_align(*problems[i])

    workers = [threading.Thread(target=work, args=(i,)) for i in range(16)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for actual, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(actual.states, wanted.states)
        assert actual.score == wanted.score
