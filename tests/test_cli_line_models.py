"""Readers at the command line: folders that are taken, damaged models and images, interruption."""

from __future__ import annotations

import re
import shutil
import signal

import numpy as np
import pytest

from command_line import digest, told, unrolled, wait_for
from line_folders import train_arguments
from unrolled.cli import main

Image = pytest.importorskip("PIL.Image", reason="needs Pillow (unrolled[images])")


def test_an_output_that_is_taken_is_left_alone(line_folder, trained_reader, tmp_path, capsys):
    before = {path.name: digest(path) for path in trained_reader.iterdir()}
    line = told(capsys, *train_arguments(line_folder, trained_reader))
    assert f"{trained_reader}: holds a model already" in line and "--resume" in line
    assert {path.name: digest(path) for path in trained_reader.iterdir()} == before
    file = tmp_path / "file"
    file.write_text("mine")
    assert f"{file}: is a file" in told(capsys, *train_arguments(line_folder, file))
    assert f"{file}: is a file" in told(capsys, *train_arguments(line_folder, file / "model"))
    assert file.read_text() == "mine"


def test_resuming_with_other_settings_or_data_is_refused(
    line_folder, unseen_folder, trained_reader, tmp_path, capsys
):
    before = digest(trained_reader / "training.safetensors")
    line = told(
        capsys, *train_arguments(line_folder, trained_reader, "--resume", "--batch-size", "9")
    )
    assert "was started with --batch-size 8, now it is 9" in line
    line = told(capsys, *train_arguments(line_folder, trained_reader, "--resume", "--valid", "0"))
    assert "was started with --valid 0.1, now it is 0" in line
    line = told(capsys, *train_arguments(unseen_folder, trained_reader, "--resume"))
    assert "was trained on other lines (80 then, 30 now)" in line
    changed = tmp_path / "changed"
    shutil.copytree(line_folder, changed)
    Image.fromarray(np.array(Image.open(line_folder / "001.png"))[::-1]).save(changed / "001.png")
    line = told(capsys, *train_arguments(changed, trained_reader, "--resume"))
    assert "was trained on other lines (80 then, 80 now)" in line
    assert digest(trained_reader / "training.safetensors") == before


def test_damaged_settings_are_told(line_folder, trained_reader, tmp_path, capsys):
    copy = tmp_path / "model"
    shutil.copytree(trained_reader, copy)
    for content in ("{", "[]", "{}", '"x"'):
        (copy / "settings.json").write_text(content)
        line = told(capsys, *train_arguments(line_folder, copy, "--resume"))
        assert "settings.json: damaged; remove the folder" in line and "\n" not in line


def test_diverging_training_says_what_to_change(line_folder, tmp_path, capsys):
    arguments = train_arguments(line_folder, tmp_path / "out", "--learning-rate", "1e30")
    assert main([str(a) for a in arguments]) == 2
    error = capsys.readouterr().err
    assert re.search(r"error: .*step \d+.*; train again with a --learning-rate below 1e\+30", error)
    assert "Traceback" not in error and error.count("\n") == 1


def test_damaged_models_are_told(trained_reader, line_folder, tmp_path, capsys):
    image = line_folder / "001.png"
    copy = tmp_path / "model"
    shutil.copytree(trained_reader, copy)
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


def test_a_model_that_reads_no_lines_is_refused(tmp_path, line_folder, capsys):
    from unrolled import nn

    nn.Linear(2, 3).save(tmp_path / "linear")
    line = told(capsys, "read", "--model", tmp_path / "linear", line_folder / "001.png")
    assert "holds a Linear, not a line reader; name a folder" in line


def test_unreadable_images_at_reading(trained_reader, line_folder, tmp_path, capsys):
    bad = tmp_path / "bad.png"
    bad.write_bytes((line_folder / "001.png").read_bytes()[:70])
    line = told(capsys, "read", "--model", trained_reader, line_folder / "001.png", bad)
    assert f"{bad}: damaged or cut short" in line and "\n" not in line
    line = told(capsys, "read", "--model", trained_reader, tmp_path / "none.png", line_folder)
    assert "none.png: no such image" in line and "is a folder" in line
    strip = tmp_path / "strip.png"
    Image.fromarray(np.full((1, 5000), 200, np.uint8)).save(strip)
    assert f"{strip}: image is 5000 x 1" in told(capsys, "read", "--model", trained_reader, strip)


def test_a_tiny_image_is_read(trained_reader, tmp_path, capsys):
    for shape in ((1, 1), (500, 1), (3, 2)):
        path = tmp_path / "tiny.png"
        Image.fromarray(np.full(shape, 128, np.uint8)).save(path)
        assert main(["read", "--model", str(trained_reader), "--spans", str(path)]) == 0
        capsys.readouterr()


def test_killed_and_resumed_training_ends_with_the_same_bits(
    line_folder, trained_reader, tmp_path, capsys
):
    out = tmp_path / "model"
    with unrolled(*train_arguments(line_folder, out)) as process:
        wait_for(process, out / "training.safetensors")
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert main(train_arguments(line_folder, out, "--resume")) == 0
    assert "resuming from" in capsys.readouterr().err
    assert digest(out / "model.safetensors") == digest(trained_reader / "model.safetensors")


def test_ctrl_c_saves_and_says_how_to_go_on(line_folder, trained_reader, tmp_path):
    out = tmp_path / "model"
    with unrolled(*train_arguments(line_folder, out)) as process:
        wait_for(process, out / "training.safetensors")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert str(out) in err and "resume" in err
    assert main(train_arguments(line_folder, out, "--resume")) == 0
    assert digest(out / "model.safetensors") == digest(trained_reader / "model.safetensors")
