"""``unrolled plot alignment``: a picture of all or a part, and every wrong input told in a line."""

from __future__ import annotations

import numpy as np
import pytest

from command_line import told
from spoken import write_item, write_labels
from unrolled.cli import main

pytest.importorskip("matplotlib", reason="needs matplotlib (unrolled[plot])")


@pytest.fixture(autouse=True)
def item(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_labels(tmp_path / "labels.txt")
    return write_item(tmp_path, "x", "bad cab ace")


def arguments(*more, out="x.png"):
    given = ["--emissions", "x.npy", "--text", "x.txt", "--labels", "labels.txt", "--out", out]
    return ["plot", "alignment", *given, *map(str, more)]


@pytest.fixture
def drawn(monkeypatch):
    """What the picture is made with."""
    from unrolled import plot

    calls = []

    def draw(alignment, log_probs=None, path=None, **options):
        calls.append((alignment, log_probs, path, options))

    monkeypatch.setattr(plot, "alignment", draw, raising=False)
    return calls


def test_a_picture(tmp_path, capsys):
    assert main(arguments("--frame-rate", 50)) == 0
    assert capsys.readouterr().out == "picture: x.png\n"
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert main(arguments(out="x.svg")) == 0
    assert "<svg" in (tmp_path / "x.svg").read_text()


def test_what_is_drawn(drawn, item):
    log_probs = np.load("x.npy")
    assert main(arguments("--frame-rate", 50)) == 0
    ((alignment, given, path, options),) = drawn
    assert [(word.text, word.start, word.end) for word in alignment.words] == item
    assert np.array_equal(given, log_probs) and path == "x.png"
    assert options == {"start": 0, "end": len(log_probs)}


@pytest.mark.parametrize(
    ("unit", "factor"), [((), 1), (("--frame-rate", 50), 0.02), (("--stride", 4), 4)]
)
def test_a_part(drawn, unit, factor):
    assert main(arguments(*unit, "--start", 5 * factor, "--end", f"{7 * factor:g}")) == 0
    assert main(arguments(*unit, "--start", f"{29 * factor:g}")) == 0
    assert main(arguments(*unit, "--end", 1e9)) == 0
    frames = len(np.load("x.npy"))
    assert [call[-1] for call in drawn] == [
        {"start": 5, "end": 7},
        {"start": 29, "end": frames},
        {"start": 0, "end": frames},
    ]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            ("--start", 9, "--end", 9),
            "--start 9 to --end 9: nothing lies there; the emissions go from 0 to",
        ),
        (("--start", 1e6), "nothing lies there"),
        (("--start", -1), "'-1' is not a number of at least 0"),
        (("--labels", "none.txt"), "none.txt: no such file"),
        (("--oov", "raise", "--text", "labels.txt"), "have characters without a label"),
    ],
)
def test_wrong_options(drawn, capsys, more, message):
    assert message in told(capsys, *arguments(*more))
    assert drawn == []


def test_a_kind_is_needed(capsys):
    assert "KIND" in told(capsys, "plot")
    assert "--out" in told(capsys, "plot", "alignment", "--emissions", "x.npy")
