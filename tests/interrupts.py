"""Ctrl-C for a program that prints "ready" when it begins and "stopped" when it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time


def assert_stops_within_half_a_second(program, *arguments):
    """The bound leaves room for a busy machine."""
    command = [sys.executable, "-c", program, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "ready\n"
            time.sleep(1.0)
            assert child.poll() is None
            start = time.perf_counter()
            child.send_signal(signal.SIGINT)
            assert child.stdout.readline() == "stopped\n"
            assert time.perf_counter() - start < 2.0
        finally:
            child.kill()
