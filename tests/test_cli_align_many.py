"""``unrolled align`` over many items: manifests, archives, errors, and a run that is cut short."""

from __future__ import annotations

import json
import os
import signal
import time

import numpy as np
import pytest

from command_line import digest, told, unrolled, wait_for
from spoken import emissions, write_item, write_labels
from unrolled.cli import align_item, main
from unrolled.cli.corpus import _Index

TEXTS = {"one": "bad cab", "two": "ace", "three": "dead bed cab"}


@pytest.fixture(autouse=True)
def corpus(tmp_path, monkeypatch):
    """Three items in data/, a manifest beside them, labels.txt in the current folder."""
    monkeypatch.chdir(tmp_path)
    write_labels(tmp_path / "labels.txt")
    lines = []
    for name, text in TEXTS.items():
        write_item(tmp_path / "data", name, text)
        lines.append(f"{name}.npy\t{text}\n")
    (tmp_path / "data" / "all.tsv").write_text("".join(lines))
    return tmp_path


def arguments(*more, manifest="data/all.tsv", out="out"):
    many = ["--manifest", manifest] if manifest else []
    return ["align", *many, "--labels", "labels.txt", "--out", out, *map(str, more)]


def contents(folder):
    """Every file but the lock, with its digest."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.relative_to(folder).as_posix(): digest(path) for path in files}


def index(folder):
    rows = [line.split("\t") for line in (folder / "alignments.tsv").read_text().splitlines()]
    assert rows[0] == ["id", "file", "frames", "tokens", "score", "suspicious", "bytes", "check"]
    return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[1:]}


def single(capsys, name, *more):
    """What the command prints for one of the items by itself."""
    given = ["--emissions", f"data/{name}.npy", "--text", f"data/{name}.txt"]
    assert main(["align", *given, "--labels", "labels.txt", *map(str, more)]) == 0
    return capsys.readouterr().out


def test_every_item_gets_its_file(corpus, capsys):
    assert main(arguments()) == 0
    out = capsys.readouterr().out
    assert (
        "aligned          3 of 3" in out
        and f"index            {os.path.join('out', 'alig')}" in out
    )
    assert set(contents(corpus / "out")) == {"alignments.tsv", *(f"{n}.tsv" for n in TEXTS)}
    for name in TEXTS:
        assert (corpus / "out" / f"{name}.tsv").read_text() == single(capsys, name)
    rows = index(corpus / "out")
    assert list(rows) == list(TEXTS) and rows["two"]["file"] == "two.tsv"
    frames = len(np.load("data/two.npy"))
    assert (rows["two"]["frames"], rows["two"]["tokens"]) == (str(frames), "3")
    assert -0.2 < float(rows["two"]["score"]) < 0


def test_formats_and_ids_with_folders(corpus, capsys):
    rows = [
        {"emissions": f"data/{name}.npy", "text_file": f"data/{name}.txt", "id": f"s1/{name} é"}
        for name in TEXTS
    ]
    (corpus / "all.jsonl").write_text("\n".join(map(json.dumps, rows)))
    options = ("--frame-rate", 50, "--format", "ctm")
    assert main(arguments(*options, manifest="all.jsonl")) == 0
    file = corpus / "out" / "s1" / "two é.ctm"
    assert file.read_text("utf-8").split()[0] == "s1/two_é"
    assert index(corpus / "out")["s1/two é"]["file"] == "s1/two é.ctm"


def test_items_that_fail_are_listed_and_the_others_go_on(corpus, capsys):
    bad, _ = emissions("bad")
    bad[2, 3] = np.nan
    np.save("data/nan.npy", bad)
    with open("data/all.tsv", "a") as file:
        file.write("none.npy\tbad\nnan.npy\tbad\none.npy\t" + "bad " * 40 + "\tlong\n")
        file.write("two.npy\t...\tsilent\nthree.npy\tdead bed cab\tlast\n")
    assert main(arguments()) == 1
    out = capsys.readouterr().out
    assert "aligned          4 of 8" in out and "failed           4, listed in out" in out
    errors = dict(line.split("\t") for line in (corpus / "out/errors.tsv").read_text().splitlines())
    assert list(errors) == ["none", "nan", "long", "silent"]
    assert "No such file" in errors["none"] and "frame 2 holds nan" in errors["nan"]
    assert "frames" in errors["long"] and "nothing in the text can be spelt" in errors["silent"]
    assert list(index(corpus / "out")) == ["one", "two", "three", "last"]


def test_items_that_failed_are_tried_again(corpus, capsys):
    (corpus / "data/two.npy").rename(corpus / "away.npy")
    assert main(arguments("--errors", "list.tsv")) == 1
    assert (corpus / "list.tsv").read_text().startswith("two\t")
    before = contents(corpus / "out")
    (corpus / "away.npy").rename(corpus / "data/two.npy")
    assert main(arguments("--errors", "list.tsv")) == 0
    out = capsys.readouterr().out
    assert "aligned          1 of 3" in out and "done before      2; --overwrite" in out
    assert not (corpus / "list.tsv").exists() and list(index(corpus / "out")) == list(TEXTS)
    after = contents(corpus / "out")
    assert {name: after[name] for name in ("one.tsv", "three.tsv")}.items() <= before.items()
    assert main(arguments(out="fresh")) == 0
    assert contents(corpus / "fresh") == after


@pytest.fixture
def aligned(monkeypatch):
    """The ids of items that are aligned, in their order."""
    ids = []
    real = align_item.align_item

    def align(log_probs, entry, settings):
        ids.append(entry.id)
        return real(log_probs, entry, settings)

    monkeypatch.setattr(align_item, "align_item", align)
    return ids


def again(aligned, *more):
    """The items that the same command aligns once more."""
    aligned.clear()
    assert main(arguments(*more)) == 0
    return list(aligned)


def test_what_is_done_is_done_again_only_where_something_changed(corpus, aligned):
    assert again(aligned) == list(TEXTS) and again(aligned) == []
    text = (corpus / "data/all.tsv").read_text()
    (corpus / "data/all.tsv").write_text(text.replace("ace", "bce"))
    assert again(aligned) == ["two"]
    np.save("data/one.npy", np.load("data/one.npy")[:-1])
    assert again(aligned) == ["one"]
    (corpus / "out/three.tsv").unlink()
    assert again(aligned) == ["three"] and again(aligned) == []
    os.truncate(corpus / "out/three.tsv", 0)  # a power cut
    assert again(aligned) == ["three"] and again(aligned) == []
    assert again(aligned, "--overwrite") == list(TEXTS)
    assert again(aligned, "--frame-rate", "50") == list(TEXTS)
    assert again(aligned, "--frame-rate", "50", "--format", "srt") == list(TEXTS)
    labels = (corpus / "labels.txt").read_text()
    (corpus / "labels.txt").write_text(labels.replace("<blank>", "<blk>"))
    assert again(aligned, "--frame-rate", "50", "--format", "srt") == list(TEXTS)
    (corpus / "data/all.tsv").write_text("one.npy\tbad cab\n")
    assert again(aligned, "--frame-rate", "50", "--format", "srt") == []
    assert list(index(corpus / "out")) == ["one"]


def test_an_item_that_fails_now_is_no_more_in_the_index(corpus):
    assert main(arguments()) == 0
    (corpus / "data/two.npy").write_bytes(b"broken")
    assert main(arguments()) == 1
    assert list(index(corpus / "out")) == ["one", "three"]


def test_a_text_file_that_changes(corpus, aligned):
    (corpus / "data/all.tsv").write_text("emissions\ttext_file\none.npy\tone.txt\n")
    assert again(aligned) == ["one"] and again(aligned) == []
    (corpus / "data/one.txt").write_text("bad dab")
    assert again(aligned) == ["one"]


def test_interrupted_and_resumed_gives_the_same_files(corpus, monkeypatch, capsys):
    assert main(arguments(out="whole")) == 0
    real, calls = align_item.align_item, []

    def align(*given):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(align_item, "align_item", align)
    assert main(arguments()) == 130
    assert (
        "unrolled: stopped, 1 of 3 items are in out; the same command goes on"
        in capsys.readouterr().err
    )
    assert set(contents(corpus / "out")) == {"alignments.tsv", "one.tsv"}
    assert main(arguments()) == 0 and len(calls) == 4
    assert contents(corpus / "out") == contents(corpus / "whole")


def test_an_index_that_a_kill_cut_short(corpus, aligned, monkeypatch):
    assert again(aligned) == list(TEXTS)
    whole = contents(corpus / "out")
    path = corpus / "out/alignments.tsv"
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    for kept, expected in (
        (data[:-3], ["three"]),
        (b"".join(lines[:2]) + lines[2][:5], ["two", "three"]),
        (lines[0][:4], list(TEXTS)),
        (b"", list(TEXTS)),
        (b"other\tcolumns\nx\ty\n", list(TEXTS)),
    ):
        path.write_bytes(kept)
        assert again(aligned) == expected and contents(corpus / "out") == whole
    path.write_bytes(data[:-3])
    monkeypatch.setattr(_Index, "sort", lambda *_: None)  # killed before it is written in order
    assert again(aligned) == ["three"] and contents(corpus / "out") == whole


def test_what_a_killed_writer_left_is_written_over(corpus):
    assert main(arguments(out="whole")) == 0
    (corpus / "out").mkdir()
    (corpus / "out/.one.tsv.tmp-one").write_text("half")
    assert main(arguments()) == 0
    assert contents(corpus / "out") == contents(corpus / "whole")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_killed_at_any_moment_and_run_again(corpus, number):
    names = [f"u{i:03}" for i in range(200)]
    for name in names:
        np.save(f"data/{name}.npy", emissions("bad cab ace")[0])
    (corpus / "data/all.tsv").write_text("".join(f"{n}.npy\tbad cab ace\n" for n in names))
    with unrolled(*arguments()) as process:
        wait_for(process, corpus / "out/u003.tsv")
        time.sleep(0.02)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in err and not (corpus / "out/u199.tsv").exists()
    assert main(arguments()) == 0 and main(arguments(out="whole")) == 0
    assert contents(corpus / "out") == contents(corpus / "whole")


def test_two_runs_at_once_are_refused(corpus, capsys):
    from unrolled._files import claimed

    with claimed(corpus / "out" / ".lock"):
        assert "claimed by process" in told(capsys, *arguments())


def test_a_full_disk_stops_the_run(corpus, monkeypatch, capsys):
    import unrolled._files

    def full(path, data):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(unrolled._files, "replace_file", full)
    assert "one.tsv: No space left on device" in told(capsys, *arguments())
    assert not (corpus / "out/errors.tsv").exists()


def archive(corpus, content):
    np.savez("all.npz", **{name: emissions(text)[0] for name, text in TEXTS.items()}, meta="x")
    (corpus / "all.txt").write_text(content)
    return arguments("--emissions", "all.npz", "--text", "all.txt", manifest=None)


def test_an_archive_and_a_table(corpus, capsys):
    table = "".join(f"{name}\t{text}\n" for name, text in TEXTS.items())
    assert main(archive(corpus, table)) == 0
    capsys.readouterr()
    for name in TEXTS:
        assert (corpus / "out" / f"{name}.tsv").read_text() == single(capsys, name)
    assert main(archive(corpus, "two\tace\nfour\tbad\n")) == 1
    captured = capsys.readouterr()
    assert "2 arrays of all.npz have no line, first: one" in captured.err
    assert "has no array of floats 'four'" in (corpus / "out/errors.tsv").read_text()


def test_an_archive_of_one(corpus, capsys):
    np.savez("one.npz", only=emissions("bad")[0])
    (corpus / "one.txt").write_text("only\tbad\n")
    given = ["--emissions", "one.npz", "--text", "one.txt"]
    assert main(arguments(*given, manifest=None)) == 0
    assert (corpus / "out/only.tsv").read_text().splitlines()[1].split("\t")[2] == "bad"


def test_a_text_for_an_archive_of_several(corpus, capsys):
    message = told(capsys, *archive(corpus, "bad cab\n"))
    assert "all.txt:1: no tab; write name<TAB>text" in message
    assert (
        "all.npz holds 3 arrays; choose one with --key, or give lines of name<TAB>text" in message
    )
    message = told(capsys, *archive(corpus, "../x\tbad\n"))
    assert "the id '../x' does not name a file below" in message
    message = told(capsys, *archive(corpus, "x\tbad\n"), "--tokens", "all.txt")
    assert "give one table, --text or --tokens" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("one.npy\n", "all.tsv:1: 1 column(s); write emissions<TAB>text<TAB>id"),
        ("one.npy\tbad\none.npy\tbad\n", "all.tsv:2: the id one again, first in"),
        ("one.npy\tbad\t../x\n", "the id '../x' does not name a file below the output folder"),
        ("one.npy\tbad\talignments\n", "the id alignments would overwrite"),
        ("one.npy\tbad\terrors\n", "the id errors would overwrite"),
        ("", "all.tsv: has no line; write one for each item"),
    ],
)
def test_wrong_manifests(corpus, capsys, content, message):
    (corpus / "data/all.tsv").write_text(content)
    line = told(capsys, *arguments())
    assert message in line and not (corpus / "out").exists()


def test_wrong_options(corpus, capsys):
    line = told(capsys, *arguments(manifest="none.tsv"))
    assert line == "none.tsv: no such file; check the name"
    line = told(capsys, "align", "--manifest", "data/all.tsv", "--labels", "labels.txt")
    assert line == "data/all.tsv: many items; name a folder for their files with --out DIR"
    line = told(capsys, *arguments(out="data/all.tsv"))
    assert line == "data/all.tsv: is a file; name a folder with --out"
    assert "--format srt needs seconds" in told(capsys, *arguments("--format", "srt"))


def test_durations_in_the_manifest(corpus, capsys):
    frames = len(np.load("data/two.npy"))
    rows = [{"emissions": "two.npy", "text": "ace", "duration": frames * 0.02, "offset": 3}]
    (corpus / "data/all.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(arguments("--format", "srt", manifest="data/all.jsonl")) == 0
    capsys.readouterr()
    expected = single(capsys, "two", "--format", "srt", "--frame-rate", "50", "--offset", 3)
    assert (corpus / "out/two.srt").read_text() == expected


def test_the_folder_may_hold_other_files(corpus):
    (corpus / "out").mkdir()
    (corpus / "out/notes.txt").write_text("mine")
    assert main(arguments()) == 0 and (corpus / "out/notes.txt").read_text() == "mine"
