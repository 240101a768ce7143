"""The measuring processes: what the allocator and OpenMP do is decided before a process starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.side_by_side import SPIN, TUNED_MALLOC

ROOT = Path(__file__).resolve().parents[2]

ALLOCATORS: dict[str, dict[str, str]] = {"default": {}, "tuned": TUNED_MALLOC}
WAITING = {"spin": SPIN, "sleep": {"OMP_WAIT_POLICY": "passive"}}

# Settings of the user that would decide otherwise.
_REMOVED = (*TUNED_MALLOC, *SPIN, "OMP_WAIT_POLICY", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def measure(arguments: Sequence[str], allocator: str, waiting: str) -> dict[str, object]:
    """Run ``python -m bench.peers ARGUMENTS`` in a process of its own; return its results."""
    environment = plain_environment() | ALLOCATORS[allocator] | WAITING[waiting]
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        command = [sys.executable, "-m", "bench.peers", *arguments, "--results", str(results)]
        subprocess.run(command, env=environment, check=True)
        return json.loads(results.read_text(encoding="utf-8"))


def plain_environment() -> dict[str, str]:
    """Return the user's environment with the defaults of allocator and threads."""
    environment = {name: value for name, value in os.environ.items() if name not in _REMOVED}
    path = [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(path)
    return environment
