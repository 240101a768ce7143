"""Classifiers at the command line: trained, measured and used, and every wrong input told."""

from __future__ import annotations

import json
import re
import shutil
import signal

import numpy as np
import pytest

import unrolled as ur
from command_line import digest, told, unrolled, wait_for
from image_problems import bars, write_fashion_mnist
from unrolled.cli import main
from unrolled.cli.errors import CommandError
from unrolled.data import fashion_mnist
from unrolled.models import CNNClassifier

pytest.importorskip("matplotlib", reason="needs matplotlib (unrolled[plot])")
Image = pytest.importorskip("PIL.Image", reason="needs Pillow (unrolled[images])")

FILES = {
    *("model.safetensors", "training.safetensors", "history.csv", "settings.json"),
    *("report.json", "confusion.png", "curves.png"),
}


def make_folders(folder, count=24, seed=0):
    """Write coloured PNG and grey JPEG files of several sizes, a folder a class."""
    images, labels = bars(2 * count, size=(16, 16), seed=seed)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / ("across", "upright")[label] / f"{i:02}.{'jpg' if i % 4 == 0 else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(image[0]).resize((32, 32) if i % 3 == 0 else (16, 16))
        picture.convert("L" if i % 4 == 0 else "RGB").save(path)
    return folder


def image_arguments(data, out, *more):
    return [
        *("train", "images", "--data", str(data), "--out", str(out), "--size", "12", "--grey"),
        *("--no-flip", "--epochs", "8", "--batch-size", "8", "--valid", "0.25"),
        *map(str, more),
    ]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return make_folders(tmp_path_factory.mktemp("data") / "bars")


