"""Emissions of real models against results of independent programs: ``python -m bench.emissions``.

The folder holds ``emissions_*.npz`` (natural log probabilities (T, C) by key, and ``meta_json``)
and ``expected_ocr.json``, ``expected_speech.json`` (for each key the CTC loss in float64, the score
of the best alignment, the greedy reading, for speech the times of words, and for OCR the three best
texts of a beam search).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unrolled import align, ctc
from unrolled.decode import BeamSearchDecoder

TOLERANCE = 1e-3  # absolute, of losses and of scores
# How the lists of best texts came about: sums of paths, the blank one of the 40 symbols of a frame.
BEAM = {"beam_width": 25, "token_top_k": 40, "token_min_logp": -np.inf, "beam_prune_logp": -np.inf}
SETS = {
    "ocr": ("expected_ocr.json", "emissions_ocr*.npz"),
    "speech": ("expected_speech.json", "emissions_speech.npz"),
}


@dataclass
class Group:
    """The items of one model: the largest errors, and what was missed."""

    name: str
    items: int = 0
    loss: float = 0.0
    score: float = 0.0
    words: int = 0
    beams: int = 0
    beam: float = 0.0
    missed: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.emissions", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of emissions")
    folder = parser.parse_args(arguments).data
    found = [name for name, (expected, _) in SETS.items() if (folder / expected).is_file()]
    if not found:
        names = " nor ".join(expected for expected, _ in SETS.values())
        print(f"skipped: {folder} has neither {names}")
        return 0
    groups = [group for name in found for group in check(folder, *SETS[name])]
    for line in table(groups):
        print(line)
    return int(any(group.missed for group in groups))


def check(folder: Path, expected: str, emissions: str) -> list[Group]:
    """Check each item of an expected file; one group a model."""
    arrays, meta = load(sorted(folder.glob(emissions)))
    groups: dict[str, Group] = {}
    for record in json.loads((folder / expected).read_text(encoding="utf-8")):
        model = record["key"].rpartition("_")[0] if "charsets" in meta else "speech"
        group = groups.setdefault(model, Group(model))
        _check_item(group, record, arrays[record["key"]], meta)
    return list(groups.values())


def table(groups: Sequence[Group]) -> Iterator[str]:
    """Largest errors of each model, then each miss in a line of its own."""
    heads = f"{'loss':>9} {'score':>9} {'beam':>9} {'lists':>6} {'words':>6}"
    yield f"{'model':10} {'items':>5} {heads}  missed"
    for group in groups:
        errors = f"{group.loss:>9.1e} {group.score:>9.1e} {group.beam:>9.1e}"
        counts = f"{group.beams:>6} {group.words:>6}"
        yield f"{group.name:10} {group.items:>5} {errors} {counts}  {len(group.missed)}"
    yield (
        f"loss, score, beam: largest absolute errors, at most {TOLERANCE:g}; "
        "lists of best texts and times of words that were compared"
    )
    for group in groups:
        yield from (f"MISSED {group.name}: {text}" for text in group.missed)


def load(paths: Sequence[Path]) -> tuple[dict[str, np.ndarray], dict]:
    arrays: dict[str, np.ndarray] = {}
    for path in paths:
        with np.load(path, allow_pickle=False) as archive:
            arrays |= {name: archive[name] for name in archive.files}
    return arrays, json.loads(arrays.pop("meta_json").item())


def _check_item(group: Group, record: dict, log_probs: np.ndarray, meta: dict) -> None:
    charset = meta.get("charsets", {}).get(group.name)
    blank = meta.get("blank", 0)
    target = record.get("targets") or [charset.index(symbol) for symbol in record["text"]]
    alignment = align.forced_align(log_probs, target, blank=blank)
    loss = ctc.loss(log_probs, target, blank=blank, reduction="sum")
    tokens = ctc.greedy(log_probs, blank=blank).tokens
    reading = tokens if charset is None else "".join(charset[token] for token in tokens)
    errors = abs(loss - record["nll"]), abs(alignment.score - record["viterbi_logp"])
    group.items += 1
    group.loss, group.score = max(group.loss, errors[0]), max(group.score, errors[1])
    key = record["key"]
    if not errors[0] <= TOLERANCE:
        group.missed.append(f"{key}: loss {loss:.6f}, expected {record['nll']:.6f}")
    if not errors[1] <= TOLERANCE:
        expected = record["viterbi_logp"]
        group.missed.append(f"{key}: score {alignment.score:.6f}, expected {expected:.6f}")
    if reading != record["greedy"]:
        group.missed.append(f"{key}: greedy {reading!r}, expected {record['greedy']!r}")
    if "beam25" in record:
        _check_beam(group, record, log_probs, charset)
    if "word_times_ms" in record:
        _check_words(group, record, alignment, meta)


def _check_beam(group: Group, record: dict, log_probs: np.ndarray, charset: list[str]) -> None:
    """Scores place by place, and texts where no score is as near to another as the tolerance."""
    expected = record["beam25"]
    decoder = BeamSearchDecoder(charset, blank=0, **BEAM)
    found = decoder.decode(log_probs, nbest=len(expected) + 1)[: len(expected)]
    group.beams += 1
    scores = [score for score, _ in expected]
    errors = [abs(mine.score - score) for mine, score in zip(found, scores, strict=True)]
    group.beam = max(group.beam, *errors)
    if not max(errors) <= TOLERANCE:
        group.missed.append(f"{record['key']}: beam scores differ by {max(errors):.6f}")
    for place, (mine, (score, text)) in enumerate(zip(found, expected, strict=True)):
        tied = sum(abs(other - score) <= 2 * TOLERANCE for other in scores) > 1
        last = place == len(expected) - 1  # it may be tied with the one after it
        reading = "".join(charset[token] for token in mine.tokens)
        if reading != text and not tied and not last:
            group.missed.append(f"{record['key']}: beam {place} {reading!r}, expected {text!r}")


def _check_words(group: Group, record: dict, alignment: align.Alignment, meta: dict) -> None:
    words = alignment.replace(labels=meta["tokens"], separator="<wb>").words
    found = [[word.start * meta["frame_ms"], word.end * meta["frame_ms"]] for word in words]
    expected = [times for _, *times in record["word_times_ms"]]
    group.words += len(expected)
    if found != expected:
        group.missed.append(f"{record['key']}: word times {found}, expected {expected}")


if __name__ == "__main__":
    sys.exit(main())
