"""Memory over many searches: the size of a process of their own after each tenth of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence

from bench.peers.align_memory import status
from bench.peers.children import ROOT, plain_environment
from bench.peers.decode_cases import SETTINGS, DecodeCase

PARTS = 10
EACH = 100  # searches of one decoder
GROWTH = 1.0  # megabytes from the second tenth to the last, at most


def measure_memory(decodes: int) -> list[float]:
    """Megabytes of the process after each tenth of the searches."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.peers.decode_memory", str(decodes)],
        env=plain_environment(),
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def memory_lines(megabytes: Sequence[float]) -> Iterator[str]:
    if not megabytes:
        return
    growth = megabytes[-1] - megabytes[1]
    verdict = "flat" if growth <= GROWTH else "GROWS"
    sizes = " ".join(f"{size:.1f}" for size in megabytes)
    yield f"\nmemory after each tenth of the searches, MB: {sizes}"
    yield f"from the second to the last {growth:+.2f} MB: {verdict}"


def _measure_here(decodes: int) -> list[float]:
    """Searches of 50 frames with and without a language model; decoders are made anew at times."""
    from bench.peers.decode_sides import our_decoder

    cases = [
        DecodeCase(setting, kind, 20, frames=50, seed=seed)
        for setting in (SETTINGS[2], SETTINGS[4])
        for kind in ("peaky", "flat")
        for seed in range(5)
    ]
    sizes = []
    for _ in range(PARTS):
        for start in range(0, decodes // PARTS, EACH):
            case = cases[start // EACH % len(cases)]
            decoder, log_probs = our_decoder(case), case.log_probs()
            for _ in range(min(EACH, decodes // PARTS - start)):
                decoder.decode(log_probs)
        sizes.append(status("VmRSS") / 1e3)
    return sizes


if __name__ == "__main__":
    print(json.dumps(_measure_here(int(sys.argv[1]))))
