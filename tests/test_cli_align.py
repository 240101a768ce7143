"""``unrolled align`` of one item: formats, units, options."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pytest

from command_line import told, unrolled
from spoken import SYMBOLS, arguments, emissions, write_item, write_labels
from unrolled import align
from unrolled.cli import main

TEXT = "bad cab ace"


@pytest.fixture(autouse=True)
def item(tmp_path, monkeypatch):
    """The words of x.npy and x.txt in the current folder, beside labels.txt."""
    monkeypatch.chdir(tmp_path)
    write_labels(tmp_path / "labels.txt")
    return write_item(tmp_path, "x", TEXT)


def printed(capsys, *more, **replaced):
    assert main(arguments(*more, **replaced)) == 0
    return capsys.readouterr().out


def rows(text):
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


def times(text):
    return [(row["text"], float(row["start"]), float(row["end"])) for row in rows(text)]


def test_a_table_in_seconds_columns_or_frames(capsys, item):
    frames = len(np.load("x.npy"))
    for factor, options in (
        (1, ()),
        (0.02, ("--frame-rate", 50)),
        (0.02, ("--duration", frames * 0.02)),
        (4, ("--stride", 4)),
        (4, ("--width", frames * 4)),
    ):
        found = times(printed(capsys, *options))
        assert [name for name, _, _ in found] == TEXT.split()
        for (_, start, end), (_, first, last) in zip(found, item, strict=True):
            assert (start, end) == pytest.approx((first * factor, last * factor)), options


def test_where_the_frames_begin(capsys, item):
    for options, factor in ((("--frame-rate", 50), 0.02), (("--stride", 4), 4)):
        found = times(printed(capsys, *options, "--offset", 8))
        assert found[0][1:] == pytest.approx([8 + factor * frame for frame in item[0][1:]])
    assert "--offset needs what a frame is" in told(capsys, *arguments("--offset", 8))


def test_every_format(capsys, item, tmp_path):
    rate = ("--frame-rate", "50")
    (_, first, last), *_ = item
    assert f"1\n00:00:00,{first * 20:03} --> 00:00:0" in printed(capsys, *rate, "--format", "srt")
    assert printed(capsys, *rate, "--format", "vtt").startswith("WEBVTT\n")
    duration = (last - first) * 0.02
    line = printed(capsys, *rate, "--format", "ctm").splitlines()[0].split()
    assert line[0] == "x" and line[4] == "bad" and float(line[3]) == pytest.approx(duration)
    line = printed(capsys, *rate, "--format", "audacity").splitlines()[0]
    assert line == f"{first * 0.02:.6f}\t{last * 0.02:.6f}\tbad"
    (tmp_path / "x.TextGrid").write_text(printed(capsys, *rate, "--format", "textgrid"))
    tiers = align.read_textgrid(tmp_path / "x.TextGrid").tiers
    words = [interval.text for interval in tiers[0].intervals if interval.text]
    assert words == TEXT.split()
    found = json.loads(printed(capsys, *rate, "--format", "json"))
    assert [
        (word["text"], word["start_frame"], word["end_frame"]) for word in found["words"]
    ] == item


def test_the_suffix_says_the_format_and_the_file_is_whole(capsys, tmp_path):
    for name, start in (
        ("a.srt", "1\n"),
        ("b.vtt", "WEBVTT"),
        ("c.TextGrid", "File type"),
        ("d", "start"),
    ):
        assert printed(capsys, "--frame-rate", 50, "--out", tmp_path / "new" / name).startswith(
            f"{tmp_path / 'new' / name}: 3 words, -0."
        )
        assert (tmp_path / "new" / name).read_text().startswith(start)
    printed(capsys, "--out", tmp_path / "new", "--format", "json")
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == [
        "a.srt",
        "b.vtt",
        "c.TextGrid",
        "d",
        "x.json",
    ]


def test_tokens_are_written_where_asked_for(capsys, item):
    found = times(printed(capsys, "--level", "tokens"))
    assert "".join(name for name, _, _ in found) == TEXT.replace(" ", "")
    assert found[0][1:] == (item[0][1], item[0][1] + 2)


def test_tokens_in_place_of_a_text(capsys, tmp_path, item):
    numbers = [SYMBOLS.index(c) for c in "badcabace"]
    (tmp_path / "t.txt").write_text(" ".join("badcab"))
    (tmp_path / "n.txt").write_text(" ".join(map(str, numbers)))
    plain = {"text": None, "separator": "none"}
    found = times(printed(capsys, tokens="t.txt", **plain))
    assert [name for name, _, _ in found] == list("badcab")
    by_number = printed(capsys, tokens="n.txt", **plain)
    unnamed = printed(capsys, tokens="n.txt", text=None, labels=None, blank="0")
    assert [t[1:] for t in times(by_number)] == [t[1:] for t in times(unnamed)]
    assert [int(name) for name, _, _ in times(unnamed)] == numbers
    assert [t[1] for t in times(by_number)] == [
        start + 3 * i for _, start, _ in item for i in range(3)
    ]


def test_a_text_names_the_words_of_tokens(capsys, tmp_path, item):
    (tmp_path / "t.txt").write_text("b a d <space> c a b <space> a c e".replace("<space>", "|"))
    labels = [s if s != " " else "|" for s in SYMBOLS]
    (tmp_path / "bars.txt").write_text("\n".join(labels))
    (tmp_path / "words.txt").write_text("Evil taxi Expert")
    options = {"labels": "bars.txt", "tokens": "t.txt"}
    found = times(printed(capsys, **options, text="words.txt"))
    assert found == [
        (word, *place[1:]) for word, place in zip(["Evil", "taxi", "Expert"], item, strict=True)
    ]
    assert [t[0] for t in times(printed(capsys, **options, text=None))] == TEXT.split()
    (tmp_path / "words.txt").write_text("Evil taxi")
    message = told(capsys, *arguments(**options, text="words.txt"))
    assert "the text has 2 words, the tokens 3 groups between '|'; make them agree" in message


def test_pieces_of_words(capsys, tmp_path):
    """SentencePiece's: the first of a word says that it is."""
    classes = [0, 1, 0, 2, 3, 3, 0]
    np.save("y.npy", np.log(np.full((7, 4), 0.05) + 0.8 * np.eye(4)[classes]))
    (tmp_path / "pieces.txt").write_text("<blk> 0\n▁bad 1\n▁c 2\nab 3\n", "utf-8")
    (tmp_path / "t.txt").write_text("bad cab")
    options = {"emissions": "y.npy", "labels": "pieces.txt", "text": "t.txt"}
    assert times(printed(capsys, **options)) == [("bad", 1, 2), ("cab", 3, 6)]


