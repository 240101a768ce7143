"""``unrolled check``: every kernel against the plain reference on this machine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unrolled.cli.kernel_checks import Result


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "check",
        help="compare every kernel with the reference on this machine",
        description="Run every kernel, forward and backward, on every ISA level of this CPU, and "
        "print its largest error against the plain Python reference.",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare, print, and return 1 if a kernel is off."""
    import unrolled
    from unrolled import _core
    from unrolled.cli.kernel_checks import TOLERANCES, check_kernels

    unrolled.show_config()
    print()
    level_in_use = _core.isa()
    results: list[Result] = []
    try:
        for level in _core.isa_levels():
            _core.set_isa(level)
            results += check_kernels(level)
    finally:
        _core.set_isa(level_in_use)
    _print_errors(results)
    failed = [result for result in results if not result.passed]
    bounds = ", ".join(f"{bound:g} in {dtype}" for dtype, bound in TOLERANCES.items())
    if failed:
        names = ", ".join(f"{r.kernel} ({r.level}, {r.dtype}: {r.error:.2g})" for r in failed)
        print(f"\nFAILED, off by more than {bounds}: {names}")
        print("Please report this with the lines above; UNROLLED_ISA=v2 uses the plainest kernels.")
        return 1
    print(f"\nAll {len(results)} comparisons within {bounds} of the largest value.")
    return 0


def _print_errors(results: list[Result]) -> None:
    from unrolled.cli.tables import print_table

    columns = list(dict.fromkeys((r.level, r.dtype) for r in results))
    errors = {(r.kernel, r.level, r.dtype): r.error for r in results}
    rows = [
        [kernel, *(f"{errors[kernel, level, dtype]:.1e}" for level, dtype in columns)]
        for kernel in dict.fromkeys(r.kernel for r in results)
    ]
    print_table(
        ["kernel", *(f">{level} {dtype}" for level, dtype in columns)],
        rows,
        title="Largest error relative to the largest value of the reference",
    )
