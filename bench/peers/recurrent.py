"""Recurrent layers: forward, with backpropagation through time, and one streaming step."""

from __future__ import annotations

import argparse

from bench.peers.recurrent_cases import LAYERS, STEP, RecurrentCase
from bench.peers.recurrent_errors import errors
from bench.peers.recurrent_sides import fading, onnxruntime_side, ours, step_sides, torch_side
from bench.peers.sides import OURS, Settings, Sides, best_peer, result, set_threads
from bench.peers.tables import error_table, rows_table

PASSES = ("forward", "forward+backward")
NAMES = (OURS, "torch", "torch time", "torch packed", "onnxruntime")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--passes", nargs="+", choices=PASSES, default=list(PASSES))
    parser.add_argument("--no-errors", action="store_true", help="skip the errors to float64")


def run(settings: Settings, options: argparse.Namespace) -> dict[str, list]:
    cases = [case for case in LAYERS if settings.wants(case.name)]
    rows = []
    for threads in settings.threads:
        set_threads(threads)
        own = [row for case in cases for row in _measure(case, threads, settings, options)]
        rows += own
        for line in rows_table(f"recurrent layers, threads: {threads}", NAMES, own):
            print(line, flush=True)
        if settings.wants("step"):
            rows.append(_measure_step(threads, settings))
        if settings.wants("fading"):
            rows += _measure_fading(threads, settings)
    found = [] if options.no_errors else [errors(case) for case in cases if case.layers == 1]
    for line in error_table(found):
        print(line, flush=True)
    return {"rows": rows, "errors": found}


def _measure(
    case: RecurrentCase, threads: int, settings: Settings, options: argparse.Namespace
) -> list[dict]:
    ragged = case.shortest is not None
    sides = Sides()
    sides.add(OURS, lambda: ours(case))
    sides.add("torch", lambda: torch_side(case, "batch"))
    sides.add("torch time", lambda: torch_side(case, "time"))
    if ragged:
        sides.add("torch packed", lambda: torch_side(case, "packed"))
    elif case.layers == case.directions == 1:
        sides.add("onnxruntime", lambda: onnxruntime_side(case, threads))
    rows = []
    for pass_name in options.passes:
        timings = settings.time(sides.calls(pass_name))
        row = result(case.name, pass_name, threads, sides, timings)
        row["flops"] = case.flops(pass_name)
        rows.append(row)
        training = pass_name == "forward+backward"
        if not ragged:
            row |= {"goal": case.goal} if training and case.goal else {}
            continue
        for name, prefix, goal in (
            ("packed", "torch packed", case.goal),
            ("padded", "torch", case.padded_goal),
        ):
            times = {
                n: t for n, t in timings.items() if prefix == "torch packed" or "packed" not in n
            }
            peer = best_peer(times, prefix)
            part = {**row, "case": f"{case.name}, {name}"}
            if peer and OURS in timings:
                part["ratio"] = timings[peer].median / timings[OURS].median
                part |= {"goal": goal} if training else {}
            rows.append(part)
        rows.remove(row)
    return rows


def _measure_step(threads: int, settings: Settings) -> dict:
    sides = Sides()
    for name, make in step_sides(STEP, threads).items():
        sides.add(name, make)
    row = result(STEP.name, "step", threads, sides, settings.time(sides.calls("step")))
    weights = 4 * 4 * STEP.hidden * (STEP.inputs + STEP.hidden)  # bytes
    row |= {"bytes": weights, "triad": 0}
    if "ratio" in row:
        row["goal"] = STEP.goal
    names = (OURS, "torch cell", "onnxruntime")
    title = f"one streaming step, GB/s of weights, threads: {threads}"
    for line in rows_table(title, names, [row]):
        print(line, flush=True)
    return row


def _measure_fading(threads: int, settings: Settings) -> list[dict]:
    """States that fade to nothing over 5,000 frames, against ordinary ones of the same sizes."""
    rows = []
    for cell in ("rnn", "lstm", "gru"):
        case = RecurrentCase(cell, 1, 5000, 16, 64)
        sides = Sides()
        sides.add("fading", lambda case=case: fading(case, 1e-3))
        sides.add("ordinary", lambda case=case: fading(case, 1.0))
        timings = settings.time(sides.calls("forward+backward"))
        rows.append(result(f"{case.name}, fading", "forward+backward", threads, sides, timings))
    title = f"states among the smallest numbers, threads: {threads}"
    for line in rows_table(title, ("fading", "ordinary"), rows):
        print(line, flush=True)
    return rows