def test_blank_by_symbol_by_number_and_from_the_end(capsys, tmp_path):
    order = [1, 2, 3, 4, 5, 6, 0]
    np.save("y.npy", np.load("x.npy")[:, order])
    names = [SYMBOLS[i] for i in order[:-1]] + ["-"]
    (tmp_path / "last.txt").write_text("\n".join(names) + "\n")
    expected = printed(capsys)
    for blank in ("-1", "6", "-"):
        assert printed(capsys, emissions="y.npy", labels="last.txt", blank=blank) == expected
    message = told(capsys, *arguments(emissions="y.npy", labels="last.txt"))
    assert (
        "last.txt: no symbol is called <blank>, <blk> or <pad>; name the blank with --blank"
        in message
    )


def test_without_a_blank(capsys, tmp_path):
    """A text of which every frame is one symbol: no blanks between."""
    classes = [0, 0, 1, 1, 1, 2]
    np.save("y.npy", np.log(np.full((6, 3), 0.05) + 0.85 * np.eye(3)[classes]))
    (tmp_path / "abc.txt").write_text("a\nb\nnone\n")
    (tmp_path / "t.txt").write_text("a b none")
    options = {"emissions": "y.npy", "labels": "abc.txt", "text": None, "tokens": "t.txt"}
    (tmp_path / "abd.txt").write_text("a\nb\nd\n")
    (tmp_path / "u.txt").write_text("a b d")
    free = options | {"labels": "abd.txt", "tokens": "u.txt", "blank": "none"}
    assert times(printed(capsys, **free)) == [("a", 0, 2), ("b", 2, 5), ("d", 5, 6)]
    message = told(capsys, *arguments(**options, blank="none"))  # a symbol is called so
    assert "the blank, 'none', among the tokens; leave it out" in message


def test_logits(capsys, rng):
    expected = printed(capsys)
    np.save("x.npy", np.load("x.npy") + rng.normal(size=(len(np.load("x.npy")), 1)) * 9)
    message = told(capsys, *arguments())
    assert (
        "x.npy: the rows are not logarithms of probabilities" in message and "--logits" in message
    )
    found = printed(capsys, "--logits")
    assert times(found) == times(expected)
    assert [float(r["score"]) for r in rows(found)] == pytest.approx(
        [float(r["score"]) for r in rows(expected)], abs=1e-5
    )


def test_half_precision_and_a_batch_of_one(capsys):
    expected = times(printed(capsys))
    np.save("x.npy", np.load("x.npy").astype(np.float16)[np.newaxis])
    assert times(printed(capsys)) == expected


@pytest.mark.parametrize("text", ["BAD cab, ace!", "bad\r\ncab\r\nace\r\n", "\ufeffbad  cab ace"])
def test_texts_as_people_write_them(capsys, tmp_path, text):
    expected = [t[1:] for t in times(printed(capsys))]
    (tmp_path / "x.txt").write_bytes(text.encode())
    assert [t[1:] for t in times(printed(capsys))] == expected


