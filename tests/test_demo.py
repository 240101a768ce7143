"""The demo, in its short form: what it prints and writes, and how it goes on."""

from __future__ import annotations

import contextlib
import csv
import io
import json

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib (unrolled[demo])")

import unrolled
from unrolled.cli import build_parser, demo, main
from unrolled.data.digits import DigitLines
from unrolled.models import CRNN

ARGUMENTS = ["demo", "--quick", "--no-progress", "--epochs", "2", "--lines", "96"]
FILES = {
    *("model.safetensors", "training.safetensors", "history.csv"),
    *("settings.json", "report.json", "reading.png"),
}
KEYS = {
    *("character_error_rate", "line_accuracy", "train_seconds", "seconds_per_epoch"),
    *("lines_per_second", "parameters", "seed", "epochs", "train_lines", "test_lines", "split"),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "out"
    assert main([*ARGUMENTS, "--seed", "3", "--out", str(out)]) == 0
    return out


def test_it_writes_everything(finished):
    assert {path.name for path in finished.iterdir() if path.suffix != ".lock"} == FILES
    report = json.loads((finished / "report.json").read_text())
    assert report.keys() >= KEYS
    assert 0 <= report["line_accuracy"] <= 1 and report["character_error_rate"] >= 0
    assert report["seed"] == 3 and report["train_lines"] == 192 and report["test_lines"] == 200
    assert report["split"]["train_images"][1] == report["split"]["test_images"][0] == 1347
    assert (finished / "reading.png").read_bytes().startswith(b"\x89PNG")
    with (finished / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert sum(float(row["seconds"]) for row in rows) == pytest.approx(report["train_seconds"])


def test_the_model_is_a_reader_of_digits(finished):
    model = unrolled.load(finished)
    assert isinstance(model, CRNN) and model.charset == "0123456789"
    assert sum(p.data.size for p in model.parameters()) < 300_000
    images, _ = DigitLines.of("test").draw(3)
    assert len(model.read(images)) == 3


def test_it_prints_figures_and_ten_readings(tmp_path, capsys):
    assert main([*ARGUMENTS, "--epochs", "1", "--out", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    printed = "\n".join(lines)
    for figure in ("character error", "whole lines right", "time per epoch", "lines read per sec"):
        assert figure in printed
    _, truths = DigitLines.of("test").draw(50, demo.TEST_SEED)
    first = next(number for number, line in enumerate(lines) if line.startswith(truths[0]))
    assert [line.split()[0] for line in lines[first : first + 10]] == truths[:10]
    assert str(tmp_path / "out" / "reading.png") in printed


def weights(folder):
    return unrolled.load(folder).state_dict()


def same(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_the_seed_decides_the_result_and_a_demo_may_be_repeated(finished, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([*ARGUMENTS, "--seed", "3", "--out", str(out)]) == 0
    assert same(weights(out), weights(finished))
    assert main([*ARGUMENTS, "--seed", "4", "--out", str(out)]) == 0
    assert not same(weights(out), weights(finished))
    assert json.loads((out / "report.json").read_text())["seed"] == 4


def test_stopped_and_resumed_it_gives_the_same_bits(finished, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    arguments = [*ARGUMENTS, "--seed", "3", "--out", str(out)]
    sample, drawn = DigitLines.sample, []

    def stop(self, rng, digits=None):
        drawn.append(digits)
        if len(drawn) == 140:
            raise KeyboardInterrupt
        return sample(self, rng, digits)

    with monkeypatch.context() as patched:
        patched.setattr(DigitLines, "sample", stop)
        assert main(arguments) == 130
    assert not (out / "report.json").exists()
    assert main([*arguments, "--resume"]) == 0
    assert same(weights(out), weights(finished))
    assert len(json.loads((out / "report.json").read_text())) > 5


def test_resuming_with_another_seed_is_refused(finished, capsys):
    assert main([*ARGUMENTS, "--seed", "5", "--resume", "--out", str(finished)]) == 2
    assert "--seed 3, now it is 5" in capsys.readouterr().err


def test_another_model_is_not_written_over(tmp_path, capsys):
    (tmp_path / "model.safetensors").write_bytes(b"precious")
    assert main([*ARGUMENTS, "--out", str(tmp_path)]) == 2
    assert "holds a model already" in capsys.readouterr().err
    assert (tmp_path / "model.safetensors").read_bytes() == b"precious"


def test_without_matplotlib_it_says_so_before_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    assert main([*ARGUMENTS, "--out", str(tmp_path / "out")]) == 2
    assert "pip install 'unrolled[" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# Guessed alignments

VITERBI = [*ARGUMENTS, "--criterion", "viterbi", "--seed", "3"]


@pytest.fixture(scope="module")
def guessed(tmp_path_factory):
    """Return the folder of a demo that guesses, and what it printed."""
    out, printed = tmp_path_factory.mktemp("guessed") / "out", io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main([*VITERBI, "--out", str(out)]) == 0
    return out, printed.getvalue().splitlines()


def test_by_guessing_it_prints_and_draws_its_rounds(guessed):
    out, lines = guessed
    assert any("2 rounds of 96 new lines" in line for line in lines)
    header = next(number for number, line in enumerate(lines) if line.startswith("round "))
    rounds = [line.split() for line in lines[header + 2 : header + 4]]
    assert [row[0] for row in rounds] == ["1", "2"]
    assert all(float(row[1]) <= float(row[2]) < 0 and row[3].endswith("%") for row in rounds)
    files = {path.name for path in out.iterdir() if path.suffix != ".lock"}
    assert files == FILES | {"rounds.png", "alignments.safetensors"}
    report = json.loads((out / "report.json").read_text())
    assert report["criterion"] == "viterbi" and report["train_lines"] == 192
    with (out / "history.csv").open() as file:
        assert [row["round"] for row in csv.DictReader(file)] == ["1", "2"]


def test_guessing_stopped_and_resumed_gives_the_same_bits(guessed, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    sample, drawn = DigitLines.sample, []

    def stop(self, rng, digits=None):
        drawn.append(digits)
        if len(drawn) == 340:  # in the alignment of the second round's lines
            raise KeyboardInterrupt
        return sample(self, rng, digits)

    with monkeypatch.context() as patched:
        patched.setattr(DigitLines, "sample", stop)
        assert main([*VITERBI, "--out", str(out)]) == 130
    assert main([*VITERBI, "--resume", "--out", str(out)]) == 0
    assert same(weights(out), weights(guessed[0]))


def test_resuming_with_another_criterion_is_refused(finished, capsys):
    assert main([*VITERBI, "--resume", "--out", str(finished)]) == 2
    assert "--criterion ctc, now it is viterbi" in capsys.readouterr().err


def test_by_guessing_there_are_more_and_shorter_rounds():
    parser = build_parser()
    settings = [
        demo._settings(parser.parse_args(["demo", "--criterion", criterion]))
        for criterion in ("ctc", "viterbi")
    ]
    assert settings[0]["epochs"] * settings[0]["lines"] == 20_000
    assert settings[1]["epochs"] * settings[1]["lines"] == 20_000
    assert settings[1]["epochs"] == 20
