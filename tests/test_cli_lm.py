"""``unrolled lm``: training, scoring, converting and describing models; wrong input told."""

from __future__ import annotations

import gzip
import io
import json
import math
import re
import signal
import subprocess
import sys

import pytest

from command_line import digest, told, unrolled
from lmplz_figures import LOIN, LOIN_TEXT, TEN_TEXT, table
from unrolled.cli import main
from unrolled.lm import NGram


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Texts in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ten.txt").write_text(TEN_TEXT)
    (tmp_path / "loin.txt").write_text(LOIN_TEXT)
    (tmp_path / "other.txt").write_text("the cat saw a dog\n")
    return tmp_path


def done(*arguments):
    assert main(["lm", *map(str, arguments)]) == 0


def printed(capsys, *arguments):
    done(*arguments)
    return capsys.readouterr().out


def refused(capsys, *arguments):
    return told(capsys, "lm", *arguments)


def rows_of(arpa):
    rows = [line.split("\t") for line in arpa.splitlines() if line[:1] in "-0" and "\t" in line]
    return {tuple(r[1].split()): (float(r[0]), float(r[2]) if len(r) > 2 else 0.0) for r in rows}


def test_training_writes_what_lmplz_estimates(capsys, folder):
    done("train", "loin.txt", "--output", "loin.arpa")
    captured = capsys.readouterr()
    assert "5 lines, 17 words" in captured.out
    assert re.search(r"2-grams +13, discounts 0\.5000 1\.0000 1\.5000", captured.out)
    assert re.search(r"loin\.arpa, \d+ bytes", captured.out)
    assert "discounts of 2-grams" in captured.err
    assert "Warning" not in captured.err
    ours = rows_of((folder / "loin.arpa").read_text())
    theirs = table(LOIN)
    assert set(ours) == set(theirs)
    for ngram, figures in theirs.items():
        assert ours[ngram] == pytest.approx(figures, abs=1e-5)


def test_perplexity_of_held_out_text(capsys):
    out = printed(
        capsys,
        *("train", "ten.txt", "-o", "m.ngram", "--smoothing", "witten-bell"),
        *("--held-out", "other.txt", "--prune", "0", "1", "--min-count", "2"),
    )
    said = float(re.search(r"perplexity +([\d.]+) on other\.txt", out).group(1))
    model = NGram.load("m.ngram")
    assert said == pytest.approx(model.perplexity("the cat saw a dog"), abs=0.005)
    assert re.search(r"unknown +0 of 5", out)
    assert re.search(r"2-grams +\d+ of \d+$", out, re.MULTILINE)


def test_standard_input_and_every_format(folder, monkeypatch):
    done("train", "ten.txt", "--output", "a.arpa", "--order", "2")
    with open("ten.txt", "rb") as text:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(text))
        done("train", "--output", "b.arpa.gz", "--order", "2")
    assert gzip.decompress((folder / "b.arpa.gz").read_bytes()) == (folder / "a.arpa").read_bytes()
    done("convert", "b.arpa.gz", "c.ngram")
    done("convert", "c.ngram", "d.lm")
    assert digest(folder / "d.lm") == digest(folder / "a.arpa")
    done("convert", "c.ngram", "e", "--format", "arpa")
    assert digest(folder / "e") == digest(folder / "a.arpa")


def test_several_texts_are_one_after_the_other(folder):
    lines = TEN_TEXT.splitlines(keepends=True)
    (folder / "first.txt").write_bytes(b"\xef\xbb\xbf" + "".join(lines[:4]).encode())
    (folder / "second.txt").write_bytes("".join(lines[4:]).replace("\n", "\r\n").encode())
    done("train", "ten.txt", "--output", "a.arpa")
    done("train", "first.txt", "second.txt", "--output", "b.arpa")
    assert digest(folder / "a.arpa") == digest(folder / "b.arpa")


