"""The most memory that one alignment takes above what the process had: in a process of its own."""

from __future__ import annotations

import ctypes
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.peers.align_cases import AlignCase
from bench.peers.children import ROOT, plain_environment
from bench.peers.sides import OURS

WARMING = AlignCase(500, 32, 40)


def measure_memory(case: AlignCase, side: str, threads: int, repeats: int = 1) -> dict[str, object]:
    """Megabytes of the first call, and seconds, the median of `repeats` calls."""
    request = json.dumps({"case": asdict(case), "side": side, "threads": threads, "n": repeats})
    done = subprocess.run(
        [sys.executable, "-m", "bench.peers.align_memory", request],
        env=plain_environment(),
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    limits = {"megabytes": case.megabytes, "seconds": case.seconds} if side == OURS else {}
    return {"case": case.name, "side": side, "threads": threads, "limits": limits, **found}


def memory_table(found: Sequence[dict]) -> Iterator[str]:
    width = max([len(row["case"]) for row in found], default=5)
    sides = max([len(row["side"]) for row in found], default=4)
    yield "\nlongest items in a process of their own: peak above the emissions, and time"
    yield f"{'T,C,L':{width}} {'side':{sides}} {'MB':>7} {'seconds':>8}"
    for row in found:
        line = f"{row['case']:{width}} {row['side']:{sides}} {row['megabytes']:>7.1f}"
        line = f"{line} {row['seconds']:>8.3f}"
        for name, limit in row["limits"].items():
            if limit is not None:
                verdict = "reached" if row[name] <= limit else "MISSED"
                line += f"  at most {limit:g} {name}: {verdict}"
        yield line


def _measure_here(request: dict) -> dict[str, float]:
    if request["side"] != OURS:
        import torch  # first, as in the other processes: one libgomp for both

        torch.set_num_threads(request["threads"])
    import unrolled
    from bench.peers.align_sides import PASS, SIDES

    unrolled.set_num_threads(request["threads"])
    make = SIDES[request["side"]]
    make(WARMING)[PASS]()
    call = make(AlignCase(**request["case"]))[PASS]
    before = _start_anew()
    seconds = [_time(call)]
    megabytes = (status("VmHWM") - before) / 1e3
    seconds += [_time(call) for _ in range(request["n"] - 1)]
    return {"megabytes": megabytes, "seconds": statistics.median(seconds)}


def _start_anew() -> float:
    """Give back what the preparation left, forget its peak, and return the present size in kB."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def status(name: str) -> float:
    """Of this process, in units of 1,000 bytes."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(rf"^{name}:\s*(\d+) kB", text, re.MULTILINE)
    if found is None:
        raise OSError(f"the system does not tell {name} of this process")
    return int(found[1]) * 1.024


def _time(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    print(json.dumps(_measure_here(json.loads(sys.argv[1]))))
