"""The command line: a reader trained, evaluated and used, and every wrong input told in a line."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from command_line import digest, plain_locale, told, unrolled, wait_for
from unrolled.cli import main
from unrolled.cli.errors import CommandError

Image = pytest.importorskip("PIL.Image", reason="needs Pillow (unrolled[images])")

# Five rows of three pixels each, drawn four times as high and eight times as wide.
GLYPHS = {"i": "010010010010010", "o": "111101101101111", "é": "101000111100111", " ": "0" * 15}
HEIGHT = 16


def draw_line(text, rng):
    columns = [np.zeros((5, 1))]
    for character in text:
        columns.append(np.array(list(GLYPHS[character]), float).reshape(5, 3))
        columns.append(np.zeros((5, rng.integers(1, 3))))
    ink = np.pad(np.kron(np.hstack(columns), np.ones((4, 8))), ((6, 6), (4, 4)))
    paper = 235 - 200 * ink + rng.normal(0, 4, ink.shape)
    return np.clip(paper, 0, 255).astype(np.uint8)


def make_lines(folder, count, seed):
    """Write images of several heights and formats, and a labels file with BOM and CRLF."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(count):
        text = "".join(rng.choice(["i", "o", "é"], rng.integers(2, 5)))
        if i % 5 == 0:
            text = f"{text[0]} {text[1:]}"
        image = Image.fromarray(draw_line(text, rng))
        if i % 3 == 1:
            image = image.resize((image.width * 2, image.height * 2))
        name = f"{i:03}.{'jpg' if i % 4 == 0 else 'png'}"
        image.save(folder / name)
        rows.append(f"{name}\t{text}\r\n")
    (folder / "labels.tsv").write_bytes(b"\xef\xbb\xbf" + "".join(rows).encode())
    return folder


def train_arguments(lines, out, *more):
    return [
        *("train", "lines", "--images", str(lines), "--labels", str(lines / "labels.tsv")),
        *("--out", str(out), "--height", str(HEIGHT), "--epochs", "12", "--batch-size", "8"),
        *more,
    ]


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    return make_lines(tmp_path_factory.mktemp("lines") / "train", 80, seed=1)


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    return make_lines(tmp_path_factory.mktemp("unseen") / "test", 30, seed=2)


@pytest.fixture(scope="module")
def trained(lines, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "model"
    assert main(train_arguments(lines, out)) == 0
    return out


# --- the commands ----------------------------------------------------------------------------


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
    ],
)
def test_wrong_arguments_are_one_line(capsys, arguments, message):
    line = told(capsys, *arguments)
    assert message in line and "--help'" in line and "\n" not in line


def test_no_command_shows_the_help(capsys):
    assert main([]) == 2
    assert "read line images" in capsys.readouterr().err


def test_training_says_what_it_read_and_how_good_it_got(lines, tmp_path, capsys):
    labels = (lines / "labels.tsv").read_text("utf-8-sig").splitlines()[:20]
    few = tmp_path / "few.tsv"
    few.write_text("\n".join(labels), "utf-8")
    arguments = train_arguments(lines, tmp_path / "out", "--labels", few, "--epochs", "1")
    assert main([str(a) for a in arguments]) == 0
    captured = capsys.readouterr()
    assert "18 to train on, 2 to validate with" in captured.out
    assert "4: ioé and space" in captured.out
    assert re.search(r"character error +\d+\.\d+%", captured.out)
    assert f"unrolled read --model {tmp_path / 'out'} IMAGE" in captured.out
    assert "60 images" in captured.err and "have no label" in captured.err
    assert (tmp_path / "out" / "history.csv").exists()


