"""The command line: a reader trained, evaluated and used."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from command_line import plain_locale, told, unrolled
from line_folders import entry_text, train_arguments, truth_of
from unrolled.cli import main

Image = pytest.importorskip("PIL.Image", reason="needs Pillow (unrolled[images])")


def test_help_and_version(capsys):
    for arguments in (["--help"], ["train", "--help"], ["train", "lines", "--help"]):
        assert main(arguments) == 0
        assert "usage: unrolled" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert re.fullmatch(r"unrolled \d+\.\d+\S*\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threads", "1"], "COMMAND"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        (["train"], "KIND"),
        (["train", "lines", "--images", "x"], "--labels, --out"),
        (["read", "--model", "m"], "IMAGE"),
        (["read", "--model", "m", "--format", "xml", "a.png"], "invalid choice: 'xml'"),
        (["train", "lines", "--height", "0"], "'0' is not a whole number of at least 1"),
        (["train", "lines", "--learning-rate", "nan"], "'nan' is not a number above 0"),
        (["train", "lines", "--seed", "-1"], "'-1' is not a whole number of at least 0"),
        (["read", "--model", "m", "--nbest", "3", "a.png"], "--nbest; see 'unrolled read --help'"),
    ],
)
def test_wrong_arguments_are_one_line(capsys, arguments, message):
    line = told(capsys, *arguments)
    assert message in line and "--help'" in line and "\n" not in line


def test_no_command_shows_the_help(capsys):
    assert main([]) == 2
    assert "read line images" in capsys.readouterr().err


def test_training_says_what_it_read_and_how_good_it_got(line_folder, tmp_path, capsys):
    labels = (line_folder / "labels.tsv").read_text("utf-8-sig").splitlines()[:20]
    few = tmp_path / "few.tsv"
    few.write_text("\n".join(labels), "utf-8")
    arguments = train_arguments(line_folder, tmp_path / "out", "--labels", few, "--epochs", "1")
    assert main([str(a) for a in arguments]) == 0
    captured = capsys.readouterr()
    assert "18 to train on, 2 to validate with" in captured.out
    assert "4: ioé and space" in captured.out
    assert re.search(r"character error +\d+\.\d+%", captured.out)
    assert f"unrolled read --model {tmp_path / 'out'} IMAGE" in captured.out
    assert "60 images" in captured.err and "have no label" in captured.err
    assert (tmp_path / "out" / "history.csv").exists()


def test_the_reader_reads_unseen_lines(trained_reader, unseen_folder, capsys):
    arguments = [
        "--images",
        str(unseen_folder),
        "--labels",
        str(unseen_folder / "labels.tsv"),
        "--json",
    ]
    assert main(["evaluate", "--model", str(trained_reader), *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["lines"] == 30 and report["unknown_characters"] == {}
    assert report["character_error_rate"] < 0.1
    assert report["lines_right"] == round(report["line_accuracy"] * 30)


def test_evaluation_as_text(trained_reader, unseen_folder, tmp_path, capsys):
    text = (unseen_folder / "labels.tsv").read_text("utf-8-sig").replace("i", "x")
    labels = tmp_path / "labels.tsv"
    labels.write_text(text, "utf-8")
    arguments = ["--images", str(unseen_folder), "--labels", str(labels)]
    assert main(["evaluate", "--model", str(trained_reader), *arguments]) == 0
    out = capsys.readouterr().out
    assert re.search(r"character error +\d+\.\d+% \(\d+ of \d+ characters\)", out)
    assert f"'x' (U+0078) x {text.count('x')}" in out
    assert re.search(r"^x +i +\d+$", out, re.M) and "Worst lines" in out


def test_worst_lines_come_first():
    from types import SimpleNamespace

    from unrolled.cli.evaluate_lines import measure
    from unrolled.data.lines import LineSet

    texts = ["abc", "abcd", "ab", "abc"]
    lines = LineSet([], texts, ["0", "1", "2", "3"], [])
    report = measure(SimpleNamespace(charset="abcd"), lines, ["abx", "", "ab", "abx"])
    assert [(row["name"], row["errors"]) for row in report["worst_lines"]] == [
        ("1", 4),
        ("0", 1),
        ("3", 1),
    ]
    assert report["confusions"][0] == {"label": "c", "reading": "x", "count": 2}
    assert report["character_error_rate"] == 6 / 12 and report["lines_right"] == 1


def test_read_one_image_prints_its_text_alone(trained_reader, line_folder, capsys):
    assert main(["read", "--model", str(trained_reader), str(line_folder / "001.png")]) == 0
    assert capsys.readouterr().out == truth_of(line_folder)["001.png"] + "\n"


def test_read_several_images_in_each_format(trained_reader, line_folder, capsys):
    names = [str(line_folder / name) for name in ("002.png", "004.jpg", "001.png")]
    truth = [truth_of(line_folder)[Path(name).name] for name in names]
    assert main(["read", "--model", str(trained_reader), *names]) == 0
    rows = [row.split("\t") for row in capsys.readouterr().out.splitlines()]
    assert rows == [list(pair) for pair in zip(names, truth, strict=True)]

    assert main(["read", "--model", str(trained_reader), "--format", "json", *names]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert [(e["name"], e["text"]) for e in entries] == list(zip(names, truth, strict=True))
    assert all(0 < e["confidence"] <= 1 and "spans" not in e for e in entries)

    assert main(["read", "--model", str(trained_reader), "--format", "tsv", *names]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out), delimiter="\t"))
    assert [(row["name"], row["text"]) for row in table] == list(zip(names, truth, strict=True))


def test_spans_lie_in_the_image_as_given(trained_reader, line_folder, capsys):
    names = [
        str(line_folder / name) for name in ("001.png", "002.png")
    ]  # the first is twice as large
    assert (
        main(["read", "--model", str(trained_reader), "--format", "json", "--spans", *names]) == 0
    )
    for entry in json.loads(capsys.readouterr().out):
        pixels = np.asarray(Image.open(entry["name"]).convert("L"))
        assert "".join(span["text"] for span in entry["spans"]) == entry["text"]
        starts = [span["start"] for span in entry["spans"]]
        ends = [span["end"] for span in entry["spans"]]
        assert starts == sorted(starts) and starts[0] >= 0 and ends[-1] <= pixels.shape[1]
        assert all(start < end for start, end in zip(starts, ends, strict=True))
        assert ends[-1] > pixels.shape[1] // 2  # not in pixels of the scaled image

    assert main(["read", "--model", str(trained_reader), "--format", "tsv", "--spans", *names]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out), delimiter="\t"))
    assert "".join(row["text"] for row in table if row["name"] == names[0]) == entry_text(names[0])
    assert main(["read", "--model", str(trained_reader), "--spans", names[0]]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == entry_text(names[0]) and len(rest) == len(first)


def test_the_command_in_its_own_process(trained_reader, line_folder):
    command = ("read", "--model", trained_reader, line_folder / "001.png")
    with unrolled(*command, env=plain_locale()) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, truth_of(line_folder)["001.png"] + "\n", "")


def test_output_that_nobody_reads_is_no_error(trained_reader, line_folder):
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = ("read", "--model", trained_reader, "--threads", "1", line_folder / "001.png")
    with unrolled(*command, env=env) as process:
        process.stdout.close()
        assert process.stderr.read() == "" and process.wait(timeout=60) == 1


def test_debugging_shows_the_traceback(monkeypatch, tmp_path):
    monkeypatch.setenv("UNROLLED_DEBUG", "1")
    with pytest.raises(ValueError, match="none"):
        main(["read", "--model", str(tmp_path / "none"), "a.png"])
