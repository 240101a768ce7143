"""Sequence to sequence: training steps of a language model and of attention, writing, g2p-en."""

from __future__ import annotations

import argparse

from bench import g2p_en
from bench.peers import seq2seq_writing, step_attention, step_char_lm
from bench.peers.sides import OURS, Settings, Sides, result, set_threads
from bench.peers.tables import rows_table

STEPS = {"language model": step_char_lm, "attention": step_attention}
NAMES = (OURS, "torch", "torch fused")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser  # none of its own: --filter chooses "language model", "attention", "write", "g2p-en"


def run(settings: Settings, options: argparse.Namespace) -> dict[str, list]:
    del options
    rows = []
    for threads in settings.threads:
        set_threads(threads)
        own = [
            _step(model, threads, settings) for name, model in STEPS.items() if settings.wants(name)
        ]
        title = "one training step; fused: Adam in one kernel"
        _show(f"{title}; threads: {threads}", own)
        written = _writing(threads, settings) if settings.wants("write") else []
        _show(f"targets written for a batch of sources; threads: {threads}", written)
        rows += own + written
    if settings.wants("g2p-en"):
        set_threads(1)
        own = _g2p_en(settings)
        title = "g2p-en's loop in NumPy; threads: 1"
        for line in rows_table(title, (OURS, "g2p-en"), own, ratio="g2p-en / ours"):
            print(line, flush=True)
        rows += own
    return {"rows": rows}


def _show(title: str, rows: list[dict]) -> None:
    for line in rows_table(title, NAMES, rows) if rows else ():
        print(line, flush=True)


def _step(model, threads: int, settings: Settings) -> dict:
    sides = Sides()
    sides.add(OURS, model.ours)
    sides.add("torch", lambda: model.torch_side(channels_last=False, fused=False))
    sides.add("torch fused", lambda: model.torch_side(channels_last=False, fused=True))
    row = result(model.CASE, "step", threads, sides, settings.time(sides.calls("step")))
    if "ratio" in row:
        row["goal"] = model.GOAL
    return row


def _writing(threads: int, settings: Settings) -> list[dict]:
    rows = []
    for case in seq2seq_writing.CASES:
        sides = Sides()
        sides.add(OURS, lambda case=case: seq2seq_writing.ours(case))
        sides.add("torch", lambda case=case: seq2seq_writing.torch_side(case))
        timings = settings.time(sides.calls("write"))
        rows.append(result(case.name, "write", threads, sides, timings))
    return rows


def _g2p_en(settings: Settings) -> list[dict]:
    """Time both sides where the package is installed; else say that it is not."""
    sides = Sides()
    folder = g2p_en.find()
    if folder is None:
        sides.unable["g2p-en"] = "not installed: pip install --no-deps g2p-en"
        return [result("g2p-en", "write", 1, sides, {})]

    from unrolled.models import Seq2Seq

    theirs = g2p_en.their_loop(folder)
    model = Seq2Seq.from_g2p_en(folder / "checkpoint20.npz")
    words = g2p_en.made_words(g2p_en.COUNT)
    same, worst = g2p_en.compare(theirs, model, words)
    print(f"\ng2p-en: the same phonemes for {same} of {len(words)} words; logits to {worst:.1e}")
    rows = []
    for case, calls in g2p_en.calls(theirs, model, words).items():
        timings = settings.time(calls)
        row = result(f"g2p-en, {case}", "write", 1, sides, timings)
        row["ratio"] = timings["g2p-en"].median / timings["ours"].median
        row["goal"] = g2p_en.GOALS[case]
        rows.append(row)
    return rows
