"""``python -m bench.peers COMMAND``: each measuring process prints its tables as it goes."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from bench.peers import align, conv, ctc, decode, pool, recurrent, seq2seq, step
from bench.peers.children import ALLOCATORS, WAITING, measure
from bench.peers.sides import OURS, Settings
from bench.peers.tables import unable_lines

COMMANDS = {
    "align": align,
    "conv": conv,
    "ctc": ctc,
    "decode": decode,
    "pool": pool,
    "recurrent": recurrent,
    "seq2seq": seq2seq,
    "step": step,
}
CLOCKS = {"wall": time.perf_counter, "cpu": time.thread_time}


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    if options.clock == "cpu" and options.threads != [1]:
        raise SystemExit("--clock cpu is the time of one thread: give --threads 1 with it")
    if options.results:
        return _measure_here(options)
    return _measure_in_children(options, arguments)


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--threads", type=_positive, nargs="+", default=[1, 2])
    shared.add_argument("--rounds", type=int, default=15, help="samples of each side (15)")
    shared.add_argument(
        "--filter", nargs="+", default=[], help="cases whose name has one of these texts"
    )
    shared.add_argument("--allocator", choices=["both", *ALLOCATORS], default="both")
    shared.add_argument(
        "--waiting", choices=WAITING, default="spin", help="idle OpenMP threads, of both sides"
    )
    shared.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: on a busy machine, one thread"
    )
    shared.add_argument("--json", type=Path, help="write everything to this file")
    shared.add_argument("--results", type=Path, help=argparse.SUPPRESS)
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").splitlines()[0]
        module.add_arguments(commands.add_parser(name, parents=[shared], help=summary))
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not a number of threads")
    return number


def _measure_here(options: argparse.Namespace) -> int:
    # PyTorch first: a process has one libgomp, and this is the one that PyTorch brings.
    import_module("torch")

    from bench.peers.machine import describe

    settings = Settings(options.threads, options.rounds, options.filter, CLOCKS[options.clock])
    before = describe()
    results = COMMANDS[options.command].run(settings, options)
    found = {"machine": before, "load_average_after": describe()["load_average"], **results}
    options.results.write_text(json.dumps(found), encoding="utf-8")
    return 0


def _measure_in_children(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    # The tuned allocator last: its table, the one that counts, is the one that stays in view.
    allocators = list(ALLOCATORS) if options.allocator == "both" else [options.allocator]
    runs = []
    for allocator in allocators:
        print(f"\n=== {allocator} allocator, waiting threads {options.waiting}", flush=True)
        extra = []
        if (
            options.command in ("align", "conv", "ctc", "decode", "recurrent")
            and allocator != allocators[-1]
        ):
            extra = ["--no-errors"]  # once is enough
        try:
            found = measure([*arguments, *extra], allocator, options.waiting)
        except subprocess.CalledProcessError as error:
            print(f"the measuring process failed with status {error.returncode}", file=sys.stderr)
            return 2
        runs.append({"allocator": allocator, "waiting": options.waiting, **found})
    unable = unable_lines(row for run in runs for row in run["rows"])
    if options.json:
        settings = {"rounds": options.rounds, "clock": options.clock, "threads": options.threads}
        document = {"command": options.command, "settings": settings, "runs": runs}
        options.json.write_text(json.dumps(document, indent=1), encoding="utf-8")
    print()
    for line in unable:
        print(line)
    return int(any(f"cannot run: {OURS}," in line for line in unable))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
