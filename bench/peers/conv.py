"""Convolution: forward, backward and both, against PyTorch in both layouts and onnxruntime."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable

from bench.peers.conv_cases import MEAN_GOAL, ODD, ODD_SHARE, PASSES, SHAPES, ConvCase
from bench.peers.conv_errors import errors
from bench.peers.conv_sides import onnxruntime_side, ours, torch_side
from bench.peers.sides import OURS, Settings, Sides, result, set_threads
from bench.peers.tables import error_table, rows_table

NAMES = (OURS, "torch", "torch last", "onnxruntime")
TRAINING = "forward+backward"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--algorithm", default="auto", help="of ours: auto, direct, winograd")
    parser.add_argument("--passes", nargs="+", choices=PASSES, default=list(PASSES))
    parser.add_argument("--shapes", choices=["all", "eight", "odd"], default="all")
    parser.add_argument("--no-errors", action="store_true", help="skip the errors to float64")


def run(settings: Settings, options: argparse.Namespace) -> dict[str, list]:
    known = {"eight": SHAPES, "odd": ODD, "all": [*SHAPES, *ODD]}[options.shapes]
    cases = [case for case in known if settings.wants(case.name)]
    rows = []
    for threads in settings.threads:
        own = []
        for case in cases:
            own += _measure(case, threads, settings, options)
        means = _mark(own, cases)
        rows += own
        for line in rows_table(f"convolution, threads: {threads}", NAMES, own):
            print(line, flush=True)
        print(_mean_line(means, threads), flush=True)
    found = [] if options.no_errors else _errors(cases, options.algorithm)
    return {"rows": rows, "errors": found}


def _measure(
    case: ConvCase, threads: int, settings: Settings, options: argparse.Namespace
) -> list[dict]:
    set_threads(threads)
    sides = Sides()
    sides.add(OURS, lambda: ours(case, options.algorithm))
    sides.add("torch", lambda: torch_side(case, channels_last=False))
    sides.add("torch last", lambda: torch_side(case, channels_last=True))
    sides.add("onnxruntime", lambda: onnxruntime_side(case, threads))
    rows = []
    for pass_name in PASSES:
        if pass_name in options.passes:
            timings = settings.time(sides.calls(pass_name))
            row = result(case.name, pass_name, threads, sides, timings)
            row |= {"label": case.label, "flops": case.flops(pass_name)}
            rows.append(row)
    return rows


def _mark(rows: list[dict], cases: Iterable[ConvCase]) -> list[float]:
    """Add goals, and what odd shapes keep of their even neighbours; return the eight ratios."""
    trained = {row["label"]: row for row in rows if row["pass"] == TRAINING and "ratio" in row}
    means = []
    for case in cases:
        row = trained.get(case.label)
        if row is None:
            continue
        if case.goal is not None:
            means.append(row["ratio"])
            row["goal"] = case.goal
        elif case.like:
            goals = {even.label: even.goal for even in SHAPES}
            row["goal"] = ODD_SHARE * goals[case.like]
            even = trained.get(case.like)
            if even:
                row["keeps"] = _our_rate(row) / _our_rate(even)
    return means


def _our_rate(row: dict) -> float:
    return row["flops"] / row["seconds"][OURS]["median"]


def _mean_line(ratios: list[float], threads: int) -> str:
    if not ratios:
        return f"threads: {threads}; no ratio of forward + backward, so no geometric mean"
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    missing = "" if len(ratios) == len(SHAPES) else f", WITHOUT {len(SHAPES) - len(ratios)} shapes"
    return (
        f"threads: {threads}; forward + backward: geometric mean {mean:.2f} "
        f"of {len(ratios)} of {len(SHAPES)} shapes{missing}; goal {MEAN_GOAL}"
    )


def _errors(cases: Iterable[ConvCase], algorithm: str) -> list[dict]:
    found = []
    for case in cases:
        try:
            found.append(errors(case, algorithm))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            found.append({"case": case.name, "unable": reason})
    for line in error_table(found):
        print(line, flush=True)
    return found
