"""A side is one implementation of a case: its passes as callables, or why it cannot run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.side_by_side import Call, Clock, Timing, alternate

OURS = "ours"


@dataclass
class Sides:
    """The sides of one case by name, and those that cannot run with the reason."""

    passes: dict[str, Mapping[str, Call]] = field(default_factory=dict)
    unable: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, make: Callable[[], Mapping[str, Call]]) -> None:
        """Build a side and run each of its passes once; what fails is kept as the reason."""
        try:
            passes = make()
            for call in passes.values():
                call()
        except Exception as error:  # a peer may fail in any way of its own
            self.unable[name] = f"{type(error).__name__}: {error}".splitlines()[0]
        else:
            self.passes[name] = passes

    def calls(self, pass_name: str) -> dict[str, Call]:
        return {
            name: passes[pass_name] for name, passes in self.passes.items() if pass_name in passes
        }


@dataclass(frozen=True)
class Settings:
    """What all subcommands share."""

    threads: list[int]
    rounds: int
    filters: list[str]
    clock: Clock

    def wants(self, name: str) -> bool:
        return not self.filters or any(text in name for text in self.filters)

    def time(self, calls: Mapping[str, Call]) -> dict[str, Timing]:
        return alternate(calls, rounds=self.rounds, clock=self.clock)


def best_peer(timings: Mapping[str, Timing], prefix: str = "torch") -> str | None:
    """Name the fastest side of a peer, whatever its layout."""
    names = [name for name in timings if name.startswith(prefix)]
    return min(names, key=lambda name: timings[name].median, default=None)


def result(case: str, pass_name: str, threads: int, sides: Sides, timings: Mapping[str, Timing]):
    """One row as JSON: medians and quartiles of each side, and ours against the best of torch."""
    row = {
        "case": case,
        "pass": pass_name,
        "threads": threads,
        "seconds": {name: timing.as_json() for name, timing in timings.items()},
        "unable": dict(sides.unable),
    }
    peer = best_peer(timings)
    if peer and OURS in timings:
        row["best_peer"] = peer
        row["ratio"] = timings[peer].median / timings[OURS].median
    return row


def set_threads(threads: int) -> None:
    """Of ours and of PyTorch; onnxruntime takes its number with each session."""
    import torch

    import unrolled

    unrolled.set_num_threads(threads)
    torch.set_num_threads(threads)
