"""CTC beam search: time, texts and scores, threads on a batch, memory, against four decoders."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from bench.peers.decode_cases import (
    BATCH,
    BATCH_BEAM,
    CASES,
    LARGE,
    SETTINGS,
    THREADS_GOAL,
    DecodeCase,
)
from bench.peers.decode_memory import measure_memory, memory_lines
from bench.peers.decode_scores import compare_scores, score_table
from bench.peers.decode_sides import PASS, SIDES, our_decoder
from bench.peers.sides import OURS, Settings, Sides, result, set_threads
from bench.peers.tables import rows_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-errors", action="store_true", help="skip texts, scores and memory")
    parser.add_argument(
        "--decodes", type=int, default=0, help="memory over so many searches, 100000 for instance"
    )


def run(settings: Settings, options: argparse.Namespace) -> dict[str, list]:
    """The peers have one thread: ours is judged on one, and on more against itself on one."""
    rows: list[dict] = []
    scores: list[dict] = []
    if 1 in settings.threads:
        set_threads(1)
        for setting in (*SETTINGS, LARGE):
            cases = [c for c in CASES if c.setting == setting and settings.wants(c.name)]
            own = [_measure(case, settings, scores) for case in cases]
            names = [OURS, *setting.peers]
            if own:
                title = f"beam search, {setting.name}; threads: 1"
                _print(rows_table(title, names, own, f"{setting.peers[0]} / ours"))
            rows += own
    for threads in (n for n in settings.threads if n > 1):
        cases = [case for case in _batches() if settings.wants(case.name)]
        own = [_measure_threads(case, threads, settings) for case in cases]
        title = f"a batch of {BATCH} on {threads} threads"
        _print(rows_table(title, (OURS, "1 thread"), own, "1 thread / ours") if own else ())
        rows += own
    if options.no_errors:
        return {"rows": rows, "scores": [], "memory": []}
    _print(score_table(scores) if scores else ())
    memory = measure_memory(options.decodes) if options.decodes else []
    _print(memory_lines(memory))
    return {"rows": rows, "scores": scores, "memory": memory}


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _measure(case: DecodeCase, settings: Settings, scores: list[dict]) -> dict:
    sides = Sides()
    for name in (OURS, *case.peers):
        sides.add(name, lambda name=name: {PASS: SIDES[name](case)})
    calls = sides.calls(PASS)
    timings = _limited(settings, case).time(calls)
    row = result(case.name, PASS, 1, sides, timings)
    judge = case.peers[0]
    if OURS in timings and judge in timings:
        ratio = timings[judge].median / timings[OURS].median
        row |= {"best_peer": judge, "ratio": ratio}
        row |= {"goal": case.goal} if case.goal else {}
    scores += compare_scores(case, {name: call() for name, call in calls.items()})
    return row


def _limited(settings: Settings, case: DecodeCase) -> Settings:
    return replace(settings, rounds=min(settings.rounds, case.rounds))


def _batches() -> list[DecodeCase]:
    pruned = SETTINGS[2]
    return [DecodeCase(pruned, kind, BATCH_BEAM) for kind in ("peaky", "flat")]


def _measure_threads(case: DecodeCase, threads: int, settings: Settings) -> dict:
    """Ours on several threads and on one, in turn."""
    sides = Sides()
    batch = np.stack([replace(case, seed=seed).log_probs() for seed in range(BATCH)])

    def prepared(count: int):
        decoder = our_decoder(case)

        def decode() -> object:
            set_threads(count)
            return decoder.decode(batch)

        return {PASS: decode}

    sides.add(OURS, lambda: prepared(threads))
    sides.add("1 thread", lambda: prepared(1))
    timings = settings.time(sides.calls(PASS))
    row = result(f"{BATCH} times {case.name}", PASS, threads, sides, timings)
    if OURS in timings:
        ratio = timings["1 thread"].median / timings[OURS].median
        row |= {"ratio": ratio, "goal": THREADS_GOAL}
    return row