def test_characters(capsys, folder):
    (folder / "text.txt").write_text("cafe\u0301 noir\n", encoding="utf-8")
    out = printed(capsys, "train", "text.txt", "--unit", "char", "--order", "2", "-o", "m.ngram")
    assert "1 lines, 9 characters" in out
    model = NGram.load("m.ngram")
    assert "\u00e9" in model
    assert "<space>" in model
    assert model.unit == "char"
    (folder / "score.txt").write_text("caf\u00e9 x\n", encoding="utf-8")
    out = printed(capsys, "score", "--model", "m.ngram", "score.txt")
    assert "1, 6 tokens, 1 unknown" in out
    done("convert", "m.ngram", "m.arpa")
    again = printed(capsys, "score", "--model", "m.arpa", "score.txt", "--unit", "char")
    assert again.endswith(out)
    as_words = printed(capsys, "score", "--model", "m.arpa", "score.txt", "--unit", "word")
    assert "1, 2 tokens, 2 unknown" in as_words


def test_a_vocabulary_by_number_or_file(folder):
    (folder / "words.txt").write_text("the\ncat\n\nzebra\n")
    done("train", "ten.txt", "-o", "a.ngram", "--vocabulary", "3")
    assert len(NGram.load("a.ngram").vocabulary) == 6
    done("train", "ten.txt", "-o", "b.ngram", "--vocabulary", "words.txt")
    assert {"zebra", "cat"} < set(NGram.load("b.ngram").vocabulary)


def test_scores_of_lines(capsys, folder):
    done("train", "ten.txt", "-o", "m.ngram")
    (folder / "lines.txt").write_text("the cat sat\n\nan\tunseen word\n")
    model = NGram.load("m.ngram")
    capsys.readouterr()
    entry = json.loads(
        printed(capsys, "score", "--model", "m.ngram", "lines.txt", "--format", "json")
    )
    lines, total = entry["lines"], entry["total"]
    assert [line["text"] for line in lines] == ["the cat sat", "", "an\tunseen word"]
    assert [line["tokens"] for line in lines] == [3, 0, 3]
    assert [line["unknown"] for line in lines] == [0, 0, 3]
    for line in lines:
        assert line["log_prob"] == pytest.approx(model.score(line["text"]))
        assert line["perplexity"] == pytest.approx(model.perplexity(line["text"]))
    assert total["log_prob"] == pytest.approx(math.fsum(line["log_prob"] for line in lines))
    assert total["perplexity"] == pytest.approx(math.exp(-total["log_prob"] / 9))
    unknown = [s.log_prob for s in model.full_scores("an\tunseen word") if s.oov]
    known = (total["log_prob"] - sum(unknown)) / (9 - 3)
    assert total["perplexity_without_unknown"] == pytest.approx(math.exp(-known))

    done("score", "--model", "m.ngram", "lines.txt", "--format", "tsv")
    captured = capsys.readouterr()
    rows = [row.split("\t") for row in captured.out.splitlines()]
    assert rows[0] == ["log_prob", "perplexity", "tokens", "unknown", "text"]
    assert [row[4] for row in rows[1:]] == ["the cat sat", "", "an\\tunseen word"]
    assert float(rows[1][0]) == pytest.approx(lines[0]["log_prob"], rel=1e-7)
    assert "3, 6 tokens, 3 unknown" in captured.err

    out = printed(capsys, "score", "--model", "m.ngram", "lines.txt")
    assert re.search(rf"^ +{lines[0]['log_prob']:.4f} .*the cat sat$", out, re.MULTILINE)
    alone = printed(capsys, "score", "--model", "m.ngram", "lines.txt", "--total")
    assert out.endswith(alone)
    assert len(alone.splitlines()) == 4
    as_json = printed(
        capsys, "score", "--model", "m.ngram", "lines.txt", "--total", "--format", "json"
    )
    assert json.loads(as_json) == {"total": total}


