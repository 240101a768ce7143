"""Loads the compiled core so that its idle threads sleep instead of spinning.

GNU's OpenMP reads its settings once, when it is loaded. By default its threads spin for
milliseconds between two kernels. On a machine that has other work to do, a spinning thread keeps
the one it waits for from running: training was 15 times slower than on one thread. What the user
has set is left alone.
"""

from __future__ import annotations

import os

_SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")

_ours = not any(name in os.environ for name in _SETTINGS)
if _ours:
    os.environ["OMP_WAIT_POLICY"] = "passive"
try:
    from unrolled import _core
finally:
    if _ours:
        del os.environ["OMP_WAIT_POLICY"]

__all__ = ["_core"]
