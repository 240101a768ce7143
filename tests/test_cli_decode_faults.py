"""``unrolled decode``: every wrong input is told in a line; of many items the others go on."""

from __future__ import annotations

import numpy as np
import pytest

from command_line import told
from spoken import emissions, write_item, write_labels
from unrolled.cli import main

ARPA = "\\data\\\nngram 1=3\n\n\\1-grams:\n-99\t<s>\n-1\t</s>\n-1\tqqq\n\n\\end\\\n"


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_labels(tmp_path / "labels.txt")
    write_item(tmp_path / "data", "x", "bad cab")
    log_probs = emissions("bad cab")[0]
    np.save("x.npy", log_probs)
    np.save("logits.npy", log_probs + 3)
    np.save("probabilities.npy", np.exp(log_probs))
    np.savez("two.npz", one=log_probs, two=log_probs)
    (tmp_path / "empty").mkdir()
    for name, content in (
        ("five", "<blank>\na\nb\nc\nd"),
        ("noblank", " \na\nb\nc\nd\ne\nf"),
        ("words", "bad q\n"),
        ("hot", "cab\tmany\n"),
        ("twice", "cab\ncab\n"),
        ("qqq", "qqq\n"),
        ("nothing", "\n"),
        ("broken", "\\data\\\nngram 1=oops\n"),
        ("other", ARPA),
    ):
        (tmp_path / f"{name}.txt").write_text(content)
    return tmp_path


def arguments(*more, **replaced):
    options = {"emissions": "x.npy", "labels": "labels.txt"} | replaced
    pairs = [(f"--{name}", value) for name, value in options.items() if value is not None]
    return ["decode", *(part for pair in pairs for part in pair), *map(str, more)]


