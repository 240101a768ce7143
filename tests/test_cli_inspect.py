"""``unrolled inspect``: what it prints and writes, and every wrong input told in a line."""

from __future__ import annotations

import json

import numpy as np
import pytest

import unrolled
from command_line import told
from unrolled import dynamics, nn, random
from unrolled.cli import main
from unrolled.models import CRNN


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    random.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "two"
    nn.Sequential(nn.LSTM(3, 4, bidirectional=True)).save(folder)
    return folder


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "reader"
    random.manual_seed(0)
    CRNN("ab", height=8, channels=(2, 4), pools=((2, 2), (2, 1)), hidden=6).save(folder)
    return folder


def inspect(*arguments):
    return main(["inspect", *map(str, arguments)])


def as_json(capsys, *arguments):
    assert inspect(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_random_input_is_said_and_seeded(saved, capsys):
    outputs = []
    for seed in (0, 0, 1):
        assert inspect("--model", saved, "--seed", seed, "--frames", 20) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] != outputs[2]
    assert "random numbers, normal with deviation 1 (seed 0); --data gives real input" in outputs[0]
    assert "0: Dynamics of LSTM, 3 to 4, both directions: 8 sequences of up to 20" in outputs[0]
    for words in ("layer 0 reverse", "spectral radius", "differences of the state halve every"):
        assert words in outputs[0]


def test_the_figures_are_those_of_analyze(saved, tmp_path, capsys, rng):
    x = rng.normal(size=(3, 15, 3))
    layer = dynamics.recurrent_layers(unrolled.load(saved))["0"]
    np.save(tmp_path / "x.npy", x)
    found = as_json(capsys, "--model", saved, "--data", tmp_path / "x.npy", "--fraction", 0.01)
    expected = dynamics.analyze(layer, x, fraction=0.01).as_dict()
    assert found["layers"] == {"0": json.loads(json.dumps(expected))}


def test_lengths_of_an_npz_reach_the_layer(tmp_path, capsys, rng):
    nn.LSTM(3, 4).save(tmp_path / "layer")
    np.savez(tmp_path / "x.npz", x=rng.normal(size=(3, 15, 3)), lengths=[7, 4, 0])
    found = as_json(capsys, "--model", tmp_path / "layer", "--data", tmp_path / "x.npz")
    assert (found["layers"][""]["frames"], found["layers"][""]["sequences"]) == (7, 2)
    fewer = ("--sequences", "1")
    found = as_json(capsys, "--model", tmp_path / "layer", "--data", tmp_path / "x.npz", *fewer)
    assert found["layers"][""]["sequences"] == 1


def test_a_reader_is_inspected_on_an_image(reader, tmp_path, capsys, rng):
    image = pytest.importorskip("PIL.Image")
    picture = rng.integers(0, 255, (8, 40)).astype(np.uint8)
    image.fromarray(picture).save(tmp_path / "line.png")
    found = as_json(capsys, "--model", reader, "--data", tmp_path / "line.png")
    assert found["model"] == "CRNN" and found["layers"]["lstm"]["frames"] == 20


def test_pictures(saved, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    out = tmp_path / "new" / "plots"
    assert inspect("--model", saved, "--frames", 5, "--save-plots", out) == 0
    assert (out / "0.png").read_bytes().startswith(b"\x89PNG")
    assert f"picture: {out / '0.png'}" in capsys.readouterr().out


def test_a_model_without_a_recurrent_layer(tmp_path, capsys):
    nn.Linear(2, 2).save(tmp_path / "linear")
    message = told(capsys, "inspect", "--model", tmp_path / "linear")
    assert "holds a Linear without a recurrent layer (RNN, LSTM or GRU)" in message


def test_wrong_files(saved, tmp_path, capsys):
    def of(name):
        return told(capsys, "inspect", "--model", saved, "--data", tmp_path / name)

    assert of("none.npy").endswith("none.npy: No such file or directory")
    (tmp_path / "x.csv").write_text("1,2")
    assert "must be an .npy file with an array (N, T, D), or an .npz file" in of("x.csv")
    (tmp_path / "broken.npy").write_bytes(b"no array")
    assert "cannot be read as NumPy's .npy" in of("broken.npy")
    (tmp_path / "broken.npz").write_bytes(b"no array")
    assert "cannot be read as NumPy's .npz" in of("broken.npz")
    np.savez(tmp_path / "other.npz", y=np.zeros(3))
    assert of("other.npz").endswith("has no array x, only y")
    np.save(tmp_path / "objects.npy", np.array([None, "x"]), allow_pickle=True)
    assert "cannot be read as NumPy's .npy" in of("objects.npy")
    np.save(tmp_path / "words.npy", np.array([["a"]]))
    assert "x must be numbers (N, T, D), got <U1" in of("words.npy")
    np.save(tmp_path / "wide.npy", np.zeros((2, 5, 9), np.float32))
    assert "wide.npy: " in of("wide.npy")
    np.save(tmp_path / "nan.npy", np.full((2, 5, 3), np.nan, np.float32))
    assert "x is not finite in frame 0 of item 0" in of("nan.npy")


def test_wrong_options(saved, tmp_path, capsys):
    message = told(capsys, "inspect", "--model", saved, "--fraction", "2")
    assert "'2' is not a number between 0 and 1" in message
    message = told(capsys, "inspect", "--model", tmp_path / "none")
    assert "none" in message and "no such" in message.lower()
