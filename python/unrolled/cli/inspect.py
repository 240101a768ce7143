"""``unrolled inspect``: how the recurrent layers of a model remember, and their gradients."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli.arguments import count, seed, share
from unrolled.cli.errors import CommandError

if TYPE_CHECKING:
    from unrolled.cli.inspect_inputs import LayerInput
    from unrolled.dynamics import Report
    from unrolled.nn import Module

_DESCRIPTION = """\
Analyse the recurrent layers of a trained model: how far back their state and the gradients of a
loss reach, the largest Lyapunov exponent, spectral radius and singular values of the recurrent
weights, and how much of each gate is saturated. Then all of it in words."""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "inspect",
        help="see how the recurrent layers of a trained model remember",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", required=True, help="folder that 'unrolled train' or Module.save wrote")
    add(
        "--data",
        metavar="FILE",
        help="what the model reads: for a line reader an image; for others an .npy file (N, T, D), "
        "or an .npz file with x and lengths (without it, random numbers)",
    )
    add(
        "--sequences",
        type=count,
        default=8,
        metavar="N",
        help="how many to look at, the first of --data or random ones (default: 8)",
    )
    add("--frames", type=count, default=100, metavar="T", help="of random sequences (default: 100)")
    add("--seed", type=seed, default=0, metavar="N", help="of all random numbers (default: 0)")
    add(
        "--fraction",
        type=share,
        default=1e-3,
        metavar="F",
        help="a horizon is where less than this share is left (default: 0.001)",
    )
    add("--json", action="store_true", help="print one JSON object instead of tables")
    add("--save-plots", metavar="DIR", help="write a picture of each layer into this folder")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Analyse every recurrent layer, then print."""
    import unrolled
    from unrolled import dynamics, plot
    from unrolled.cli.inspect_inputs import given_inputs, random_inputs
    from unrolled.cli.progress import progress

    if args.save_plots is not None:
        plot.require()
    model = unrolled.load(args.model)
    layers = dynamics.recurrent_layers(model)
    if not layers:
        raise CommandError(
            f"{args.model}: holds a {type(model).__name__} without a recurrent layer (RNN, LSTM or "
            "GRU); there is nothing to inspect"
        )
    if args.data is None:
        inputs = random_inputs(layers, args.sequences, args.frames, args.seed)
    else:
        inputs = given_inputs(model, layers, args.data, args.sequences)
    reports = {
        name: _analyse(layers[name], inputs[name], args)
        for name in progress(list(inputs), "analysing", "layer")
    }
    pictures = _save_plots(reports, args.save_plots)
    if args.json:
        print(json.dumps(_as_json(model, reports, args), ensure_ascii=False, indent=2))
    else:
        _print(model, reports, args)
        for picture in pictures:
            print(f"\npicture: {picture}")
    return 0


def _analyse(layer: Module, given: LayerInput, args: argparse.Namespace) -> Report:
    from unrolled import dynamics

    try:
        return dynamics.analyze(
            layer,
            given.x,
            given.lengths,
            state=given.state,
            fraction=args.fraction,
            seed=args.seed,
        )
    except ValueError as error:
        raise CommandError(f"{args.model}: {error}") from error


def _save_plots(reports: dict[str, Report], folder: str | None) -> list[Path]:
    if folder is None:
        return []
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = []
    for name, report in reports.items():
        paths.append(Path(folder) / f"{name or 'model'}.png")
        report.plot(paths[-1])
    return paths


def _source(args: argparse.Namespace) -> str:
    if args.data is not None:
        return str(args.data)
    return f"random numbers, normal with deviation 1 (seed {args.seed}); --data gives real input"


def _as_json(model: Module, reports: dict[str, Report], args: argparse.Namespace) -> dict[str, Any]:
    return {
        "model": type(model).__name__,
        "input": "random" if args.data is None else str(args.data),
        "seed": args.seed,
        "layers": {name: report.as_dict() for name, report in reports.items()},
    }


def _print(model: Module, reports: dict[str, Report], args: argparse.Namespace) -> None:
    from unrolled.cli.tables import print_facts, print_table

    print_facts([("model", type(model).__name__), ("input", _source(args))])
    for name, report in reports.items():
        print(f"\n{name or type(model).__name__}: {report.title}")
        for title, header, rows in report.tables():
            print()
            print_table(header, rows, title=title)
        print()
        print("\n".join(report.verdicts()), flush=True)