WRONG = {
    "no emissions": ((), {"emissions": "none.npy"}, "none.npy: no such file; name a .npy"),
    "nothing named": ((), {"emissions": None}, "name the items: --emissions FILE|DIR, or"),
    "two sources": (("--manifest", "m.tsv"), {}, "--manifest names the items and their texts"),
    "no labels": ((), {"labels": None, "blank": "0"}, "name the symbols of the classes"),
    "width": ((), {"labels": "five.txt"}, "x.npy has 7 classes, five.txt 5 symbols"),
    "no blank": ((), {"labels": "noblank.txt"}, "no symbol is called <blank>"),
    "blank none": (("--blank", "none"), {}, "decoding needs the blank"),
    "logits": ((), {"emissions": "logits.npy"}, "give --logits"),
    "probabilities": ((), {"emissions": "probabilities.npy"}, "save their natural logarithms"),
    "folder": ((), {"emissions": "empty"}, "empty: many items; name a folder"),
    "empty folder": (("--out", "out"), {"emissions": "empty"}, "empty: has no .npy"),
    "seconds": (("--format", "srt"), {}, "--format srt needs seconds: give --frame-rate"),
    "level": (("--level", "words"), {}, "--format text holds no levels"),
    "nbest": (("--nbest", "2", "--format", "tsv"), {}, "--format tsv holds one text"),
    "beam": (("--beam-width", "0"), {}, "argument --beam-width: '0' is not a whole number"),
    "threshold": (("--token-min-logp", "1"), {}, "'1' is not a number of at most 0, or -inf"),
    "lm": (("--lm", "none.arpa"), {}, "none.arpa"),
    "broken lm": (("--lm", "broken.txt"), {}, "broken.txt"),
    "strange lm": (
        ("--lm", "other.txt"),
        {},
        "cannot be written with the labels as --lm-unit word, such as 'qqq'",
    ),
    "weight": (("--lm-weight", "2"), {}, "--lm-weight needs --lm FILE"),
    "unit": (("--lm-unit", "char"), {}, "--lm-unit needs --lm FILE"),
    "end": (("--no-lm-eos",), {}, "--no-lm-eos needs --lm FILE"),
    "lexicon": (("--lexicon", "words.txt"), {}, "'q'"),
    "no lexicon": (("--lexicon", "none.txt"), {}, "none.txt"),
    "hotword": (("--hotwords", "hot.txt"), {}, "hot.txt:1: the weight 'many' is not a finite"),
    "hotwords twice": (("--hotwords", "twice.txt"), {}, "'cab' again, first in twice.txt:1"),
    "no hotwords": (("--hotwords", "nothing.txt"), {}, "nothing.txt: has no phrase"),
    "spelling": (("--hotwords", "qqq.txt"), {}, "qqq"),
    "hotword weight": (("--hotword-weight", "2"), {}, "--hotword-weight needs --hotwords"),
    "errors": (("--errors", "e.tsv"), {}, "--errors is for many items"),
    "references": (("--references", "none.txt"), {}, "none.txt: no such file"),
    "tune": (("--tune",), {}, "--tune finds the weights of a language model; name it with --lm"),
    "tune weight": (
        ("--tune", "--lm", "other.txt", "--lm-weight", "1"),
        {},
        "--tune finds --lm-weight; leave it out",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input(capsys, files, case):
    more, replaced, message = WRONG[case]
    before = sorted(path.name for path in files.iterdir())
    line = told(capsys, *arguments(*more, **replaced))
    assert message in line and "\n" not in line
    assert sorted(path.name for path in files.iterdir()) == before


def test_a_model_that_does_not_fit_is_no_fault_of_the_emissions(capsys, files):
    assert told(capsys, *arguments("--lm", "other.txt")).startswith("lm: 1 of 1 units")


def test_tuning_needs_references(capsys, files):
    (files / "ab.arpa").write_text(ARPA.replace("qqq", "bad"))
    line = told(capsys, *arguments("--tune", "--lm", "ab.arpa"))
    assert "--tune needs the true texts: --references FILE, or texts in a manifest" in line


def test_items_that_fail_are_listed_and_the_others_go_on(capsys, files):
    (files / "data" / "broken.npy").write_bytes(b"no array")
    np.save(files / "data" / "wide.npy", np.log(np.full((4, 9), 1 / 9, np.float32)))
    nan = emissions("bad")[0]
    nan[2, 1] = np.nan
    np.save(files / "data" / "nan.npy", nan)
    assert main(arguments("--out", "out", emissions="data")) == 1
    out = capsys.readouterr().out
    assert "decoded          1 of 4" in out and "failed           3, listed in" in out
    rows = [line.split("\t") for line in (files / "out/errors.tsv").read_text().splitlines()]
    assert [row[0] for row in rows] == ["broken", "nan", "wide"]
    assert "cannot be read" in rows[0][1]
    assert "frame 2 holds nan for class 1" in rows[1][1]
    assert "has 9 classes, labels.txt 7 symbols" in rows[2][1]
    (files / "data" / "broken.npy").unlink()
    np.save(files / "data" / "nan.npy", emissions("bad")[0])
    np.save(files / "data" / "wide.npy", emissions("cab")[0])
    assert main(arguments("--out", "out", emissions="data")) == 0
    assert "decoded          2 of 3" in capsys.readouterr().out
    assert not (files / "out/errors.tsv").exists()


def test_what_the_search_refuses_fails_alone(capsys, files):
    """Within what rounding explains the rows are normalised, but no probability is above 1."""
    above = emissions("bad")[0]
    above[3] = np.log([1.02, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9])
    np.save(files / "data" / "above.npy", above)
    line = told(capsys, *arguments(emissions="data/above.npy"))
    assert line.startswith("data/above.npy: ") and "frame 3" in line
    assert main(arguments("--out", "out", emissions="data")) == 1
    assert (files / "out/x.txt").read_text() == "bad cab\n"
    assert (files / "out/errors.tsv").read_text().startswith("above\tdata/above.npy: ")


def test_an_item_without_seconds_fails_alone(capsys, files):
    line = '{{"emissions": "data/x.npy", "id": "{}"{}}}\n'
    lines = line.format("a", ', "duration": 2.0') + line.format("b", "")
    (files / "m.jsonl").write_text(lines)
    given = ["--manifest", "m.jsonl", "--labels", "labels.txt", "--out", "out", "--format", "srt"]
    assert main(["decode", *given]) == 1
    assert "00:00:0" in (files / "out/a.srt").read_text()
    assert (files / "out/errors.tsv").read_text().startswith("b\t--format srt needs seconds")


def test_ids_that_cannot_be_files(capsys, files):
    (files / "m.tsv").write_text("emissions\tid\ndata/x.npy\t../x\n")
    given = ["--manifest", "m.tsv", "--labels", "labels.txt", "--out", "out"]
    assert "the id '../x' does not name a file below" in told(capsys, "decode", *given)
    (files / "m.tsv").write_text("emissions\tid\ndata/x.npy\tdecoded\n")
    line = told(capsys, "decode", *given, "--format", "tsv")
    assert "the id decoded would overwrite out/decoded.tsv; give another" in line
    np.save(files / "data" / "x.copy.npy", emissions("bad")[0])
    np.savez(files / "data" / "x.npz", emissions("bad")[0])
    line = told(capsys, *arguments("--out", "out", emissions="data"))
    assert "would have one name; rename one, or write a manifest" in line