def test_what_a_file_holds(capsys, folder):
    done("train", "ten.txt", "-o", "m.arpa")
    done("convert", "m.arpa", "m.ngram", "--unit", "word")
    capsys.readouterr()
    entry = json.loads(printed(capsys, "info", "m.ngram", "--json"))
    assert entry["format"] == "ngram"
    assert entry["counts"] == [19, 40, 51]
    assert (entry["order"], entry["words"], entry["unit"]) == (3, 19, "word")
    assert entry["special"] == ["<unk>", "<s>", "</s>"]
    assert entry["bytes"] == (folder / "m.ngram").stat().st_size
    out = printed(capsys, "info", "m.arpa")
    assert re.search(r"model +m\.arpa, arpa, [\d.]+ kB", out)
    assert re.search(r"3-grams +51", out)
    assert "19 words, with <unk> <s> </s>" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("train", "missing.txt", "-o", "m.arpa"), "missing.txt: no such file"),
        (("train", "ten.txt", "-o", "m.txt"), r"m.txt: name a file that ends in \.arpa"),
        (("train", "ten.txt", "-o", "."), "is a folder; name a file"),
        (("train", "ten.txt"), "required: -o/--output"),
        (("train", "ten.txt", "-o", "m.arpa", "--order", "11"), "order must be .* 1 to 10"),
        (("train", "ten.txt", "-o", "m.arpa", "--prune", "0", "2", "1"), "must not fall"),
        (("train", "ten.txt", "-o", "m.arpa", "--discount", "0.5"), "smoothing='absolute'"),
        (("train", "empty.txt", "-o", "m.arpa"), "no token"),
        (("train", "border.txt", "-o", "m.arpa"), r"border.txt:2: '<s>' stands for"),
        (("train", "ten.txt", "latin.txt", "-o", "m.arpa"), r"latin.txt:2: not UTF-8 at byte 2"),
        (("train", "ten.txt", "-o", "m.arpa", "--held-out", "none.txt"), "none.txt: no such"),
        (("train", "ten.txt", "-o", "m.arpa", "--vocabulary", "none.txt"), "none.txt: no such"),
        (("score", "--model", "missing.arpa", "ten.txt"), "missing.arpa: No such file"),
        (("score", "--model", "ten.txt", "ten.txt"), "ten.txt"),
        (("score", "--model", "cut.arpa", "ten.txt"), "cut.arpa, line 5: .* cut"),
        (("score", "--model", "good.arpa", "ten.txt"), "good.arpa: does not know <s>"),
        (("info", "cut.arpa"), "cut.arpa, line 5: .* cut"),
        (("convert", "cut.arpa", "m.ngram"), "cut.arpa, line 5: .* cut"),
        (("convert", "good.arpa", "m"), r"m: name a file that ends in"),
        (("score",), "required: --model"),
        ((), "required: ACTION"),
    ],
)
def test_wrong_input_is_told(capsys, folder, arguments, says):
    (folder / "empty.txt").write_text("\n \n")
    (folder / "border.txt").write_text("a b\nc <s>\n")
    (folder / "latin.txt").write_bytes(b"a\n\xe9\n")
    (folder / "good.arpa").write_text("\\data\\\nngram 1=1\n\n\\1-grams:\n-1 <unk>\n\n\\end\\\n")
    (folder / "cut.arpa").write_text("\\data\\\nngram 1=2\n\n\\1-grams:\n-1\ta\n")
    before = sorted(path.name for path in folder.iterdir())
    assert re.search(says, refused(capsys, *arguments))
    assert sorted(path.name for path in folder.iterdir()) == before


def test_an_interrupt_leaves_no_half_file(folder):
    process = unrolled("lm", "train", "--output", "m.arpa", stdin=subprocess.PIPE)
    process.stdin.write(TEN_TEXT * 5000)  # more than pipes hold: written means read
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    _, told_last = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in told_last
    assert not (folder / "m.arpa").exists()