def test_words_that_cannot_be_spelt(capsys, tmp_path, item):
    (tmp_path / "x.txt").write_text("bad 12 ace")
    for oov in ("star", "interpolate"):
        found = rows(printed(capsys, oov=oov))
        assert [row["text"] for row in found] == ["bad", "12", "ace"]
        assert [row["estimated"] for row in found] == ["0", "1", "0"]
        assert float(found[0]["start"]) == item[0][1] and float(found[2]["end"]) == item[2][2]
        assert item[0][2] <= float(found[1]["start"]) <= float(found[1]["end"]) <= item[2][1]
    message = told(capsys, *arguments(oov="raise"))
    assert "x.txt: 1 words have characters without a label: '12' ('1')" in message


def test_a_wildcard_in_the_text_and_around_it(capsys, tmp_path, item):
    (tmp_path / "x.txt").write_text("bad <star> ace")
    found = times(printed(capsys))
    assert found[0] == item[0] and found[2] == item[2] and found[1][0] == "<star>"
    (tmp_path / "x.txt").write_text("cab")
    assert times(printed(capsys, "--star")) == [item[1]]
    (tmp_path / "t.txt").write_text("<star> c a b <star>")
    found = times(printed(capsys, tokens="t.txt", text=None, separator="none"))
    assert [name for name, _, _ in found] == ["<star>", "c", "a", "b", "<star>"]
    assert (found[1][1], found[3][2]) == item[1][1:]


def test_what_the_recording_leaves_out(capsys, tmp_path, item):
    log_probs, _ = emissions(TEXT, pause=8)  # what is left out takes a frame of silence each
    np.save("x.npy", log_probs)
    (tmp_path / "x.txt").write_text("bad dead cab ace")
    assert main(arguments("--skip-penalty", "1")) == 0
    captured = capsys.readouterr()
    found = rows(captured.out)
    assert [row["omitted"] for row in found] == ["0", "1", "0", "0"]
    assert "unrolled: doubtful, frames 20 to 20: dead (left out)" in captured.err


def test_what_the_text_leaves_out(capsys, tmp_path, item):
    log_probs, (first, _, last) = emissions("bad eee cab")
    np.save("x.npy", log_probs)
    (tmp_path / "x.txt").write_text("bad cab")
    assert times(printed(capsys, "--insert-penalty", "0.5")) == [first, last]


def test_priors(capsys, tmp_path):
    priors = np.array([0.7, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05])
    np.save("p.npy", priors)
    np.save("q.npy", np.log(priors))
    plain = printed(capsys)
    found = printed(capsys, priors="p.npy")
    assert found == printed(capsys, priors="q.npy") != plain
    assert printed(capsys, "--prior-scale", "0.000001", priors="p.npy") != found
    message = told(capsys, *arguments("--prior-scale", "2"))
    assert message == "--prior-scale needs --priors FILE"
    np.save("p.npy", priors[1:])
    assert "p.npy: has 6 priors, the emissions 7 classes" in told(
        capsys, *arguments(priors="p.npy")
    )


def test_posteriors(capsys):
    assert {row["posterior"] for row in rows(printed(capsys))} == {""}
    found = [float(row["posterior"]) for row in rows(printed(capsys, "--posterior"))]
    assert all(0.5 < value <= 1 for value in found)


def test_long_emissions_are_converted_in_parts(capsys, monkeypatch, tmp_path):
    """With the same result as at once, whatever the options."""
    from unrolled.cli import align_item
    from unrolled.data import emissions as module

    log_probs = np.load("x.npy")
    np.save("x.npy", (log_probs * 1.5 + 2).astype(np.float16))
    np.save("p.npy", np.full(7, 1 / 7))
    (tmp_path / "x.txt").write_text("bad 12 ace")
    for options in ((), ("--star",), ("--insert-penalty", 1), ("--priors", "p.npy")):
        more = ("--logits", *options)
        expected = printed(capsys, *more)
        for chunk in (1, 30, 10_000):
            with monkeypatch.context() as patch:
                patch.setattr(module, "_CHUNK", chunk)
                assert printed(capsys, *more) == expected
                patch.setattr(align_item, "_LARGE", 0)
                patch.setattr(module.Emissions, "array", None)
                assert printed(capsys, *more) == expected
    monkeypatch.setattr(align_item, "_LARGE", 0)
    np.save("x.npy", np.full((9, 7), np.nan, np.float16))
    assert "x.npy: frame 0 holds nan for class 0" in told(capsys, *arguments())


def test_threads_do_not_change_a_bit(capsys, threads):
    assert printed(capsys, "--threads", 3) == printed(capsys, "--threads", 1)


def test_an_array_of_several(capsys):
    log_probs = np.load("x.npy")
    np.savez("all.npz", first=log_probs, second=log_probs[::-1])
    expected = printed(capsys)
    assert printed(capsys, emissions="all.npz", key="first") == expected
    message = told(capsys, *arguments(emissions="all.npz", key="third"))
    assert message.endswith("all.npz: has no array of floats 'third', only first, second")


def test_in_its_own_process(tmp_path, capsys):
    with unrolled(*arguments(), cwd=tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "") and out == printed(capsys)


def test_help_names_every_part(capsys):
    assert main(["align", "--help"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"vocab\.json", text) and "examples:" in text
