"""What the machine can do at most: native/limits.cpp compiled and run."""

from __future__ import annotations

import functools
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

NATIVE = Path(__file__).with_name("native")


@dataclass(frozen=True)
class Limits:
    """GFLOP/s of float32 multiply-adds, and GB/s of the triad a = b + s * c (12 bytes a step)."""

    multiply_add: float
    triad: float


@functools.cache
def _program() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="unrolled-limits-")
    sources = [NATIVE / "limits.cpp", NATIVE / "print_limits.cpp"]
    command = ["g++", "-O3", "-march=native", "-std=c++20", "-pthread"]
    subprocess.run([*command, "-o", f"{folder.name}/limits", *sources], check=True)
    return folder


def machine_limits(threads: int) -> Limits:
    """Measure now, on `threads` threads; takes about a second. Needs g++."""
    command = [f"{_program().name}/limits", str(threads)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Limits(**json.loads(output))
