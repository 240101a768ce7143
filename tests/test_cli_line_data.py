"""The data of ``unrolled train lines``: how it is divided, and every wrong input told in a line."""

from __future__ import annotations

import os
import re
import shutil

import pytest

from command_line import told
from line_folders import train_arguments
from unrolled.cli.errors import CommandError


def parsed(*arguments):
    from unrolled.cli import build_parser

    return build_parser().parse_args([str(a) for a in arguments])


def parts_of(args):
    from unrolled.cli.line_data import load_parts, read_all_labels

    problems = []
    labels = read_all_labels(args, problems)
    charset = {c for label in (*labels.train, *labels.valid) for c in label.text}
    return load_parts(args, labels, lambda width: width, charset, problems, iter)


def test_a_share_is_held_out(line_folder, tmp_path):
    args = parsed(*train_arguments(line_folder, tmp_path / "out", "--valid", "0.25"))
    train, valid = parts_of(args)
    assert (len(train), len(valid)) == (60, 20) and not set(train.names) & set(valid.names)
    assert parts_of(args)[1].names == valid.names
    train, valid = parts_of(parsed(*train_arguments(line_folder, tmp_path / "out", "--valid", "0")))
    assert (len(train), len(valid)) == (80, 0)


def test_a_folder_with_its_own_labels(line_folder, unseen_folder, tmp_path):
    args = parsed(*train_arguments(line_folder, tmp_path / "out", "--valid", unseen_folder))
    assert [len(part) for part in parts_of(args)] == [80, 30]
    other = tmp_path / "other.tsv"
    other.write_text("001.png\tio\n")
    args = parsed(
        *train_arguments(
            line_folder, tmp_path / "out", "--valid", unseen_folder, "--valid-labels", other
        )
    )
    assert parts_of(args)[1].texts == ["io"]


def test_a_folder_that_shares_the_labels_file(line_folder, tmp_path):
    for part, names in {"a": ("001.png", "002.png"), "b": ("003.png",)}.items():
        (tmp_path / part).mkdir()
        for name in names:
            shutil.copy(line_folder / name, tmp_path / part)
    labels = tmp_path / "all.tsv"
    labels.write_text("001.png\ti\n003.png\to\n002.png\ti\n")
    arguments = train_arguments(line_folder, tmp_path / "out", "--valid", tmp_path / "b")
    args = parsed(*arguments, "--images", tmp_path / "a", "--labels", labels)
    assert [part.names for part in parts_of(args)] == [["001.png", "002.png"], ["003.png"]]
    shutil.copy(line_folder / "001.png", tmp_path / "b")
    with pytest.raises(CommandError, match=r"same names as .*1, first: 001.png.*--valid-labels"):
        parts_of(args)


def test_a_labels_file_of_the_same_folder(line_folder, tmp_path):
    train, valid = tmp_path / "train.tsv", tmp_path / "valid.tsv"
    train.write_text("001.png\ti\n002.png\to\n")
    valid.write_text("003.png\to\n")
    arguments = train_arguments(line_folder, tmp_path / "out", "--labels", train, "--valid", valid)
    assert [part.names for part in parts_of(parsed(*arguments))] == [
        ["001.png", "002.png"],
        ["003.png"],
    ]
    valid.write_text("002.png\to\n")
    with pytest.raises(ValueError, match=r"valid.tsv:1: 002.png is also a training line"):
        parts_of(parsed(*arguments))


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
def test_wrong_labels(line_folder, tmp_path, capsys, case):
    content, message = WRONG_LABELS[case]
    labels = tmp_path / "labels.tsv"
    labels.write_bytes(content if isinstance(content, bytes) else content.encode())
    out = tmp_path / "a" / "out"
    line = told(capsys, *train_arguments(line_folder, out, "--labels", labels))
    assert re.search(message, line) and "\n" not in line
    assert not out.parent.exists()


def test_wrong_images_are_told_together(line_folder, tmp_path, capsys):
    images = tmp_path / "images"
    shutil.copytree(line_folder, images)
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
def test_wrong_options_of_training(line_folder, tmp_path, capsys, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    line = told(capsys, *train_arguments(line_folder, "out", *options))
    assert message in line and "\n" not in line and not os.listdir(tmp_path)


def test_characters_outside_a_given_charset_are_told(line_folder, tmp_path, capsys):
    charset = tmp_path / "charset.txt"
    charset.write_text("i\no\n \n")
    line = told(capsys, *train_arguments(line_folder, tmp_path / "out", "--charset", charset))
    assert "'é' (U+00E9) not among the characters given" in line
    assert not (tmp_path / "out").exists()


def test_few_lines_get_more_epochs():
    from unrolled.cli.train_lines import _enough_epochs

    assert [_enough_epochs(n, 16) for n in (1, 90, 360, 10_000)] == [300, 167, 44, 30]
