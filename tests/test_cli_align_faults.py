"""``unrolled align`` of one item: every wrong input is told in a line, and nothing is written."""

from __future__ import annotations

import numpy as np
import pytest

from command_line import told
from spoken import arguments, write_item, write_labels

TEXT = "bad cab ace"


@pytest.fixture(autouse=True)
def item(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_labels(tmp_path / "labels.txt")
    write_item(tmp_path, "x", TEXT)


WRONG_FILES = {
    "no emissions": ({"emissions": "none.npy"}, "none.npy: no such file; name a .npy"),
    "no text": ({"text": "none.txt"}, "none.txt: no such file; check the name"),
    "no labels": ({"labels": "none.txt"}, "none.txt: no such file; check the name"),
    "pickle": ({"emissions": "x.pt"}, "x.pt: may hold pickled code, which is never loaded; export"),
    "objects": ({"emissions": "o.npy"}, "o.npy: made of Python objects, which are never loaded"),
    "key": ({"emissions": "z.npz", "key": "b"}, "z.npz: has no array of floats 'b', only a"),
    "nan": ({"emissions": "nan.npy"}, "nan.npy: frame 4 holds nan for class 1; look for"),
    "empty text": ({"text": "empty.txt"}, "empty.txt: is empty; write the text"),
    "width": ({"labels": "five.txt"}, "x.npy has 7 classes, five.txt 5 symbols; use the labels"),
    "token": ({"text": None, "tokens": "q.txt"}, "q.txt: token 2, 'q', is no symbol of labels.txt"),
    "blank": ({"blank": "7"}, "labels.txt: no class 7; it has 7, 0 to 6"),
    "separator": ({"separator": "x"}, "labels.txt: has no symbol 'x'; give a symbol or its number"),
    "silence": ({"text": "dash.txt"}, "dash.txt: nothing in the text can be spelt with labels.txt"),
    "two texts": ({"tokens": "bad.txt", "separator": "none"}, "name it with --separator"),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_wrong_files(capsys, tmp_path, case):
    (tmp_path / "x.pt").write_bytes(b"\x80\x02")
    np.save("o.npy", np.array([[None]]), allow_pickle=True)
    np.savez("z.npz", a=np.load("x.npy"))
    log_probs = np.load("x.npy")
    log_probs[4, 1] = np.nan
    np.save("nan.npy", log_probs)
    for name, content in (
        ("empty", "\n"),
        ("five", "<blank>\na\nb\nc\nd"),
        ("q", "a q"),
        ("bad", "b a d"),
        ("dash", "- !"),
    ):
        (tmp_path / f"{name}.txt").write_text(content)
    replaced, message = WRONG_FILES[case]
    line = told(capsys, *arguments("--out", "new/out.tsv", **replaced))
    assert message in line and "\n" not in line and not (tmp_path / "new").exists()


def test_a_text_too_long_for_the_frames(capsys, tmp_path):
    (tmp_path / "x.txt").write_text("bad " * 50)
    line = told(capsys, *arguments())
    frames = len(np.load("x.npy"))
    assert line.startswith("x.npy: ") and f"{frames} frames" in line and "199" in line


@pytest.mark.parametrize(
    ("more", "replaced", "message"),
    [
        (
            (),
            {"emissions": None},
            "name the items: --emissions FILE with --text FILE, or --manifest",
        ),
        ((), {"text": None}, "say what the emissions hold: --text FILE or --tokens FILE"),
        ((), {"labels": None}, "name the symbols of the classes with --labels FILE"),
        (("--manifest", "m"), {}, "--manifest names the items; leave out --emissions"),
        (("--format", "srt"), {}, "--format srt needs seconds: give --frame-rate N (50 where"),
        (("--format", "srt", "--width", "9"), {}, "--format srt needs seconds"),
        (
            ("--format", "json", "--level", "words"),
            {},
            "--format json holds words and tokens; leave",
        ),
        (
            ("--level", "words", "--separator", "none"),
            {"text": None, "tokens": "x.tok"},
            "no words",
        ),
        (("--overwrite",), {}, "--overwrite is for many items; leave it out"),
        (("--errors", "e"), {}, "--errors is for many items; leave it out"),
        (("--format", "xml"), {}, "invalid choice: 'xml'"),
        (("--frame-rate", "0"), {}, "'0' is not a number above 0"),
        (("--skip-penalty", "-1"), {}, "'-1' is not a number of at least 0"),
        (("--frame-rate", "50", "--stride", "4"), {}, "not allowed with argument --frame-rate"),
    ],
)
def test_wrong_options(capsys, tmp_path, more, replaced, message):
    (tmp_path / "x.tok").write_text("b a d")
    assert message in told(capsys, *arguments(*more, **replaced))
