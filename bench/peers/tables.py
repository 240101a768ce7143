"""Results as tables of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench.peers.sides import OURS

PASS_NAMES = {"forward": "fwd", "backward": "bwd", "forward+backward": "fwd+bwd"}


def rows_table(
    title: str, names: Sequence[str], rows: Sequence[dict], ratio: str = "the best of torch / ours"
) -> Iterator[str]:
    """Milliseconds of each side, the rate of ours, and the ratio to the best of PyTorch's."""
    width = max([len(row["case"]) for row in rows], default=4)
    yield f"\n{title}; milliseconds, medians of calls in turn; ratio: {ratio}"
    columns = {name: max(10, len(name)) for name in names}
    heads = "".join(f" {name:>{columns[name]}}" for name in names)
    yield f"{'case':{width}} {'pass':8}{heads} {'rate of ours':>14} {'ratio':>6} {'goal':>5}"
    for row in rows:
        times = "".join(f" {_milliseconds(row, name):>{columns[name]}}" for name in names)
        pass_name = PASS_NAMES.get(row["pass"], row["pass"])
        line = f"{row['case']:{width}} {pass_name:8}{times} {_rate(row):>14}"
        yield f"{line} {_ratio(row):>6} {_goal(row)}".rstrip()


def unable_lines(rows: Iterable[dict]) -> list[str]:
    """Each side of each case that could not run, once, with the reason."""
    lines = {}
    for row in rows:
        for name, reason in row["unable"].items():
            lines[f"cannot run: {name}, {row['case']}: {reason}"] = None
    return list(lines)


def error_table(found: Sequence[dict]) -> Iterator[str]:
    """Errors of y, dx, dw, db by ours and by PyTorch, relative in the l2 norm to float64."""
    width = max([len(error["case"]) for error in found], default=4)
    yield "\nerrors relative to float64 in the l2 norm, float32 (in brackets: torch)"
    heads = "".join(f"{name:>19}" for name in ("y", "dx", "dw", "db"))
    yield f"{'case':{width}}{heads} {'gate of y, dx, dw':>18}"
    for error in found:
        if "unable" in error:
            yield f"{error['case']:{width}}  cannot run: {error['unable']}"
            continue
        pairs = zip(error["ours"].values(), error["torch"].values(), strict=True)
        cells = "".join(f"{f'{ours:.1e} ({torch:.1e})':>19}" for ours, torch in pairs)
        verdict = "passed" if error["passed"] else "MISSED"
        yield f"{error['case']:{width}}{cells} {error['gate']:>11.1e} {verdict}"


def _milliseconds(row: dict, name: str) -> str:
    timing = row["seconds"].get(name)
    if timing is None:
        return "cannot run" if name in row["unable"] else "-"
    return f"{1e3 * timing['median']:.3f}"


def _rate(row: dict) -> str:
    timing = row["seconds"].get(OURS)
    if timing is None:
        return "-"
    if "flops" in row:
        return f"{row['flops'] / timing['median'] / 1e9:.0f} GFLOP/s"
    if "bytes" in row:
        rate = row["bytes"] / timing["median"] / 1e9
        return f"{rate:.0f} GB/s {rate / row['triad']:4.0%}" if row.get("triad") else f"{rate:.0f}"
    return ""


def _ratio(row: dict) -> str:
    return f"{row['ratio']:.2f}" if "ratio" in row else "-"


def _goal(row: dict) -> str:
    if "goal" not in row:
        return ""
    verdict = "reached" if row["ratio"] >= row["goal"] else "MISSED"
    kept = f", keeps {row['keeps']:.0%} of the GFLOP/s" if "keeps" in row else ""
    return f"{row['goal']:5.2f} {verdict}{kept}"
