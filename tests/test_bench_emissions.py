"""The check of real emissions accepts what is right, and finds what is not."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from unrolled.reference import align, ctc
from unrolled.reference.decode import prefix_search
from unrolled.reference.softmax import log_softmax

emissions = pytest.importorskip("bench.emissions", reason="needs the source tree")

CHARSET = ["<blank>", "a", "b", "c"]
TOKENS = ["x", "y", "<wb>", "<blank>"]


@pytest.fixture
def folder(tmp_path, rng):
    """Write a line that reads "ab", and a recording of two words with blank 3 and separator 2."""
    line = peaky(rng, [1, 1, 0, 2, 0])
    speech = peaky(rng, [3, 0, 0, 1, 2, 3, 1, 1])
    save(tmp_path / "emissions_ocr.npz", {"model_000": line}, {"charsets": {"model": CHARSET}})
    meta = {"tokens": TOKENS, "blank": 3, "frame_ms": 20}
    save(tmp_path / "emissions_speech.npz", {"one": speech}, meta)
    write(
        tmp_path / "expected_ocr.json",
        expected("model_000", line, [1, 2], 0, text="ab", greedy="ab", beam25=best_texts(line)),
    )
    words = [["xy", 20, 80], ["y", 120, 160]]
    target = [0, 1, 2, 1]
    record = expected("one", speech, target, 3, targets=target, greedy=target, word_times_ms=words)
    write(tmp_path / "expected_speech.json", record)
    return tmp_path


def peaky(rng, path):
    return log_softmax(8 * np.eye(4)[path] + 0.1 * rng.standard_normal((len(path), 4)))


def save(path, arrays, meta):
    np.savez(path, meta_json=np.array(json.dumps(meta)), **arrays)


def write(path, record):
    path.write_text(json.dumps([record]), encoding="utf-8")


def expected(key, log_probs, target, blank, **more):
    loss = ctc.loss_and_grad(log_probs[None], [target], blank=blank, reduction="sum")[0]
    score = align.align(log_probs, target, blank=blank)[1]
    return {"key": key, "text": "", "nll": loss, "viterbi_logp": score, **more}


def best_texts(log_probs):
    found = prefix_search(np.exp(log_probs), 25)[:3]
    return [[math.log(mass), "".join(CHARSET[c] for c in tokens)] for tokens, mass in found]


def test_what_is_right_passes(folder, capsys):
    assert emissions.main(["--data", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "MISSED" not in printed and "speech" in printed and "model" in printed


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("expected_ocr.json", {"nll": 0.5}, "model_000: loss"),
        ("expected_ocr.json", {"viterbi_logp": -9.0}, "model_000: score"),
        ("expected_ocr.json", {"greedy": "aab"}, "model_000: greedy 'ab'"),
        ("expected_ocr.json", {"beam25": [[-9.0, "ab"]]}, "model_000: beam scores differ"),
        ("expected_speech.json", {"word_times_ms": [["xy", 20, 100]]}, "one: word times"),
    ],
)
def test_what_is_not_is_named(folder, file, change, message, capsys):
    (record,) = json.loads((folder / file).read_text(encoding="utf-8"))
    write(folder / file, record | change)
    assert emissions.main(["--data", str(folder)]) == 1
    assert f": {message}" in capsys.readouterr().out


def test_another_text_is_named_where_no_score_is_near(folder, capsys):
    path = folder / "expected_ocr.json"
    (record,) = json.loads(path.read_text(encoding="utf-8"))
    (first, _), *others = record["beam25"]
    write(path, record | {"beam25": [[first, "ba"], *others]})
    assert emissions.main(["--data", str(folder)]) == 1
    assert "model_000: beam 0 'ab', expected 'ba'" in capsys.readouterr().out
    write(path, record | {"beam25": [[first, "ba"], [first, "ab"]]})
    assert "expected 'ba'" not in capsys.readouterr().out


def test_a_folder_without_them_is_skipped(tmp_path, capsys):
    assert emissions.main(["--data", str(tmp_path)]) == 0
    assert "skipped" in capsys.readouterr().out
