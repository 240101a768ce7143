"""``unrolled decode``: one item and many, what it knows of the language, error rates, tuning."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest

from command_line import digest, told, unrolled, wait_for
from spoken import SYMBOLS, emissions, write_item, write_labels
from unrolled.align import forced_align
from unrolled.cli import decode_many, main

TEXTS = {"one": "bad cab", "two": "ace", "three": "dead bed cab"}


@pytest.fixture(autouse=True)
def corpus(tmp_path, monkeypatch):
    """Three items in data/ and all.npz, their texts in all.tsv, labels.txt beside them."""
    monkeypatch.chdir(tmp_path)
    write_labels(tmp_path / "labels.txt")
    for name, text in TEXTS.items():
        write_item(tmp_path / "data", name, text)
    np.savez("all.npz", **{name: emissions(text)[0] for name, text in TEXTS.items()})
    lines = [f"{name}\t{text}\n" for name, text in TEXTS.items()]
    (tmp_path / "all.tsv").write_text("".join(lines))
    return tmp_path


def arguments(*more, emissions="data/one.npy"):
    source = ["--emissions", emissions] if emissions else []
    return ["decode", *source, "--labels", "labels.txt", *map(str, more)]


def many(*more, emissions="all.npz", out="out"):
    return arguments("--out", out, *more, emissions=emissions)


def printed(capsys, *more, **options):
    assert main(arguments(*more, **options)) == 0
    return capsys.readouterr().out


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.relative_to(folder).as_posix(): digest(path) for path in files}


def index(folder):
    rows = [line.split("\t") for line in (folder / "decoded.tsv").read_text().splitlines()]
    assert rows[0] == ["id", "file", "frames", "score", "text", "bytes", "check"]
    return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[1:]}


def write_model(path, words=("bad", "cab", "bed", "dead", "ace"), **_):
    """Write a model of words by which "cab" is much more likely than the others."""
    lines = ["\\data\\", f"ngram 1={len(words) + 3}", "", "\\1-grams:"]
    lines += ["-99\t<s>", "-1\t</s>", "-3\t<unk>"]
    lines += [f"{-0.1 if word == 'cab' else -2.5}\t{word}" for word in words]
    path.write_text("\n".join([*lines, "", "\\end\\", ""]))


def test_the_text_is_printed(capsys):
    assert printed(capsys) == "bad cab\n"
    assert printed(capsys, "--key", "three", emissions="all.npz") == "dead bed cab\n"


def test_several_texts_stand_behind_their_scores(capsys):
    lines = printed(capsys, "--nbest", 3, "--beam-width", 10).splitlines()
    scores = [float(line.split("\t")[0]) for line in lines]
    assert len(lines) == 3 and scores == sorted(scores, reverse=True)
    assert lines[0].split("\t")[1] == "bad cab"


def test_json_has_scores_words_with_times_and_alternatives(capsys):
    given = ("--format", "json", "--frame-rate", 50, "--nbest", 2)
    found = json.loads(printed(capsys, *given))
    assert (found["id"], found["text"], found["lm_score"]) == ("one", "bad cab", 0)
    assert found["score"] == found["acoustic_score"] > found["alternatives"][0]["score"]
    log_probs, words = emissions(TEXTS["one"])
    tokens = [SYMBOLS.index(letter) for letter in "bad cab"]
    aligned = forced_align(log_probs, tokens, labels=SYMBOLS, separator=" ")
    places = [(w["text"], w["start_frame"], w["end_frame"]) for w in found["alignment"]["words"]]
    assert places == [(word.text, word.start, word.end) for word in aligned.words]
    assert [text for text, _, _ in places] == [word for word, _, _ in words]
    assert found["alignment"]["words"][1]["start"] == pytest.approx(places[1][1] * 0.02)
    assert found["alignment"]["frames"] == len(log_probs)


def test_formats_of_times(capsys, corpus):
    shown = printed(capsys, "--format", "srt", "--duration", 1.0)
    assert "-->" in shown and "bad cab" in shown
    table = printed(capsys, "--format", "tsv", "--stride", 4).splitlines()
    assert [line.split("\t")[0] for line in table[1:]] == ["bad", "cab"] or "bad" in table[1]
    assert main(arguments("--frame-rate", 50, "--out", "new/one.vtt")) == 0
    assert (corpus / "new/one.vtt").read_text().startswith("WEBVTT")
    assert "score" in capsys.readouterr().out
    tokens = printed(capsys, "--format", "tsv", "--level", "tokens").splitlines()
    assert len(tokens) == 1 + len("bad cab")


def test_a_language_model_a_lexicon_and_hotwords_change_the_text(capsys, corpus):
    log_probs = emissions("bad")[0].copy()
    probabilities = np.exp(log_probs)
    for t in np.flatnonzero(log_probs.argmax(axis=1) == SYMBOLS.index("b")):
        probabilities[t] = [0.05, 0.05, 0.05, 0.4, 0.35, 0.05, 0.05]  # b, or c
    for t in np.flatnonzero(log_probs.argmax(axis=1) == SYMBOLS.index("d")):
        probabilities[t] = [0.05, 0.05, 0.05, 0.35, 0.05, 0.4, 0.05]  # d, or b
    np.save("unsure.npy", np.log(probabilities))
    (corpus / "words.txt").write_text("cab\nace\n")
    (corpus / "hot.txt").write_text("cab\t8\n")
    write_model(corpus / "words.arpa")
    assert printed(capsys, emissions="unsure.npy") == "bad\n"
    for option in (
        ("--lexicon", "words.txt"),
        ("--hotwords", "hot.txt"),
        ("--lm", "words.arpa", "--lm-weight", 2, "--word-score", 0),
    ):
        assert printed(capsys, *option, emissions="unsure.npy") == "cab\n", option
    found = json.loads(
        printed(capsys, "--hotwords", "hot.txt", "--format", "json", emissions="unsure.npy")
    )
    assert found["hotwords"] == [{"phrase": "cab", "first": 0, "end": 3}]
    assert found["hotword_score"] == 8


def test_no_text_of_the_lexicon_is_left_in_the_beam(capsys, corpus):
    np.save("ee.npy", emissions("ee")[0])
    (corpus / "words.txt").write_text("eeee\n")
    given = ("--lexicon", "words.txt", "--beam-width", 1, "--format", "json")
    assert main(arguments(*given, emissions="ee.npy")) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert (document["text"], document["score"]) == ("", None)
    assert "ee: no text of the lexicon fits; widen --beam-width" in captured.err


def test_references_give_error_rates(capsys, corpus):
    (corpus / "true.txt").write_text("bed cab\n")
    shown = printed(capsys, "--references", "true.txt")
    assert shown.splitlines()[0] == "bad cab"
    assert "character error  14.29% (1 of 7 characters: 1 substituted, 0 deleted" in shown
    assert "word error       50.00% (1 of 2 words" in shown


def test_every_item_of_an_archive_a_folder_or_a_manifest(capsys, corpus):
    (corpus / "list.tsv").write_text("".join(f"data/{name}.npy\n" for name in TEXTS))
    for source, out in (
        (["--emissions", "all.npz"], "archive"),
        (["--emissions", "data"], "folder"),
        (["--manifest", "list.tsv"], "manifest"),
    ):
        assert main(["decode", *source, "--labels", "labels.txt", "--out", out]) == 0
        assert "decoded          3 of 3" in capsys.readouterr().out
        rows = index(corpus / out)
        assert {name: row["text"] for name, row in rows.items()} == TEXTS
        for name, text in TEXTS.items():
            assert (corpus / out / f"{name}.txt").read_text() == text + "\n"
            assert rows[name]["frames"] == str(len(np.load(f"data/{name}.npy")))


def test_items_of_a_batch_are_what_they_are_alone(capsys, corpus):
    given = ("--format", "json", "--nbest", 2)
    assert main(many(*given)) == 0
    capsys.readouterr()
    for name in TEXTS:
        alone = printed(capsys, *given, "--key", name, emissions="all.npz")
        assert (corpus / "out" / f"{name}.json").read_text() == alone


def test_items_of_either_precision_have_their_own_bits(capsys, corpus):
    arrays = dict(np.load("all.npz"))
    noise = np.random.default_rng(1).normal(0, 0.01, arrays["two"].shape)
    wide = np.log(np.exp(arrays["two"] + noise) / np.exp(arrays["two"] + noise).sum(1)[:, None])
    np.savez("all.npz", one=arrays["one"], two=wide.astype(np.float64), three=arrays["three"])
    assert main(many("--format", "json")) == 0
    capsys.readouterr()
    for name in TEXTS:
        alone = printed(capsys, "--format", "json", "--key", name, emissions="all.npz")
        assert (corpus / "out" / f"{name}.json").read_text() == alone


def test_error_rates_of_a_corpus_are_totals(capsys, corpus):
    (corpus / "some.tsv").write_text("one\tbad cab\nthree\tdead bad cab\nother\tx\n")
    assert main(many("--references", "some.tsv")) == 0
    captured = capsys.readouterr()
    assert "character error  5.26% (1 of 19 characters" in captured.out
    assert "word error       20.00% (1 of 5 words" in captured.out
    assert "1 lines of some.tsv name no item, first: other" in captured.err
    assert main(many("--references", "some.tsv")) == 0  # nothing is decoded, yet all compared
    captured = capsys.readouterr()
    assert "done before      1" in captured.out or "done before      3" in captured.out
    assert "(1 of 19 characters" in captured.out


def test_references_in_a_manifest(capsys, corpus):
    lines = [
        {"emissions": "data/one.npy", "text": "bad cab"},
        {"emissions": "data/two.npy", "text": ""},
        {"emissions": "data/three.npy"},
    ]
    (corpus / "all.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    given = ["--manifest", "all.jsonl", "--labels", "labels.txt", "--out", "out"]
    assert main(["decode", *given]) == 0
    assert "(1 of 2 words: 0 substituted, 0 deleted, 1 inserted)" in capsys.readouterr().out


@pytest.fixture
def decoded(monkeypatch):
    """The ids of items that are decoded, in their order."""
    ids = []
    real = decode_many.Decoding.read

    def read(self, entry):
        ids.append(entry.id)
        return real(self, entry)

    monkeypatch.setattr(decode_many.Decoding, "read", read)
    return ids


def test_what_is_done_is_done_again_only_where_something_changed(corpus, decoded):
    def again(*more):
        decoded.clear()
        assert main(many(*more, emissions="data")) == 0
        return sorted(decoded)

    names = sorted(TEXTS)
    assert again() == names and again() == []
    np.save("data/one.npy", np.load("data/one.npy")[:-1])
    assert again() == ["one"]
    (corpus / "out/three.txt").unlink()
    assert again() == ["three"] and again() == []
    assert again("--overwrite") == names
    assert again("--beam-width", 7) == names and again("--beam-width", 7) == []
    (corpus / "hot.txt").write_text("cab\n")
    assert again("--hotwords", "hot.txt") == names and again("--hotwords", "hot.txt") == []
    (corpus / "hot.txt").write_text("cab\t2\n")
    assert again("--hotwords", "hot.txt") == names
    write_model(corpus / "words.arpa")
    assert again("--lm", "words.arpa") == names and again("--lm", "words.arpa") == []
    write_model(corpus / "words.arpa", words=("cab", "bad", "bed", "ace"))
    assert again("--lm", "words.arpa") == names


def test_batches_change_nothing(corpus, monkeypatch):
    assert main(many("--format", "json")) == 0
    whole = contents(corpus / "out")
    for batch, padded in ((1, 1 << 26), (2, 1 << 26), (64, 1)):
        monkeypatch.setattr(decode_many, "_BATCH", batch)
        monkeypatch.setattr(decode_many, "_PADDED", padded)
        out = f"out{batch}{padded}"
        assert main(many("--format", "json", out=out)) == 0
        assert contents(corpus / out) == whole


def test_interrupted_and_resumed_gives_the_same_files(corpus, monkeypatch, capsys):
    monkeypatch.setattr(decode_many, "_BATCH", 1)
    assert main(many(out="whole")) == 0
    real, calls = decode_many.Decoding.read, []

    def read(self, entry):
        calls.append(entry.id)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, entry)

    monkeypatch.setattr(decode_many.Decoding, "read", read)
    assert main(many()) == 130
    assert "unrolled: stopped, 1 of 3 items are in out" in capsys.readouterr().err
    assert main(many()) == 0 and len(calls) == 4
    assert contents(corpus / "out") == contents(corpus / "whole")


def test_killed_and_run_again(corpus):
    for k in range(120):
        write_item(corpus / "data", f"more{k}", "dead bed cab")
    process = unrolled(*many(emissions="data"))
    wait_for(process, corpus / "out/decoded.tsv")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert main(many(emissions="data")) == 0
    assert main(many(emissions="data", out="whole")) == 0
    assert contents(corpus / "out") == contents(corpus / "whole")


def test_tuning_prints_the_errors_of_each_pair_and_the_best(capsys, corpus, tmp_path):
    write_model(corpus / "words.arpa")
    given = ("--lm", "words.arpa", "--references", "all.tsv", "--tune", "wer")
    shown = printed(capsys, *given, emissions="all.npz")
    assert "wer of 3 items" in shown and "0.00%" in shown
    best = shown.splitlines()[-1]
    assert best.startswith("best             --lm-weight ")
    options = best.split()[1:]
    assert printed(capsys, "--lm", "words.arpa", *options) == "bad cab\n"
    pytest.importorskip("matplotlib")
    shown = printed(capsys, *given, "--out", tmp_path / "surface.png", emissions="all.npz")
    assert "picture: " in shown and (tmp_path / "surface.png").stat().st_size > 1000


def test_one_item_can_be_told_from_an_archive(capsys):
    message = told(capsys, *arguments(emissions="all.npz"))
    assert "all.npz: many items; name a folder for their files with --out DIR" in message