def test_the_reader_reads_unseen_lines(trained, unseen, capsys):
    arguments = ["--images", str(unseen), "--labels", str(unseen / "labels.tsv"), "--json"]
    assert main(["evaluate", "--model", str(trained), *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["lines"] == 30 and report["unknown_characters"] == {}
    assert report["character_error_rate"] < 0.1
    assert report["lines_right"] == round(report["line_accuracy"] * 30)


def test_evaluation_as_text(trained, unseen, tmp_path, capsys):
    text = (unseen / "labels.tsv").read_text("utf-8-sig").replace("i", "x")
    labels = tmp_path / "labels.tsv"
    labels.write_text(text, "utf-8")
    arguments = ["--images", str(unseen), "--labels", str(labels)]
    assert main(["evaluate", "--model", str(trained), *arguments]) == 0
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


def truth_of(folder):
    rows = (folder / "labels.tsv").read_text("utf-8-sig").splitlines()
    return dict(row.split("\t") for row in rows)


def test_read_one_image_prints_its_text_alone(trained, lines, capsys):
    assert main(["read", "--model", str(trained), str(lines / "001.png")]) == 0
    assert capsys.readouterr().out == truth_of(lines)["001.png"] + "\n"


def test_read_several_images_in_each_format(trained, lines, capsys):
    names = [str(lines / name) for name in ("002.png", "004.jpg", "001.png")]
    truth = [truth_of(lines)[Path(name).name] for name in names]
    assert main(["read", "--model", str(trained), *names]) == 0
    rows = [row.split("\t") for row in capsys.readouterr().out.splitlines()]
    assert rows == [list(pair) for pair in zip(names, truth, strict=True)]

    assert main(["read", "--model", str(trained), "--format", "json", *names]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert [(e["name"], e["text"]) for e in entries] == list(zip(names, truth, strict=True))
    assert all(0 < e["confidence"] <= 1 and "spans" not in e for e in entries)

    assert main(["read", "--model", str(trained), "--format", "tsv", *names]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out), delimiter="\t"))
    assert [(row["name"], row["text"]) for row in table] == list(zip(names, truth, strict=True))


def test_spans_lie_in_the_image_as_given(trained, lines, capsys):
    names = [str(lines / name) for name in ("001.png", "002.png")]  # the first is twice as large
    assert main(["read", "--model", str(trained), "--format", "json", "--spans", *names]) == 0
    for entry in json.loads(capsys.readouterr().out):
        pixels = np.asarray(Image.open(entry["name"]).convert("L"))
        assert "".join(span["text"] for span in entry["spans"]) == entry["text"]
        starts = [span["start"] for span in entry["spans"]]
        ends = [span["end"] for span in entry["spans"]]
        assert starts == sorted(starts) and starts[0] >= 0 and ends[-1] <= pixels.shape[1]
        assert all(start < end for start, end in zip(starts, ends, strict=True))
        assert ends[-1] > pixels.shape[1] // 2  # not in pixels of the scaled image

    assert main(["read", "--model", str(trained), "--format", "tsv", "--spans", *names]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out), delimiter="\t"))
    assert "".join(row["text"] for row in table if row["name"] == names[0]) == entry_text(names[0])
    assert main(["read", "--model", str(trained), "--spans", names[0]]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == entry_text(names[0]) and len(rest) == len(first)


def entry_text(name):
    return truth_of(Path(name).parent)[Path(name).name]


def test_the_command_in_its_own_process(trained, lines):
    command = ("read", "--model", trained, lines / "001.png")
    with unrolled(*command, env=plain_locale()) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, truth_of(lines)["001.png"] + "\n", "")


def test_output_that_nobody_reads_is_no_error(trained, lines):
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = ("read", "--model", trained, "--threads", "1", lines / "001.png")
    with unrolled(*command, env=env) as process:
        process.stdout.close()
        assert process.stderr.read() == "" and process.wait(timeout=60) == 1


# --- validation data -------------------------------------------------------------------------


def parsed(*arguments):
    from unrolled.cli import build_parser

    return build_parser().parse_args([str(a) for a in arguments])


def parts_of(args):
    from unrolled.cli.line_data import load_parts, read_all_labels

    problems = []
    labels = read_all_labels(args, problems)
    charset = {c for label in (*labels.train, *labels.valid) for c in label.text}
    return load_parts(args, labels, lambda width: width, charset, problems, iter)