@pytest.fixture(scope="module")
def trained(folders, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "model"
    assert main(image_arguments(folders, out)) == 0
    return out


@pytest.fixture(scope="module")
def clothes(tmp_path_factory):
    return write_fashion_mnist(tmp_path_factory.mktemp("clothes") / "data")


def clothes_arguments(data, out, *more):
    arguments = ["train", "fashion-mnist", "--data", str(data), "--out", str(out), "--epochs", "2"]
    return [*arguments, *map(str, more)]


@pytest.fixture(scope="module")
def dressed(clothes, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "model"
    assert main(clothes_arguments(clothes, out)) == 0
    return out


# --- training --------------------------------------------------------------------------------


def test_training_on_folders_writes_everything_and_says_how_good_it_got(folders, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(image_arguments(folders, out)) == 0
    printed = capsys.readouterr().out
    assert "36 to train on, 12 to validate with" in printed
    assert "2: across (18), upright (18)" in printed and "12 x 12 pixels, grey" in printed
    assert re.search(r"right +\d+\.\d+% \(\d+ of 12 validation images\)", printed)
    assert f"unrolled classify --model {out} IMAGE" in printed
    assert {path.name for path in out.iterdir() if path.suffix != ".lock"} == FILES
    for name in ("confusion.png", "curves.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    report = json.loads((out / "report.json").read_text())
    assert report["validation"]["accuracy"] > 0.8 and report["validation"]["images"] == 12
    assert np.sum(report["validation"]["confusion"]) == 12
    assert report["epochs"] == 8 and report["train_images"] == 36
    model = ur.load(out)
    assert isinstance(model, CNNClassifier) and model.classes == ("across", "upright")
    assert model.channels == 1 and model.image_size == (12, 12) and not model.dark_ground


def test_training_without_validation_makes_no_confusion_matrix(folders, tmp_path):
    out = tmp_path / "out"
    assert main(image_arguments(folders, out, "--valid", "0", "--epochs", "1")) == 0
    assert {path.name for path in out.iterdir()} & FILES == FILES - {"confusion.png"}
    assert json.loads((out / "report.json").read_text())["validation"] is None


def test_another_folder_validates(folders, tmp_path, capsys):
    other = make_folders(tmp_path / "other", count=5, seed=9)
    arguments = image_arguments(folders, tmp_path / "out", "--valid", other, "--epochs", "1")
    assert main(arguments) == 0
    assert "48 to train on, 10 to validate with" in capsys.readouterr().out
    shutil.move(other / "upright", other / "sideways")
    line = told(capsys, *image_arguments(folders, tmp_path / "more", "--valid", other))
    assert "sideways: no class of the model; it knows across, upright" in line


def test_training_on_fashion_mnist_writes_everything(dressed, capsys):
    assert {path.name for path in dressed.iterdir() if path.suffix != ".lock"} == FILES
    report = json.loads((dressed / "report.json").read_text())
    assert report["test"]["images"] == 20 and report["train_images"] == 30
    assert report["valid_images"] == 30 and 0 <= report["valid_accuracy"] <= 1
    assert list(report["test"]["classes"]) == list(fashion_mnist.CLASSES)
    model = ur.load(dressed)
    assert model.dark_ground and report["parameters"] < 100_000


def test_the_seed_decides_the_bits_of_fashion_mnist(clothes, dressed, tmp_path):
    assert main(clothes_arguments(clothes, tmp_path / "a", "--threads", "1")) == 0
    assert digest(tmp_path / "a" / "model.safetensors") == digest(dressed / "model.safetensors")
    assert main(clothes_arguments(clothes, tmp_path / "b", "--seed", "1")) == 0
    assert digest(tmp_path / "b" / "model.safetensors") != digest(dressed / "model.safetensors")


def test_quick_takes_fewer_images(clothes, tmp_path, monkeypatch, capsys):
    from unrolled.cli import train_fashion_mnist

    monkeypatch.setattr(train_fashion_mnist, "QUICK_IMAGES", 40)
    monkeypatch.setattr(train_fashion_mnist, "QUICK_TEST", 10)
    monkeypatch.setattr(train_fashion_mnist, "QUICK_HELD_OUT", 10)
    assert main(clothes_arguments(clothes, tmp_path / "out", "--quick")) == 0
    printed = capsys.readouterr().out
    assert "30 to train on, 10 to validate with" in printed and "10 others, looked at" in printed


def test_few_images_get_more_epochs():
    from unrolled.cli.train_images import _enough_epochs

    assert [_enough_epochs(n, 32) for n in (1, 96, 960, 100_000)] == [200, 200, 20, 20]


# --- classifying and evaluating --------------------------------------------------------------


def test_files_and_folders_are_classified(trained, folders, capsys):
    files = [str(folders / "across" / "02.png"), str(folders / "upright")]
    assert main(["classify", "--model", str(trained), *files]) == 0
    header, rule, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["image", "label", "confidence"] and set(rule) == {"-", " "}
    assert len(rows) == 25 and rows[0].split()[:2] == [files[0], "across"]
    names = [row.split()[0] for row in rows[1:]]
    assert names == sorted(names) and all(name.startswith(files[1]) for name in names)
    assert sum(row.split()[1] == "upright" for row in rows[1:]) > 20
    assert re.fullmatch(r"\d+\.\d%", rows[0].split()[2])


def test_the_likeliest_classes_and_json(trained, folders, capsys):
    path = str(folders / "across" / "02.png")
    assert main(["classify", "--model", str(trained), "--top", "2", path]) == 0
    assert re.search(r"across +\d+\.\d% +upright \d+\.\d%$", capsys.readouterr().out, re.M)
    assert main(["classify", "--model", str(trained), "--json", path, path]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first == second and first["name"] == path and first["label"] == "across"
    assert 0.5 < first["confidence"] <= 1 and "top" not in first
    assert main(["classify", "--model", str(trained), "--json", "--top", "9", path]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert [top["label"] for top in entry["top"]] == ["across", "upright"]
    assert sum(top["confidence"] for top in entry["top"]) == pytest.approx(1, abs=1e-5)


def test_a_file_gets_the_prediction_of_its_array(trained, folders, capsys):
    path = folders / "upright" / "03.png"
    model = ur.load(trained)
    (prediction,) = model.predict([model.prepare(np.asarray(Image.open(path)))])
    assert main(["classify", "--model", str(trained), "--json", str(path)]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["confidence"] == pytest.approx(prediction.confidence, abs=1e-6)


def test_clothes_on_light_ground_are_taken_as_on_dark(dressed, tmp_path, capsys):
    images, _ = fashion_mnist.load_fashion_mnist("test", write_fashion_mnist(tmp_path / "data"))
    pixels = np.where(images[3] > 100, images[3], 0).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "dark.png")
    Image.fromarray(255 - pixels).save(tmp_path / "light.png")
    Image.fromarray(255 - pixels).convert("RGB").save(tmp_path / "colour.png")
    arguments = [str(tmp_path / f"{name}.png") for name in ("dark", "light", "colour")]
    assert main(["classify", "--model", str(dressed), "--json", *arguments]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert len({(entry["label"], entry["confidence"]) for entry in entries}) == 1


def test_evaluation_on_folders_and_on_fashion_mnist(trained, dressed, folders, clothes, capsys):
    assert main(["evaluate", "--model", str(trained), "--data", str(folders)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"right +\d+\.\d+% \(\d+ of 48 images\)", printed)
    assert re.search(r"^across +24 +\d", printed, re.M)
    assert main(["evaluate", "--model", str(dressed), "--data", str(clothes), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((dressed / "report.json").read_text())["test"]


# --- wrong input -----------------------------------------------------------------------------


def test_wrong_images_are_told_together(trained, folders, tmp_path, capsys):
    bad = tmp_path / "bad.png"
    bad.write_bytes((folders / "across" / "02.png").read_bytes()[:60])
    good = folders / "across" / "02.png"
    line = told(capsys, "classify", "--model", trained, good, bad)
    assert f"{bad}: damaged or cut short" in line and "\n" not in line
    line = told(capsys, "classify", "--model", trained, tmp_path / "a.png", tmp_path / "b.png")
    assert "2 problems" in line and "a.png: no such image" in line and "b.png" in line
    (tmp_path / "empty").mkdir()
    line = told(capsys, "classify", "--model", trained, tmp_path / "empty")
    assert "empty: has no image; name a folder of PNG or JPEG files" in line


def test_other_models_are_refused(trained, folders, tmp_path, capsys):
    from unrolled import nn

    nn.Linear(2, 3).save(tmp_path / "linear")
    image = folders / "across" / "02.png"
    line = told(capsys, "classify", "--model", tmp_path / "linear", image)
    assert "holds a Linear, not a classifier of images or a classifier of sequences; name a" in line
    assert "not a line reader" in told(capsys, "read", "--model", trained, image)
    line = told(capsys, "evaluate", "--model", tmp_path / "linear", "--data", folders)
    assert "not a line reader, a classifier of images or a classifier of seq" in line
    line = told(capsys, "evaluate", "--model", trained, "--images", folders, "--labels", "x")
    assert "holds a classifier of images, which is measured with --data" in line
    line = told(capsys, "evaluate", "--model", trained)
    assert "which is measured with --data" in line
    ur.models.CRNN("ab", 16).save(tmp_path / "reader")
    line = told(capsys, "evaluate", "--model", tmp_path / "reader", "--data", folders)
    assert "holds a line reader, which is measured with --images and --labels" in line


def test_wrong_folders_are_told_before_anything_is_written(folders, tmp_path, capsys):
    out = tmp_path / "a" / "out"
    assert "none: no such folder" in told(capsys, *image_arguments(tmp_path / "none", out))
    assert "single class across" in told(capsys, *image_arguments_of_one(folders, tmp_path, out))
    damaged = tmp_path / "damaged"
    shutil.copytree(folders, damaged)
    (damaged / "across" / "02.png").write_bytes(b"no image")
    line = told(capsys, *image_arguments(damaged, out))
    assert "across/02.png: not an image that can be read" in line and "\n" not in line
    line = told(capsys, *image_arguments(folders, out, "--valid", "0.99"))
    assert "class across has 24 image(s), too few" in line and "--valid 0" in line
    for wrong in ("1.5", "nowhere"):
        assert "give 0.1 to hold out a tenth" in told(
            capsys, *image_arguments(folders, out, "--valid", wrong)
        )
    assert not out.parent.exists()


def image_arguments_of_one(folders, tmp_path, out):
    shutil.copytree(folders / "across", tmp_path / "one" / "across")
    return image_arguments(tmp_path / "one", out)


def test_wrong_fashion_mnist_files_are_told(clothes, tmp_path, capsys):
    out = tmp_path / "out"
    assert "apt install dataset-fashion-mnist" in told(
        capsys, *clothes_arguments(tmp_path / "none", out)
    )
    copy = tmp_path / "copy"
    shutil.copytree(clothes, copy)
    file = copy / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:100])
    line = told(capsys, *clothes_arguments(copy, out))
    assert f"{file}: the gzip file ends too early; download it again" in line
    assert not out.exists()


def test_too_few_images_for_a_split_are_told(tmp_path, capsys):
    folder = write_fashion_mnist(tmp_path / "data", train=10)
    line = told(capsys, *clothes_arguments(folder, tmp_path / "out"))
    assert "the training images cannot be split: class T-shirt/top has 1 image(s)" in line


def test_a_model_is_not_written_over(trained, folders, capsys):
    before = digest(trained / "model.safetensors")
    assert "holds a model already" in told(capsys, *image_arguments(folders, trained))
    assert digest(trained / "model.safetensors") == before


def test_resuming_with_other_settings_or_images_is_refused(trained, folders, tmp_path, capsys):
    before = digest(trained / "training.safetensors")
    line = told(capsys, *image_arguments(folders, trained, "--resume", "--epochs", "9"))
    assert "was started with --epochs 8, now it is 9; resume with the same" in line
    line = told(capsys, *image_arguments(folders, trained, "--resume", "--size", "16"))
    assert "was started with --size 12, now it is 16" in line
    other = make_folders(tmp_path / "other", count=24, seed=3)
    line = told(capsys, *image_arguments(other, trained, "--resume"))
    assert "was trained on other images (48 then, 48 now)" in line
    assert digest(trained / "training.safetensors") == before


def test_diverging_training_says_what_to_change(folders, tmp_path, capsys):
    arguments = image_arguments(folders, tmp_path / "out", "--learning-rate", "1e30")
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert re.search(r"error: .*; train again with a --learning-rate below 1e\+30 and", error)
    assert "Traceback" not in error


def test_a_share_or_a_folder():
    from unrolled.cli.train_images import _as_share

    assert _as_share("0.25") == 0.25 and _as_share("0") == 0 and _as_share(".") is None
    with pytest.raises(CommandError, match="a share lies between 0 and 1"):
        _as_share("nan")


def test_without_matplotlib_it_says_so_before_training(folders, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    line = told(capsys, *image_arguments(folders, tmp_path / "out"))
    assert "pip install 'unrolled[plot]'" in line and not (tmp_path / "out").exists()


# --- interruption ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_and_resumed_training_ends_with_the_same_bits(folders, trained, tmp_path, number):
    out = tmp_path / "model"
    with unrolled(*image_arguments(folders, out)) as process:
        wait_for(process, out / "training.safetensors")
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
    if number == signal.SIGINT and process.returncode != 0:
        assert process.returncode == 130 and "--resume goes on" in error
    assert main(image_arguments(folders, out, "--resume")) == 0
    assert digest(out / "model.safetensors") == digest(trained / "model.safetensors")
    report = json.loads((out / "report.json").read_text())
    assert report["epochs"] == 8
