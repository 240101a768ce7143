"""``report.json``: the figures of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unrolled.nn import Module
    from unrolled.training import History

REPORT_FILE = "report.json"


def run_facts(model: Module, history: History) -> dict[str, Any]:
    """Collect what every report says of model, time and machine."""
    import unrolled
    from unrolled import _core

    seconds = sum(history.column("seconds"))
    return {
        "train_seconds": seconds,
        "seconds_per_epoch": seconds / len(history),
        "parameters": sum(parameter.size for parameter in model.parameters()),
        "threads": unrolled.get_num_threads(),
        "isa": _core.isa(),
        "version": unrolled.__version__,
    }


def write_report(out: Path, report: dict[str, Any]) -> None:
    """Write the report into a run's folder."""
    from unrolled._files import write_atomically

    text = json.dumps(report, ensure_ascii=False, indent=2) + "\n"
    write_atomically(out / REPORT_FILE, text.encode())
