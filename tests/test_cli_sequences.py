"""Classifiers of sequences at the command line: trained, measured and used; wrong input told."""

from __future__ import annotations

import json
import re
import shutil
import signal

import numpy as np
import pytest

import unrolled as ur
from command_line import digest, told, unrolled, wait_for
from sequence_problems import ramps, tone, ts_text, write_recordings, write_ts, write_wav
from unrolled.cli import main
from unrolled.cli.sequence_parts import numbers, part_recordings
from unrolled.data.audio import LogMel
from unrolled.models import SequenceClassifier

pytest.importorskip("matplotlib", reason="needs matplotlib (unrolled[plot])")

FILES = {
    *("model.safetensors", "training.safetensors", "history.csv", "settings.json"),
    *("report.json", "confusion.png", "curves.png"),
}


def arguments(data, out, *more):
    return [
        *("train", "sequences", "--data", str(data), "--out", str(out), "--hidden", "8"),
        *("--epochs", "8", "--batch-size", "8", *map(str, more)),
    ]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_ts(folder / "Ramps_TEST.ts", count=20, seed=1)
    return write_ts(folder / "Ramps_TRAIN.ts")


@pytest.fixture(scope="module")
def trained(file, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "model"
    assert main(arguments(file, out)) == 0
    return out


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    """Recordings of three speakers, numbered 0 to 3, and a model that knows two of them."""
    pytest.importorskip("soundfile", reason="needs soundfile (unrolled[audio])")
    pytest.importorskip("kaldi_native_fbank", reason="needs kaldi-native-fbank (unrolled[audio])")
    folder = tmp_path_factory.mktemp("tones")
    data = write_recordings(folder / "data", speakers=("ann", "bob", "eve"))
    out = folder / "model"
    more = ("--test-numbers", "3", "--test-speakers", "eve", "--bands", "12", "--valid", "0.2")
    more += ("--epochs", "40")
    assert main(arguments(data, out, *more)) == 0
    return data, out


# --- training --------------------------------------------------------------------------------


def test_training_writes_everything_and_says_how_good_it_got(file, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(arguments(file, out)) == 0
    printed = capsys.readouterr().out
    assert "36 to train on, 4 to validate with" in printed
    assert "20 others, looked at once" in printed and "2: down (18), up (18)" in printed
    assert re.search(r"frames +4 to 9 of 2 feature", printed)
    assert "LSTM, 1 x 8, both ways: 802 parameters" in printed
    assert re.search(r"right +\d+\.\d+% \(\d+ of 20 test sequences\)", printed)
    assert re.search(r"right +\d+\.\d+% \(\d of 4 validation sequences\)", printed)
    assert f"unrolled classify --model {out} FILE" in printed
    assert {path.name for path in out.iterdir() if path.suffix != ".lock"} == FILES
    for name in ("confusion.png", "curves.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    report = json.loads((out / "report.json").read_text())
    assert report["test"]["accuracy"] > 0.8 and report["test"]["sequences"] == 20
    assert np.sum(report["test"]["confusion"]) == 20 and report["validation"]["sequences"] == 4
    assert report["epochs"] == 8 and report["train_sequences"] == 36
    model = ur.load(out)
    assert isinstance(model, SequenceClassifier) and model.classes == ("down", "up")
    assert model.features == 2 and model.audio is None


def test_options_make_the_network_and_the_parts(file, tmp_path, capsys):
    alone = tmp_path / "alone.ts"
    shutil.copy(file, alone)
    more = ("--layers", "2", "--forward", "--steps", "rising", "--valid", "0", "--epochs", "1")
    assert main(arguments(alone, tmp_path / "a", *more)) == 0
    assert "LSTM, 2 x 8, forward" in capsys.readouterr().out
    model = ur.load(tmp_path / "a")
    assert model.step_weights == "rising" and model.layers == 2
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names & FILES == FILES - {"confusion.png"}
    test = file.with_name("Ramps_TEST.ts")
    assert main(arguments(alone, tmp_path / "b", "--test", test, "--epochs", "1")) == 0
    assert "of 20 test sequences" in capsys.readouterr().out


def test_the_seed_decides_the_bits(file, trained, tmp_path):
    assert main(arguments(file, tmp_path / "a", "--threads", "1")) == 0
    assert digest(tmp_path / "a" / "model.safetensors") == digest(trained / "model.safetensors")
    assert main(arguments(file, tmp_path / "b", "--seed", "1")) == 0
    assert digest(tmp_path / "b" / "model.safetensors") != digest(trained / "model.safetensors")


def test_few_sequences_get_more_epochs():
    from unrolled.cli.train_sequences import _enough_epochs

    assert [_enough_epochs(n, 16) for n in (1, 270, 2400, 100_000)] == [200, 118, 20, 20]


def test_missing_values_are_filled_and_said(tmp_path, capsys):
    text = ts_text(*ramps(40)).replace("1", "?,1", 0)
    lines = text.splitlines()
    lines[-1] = re.sub(r"^[^,:]+,", "?,", lines[-1])
    path = tmp_path / "gaps.ts"
    path.write_text("\n".join(lines) + "\n")
    assert main(arguments(path, tmp_path / "out", "--epochs", "1")) == 0
    assert "gaps.ts: 1 missing value(s), filled in" in capsys.readouterr().err


def test_recordings_are_parted_by_number_and_speaker(tones):
    _, out = tones
    report = json.loads((out / "report.json").read_text())
    counts = [report[f"{part}_sequences"] for part in ("train", "valid", "test", "unseen")]
    assert counts == [10, 2, 4, 8]
    assert report["test"]["sequences"] == 4 and report["unseen_speakers"]["sequences"] == 8
    model = ur.load(out)
    assert model.log_mel == LogMel(8000, bands=12) and model.features == 12
    assert model.classes == ("high", "low") and report["test"]["accuracy"] == 1


def test_what_is_tested_is_not_trained_on(tones):
    from unrolled.data.recordings import load_recordings, parse_name

    data, _ = load_recordings(tones[0], bands=4)
    train, test, unseen = part_recordings(data, "x", (1, 2), ["eve"])
    said = [{parse_name(name)[1:] for name in part.names} for part in (train, test, unseen)]
    assert said[0] == {(s, n) for s in ("ann", "bob") for n in (0, 3)}
    assert said[1] == {(s, n) for s in ("ann", "bob") for n in (1, 2)}
    assert said[2] == {("eve", n) for n in range(4)}
    whole = part_recordings(data, "x", None, [])
    assert whole[0] is data and whole[1:] == (None, None)


# --- classifying and evaluating --------------------------------------------------------------


def test_the_sequences_of_a_file_are_classified(trained, file, tmp_path, capsys):
    assert main(["classify", "--model", str(trained), str(file)]) == 0
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["sequence", "label", "confidence"] and len(rows) == 40
    assert rows[0].split()[0] == f"{file}:5"
    assert sum(row.split()[1] == ("down", "up")[i % 2] for i, row in enumerate(rows)) > 35
    text = file.read_text().replace("@classLabel true down up", "@classLabel false")
    bare = tmp_path / "bare.ts"
    bare.write_text(re.sub(r":(down|up)$", "", text, flags=re.M))
    assert main(["classify", "--model", str(trained), "--json", str(bare)]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert [entry["label"] for entry in entries] == [row.split()[1] for row in rows]


def test_recordings_are_classified_and_measured(tones, capsys):
    data, out = tones
    path = data / "low_ann_3.wav"
    assert main(["classify", "--model", str(out), "--top", "2", str(path)]) == 0
    assert re.search(r"low_ann_3\.wav +low +\d+\.\d% +high", capsys.readouterr().out)
    assert main(["classify", "--model", str(out), str(data), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 24
    assert main(["evaluate", "--model", str(out), "--data", str(data)]) == 0
    assert re.search(r"right +\d+\.\d+% \(\d+ of 24 sequences\)", capsys.readouterr().out)


def test_evaluation_finds_what_training_reported(trained, file, tmp_path, capsys):
    test = file.with_name("Ramps_TEST.ts")
    expected = json.loads((trained / "report.json").read_text())["test"]
    assert main(["evaluate", "--model", str(trained), "--data", str(test), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == expected
    turned = tmp_path / "turned.ts"  # the same classes in another order
    turned.write_text(test.read_text().replace("true down up", "true up down"))
    assert main(["evaluate", "--model", str(trained), "--data", str(turned), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == expected


# --- wrong input -----------------------------------------------------------------------------


def test_wrong_data_are_told_before_anything_is_written(file, tmp_path, capsys):
    out = tmp_path / "a" / "out"
    line = told(capsys, *arguments(tmp_path / "none.ts", out))
    assert "none.ts: no such file or folder; name a labelled .ts file" in line
    assert "pip download --no-deps aeon" in line and "Free Spoken Digit Dataset" in line
    other = tmp_path / "other.txt"
    other.write_text("x")
    assert "other.txt: neither of them" in told(capsys, *arguments(other, out))
    bad = tmp_path / "bad.ts"
    bad.write_text(file.read_text() + "1,2:x,3:up\n")
    line = told(capsys, *arguments(bad, out))
    assert line.startswith(f"{bad}:45: dimension 2: value 1 is 'x'")
    line = told(capsys, *arguments(file, out, "--valid", "0.99"))
    assert "class down has 20 sequence(s), too few" in line and "--valid 0" in line
    for more, message in (
        (("--valid", "1.5"), "give 0.1 to hold out a tenth"),
        (("--test-numbers", "1-3"), "are for recordings"),
        (("--test-numbers", "3-1"), "'3-1' is no number or range such as 5-9"),
        (("--test", tmp_path), "is not of the kind of --data"),
        (("--test", tmp_path / "no.ts"), "no.ts: no such file"),
        (("--cell", "gruu"), "gruu"),
    ):
        assert message in told(capsys, *arguments(file, out, *more))
    thin = write_ts(tmp_path / "thin.ts")
    thin.write_text(ts_text(*ramps(6, features=1)))
    assert "has 1 dimension(s), not 2" in told(capsys, *arguments(file, out, "--test", thin))
    strange = tmp_path / "strange.ts"
    strange.write_text(ts_text(*ramps(6), classes=("down", "left")))
    line = told(capsys, *arguments(file, out, "--test", strange))
    assert "has the class left, which the model does not know; it knows down, up" in line
    assert not out.parent.exists()


def test_wrong_parts_of_recordings_are_told(tones, tmp_path, capsys):
    data, _ = tones
    out = tmp_path / "out"
    for more, message in (
        (("--test-numbers", "7-9"), "has no recording numbered 7 to 9"),
        (("--test-speakers", "zoe"), "has no speaker zoe; there are ann, bob, eve"),
        (("--test-numbers", "0-9"), "no recording is left to train on"),
        (("--test", data, "--test-numbers", "1"), "give --test or --test-numbers, not both"),
    ):
        assert message in told(capsys, *arguments(data, out, *more))
    for label, pitch in (("low", 300), ("high", 2000)):
        write_wav(tmp_path / "folders" / label / "x.wav", tone(pitch))
    line = told(capsys, *arguments(tmp_path / "folders", out, "--test-numbers", "1"))
    assert "x.wav: is not named {label}_{speaker}_{number}" in line and not out.exists()
    assert numbers("5-9") == (5, 9) and numbers("4") == (4, 4)


def test_data_of_another_kind_than_the_models_are_refused(trained, tones, file, tmp_path, capsys):
    data, tonal = tones
    wav = data / "low_ann_0.wav"
    assert "trained on .ts files" in told(capsys, "classify", "--model", trained, wav)
    assert "trained on .ts files" in told(capsys, "evaluate", "--model", trained, "--data", data)
    assert "trained on recordings" in told(capsys, "evaluate", "--model", tonal, "--data", file)
    assert "not a recording that can be read" in told(capsys, "classify", "--model", tonal, file)
    line = told(capsys, "classify", "--model", tonal, tmp_path / "a.wav", tmp_path / "b.wav")
    assert "2 problems" in line and "a.wav: no such file" in line
    assert "has no recording" in told(capsys, "classify", "--model", tonal, tmp_path)
    line = told(capsys, "evaluate", "--model", trained, "--images", data, "--labels", "x")
    assert "holds a classifier of sequences, which is measured with --data" in line
    assert "a classifier of sequences" not in told(capsys, "read", "--model", trained, wav)


def test_resuming_with_other_settings_or_data_is_refused(trained, file, tmp_path, capsys):
    before = digest(trained / "training.safetensors")
    for option, value in (("--steps", "rising"), ("--batch-size", 5), ("--layers", 2)):
        line = told(capsys, *arguments(file, trained, "--resume", option, value))
        assert option in line and f"now it is {value}; resume with the same" in line
    line = told(capsys, *arguments(write_ts(tmp_path / "x.ts", seed=5), trained, "--resume"))
    assert "was trained on other sequences (40 then, 40 now); resume with the same data" in line
    assert "holds a model already" in told(capsys, *arguments(file, trained))
    assert digest(trained / "training.safetensors") == before


def test_without_the_libraries_it_says_so_before_training(tones, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    line = told(capsys, *arguments(tones[0], tmp_path / "out"))
    assert "pip install 'unrolled[audio]'" in line and not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_and_resumed_training_ends_with_the_same_bits(file, trained, tmp_path, number):
    out = tmp_path / "model"
    with unrolled(*arguments(file, out)) as process:
        wait_for(process, out / "training.safetensors")
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
    if number == signal.SIGINT and process.returncode != 0:
        assert process.returncode == 130 and "--resume goes on" in error
    assert main(arguments(file, out, "--resume")) == 0
    assert digest(out / "model.safetensors") == digest(trained / "model.safetensors")