def test_a_share_is_held_out(lines, tmp_path):
    args = parsed(*train_arguments(lines, tmp_path / "out", "--valid", "0.25"))
    train, valid = parts_of(args)
    assert (len(train), len(valid)) == (60, 20) and not set(train.names) & set(valid.names)
    assert parts_of(args)[1].names == valid.names
    train, valid = parts_of(parsed(*train_arguments(lines, tmp_path / "out", "--valid", "0")))
    assert (len(train), len(valid)) == (80, 0)


def test_a_folder_with_its_own_labels(lines, unseen, tmp_path):
    args = parsed(*train_arguments(lines, tmp_path / "out", "--valid", unseen))
    assert [len(part) for part in parts_of(args)] == [80, 30]
    other = tmp_path / "other.tsv"
    other.write_text("001.png\tio\n")
    args = parsed(
        *train_arguments(lines, tmp_path / "out", "--valid", unseen, "--valid-labels", other)
    )
    assert parts_of(args)[1].texts == ["io"]


def test_a_folder_that_shares_the_labels_file(lines, tmp_path):
    for part, names in {"a": ("001.png", "002.png"), "b": ("003.png",)}.items():
        (tmp_path / part).mkdir()
        for name in names:
            shutil.copy(lines / name, tmp_path / part)
    labels = tmp_path / "all.tsv"
    labels.write_text("001.png\ti\n003.png\to\n002.png\ti\n")
    arguments = train_arguments(lines, tmp_path / "out", "--valid", tmp_path / "b")
    args = parsed(*arguments, "--images", tmp_path / "a", "--labels", labels)
    assert [part.names for part in parts_of(args)] == [["001.png", "002.png"], ["003.png"]]
    shutil.copy(lines / "001.png", tmp_path / "b")
    with pytest.raises(CommandError, match=r"same names as .*1, first: 001.png.*--valid-labels"):
        parts_of(args)


def test_a_labels_file_of_the_same_folder(lines, tmp_path):
    train, valid = tmp_path / "train.tsv", tmp_path / "valid.tsv"
    train.write_text("001.png\ti\n002.png\to\n")
    valid.write_text("003.png\to\n")
    arguments = train_arguments(lines, tmp_path / "out", "--labels", train, "--valid", valid)
    assert [part.names for part in parts_of(parsed(*arguments))] == [
        ["001.png", "002.png"],
        ["003.png"],
    ]
    valid.write_text("002.png\to\n")
    with pytest.raises(ValueError, match=r"valid.tsv:1: 002.png is also a training line"):
        parts_of(parsed(*arguments))


# --- wrong input -----------------------------------------------------------------------------

WRONG_LABELS = {
    "empty label": ("001.png\ti\n002.png\t\n", r"labels\.tsv:2: empty label for 002\.png"),
    "no tab": ("001.png i\n", r"labels\.tsv:1: no tab; write name<TAB>text"),
    "twice": ("001.png\ti\n001.png\ti\n", r"labels\.tsv:2: 001\.png again"),
    "missing": ("001.png\ti\nnone.png\ti\n", r"labels\.tsv:2: no image .*none\.png; correct"),
    "empty file": ("", r"labels\.tsv: has no line; write one"),
    "too long": ("001.png\t" + "io" * 60 + "\n002.png\ti\n", r"labels\.tsv:1: .*label too long"),
    "latin-1": ("001.png\té\n".encode("latin-1"), r"labels\.tsv:1: not UTF-8 at byte 8"),
    "one line": ("001.png\ti\n", r"labels\.tsv: 1 usable line\(s\) .* --valid 0$"),
}


@pytest.mark.parametrize("case", WRONG_LABELS)
def test_wrong_labels(lines, tmp_path, capsys, case):
    content, message = WRONG_LABELS[case]
    labels = tmp_path / "labels.tsv"
    labels.write_bytes(content if isinstance(content, bytes) else content.encode())
    out = tmp_path / "a" / "out"
    line = told(capsys, *train_arguments(lines, out, "--labels", labels))
    assert re.search(message, line) and "\n" not in line
    assert not out.parent.exists()


