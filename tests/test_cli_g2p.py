"""Pronunciations at the command line: models trained, evaluated and asked; wrong input told."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import re
import signal

import pytest

import unrolled as ur
from command_line import digest, told, unrolled, wait_for
from g2p_problems import lines, made_words, write_folder
from unrolled.cli import main
from unrolled.data.pronunciations import read_pronunciations, without_stress
from unrolled.models import Seq2Seq, SequenceTranscriber

pytest.importorskip("matplotlib", reason="needs matplotlib (unrolled[plot])")

SEARCH = {"search.json", "symbols.ngram"}
FILES = {
    *("model.safetensors", "training.safetensors", "history.csv", "settings.json"),
    *("report.json", "curves.png"),
}
MODELS = {"attention": 24, "ctc": 16, "tagger": 16}


def arguments(data, out, model, *more):
    return [
        *("train", "g2p", "--data", str(data), "--out", str(out), "--model", model),
        *("--hidden", str(MODELS[model]), "--layers", "1", "--dropout", "0.05", "--valid", "0.1"),
        *(
            "--epochs",
            "20" if model == "attention" else "15",
            "--batch-size",
            "16",
            "--learning-rate",
            "0.01",
            *map(str, more),
        ),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data"), doubles=False)


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """A folder with a trained model of every kind, and what was printed in ``MODEL.txt``."""
    out = tmp_path_factory.mktemp("out")
    for model in MODELS:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert main(arguments(folder, out / model, model)) == 0
        (out / f"{model}.txt").write_text(printed.getvalue(), encoding="utf-8")
    return out


# --- training --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_training_writes_everything(trained, model):
    out = trained / model
    written = {path.name for path in out.iterdir() if path.suffix != ".lock"}
    assert written - {"alignments.safetensors"} == FILES | SEARCH
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    report = json.loads((out / "report.json").read_text())
    assert report["test"]["words"] == 40 and report["validation"]["words"] == 36
    assert report["test"]["word_error_rate"] < 0.3
    assert report["test"]["wrong_words"] == round(40 * report["test"]["word_error_rate"])
    assert report["test_by_its_file_alone"]["wrong_words"] >= report["test"]["wrong_words"]
    assert 0 <= report["lm_weight"] <= 1
    assert report["test_without_the_model_of_symbols"]["word_error_rate"] < 0.3
    assert report["words_left_out_of_training"] == 2 and report["model"] == model
    assert report["parameters"] > 1000 and report["process_cpu_seconds"] > 0
    with open(out / "history.csv", encoding="utf-8") as file:
        rates = [float(row["sequence_error"]) for row in csv.DictReader(file)]
    assert report["epochs"] == len(rates) and report["best_epoch"] == 1 + rates.index(min(rates))
    loaded = ur.load(out)
    assert isinstance(loaded, Seq2Seq if model == "attention" else SequenceTranscriber)


@pytest.mark.parametrize("model", MODELS)
def test_training_says_how_good_it_got(trained, model):
    printed = (trained / f"{model}.txt").read_text(encoding="utf-8")
    assert "324 to train on (324 pronunciations), 36 to stop by" in printed
    assert "40 of made.dev, looked at once, at the end; 2 are in made.train, too" in printed
    assert re.search(r"made.dev, right by either file +\d+ +40 +\d+\.\d\d% +\d+\.\d\d%", printed)
    assert re.search(r"made.dev, right by itself alone +\d+ +40 ", printed)
    assert re.search(r"held out of made.train +\d+ +36 ", printed)
    assert "either file, network alone" in printed
    assert f"unrolled pronounce --model {trained / model} WORD ..." in printed


def test_evaluated_words_are_never_learned(folder, trained, tmp_path):
    """Other pronunciations of the evaluated words, in the training file, change no weight."""
    other = tmp_path / "other"
    other.mkdir()
    test = read_pronunciations(folder / "made.dev")
    more = "".join(f"{word}  S S S\n" for word in test)
    (other / "made.dev").write_text((folder / "made.dev").read_text())
    (other / "made.train").write_text(more + (folder / "made.train").read_text())
    assert main(arguments(other, tmp_path / "out", "ctc")) == 0
    model = tmp_path / "out" / "model.safetensors"
    assert digest(model) == digest(trained / "ctc" / "model.safetensors")


def test_words_are_right_by_any_pronunciation_without_stress(folder, tmp_path, capsys):
    """The evaluated file is all wrong; the training file knows better, with stress."""
    other = tmp_path / "other"
    other.mkdir()
    train, test = (read_pronunciations(folder / f"made.{part}") for part in ("train", "dev"))
    (other / "made.train").write_text(
        lines({word: train[word][0] for word in train if word not in test})
        + "".join(f"{w}  {' '.join(f'{s}1' for s in test[w][0])}\n" for w in test)
    )
    (other / "made.dev").write_text("".join(f"{word}  D D D D D D\n" for word in test))
    assert main(arguments(other, tmp_path / "out", "ctc")) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["test_by_its_file_alone"]["word_error_rate"] == 1
    assert report["test"]["word_error_rate"] < 0.4
    assert without_stress(["AA1"]) == ("AA",)


def test_a_file_alone_is_measured_by_the_words_held_out(tmp_path, capsys):
    file = tmp_path / "words.txt"
    file.write_text(lines(made_words(200)))
    assert main(arguments(file, tmp_path / "out", "ctc", "--epochs", "2")) == 0
    printed = capsys.readouterr().out
    assert "evaluated" not in printed and "held out of words.txt" in printed
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "test" not in report and report["validation"]["words"] == 20


def test_the_seed_decides_the_bits(folder, trained, tmp_path):
    assert main(arguments(folder, tmp_path / "a", "ctc", "--threads", "1")) == 0
    theirs = digest(trained / "ctc" / "model.safetensors")
    assert digest(tmp_path / "a" / "model.safetensors") == theirs
    more = ("--seed", "1", "--epochs", "1", "--lm-order", "0")
    assert main(arguments(folder, tmp_path / "b", "ctc", *more)) == 0
    assert digest(tmp_path / "b" / "model.safetensors") != theirs
    assert not any((tmp_path / "b" / name).exists() for name in SEARCH)


@pytest.mark.parametrize("model", MODELS)
def test_a_model_of_symbols_changes_what_is_said(trained, tmp_path, capsys, model):
    """With all the weight on a model that knows one word, that is said where the beam has it."""
    from unrolled.lm import NGram

    for file in (trained / model).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    pronounce = ["pronounce", "--model", str(tmp_path), "--beams", "100", "--dictionary", "BAD"]
    (tmp_path / "search.json").write_text('{"lm_weight": 0.0}')
    assert main(pronounce) == 0
    assert capsys.readouterr().out == "BAD\tB AA D\n"
    NGram.train([["B", "D"]] * 20, 3, "witten-bell").save(tmp_path / "symbols.ngram")
    (tmp_path / "search.json").write_text('{"lm_weight": 20.0}')
    assert main(pronounce) == 0
    assert capsys.readouterr().out == "BAD\tB D\n"
    (tmp_path / "search.json").write_text("{}")
    message = told(capsys, *pronounce)
    assert "search.json or symbols.ngram is missing or damaged" in message


def test_letters_give_as_many_frames_as_are_needed(tmp_path, capsys):
    file = tmp_path / "words.txt"
    words = {**made_words(60), "W": ["D", "B", "K", "S"] * 3, "BB": ["B", "B", "B", "B"]}
    file.write_text(lines(words))
    assert main(arguments(file, tmp_path / "out", "ctc", "--epochs", "1")) == 0
    captured = capsys.readouterr()
    assert "4 frames a letter" in captured.out
    assert "1 pronunciations need more than 4 frames a letter" in captured.err
    assert main(arguments(file, tmp_path / "b", "tagger", "--epochs", "1", "--repeat", "12")) == 0
    captured = capsys.readouterr()
    assert "12 frames a letter" in captured.out and "need more" not in captured.err


def test_what_the_decoder_is_fed(folder, trained, tmp_path, capsys):
    assert "decoder 24, LSTM" in (trained / "attention.txt").read_text("utf-8")
    assert ur.load(trained / "attention").decoder.feeding == "none"
    for feeding, told_of in (("input", "its output"), ("context", "the context")):
        out = tmp_path / feeding
        more = ("--epochs", "1", "--feeding", feeding)
        assert main(arguments(folder, out, "attention", *more)) == 0
        assert f"decoder 24, fed {told_of}, LSTM" in capsys.readouterr().out
        assert ur.load(out).decoder.feeding == feeding
    message = told(capsys, *arguments(folder, tmp_path / "no", "ctc", "--feeding", "none"))
    assert "--feeding is for --model attention; ctc has no decoder" in message
    assert not (tmp_path / "no").exists()


def test_ctc_beside_attention(folder, trained, tmp_path, capsys):
    assert "attention and CTC, 2 frames a letter" in (trained / "attention.txt").read_text("utf-8")
    assert ur.load(trained / "attention").ctc.frames == 2
    out, without = tmp_path / "out", ("--epochs", "1", "--ctc-weight", "0")
    assert main(arguments(folder, out, "attention", *without)) == 0
    assert "LSTM, attention:" in capsys.readouterr().out
    assert ur.load(out).ctc is None
    message = told(capsys, *arguments(folder, tmp_path / "no", "tagger", "--ctc-weight", "0.3"))
    assert "--ctc-weight is for --model attention; tagger has no decoder" in message


def test_training_goes_on_after_an_interrupt(folder, trained, tmp_path):
    out = tmp_path / "out"
    more = ("--epochs", "300", "--patience", "300")
    process = unrolled(*arguments(folder, out, "ctc", *more))
    wait_for(process, out / "history.csv")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"all is saved in {out}; the same command with --resume goes on" in err
    assert not (out / "report.json").exists()
    with open(out / "history.csv", encoding="utf-8") as file:
        assert len(list(csv.reader(file))) < 300


def test_a_run_is_resumed_with_the_same_settings_alone(folder, trained, tmp_path, capsys):
    out = trained / "ctc"
    message = told(capsys, *arguments(folder, out, "ctc"))
    assert message == (
        f"{out}: holds a model already; go on training it with --resume, or name another folder "
        "with --out"
    )
    message = told(capsys, *arguments(folder, out, "ctc", "--resume", "--seed", "5"))
    assert "was started with --seed 0, now it is 5" in message
    file = tmp_path / "words.txt"
    file.write_text(lines(made_words(50, seed=9)))
    message = told(capsys, *arguments(file, out, "ctc", "--resume"))
    assert "was trained on other words (360 then, 50 now)" in message
    before = digest(out / "model.safetensors")
    assert main(arguments(folder, out, "ctc", "--resume")) == 0
    assert digest(out / "model.safetensors") == before


def test_what_is_wrong_with_the_data_is_told(folder, tmp_path, capsys):
    out = tmp_path / "out"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "has not one file NAME.train but none" in told(capsys, *arguments(empty, out, "ctc"))
    assert "no such file" in told(capsys, *arguments(tmp_path / "none", out, "ctc"))
    file = tmp_path / "words.txt"
    file.write_text("CAT K AE T\nDOG\n")
    assert f"{file}:2: DOG has no symbol" in told(capsys, *arguments(file, out, "ctc"))
    file.write_text("CAT K AE T\n")
    assert "leaves one part empty" in told(capsys, *arguments(file, out, "ctc"))
    test = folder / "made.train"
    message = told(capsys, *arguments(folder, out, "ctc", "--test", test))
    assert "leaves one part empty" in message
    assert not out.exists()


# --- pronouncing -----------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_words_are_pronounced(trained, capsys, model):
    assert main(["pronounce", "--model", str(trained / model), "CAB", "bax"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].split() == ["word", "pronunciation", "probability"]
    assert re.fullmatch(r"CAB +K AA B +\d+\.\d%", rows[2])
    assert re.fullmatch(r"bax +B AA K S +\d+\.\d%", rows[3])


@pytest.mark.parametrize("model", MODELS)
def test_the_likeliest_come_first(trained, capsys, model):
    folder = str(trained / model)
    assert main(["pronounce", "--model", folder, "--top", "3", "--json", "CAB", "CED"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["word"] == "CAB" and first["pronunciations"][0]["symbols"] == ["K", "AA", "B"]
    assert second["pronunciations"][0]["symbols"][0] == "S"
    for entry in (first, second):
        listed = entry["pronunciations"]
        assert len(listed) == 3 and len({tuple(one["symbols"]) for one in listed}) == 3
        scores = [one["score"] for one in listed]
        assert scores == sorted(scores, reverse=True)
        assert 0 < sum(one["probability"] for one in listed) <= 1.00001


def test_probabilities_are_those_of_the_network(trained, capsys):
    folder = trained / "attention"
    assert (folder / "symbols.ngram").exists()  # whose scores are no part of them
    assert main(["pronounce", "--model", str(folder), "--top", "3", "--json", "CAB"]) == 0
    (word,) = json.loads(capsys.readouterr().out)
    network = ur.load(folder / "model.safetensors")
    for one in word["pronunciations"]:
        expected = math.exp(network.score("CAB", one["symbols"]))
        assert one["probability"] == pytest.approx(expected, rel=1e-3, abs=2e-6)


def test_a_dictionary_is_read_again(trained, tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("CAB\n\n bax \n")
    folder = str(trained / "ctc")
    assert main(["pronounce", "--model", folder, "--file", str(words), "--dictionary", "BAD"]) == 0
    printed = capsys.readouterr().out
    assert printed == "BAD\tB AA D\nCAB\tK AA B\nbax\tB AA K S\n"
    words.write_text(printed)
    assert read_pronunciations(words)["bax"] == (("B", "AA", "K", "S"),)


@pytest.mark.parametrize("model", MODELS)
def test_a_picture_shows_what_came_from_which_letter(trained, tmp_path, model):
    picture = tmp_path / "bax.png"
    command = ["pronounce", "--model", str(trained / model), "--picture", str(picture), "bax"]
    assert main(command) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_words_that_cannot_be_pronounced_are_told(trained, tmp_path, capsys):
    pronounce = ("pronounce", "--model", trained / "ctc")
    assert told(capsys, *pronounce, "CAB", "caf\u00e9") == (
        "caf\u00e9: the model has not learned 'f' (U+0066), its letters are ABCDEX; "
        "spell the word with those"
    )
    assert "a word is empty" in told(capsys, *pronounce, "")
    assert "no word; write words after the options" in told(capsys, *pronounce)
    assert "no such file" in told(capsys, *pronounce, "--file", tmp_path / "none.txt")
    assert "--picture shows one word, and there are 2" in told(
        capsys, *pronounce, "A", "B", "--picture", tmp_path / "p.png"
    )


def test_other_models_are_refused(trained, tmp_path, capsys):
    from unrolled.checkpoint import save_model
    from unrolled.models import CRNN

    save_model(CRNN("ab", 16), tmp_path)
    assert told(capsys, "pronounce", "--model", tmp_path, "AB") == (
        f"{tmp_path}: holds a CRNN, not an encoder-decoder of words or a transcriber of words; "
        "name a folder that 'unrolled train g2p' wrote"
    )
