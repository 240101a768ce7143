"""Forced alignment: time, paths, memory and threads, against torchaudio or ctc-forced-aligner."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import replace

from bench.peers.align_cases import HOUR, JUDGED, THREADS_GOAL, AlignCase
from bench.peers.align_memory import measure_memory, memory_table
from bench.peers.align_paths import compare_paths, path_table
from bench.peers.align_sides import PASS, aligner_side, compat_side, ours, torchaudio_side
from bench.peers.sides import OURS, Settings, Sides, result, set_threads
from bench.peers.tables import rows_table
from bench.side_by_side import Call

COMPAT, TORCHAUDIO, ALIGNER = "compat", "torchaudio", "ctc-forced-aligner"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-errors", action="store_true", help="skip the paths and the memory")


def run(settings: Settings, options: argparse.Namespace) -> dict[str, list]:
    """The peers have one thread: ours is judged on one, and on more against itself on one."""
    judged = [case for case in JUDGED if settings.wants(case.name)]
    long = [case for case in (JUDGED[-1], HOUR) if settings.wants(case.name)]
    rows: list[dict] = []
    paths: list[dict] = []
    if 1 in settings.threads and judged:
        _judge(judged, settings, rows, paths)
        _print(rows_table("forced alignment of T,C,L; threads: 1", _names(rows), rows))
    for threads in (n for n in settings.threads if n > 1 and long):
        scaling = [_measure_threads(case, threads, settings) for case in long]
        title = f"one item on {threads} threads"
        _print(rows_table(title, (OURS, "1 thread"), scaling, "1 thread / ours"))
        rows += scaling
    if options.no_errors:
        return {"rows": rows, "paths": [], "memory": []}
    if paths:
        _print(path_table(paths))
    peer = _judge_of(rows)
    memory = [measure_memory(case, OURS, 1, repeats=3) for case in long]
    memory += [measure_memory(case, peer, 1) for case in long if peer and case is not HOUR]
    if memory:
        _print(memory_table(memory))
    return {"rows": rows, "paths": paths, "memory": memory}


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _judge(cases: list[AlignCase], settings: Settings, rows: list, paths: list) -> None:
    set_threads(1)
    for case in cases:
        sides = Sides()
        sides.add(OURS, lambda case=case: ours(case))
        sides.add(COMPAT, lambda case=case: compat_side(case))
        sides.add(TORCHAUDIO, lambda case=case: torchaudio_side(case))
        if TORCHAUDIO in sides.unable:
            sides.add(ALIGNER, lambda case=case: aligner_side(case))
        calls = sides.calls(PASS)
        timings = _limited(settings, case).time(calls)
        row = result(case.name, PASS, 1, sides, timings)
        if ALIGNER in timings and OURS in timings:
            row |= {"best_peer": ALIGNER, "ratio": timings[ALIGNER].median / timings[OURS].median}
        if "ratio" in row:
            row["goal"] = case.goal
            paths.append(_compared(case, row["best_peer"], calls))
        rows.append(row)


def _compared(case: AlignCase, peer: str, calls: Mapping[str, Call]) -> dict:
    return compare_paths(case, peer, calls[OURS](), calls[peer]())


def _measure_threads(case: AlignCase, threads: int, settings: Settings) -> dict:
    """Ours on several threads and on one, in turn."""
    sides = Sides()
    call = ours(case)[PASS]

    def on(count: int) -> object:
        set_threads(count)
        return call()

    sides.add(OURS, lambda: {PASS: lambda: on(threads)})
    sides.add("1 thread", lambda: {PASS: lambda: on(1)})
    timings = _limited(settings, case).time(sides.calls(PASS))
    row = result(case.name, PASS, threads, sides, timings)
    if OURS in timings:
        ratio = timings["1 thread"].median / timings[OURS].median
        row |= {"ratio": ratio, "goal": THREADS_GOAL}
    return row


def _limited(settings: Settings, case: AlignCase) -> Settings:
    return replace(settings, rounds=min(settings.rounds, case.rounds or settings.rounds))


def _judge_of(rows: list[dict]) -> str | None:
    return next((row["best_peer"] for row in rows if "best_peer" in row), None)


def _names(rows: list[dict]) -> list[str]:
    fell_back = any(ALIGNER in row["seconds"] or ALIGNER in row["unable"] for row in rows)
    return [OURS, COMPAT, TORCHAUDIO, *([ALIGNER] if fell_back else [])]
