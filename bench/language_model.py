"""Character errors of OCR, greedy and with language models: ``python -m bench.language_model``.

``--emissions`` is the folder with ``emissions_ocr*.npz`` (log probabilities (T, C) by key, and
``meta_json`` with texts and charsets), ``--text`` one with text files. Language models are trained
on the lines of the texts without those that are evaluated: n-grams of characters and of words, and
with ``--units neural`` a recurrent network of characters, whose states advance within the beam.
Their weights are found on the lines of even numbers; errors are those of the odd ones.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.emissions import load
from unrolled import ctc, random
from unrolled.decode import BeamSearchDecoder, tune
from unrolled.lm import NGram, Vocabulary
from unrolled.metrics import character_error_rate
from unrolled.models import LanguageModel

ASKED = 0.25  # relative to greedy
ORDERS = {"char": 6, "word": 3}
LM_WEIGHTS = (0.4, 0.7, 1.0, 1.3, 1.6, 1.9)
WORD_SCORES = {"char": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), "word": (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)}
WORD_SCORES["neural"] = WORD_SCORES["char"]
NETWORK = {"cell": "gru", "embedding": 32, "hidden": 256, "dropout": 0.2}
TRAINING = {"epochs": 1, "batch_size": 64, "frames": 64, "learning_rate": 4e-3}
SEARCH = {"beam_width": 100, "token_min_logp": -10.0, "beam_prune_logp": -20.0}


@dataclass(frozen=True)
class Line:
    """A line of OCR: its number and text, and its emissions (T, C)."""

    number: int
    text: str
    log_probs: np.ndarray


@dataclass(frozen=True)
class Row:
    """Character errors of one OCR model on the lines of odd numbers."""

    model: str
    unit: str
    lm_weight: float
    word_score: float
    tuned_error: float  # on the even lines
    greedy_of_all: float
    greedy: float
    error: float

    @property
    def drop(self) -> float:
        return 1 - self.error / self.greedy


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.language_model", description=__doc__)
    parser.add_argument("--emissions", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--units", nargs="+", choices=[*ORDERS, "neural"], default=list(ORDERS))
    parser.add_argument("--models", nargs="+", help="OCR models; all of them without it")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(arguments)
    charsets, lines = read_lines(options.emissions)
    texts = {line.text for model in lines.values() for line in model}
    kept, removed = training_lines(sorted(options.text.glob("*.txt")), texts)
    print(f"{len(kept):,} lines to train on; {removed} removed, which are among {len(texts)} texts")
    rows = []
    for unit in options.units:
        lm = train_network(kept) if unit == "neural" else train_n_gram(kept, unit)
        rows += [
            measure(lm, unit, name, charsets[name], lines[name])
            for name in options.models or charsets
        ]
    for line in table(rows):
        print(line)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return int(any(row.drop < ASKED for row in best_rows(rows)))


def read_lines(folder: Path) -> tuple[dict[str, list[str]], dict[str, list[Line]]]:
    """Return charsets and lines by OCR model."""
    arrays, meta = load(sorted(folder.glob("emissions_ocr*.npz")))
    lines: dict[str, list[Line]] = {}
    for record in meta["records"]:
        model, _, number = record["key"].rpartition("_")
        if record["key"] in arrays:
            line = Line(int(number), record["text"], arrays[record["key"]])
            lines.setdefault(model, []).append(line)
    return meta["charsets"], lines


def training_lines(paths: Iterable[Path], evaluated: Iterable[str]) -> tuple[list[str], int]:
    """Return the lines of text files but those that are evaluated, and how many these were."""
    unwanted = {normal(text) for text in evaluated}
    lines = [line.strip() for path in paths for line in path.read_text("utf-8").splitlines()]
    lines = [line for line in lines if line]
    kept = [line for line in lines if normal(line) not in unwanted]
    return kept, len(lines) - len(kept)


def normal(text: str) -> str:
    """Return letters and digits in one case: lines that differ in signs alone are the same."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"\w+", text))


def train_n_gram(lines: list[str], unit: str) -> NGram:
    return NGram.train(lines, order=ORDERS[unit], unit=unit)


def train_network(lines: list[str]) -> LanguageModel:
    """Train a recurrent network of characters, in which each line begins anew."""
    random.manual_seed(0)
    order = np.random.default_rng(0).permutation(len(lines))
    train, held = ([lines[i] for i in part] for part in (order[500:], order[:500]))
    vocabulary = Vocabulary.build(train, unit="char", min_count=10, pad=None)
    model = LanguageModel(vocabulary, **NETWORK)
    start = time.perf_counter()
    model.fit(train, valid=held, progress=None, **TRAINING)
    seconds = time.perf_counter() - start
    print(f"network: {model.evaluate(held).nats:.3f} nats a character, {seconds:.0f} s")
    return model


def measure(
    lm: NGram | LanguageModel, unit: str, model: str, charset: list[str], lines: list[Line]
) -> Row:
    """Find weights on the even lines; errors are those on the odd ones."""
    even = [line for line in lines if line.number % 2 == 0]
    odd = [line for line in lines if line.number % 2]
    tuning = tune(
        [line.log_probs for line in even],
        [line.text for line in even],
        BeamSearchDecoder(charset, lm=lm, lm_unit="word" if unit == "word" else "char", **SEARCH),
        lm_weight=LM_WEIGHTS,
        word_score=WORD_SCORES[unit],
        progress=False,
    )
    found = tuning.decoder.decode([line.log_probs for line in odd])
    error = character_error_rate(
        [line.text for line in odd], [hypothesis.text for hypothesis in found]
    )
    greedy = greedy_error(charset, lines), greedy_error(charset, odd)
    weights = tuning.lm_weight, tuning.word_score
    return Row(model, unit, *weights, tuning.error_rate, *greedy, error)


def greedy_error(charset: list[str], lines: list[Line]) -> float:
    read = [ctc.greedy(line.log_probs).tokens for line in lines]
    texts = ["".join(charset[token] for token in tokens) for tokens in read]
    return character_error_rate([line.text for line in lines], texts)


def best_rows(rows: Sequence[Row]) -> list[Row]:
    """Of each OCR model the language model that does best on the even lines."""
    best: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: row.tuned_error):
        best.setdefault(row.model, row)
    return list(best.values())


def table(rows: Sequence[Row]) -> Iterator[str]:
    yield "character errors, %; weights by the even lines, errors of the odd ones"
    heads = f"{'all, greedy':>11} {'greedy':>7} {'with LM':>7} {'lower by':>8}"
    yield f"{'model':10} {'LM of':6} {'weight':>6} {'bonus':>6} {'even':>6} {heads}"
    best = best_rows(rows)
    for row in rows:
        errors = (
            f"{100 * row.greedy_of_all:>11.2f} {100 * row.greedy:>7.2f} {100 * row.error:>7.2f}"
        )
        weights = f"{row.lm_weight:>6.2f} {row.word_score:>6.2f} {100 * row.tuned_error:>6.2f}"
        verdict = "reached" if row.drop >= ASKED else "MISSED"
        chosen = f"  asked {ASKED:.0%}: {verdict}" if row in best else ""
        yield f"{row.model:10} {row.unit:6} {weights} {errors} {row.drop:>8.1%}{chosen}"


if __name__ == "__main__":
    sys.exit(main())
