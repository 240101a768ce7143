"""CTC loss and gradient, against PyTorch and, if asked for, optax."""

from __future__ import annotations

import argparse
from dataclasses import replace

from bench.peers.ctc_cases import CASES, CtcCase
from bench.peers.ctc_errors import ctc_error_table, errors
from bench.peers.ctc_sides import PASS, compat_side, optax_side, ours, torch_side
from bench.peers.sides import OURS, Settings, Sides, result, set_threads
from bench.peers.tables import rows_table

TRUE, COMPAT = "-posterior", "compat"
NAMES = (OURS, TRUE, COMPAT, "torch", "optax")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-errors", action="store_true", help="skip the errors to float64")
    parser.add_argument(
        "--optax", action="store_true", help="optax as well; its threads: taskset, --threads"
    )


def run(settings: Settings, options: argparse.Namespace) -> dict[str, list]:
    cases = [case for case in CASES if settings.wants(case.name)]
    names = NAMES if options.optax else NAMES[:-1]
    rows = []
    for threads in settings.threads:
        set_threads(threads)
        own = [_measure(case, threads, settings, options) for case in cases]
        rows += own
        title = f"CTC of T,B,C,L: loss and softmax - posterior; threads: {threads}"
        for line in rows_table(title, names, own):
            print(line, flush=True)
    found = [] if options.no_errors else [errors(case) for case in cases]
    for line in ctc_error_table(found):
        print(line, flush=True)
    return {"rows": rows, "errors": found}


def _measure(
    case: CtcCase, threads: int, settings: Settings, options: argparse.Namespace
) -> dict[str, object]:
    sides = Sides()
    sides.add(OURS, lambda: ours(case, "logits"))
    sides.add(TRUE, lambda: ours(case, "log_probs"))
    sides.add(COMPAT, lambda: compat_side(case))
    sides.add("torch", lambda: torch_side(case))
    if options.optax:
        sides.add("optax", lambda: optax_side(case))
    limit = replace(settings, rounds=min(settings.rounds, case.rounds or settings.rounds))
    row = result(case.name, PASS, threads, sides, limit.time(sides.calls(PASS)))
    if "ratio" in row:
        row["goal"] = case.goal
    return row
