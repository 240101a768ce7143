"""``unrolled lm train-neural``, ``score`` and ``generate``: results, resuming, wrong input told."""

import json
import signal

import numpy as np
import pytest

import unrolled as ur
from command_line import digest, told, unrolled, wait_for
from unrolled.cli import main
from unrolled.decode import BeamSearchDecoder

TEXT = "abcd dcba abba cddc\nbaba dada\n" * 40
SMALL = (
    "--layers",
    1,
    "--hidden",
    12,
    "--embedding",
    4,
    "--batch-size",
    4,
    "--frames",
    8,
    "--threads",
    1,
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A text in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path


def done(*arguments):
    assert main(["lm", *map(str, arguments)]) == 0


def printed(capsys, *arguments):
    capsys.readouterr()
    done(*arguments)
    return capsys.readouterr().out


def train(out="model", *options, text="text.txt"):
    done("train-neural", "--text", text, "--out", out, "--epochs", 2, *SMALL, *options)


def refused(capsys, *arguments):
    return told(capsys, "lm", *arguments)


def test_training_writes_model_report_and_curves(capsys, folder):
    train()
    out = capsys.readouterr().out
    files = {path.name for path in (folder / "model").iterdir()}
    wanted = ("model.safetensors", "history.csv", "report.json", "curves.png", "settings.json")
    assert files >= set(wanted)
    report = json.loads((folder / "model" / "report.json").read_text())
    model = ur.load("model").eval()
    test = TEXT[int(len(TEXT) * 0.9) :]
    assert report["test"]["tokens"] == len(test)
    assert report["test"]["nats"] == pytest.approx(model.evaluate(test).nats)
    assert f"{report['test']['nats']:.4f} nats a character" in out
    assert report["parameters"] == sum(p.size for p in model.parameters())
    assert report["seed"] == 0 and report["epochs"] == 2


def test_the_test_part_is_not_trained_on_or_chosen_by(folder):
    """Another end of the text changes what is measured, and no weight."""
    train("one")
    cut = int(len(TEXT) * 0.9)
    (folder / "other.txt").write_text(TEXT[:cut] + "d" * (len(TEXT) - cut - 1) + "\n")
    train("two", text="other.txt")
    one, two = (ur.load(name).state_dict() for name in ("one", "two"))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    reports = [json.loads((folder / name / "report.json").read_text()) for name in ("one", "two")]
    assert reports[0]["test"]["nats"] != reports[1]["test"]["nats"]


@pytest.mark.parametrize(
    "options",
    [
        ("--unit", "word", "--min-count", 2, "--tie"),
        ("--line-by-line",),
        ("--kind", "window", "--window", 3, "--layers", 2),
        ("--kind", "time-delay", "--layers", 2),
        ("--cell", "gru", "--layers", 2),
        ("--test", 0),
        ("--unit", "word", "--sampled", 4),
    ],
)
def test_every_kind_is_trained_scored_and_lets_write(options, capsys):
    train("model", *options)
    assert ("test             the last" in capsys.readouterr().out) == ("--test" not in options)
    rows = json.loads(printed(capsys, "score", "--model", "model", "--format", "json", "text.txt"))
    model = ur.load("model").eval()
    assert len(rows["lines"]) == 80
    line = rows["lines"][0]
    assert line["log_prob"] == pytest.approx(model.score("abcd dcba abba cddc"), abs=1e-6)
    wrote = json.loads(
        printed(capsys, "generate", "--model", "model", "--tokens", 7, "--format", "json")
    )
    assert len(wrote) == 1 and wrote[0]["prompt"] == ""


def test_scores_of_lines_and_of_one_text(capsys):
    train()
    model = ur.load("model").eval()
    out = printed(capsys, "score", "--model", "model", "--total", "text.txt")
    found = model.evaluate(TEXT.splitlines())
    assert f"{found.log_prob:,.4f}" in out and f"{found.perplexity:,.2f}" in out
    out = printed(capsys, "score", "--model", "model", "--as-one-text", "text.txt")
    found = model.evaluate(TEXT)
    assert f"{found.log_prob:,.4f}" in out and f"{found.tokens:,} tokens" in out


def test_unknown_characters_are_counted_apart(capsys, folder):
    train()
    (folder / "other.txt").write_text("abXa\n")
    out = printed(capsys, "score", "--model", "model", "other.txt")
    assert "4 tokens, 1 unknown" in out and "without unknown" in out


def test_generation(capsys):
    train()
    ask = ("generate", "--model", "model", "--prompt", "ab", "--tokens", 12)
    first = printed(capsys, *ask, "--seed", 3)
    assert first.startswith("ab") and len(first) == 2 + 12 + 1
    assert printed(capsys, *ask, "--seed", 3) == first
    assert printed(capsys, *ask, "--seed", 4) != first
    greedy = printed(capsys, *ask, "--greedy")
    assert printed(capsys, *ask, "--temperature", 0) == greedy
    beams = printed(capsys, *ask, "--beams", 3)
    assert beams.startswith("ab")
    many = json.loads(printed(capsys, *ask, "--count", 3, "--prompt", "c", "--format", "json"))
    assert [row["prompt"] for row in many] == ["ab"] * 3 + ["c"] * 3
    lines = printed(capsys, *ask, "--stop-at-line", "--tokens", 500)
    assert len(lines.splitlines()) == 1


def test_resumed_to_the_same_bits(folder):
    """Killed by SIGTERM, then --resume."""
    train("whole", "--epochs", 30)
    arguments = ("lm", "train-neural", "--text", "text.txt", *SMALL, "--epochs", 30)
    process = unrolled(*arguments, "--out", "cut", cwd=folder)
    wait_for(process, folder / "cut" / "history.csv")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    if process.returncode:
        assert "--resume goes on" in errors
    train("cut", "--epochs", 30, "--resume")
    assert digest(folder / "whole/model.safetensors") == digest(folder / "cut/model.safetensors")


def test_what_is_wrong_is_told(capsys, folder):
    need = ("train-neural", "--text", "text.txt", "--out", "model", *SMALL)
    assert "no such file" in refused(capsys, "train-neural", "--text", "no.txt", "--out", "m")
    (folder / "empty.txt").write_text("\n\n")
    message = refused(capsys, "train-neural", "--text", "empty.txt", "--out", "m")
    assert "nothing to learn from" in message
    (folder / "short.txt").write_text("abc\n")
    assert "too little text" in refused(capsys, "train-neural", "--text", "short.txt", "--out", "m")
    message = refused(capsys, *need, "--frames", 5000)
    assert "too few for one batch" in message and "--batch-size" in message
    train("model2")
    capsys.readouterr()
    message = refused(capsys, "train-neural", "--text", "text.txt", "--out", "model2")
    assert "holds a model already" in message
    message = refused(capsys, *need[:-8], "--out", "model2", "--resume", "--epochs", 3, *SMALL)
    assert "was started with --epochs 2, now it is 3" in message


def test_models_of_another_kind_are_refused(capsys):
    done("train", "text.txt", "--unit", "char", "--output", "chars.ngram")
    train()
    capsys.readouterr()
    message = refused(capsys, "score", "--model", "chars.ngram", "--as-one-text", "text.txt")
    assert "is for neural models" in message
    message = refused(capsys, "score", "--model", "model", "--unit", "word", "text.txt")
    assert "is a model of chars" in message
    message = refused(capsys, "generate", "--model", "chars.ngram")
    assert "chars.ngram" in message
    message = refused(capsys, "generate", "--model", "model", "--greedy", "--beams", 2)
    assert "give one of them" in message


def test_a_model_is_described(capsys):
    train()
    out = printed(capsys, "info", "model")
    assert "neural" in out and "GRU, 1 x 12" in out and "before and after a text: \\n, \\n" in out
    entry = json.loads(printed(capsys, "info", "--json", "model"))
    assert (entry["unit"], entry["borders"], entry["hidden"]) == ("char", ["\n", "\n"], 12)


def test_a_model_helps_to_decode(capsys, folder):
    """``unrolled decode --lm`` takes the folder of a neural model."""
    train("model", "--line-by-line")
    labels = ["<blank>", "a", "b", "c", "d", " "]
    (folder / "labels.txt").write_text("\n".join(labels) + "\n")
    frames = np.log(np.full((6, 6), 1 / 6, np.float32))
    np.save("a.npy", frames)
    ask = ("decode", "--emissions", "a.npy", "--labels", "labels.txt")
    capsys.readouterr()
    assert main([*ask, "--lm", "model", "--lm-unit", "char", "--lm-weight", "2"]) == 0
    text = capsys.readouterr().out.rstrip("\n")
    decoder = BeamSearchDecoder(
        ["", *labels[1:]], lm=ur.load("model").eval(), lm_unit="char", lm_weight=2.0
    )
    assert text == decoder.decode(frames).text
