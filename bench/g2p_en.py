"""g2p-en's own NumPy loop against `Seq2Seq.from_g2p_en`, on one thread: ``python -m bench.g2p_en``.

Its letters to phonemes: the same phonemes, the same logits, and how much faster. The package is
read, not imported, for it needs others that have nothing to do with this:
``pip install --no-deps g2p-en``.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

GOALS = {"batch of 2,000": 8.0, "word by word": 3.0}
COUNT = 2000
METHODS = ("load_variables", "sigmoid", "grucell", "gru", "encode", "predict")


def find() -> Path | None:
    """Return the folder of g2p-en, None where it is not installed."""
    spec = importlib.util.find_spec("g2p_en")
    places = None if spec is None else spec.submodule_search_locations
    folders = [Path(place) for place in places or ()]
    return next((folder for folder in folders if (folder / "checkpoint20.npz").is_file()), None)


def their_loop(folder: Path) -> Any:
    """Return an object whose ``predict(word)`` is g2p-en's, with its weights and symbols."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # escapes that Python has come to frown upon
        tree = ast.parse((folder / "g2p.py").read_text(encoding="utf-8"))
    (theirs,) = [
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "G2p"
    ]
    functions = {node.name: node for node in theirs.body if isinstance(node, ast.FunctionDef)}
    symbols = [
        statement
        for statement in functions["__init__"].body
        if isinstance(statement, ast.Assign) and _assigns_symbols(statement)
    ]
    functions["__init__"].body = [*symbols, *ast.parse("self.load_variables()").body]
    theirs.body = [functions[name] for name in ("__init__", *METHODS)]
    module = ast.fix_missing_locations(ast.Module([theirs], type_ignores=[]))
    names = {"np": np, "os": os, "dirname": str(folder)}
    exec(compile(module, str(folder / "g2p.py"), "exec"), names)
    return names["G2p"]()


def _assigns_symbols(statement: ast.Assign) -> bool:
    wanted = ("graphemes", "phonemes", "g2idx", "idx2g", "p2idx", "idx2p")
    return any(getattr(target, "attr", None) in wanted for target in statement.targets)


def their_logits(theirs: Any, word: str) -> np.ndarray:
    """Return the logits (n, 74) behind each phoneme and the end mark, by their cell."""
    x = theirs.encode(word)
    encoder = (theirs.enc_w_ih, theirs.enc_w_hh, theirs.enc_b_ih, theirs.enc_b_hh)
    h = theirs.gru(x, x.shape[1], *encoder)[:, -1]
    decoder = (theirs.dec_w_ih, theirs.dec_w_hh, theirs.dec_b_ih, theirs.dec_b_hh)
    rows, written = [], 2
    while len(rows) < 20 and written != 3:
        h = theirs.grucell(theirs.dec_emb[[written]], h, *decoder)
        rows.append((h @ theirs.fc_w.T + theirs.fc_b)[0])
        written = int(rows[-1].argmax())
    return np.array(rows)


def our_logits(model: Any, word: str) -> np.ndarray:
    """Return the same by the steps that `generate` takes."""
    step_model = model.step_model([word])
    states, written, rows = step_model.start(), 2, []
    first = np.zeros(1, np.int32)
    while len(rows) < 20 and written != 3:
        states, logits, _ = step_model.step(np.array([written], np.int32), first, states)
        rows.append(logits[0])
        written = int(logits[0].argmax())
    return np.array(rows)


def made_words(count: int, seed: int = 0) -> list[str]:
    """Make words of up to four syllables; one in eight has letters in no order, up to twenty."""
    rng = np.random.default_rng(seed)
    onsets = "b c d f g h j k l m n p qu r s t v w y z br ch cl dr fl gr kn ph pl sc sh st str th"
    rhymes = "a e i o u ai ea ee oo ou an en in on un ar er or al ing ight ough ate ess ock ump"
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz'-é"))

    def word() -> str:
        if rng.random() < 0.125:
            return "".join(rng.choice(letters, rng.integers(1, 21)))
        parts = [
            rng.choice(onsets.split()) + rng.choice(rhymes.split())
            for _ in range(rng.integers(1, 5))
        ]
        return "".join(parts)

    return [word() for _ in range(count)]


def read_words(path: Path, count: int) -> list[str]:
    """Read the first column of a pronunciation dictionary, evenly spread, in lower case."""
    lines = path.read_text(encoding="utf-8").splitlines()
    words = list(dict.fromkeys(line.split()[0].lower() for line in lines if line.strip()))
    return [words[i] for i in np.linspace(0, len(words) - 1, count).astype(int)]


def compare(theirs: Any, model: Any, words: list[str]) -> tuple[int, float]:
    """Count the words with the same phonemes; return that and the largest error of a logit."""
    ours = [generation.tokens for generation in model.generate(words)]
    same = sum(found == theirs.predict(word) for word, found in zip(words, ours, strict=True))
    worst = 0.0
    for word in words[:: max(1, len(words) // 200)]:
        mine, wanted = our_logits(model, word), their_logits(theirs, word)
        worst = max(worst, float(np.abs(mine - wanted).max()) if len(mine) == len(wanted) else 9e9)
    return same, worst


def calls(theirs: Any, model: Any, words: list[str]) -> dict[str, dict[str, Any]]:
    """Return what is timed: for each case, both sides."""
    some = words[:: max(1, len(words) // 100)]
    return {
        "batch of 2,000": {
            "ours": lambda: model.generate(words),
            "g2p-en": lambda: [theirs.predict(word) for word in words],
        },
        "word by word": {
            "ours": lambda: [model.generate([word]) for word in some],
            "g2p-en": lambda: [theirs.predict(word) for word in some],
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.g2p_en", description=__doc__)
    parser.add_argument("--words", type=Path, help="take half of the words from this dictionary")
    parser.add_argument("--rounds", type=int, default=7, help="samples of each side (7)")
    options = parser.parse_args()
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    if not one_thread.items() <= os.environ.items():
        os.environ.update(one_thread)  # read when NumPy is loaded, so from the start
        os.execv(sys.executable, [sys.executable, "-m", "bench.g2p_en", *sys.argv[1:]])
    folder = find()
    if folder is None:
        print("g2p-en is not installed: pip install --no-deps g2p-en", file=sys.stderr)
        return 2

    from bench.side_by_side import alternate
    from unrolled.models import Seq2Seq

    theirs = their_loop(folder)
    model = Seq2Seq.from_g2p_en(folder / "checkpoint20.npz")
    words = made_words(COUNT)
    if options.words:
        words = [*read_words(options.words, COUNT // 2), *words[: COUNT // 2]]
    same, worst = compare(theirs, model, words)
    print(f"the same phonemes: {same} of {len(words)} words; logits differ by up to {worst:.1e}")
    ratios = {}
    for case, sides in calls(theirs, model, words).items():
        found = alternate(sides, rounds=options.rounds, clock=time.thread_time)
        ratios[case] = found["g2p-en"].median / found["ours"].median
        times = ", ".join(f"{name} {1e3 * timing.median:.1f} ms" for name, timing in found.items())
        print(f"{case}: {times}: {ratios[case]:.1f} times (goal {GOALS[case]:g})")
    reached = all(ratios[case] >= goal for case, goal in GOALS.items())
    return int(same < len(words) or worst > 1e-4 or not reached)


if __name__ == "__main__":
    sys.exit(main())