def test_wrong_images_are_told_together(lines, tmp_path, capsys):
    images = tmp_path / "images"
    shutil.copytree(lines, images)
    (images / "001.png").write_bytes((images / "001.png").read_bytes()[:70])
    (images / "002.png").write_text("no image")
    (images / "003.png").unlink()
    out = tmp_path / "out"
    line = told(capsys, *train_arguments(images, out))
    first, *rest = line.splitlines()
    assert first.startswith("3 problems") and len(rest) == 3 and not out.exists()
    for row, name in zip(rest, ("001.png", "002.png", "003.png"), strict=True):
        assert re.search(rf"labels\.tsv:\d+: .*{name}.*; ", row)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--images", "none"], "none: no such folder"),
        (["--labels", "none.tsv"], "none.tsv: no such file"),
        (["--valid", "2"], "--valid 2: a fraction lies between 0 and 1"),
        (["--valid", "none"], "--valid none: neither a fraction nor a folder"),
        (["--valid-labels", "x.tsv"], "--valid-labels needs --valid DIR"),
        (["--charset", "none.txt"], "none.txt: no such file"),
        (["--height", "1"], "--height 1: "),
    ],
)
def test_wrong_options_of_training(lines, tmp_path, capsys, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    line = told(capsys, *train_arguments(lines, "out", *options))
    assert message in line and "\n" not in line and not os.listdir(tmp_path)


def test_an_output_that_is_taken_is_left_alone(lines, trained, tmp_path, capsys):
    before = {path.name: digest(path) for path in trained.iterdir()}
    line = told(capsys, *train_arguments(lines, trained))
    assert f"{trained}: holds a model already" in line and "--resume" in line
    assert {path.name: digest(path) for path in trained.iterdir()} == before
    file = tmp_path / "file"
    file.write_text("mine")
    assert f"{file}: is a file" in told(capsys, *train_arguments(lines, file))
    assert f"{file}: is a file" in told(capsys, *train_arguments(lines, file / "model"))
    assert file.read_text() == "mine"


def test_resuming_with_other_settings_or_data_is_refused(lines, unseen, trained, tmp_path, capsys):
    before = digest(trained / "training.safetensors")
    line = told(capsys, *train_arguments(lines, trained, "--resume", "--batch-size", "9"))
    assert "was started with --batch-size 8, now it is 9" in line
    line = told(capsys, *train_arguments(lines, trained, "--resume", "--valid", "0"))
    assert "was started with --valid 0.1, now it is 0" in line
    line = told(capsys, *train_arguments(unseen, trained, "--resume"))
    assert "was trained on other lines (80 then, 30 now)" in line
    changed = tmp_path / "changed"
    shutil.copytree(lines, changed)
    Image.fromarray(np.array(Image.open(lines / "001.png"))[::-1]).save(changed / "001.png")
    line = told(capsys, *train_arguments(changed, trained, "--resume"))
    assert "was trained on other lines (80 then, 80 now)" in line
    assert digest(trained / "training.safetensors") == before


def test_damaged_settings_are_told(lines, trained, tmp_path, capsys):
    copy = tmp_path / "model"
    shutil.copytree(trained, copy)
    for content in ("{", "[]", "{}", '"x"'):
        (copy / "settings.json").write_text(content)
        line = told(capsys, *train_arguments(lines, copy, "--resume"))
        assert "settings.json: damaged; remove the folder" in line and "\n" not in line


def test_characters_outside_a_given_charset_are_told(lines, tmp_path, capsys):
    charset = tmp_path / "charset.txt"
    charset.write_text("i\no\n \n")
    line = told(capsys, *train_arguments(lines, tmp_path / "out", "--charset", charset))
    assert "'é' (U+00E9) not among the characters given" in line
    assert not (tmp_path / "out").exists()


def test_diverging_training_says_what_to_change(lines, tmp_path, capsys):
    arguments = train_arguments(lines, tmp_path / "out", "--learning-rate", "1e30")
    assert main([str(a) for a in arguments]) == 2
    error = capsys.readouterr().err
    assert re.search(r"error: .*step \d+.*; train again with a --learning-rate below 1e\+30", error)
    assert "Traceback" not in error and error.count("\n") == 1


def test_few_lines_get_more_epochs():
    from unrolled.cli.train_lines import _enough_epochs

    assert [_enough_epochs(n, 16) for n in (1, 90, 360, 10_000)] == [300, 167, 44, 30]


def test_damaged_models_are_told(trained, lines, tmp_path, capsys):
    image = lines / "001.png"
    copy = tmp_path / "model"
    shutil.copytree(trained, copy)
    file = copy / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    for content in (bytes(data), bytes(data[: len(data) // 2]), b"", b"no model"):
        file.write_bytes(content)
        line = told(capsys, "read", "--model", copy, image)
        assert "model.safetensors" in line and "\n" not in line and re.search("[;,:(] ", line)
    file.unlink()
    assert str(copy) in told(capsys, "read", "--model", copy, image)
    assert str(tmp_path / "none") in told(capsys, "read", "--model", tmp_path / "none", image)
    (tmp_path / "model.pt").write_bytes(b"PK")
    assert "safetensors" in told(capsys, "read", "--model", tmp_path / "model.pt", image)


def test_a_model_that_reads_no_lines_is_refused(tmp_path, lines, capsys):
    from unrolled import nn

    nn.Linear(2, 3).save(tmp_path / "linear")
    line = told(capsys, "read", "--model", tmp_path / "linear", lines / "001.png")
    assert "holds a Linear, not a line reader; name a folder" in line


def test_unreadable_images_at_reading(trained, lines, tmp_path, capsys):
    bad = tmp_path / "bad.png"
    bad.write_bytes((lines / "001.png").read_bytes()[:70])
    line = told(capsys, "read", "--model", trained, lines / "001.png", bad)
    assert f"{bad}: damaged or cut short" in line and "\n" not in line
    line = told(capsys, "read", "--model", trained, tmp_path / "none.png", lines)
    assert "none.png: no such image" in line and "is a folder" in line
    strip = tmp_path / "strip.png"
    Image.fromarray(np.full((1, 5000), 200, np.uint8)).save(strip)
    assert f"{strip}: image is 5000 x 1" in told(capsys, "read", "--model", trained, strip)


def test_a_tiny_image_is_read(trained, tmp_path, capsys):
    for shape in ((1, 1), (500, 1), (3, 2)):
        path = tmp_path / "tiny.png"
        Image.fromarray(np.full(shape, 128, np.uint8)).save(path)
        assert main(["read", "--model", str(trained), "--spans", str(path)]) == 0
        capsys.readouterr()


def test_debugging_shows_the_traceback(monkeypatch, tmp_path):
    monkeypatch.setenv("UNROLLED_DEBUG", "1")
    with pytest.raises(ValueError, match="none"):
        main(["read", "--model", str(tmp_path / "none"), "a.png"])


# --- interruption ----------------------------------------------------------------------------


def test_killed_and_resumed_training_ends_with_the_same_bits(lines, trained, tmp_path, capsys):
    out = tmp_path / "model"
    with unrolled(*train_arguments(lines, out)) as process:
        wait_for(process, out / "training.safetensors")
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert main(train_arguments(lines, out, "--resume")) == 0
    assert "resuming from" in capsys.readouterr().err
    assert digest(out / "model.safetensors") == digest(trained / "model.safetensors")


def test_ctrl_c_saves_and_says_how_to_go_on(lines, trained, tmp_path):
    out = tmp_path / "model"
    with unrolled(*train_arguments(lines, out)) as process:
        wait_for(process, out / "training.safetensors")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert str(out) in err and "resume" in err
    assert main(train_arguments(lines, out, "--resume")) == 0
    assert digest(out / "model.safetensors") == digest(trained / "model.safetensors")
