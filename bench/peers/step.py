"""One training step of a network: forward, loss, backward, Adam."""

from __future__ import annotations

import argparse

from bench.peers import step_attention, step_char_lm, step_cnn, step_crnn
from bench.peers.sides import OURS, Settings, Sides, result, set_threads
from bench.peers.tables import rows_table

MODELS = {
    "cnn": step_cnn,
    "crnn": step_crnn,
    "char-lm": step_char_lm,
    "attention": step_attention,
}
NAMES = (OURS, "torch", "torch last", "torch last fused")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", choices=["all", *MODELS], default="all")


def run(settings: Settings, options: argparse.Namespace) -> dict[str, list]:
    models = [model for name, model in MODELS.items() if options.model in ("all", name)]
    rows = []
    for threads in settings.threads:
        set_threads(threads)
        own = [_row(model, threads, settings) for model in models]
        rows += own
        title = "one training step; last: channels_last, fused: Adam in one kernel"
        for line in rows_table(f"{title}; threads: {threads}", NAMES, own):
            print(line, flush=True)
    return {"rows": rows}


def _row(model, threads: int, settings: Settings) -> dict:
    sides = Sides()
    sides.add(OURS, model.ours)
    sides.add("torch", lambda: model.torch_side(channels_last=False, fused=False))
    sides.add("torch last", lambda: model.torch_side(channels_last=True, fused=False))
    sides.add("torch last fused", lambda: model.torch_side(channels_last=True, fused=True))
    row = result(model.CASE, "step", threads, sides, settings.time(sides.calls("step")))
    if "ratio" in row:
        row["goal"] = model.GOAL
    return row
